//! Headers bound into a signed link, by AWS's Signature Version 4.
//!
//! `object_store` signs links, but keeps the length of what is put out of what is signed. A link without it lets anybody
//! who has it put as much as the store takes.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use url::Url;

use crate::mac;

/// What a canonical query leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const HEADERS: &str = "X-Amz-SignedHeaders";
const SIGNATURE: &str = "X-Amz-Signature";

/// The same link, good only for requests with these headers, named in lower case. `None` for what is no signed link.
pub(super) fn bound(mut link: Url, method: &str, headers: &[(&str, &str)], secret: &str) -> Option<Url> {
    let host = link.host_str()?;
    let host = link.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut headers: BTreeMap<&str, &str> = headers.iter().copied().collect();
    headers.insert("host", &host);
    let names = headers.keys().copied().collect::<Vec<_>>().join(";");
    let mut query: BTreeMap<String, String> = link.query_pairs().into_owned().collect();
    query.remove(SIGNATURE);
    query.insert(HEADERS.to_owned(), names.clone());
    let pairs = query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    let pairs = pairs.collect::<Vec<_>>().join("&");
    let lines = headers.iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>().join("\n");
    let request = format!("{method}\n{}\n{pairs}\n{lines}\n\n{names}\nUNSIGNED-PAYLOAD", link.path());
    let (_, scope) = query.get("X-Amz-Credential")?.split_once('/')?;
    let digest = mac::hex(&Sha256::digest(request));
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{digest}", query.get("X-Amz-Date")?);
    let narrowed = |key: Vec<u8>, part: &str| mac::of(&key, &[part.as_bytes()]);
    let key = scope.split('/').try_fold(format!("AWS4{secret}").into_bytes(), narrowed)?;
    let signature = mac::hex(&mac::of(&key, &[text.as_bytes()])?);
    link.set_query(Some(&format!("{pairs}&{SIGNATURE}={signature}")));
    Some(link)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const LINK: &str = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z\
        &X-Amz-Expires=86400&X-Amz-SignedHeaders=host";

    fn signature(method: &str, headers: &[(&str, &str)]) -> String {
        let link = bound(Url::parse(LINK).unwrap(), method, headers, SECRET).unwrap();
        link.query_pairs().find(|(name, _)| name == SIGNATURE).unwrap().1.into_owned()
    }

    /// The example of AWS's own documentation.
    #[test]
    fn it_signs_as_aws_does() {
        assert_eq!(signature("GET", &[]), "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    }

    #[test]
    fn each_header_counts_and_their_order_does_not() {
        let (length, kind) = (("content-length", "9"), ("content-type", "image/png"));
        let both = signature("PUT", &[length, kind]);
        assert_eq!(both, signature("PUT", &[kind, length]));
        assert_ne!(both, signature("PUT", &[kind]));
        assert_ne!(both, signature("PUT", &[("content-length", "10"), kind]));
        assert!(bound(Url::parse("https://example.com/a").unwrap(), "PUT", &[], SECRET).is_none());
    }
}
