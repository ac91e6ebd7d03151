//! Reads back the few headers a list of mails shows, from messages we wrote ourselves.

use base64::{Engine, prelude::BASE64_STANDARD};

/// The value of header `name` in a message's head, on one line and decoded.
pub(super) fn value(head: &str, name: &str) -> Option<String> {
    let mut lines = head.split("\r\n").take_while(|line| !line.is_empty());
    let first = lines.find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim_start().to_owned())
    })?;
    // Continued lines start with a space, which is all that folding put there.
    let unfolded =
        lines.take_while(|line| line.starts_with([' ', '\t'])).fold(first, |value, line| value + line);
    Some(decoded(&unfolded))
}

/// Takes the encoded words of RFC 2047 out of a value; a word it cannot read stays as it is.
fn decoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut after_encoded = false;
    for piece in value.split_inclusive(' ') {
        let word = piece.trim_end_matches(' ');
        if let Some(decoded) = encoded_word(word) {
            if after_encoded {
                // Blanks between two encoded words are not part of the text.
                text.truncate(text.trim_end_matches(' ').len());
            }
            text.push_str(&decoded);
            text.push_str(piece.get(word.len()..).unwrap_or_default());
            after_encoded = true;
        } else {
            text.push_str(piece);
            after_encoded = after_encoded && word.is_empty();
        }
    }
    text
}

fn encoded_word(word: &str) -> Option<String> {
    let inner = word.strip_prefix("=?utf-8?b?")?.strip_suffix("?=")?;
    String::from_utf8(BASE64_STANDARD.decode(inner).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use lettre::message::header::{HeaderName, Headers, Subject};

    use super::*;

    fn written(subject: &str) -> String {
        let mut headers = Headers::new();
        headers.set(Subject::from(subject.to_owned()));
        assert!(headers.get_raw(&HeaderName::new_from_ascii_str("Subject")[..]).is_some());
        format!("From: shop@example.com\r\n{headers}To: bob@example.org\r\n\r\nSubject: not this")
    }

    #[test]
    fn reads_what_the_writer_wrote() {
        for subject in [
            "Your order",
            "Grüße aus Köln",
            "注文番号 1042 を発送しました。ご利用ありがとうございます。またのお越しをお待ちしております。",
            "Order 1042 — shipped with Ünïcode in the middle of a line that is long enough to be folded twice or more",
            "🎉",
            "=?utf-8?b?not really encoded",
            "a  b",
        ] {
            assert_eq!(value(&written(subject), "subject").as_deref(), Some(subject));
        }
    }

    #[test]
    fn ends_with_the_head() {
        assert_eq!(value("To: bob\r\n\r\nSubject: no", "Subject"), None);
        assert_eq!(value(&written("x"), "To").as_deref(), Some("bob@example.org"));
    }
}
