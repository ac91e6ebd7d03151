//! What a browser is told to do with a file.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 8187 lets stand as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The `Content-Disposition` of a download under this name, for old readers in ASCII and for the others in full.
pub fn attachment(filename: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_. ()".contains(c) { c } else { '_' };
    let ascii: String = filename.chars().map(plain).collect();
    let whole = utf8_percent_encode(filename, ENCODED);
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{whole}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_breaks_out_of_its_quotes() {
        assert_eq!(attachment("tea.txt"), "attachment; filename=\"tea.txt\"; filename*=UTF-8''tea.txt");
        assert_eq!(
            attachment("a\"; b=\r\nä"),
            "attachment; filename=\"a__ b____\"; filename*=UTF-8''a%22%3B%20b%3D%0D%0A%C3%A4"
        );
    }
}
