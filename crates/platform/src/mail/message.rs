//! From texts and addresses to a message; whatever ends up in a header is checked here.

use std::time::{Duration, SystemTime};

use lettre::{
    Address, Message,
    message::{Mailbox, MultiPart, SinglePart},
};
use stoa_kernel::Timestamp;

use super::{MailError, Rendered};

/// Everything one message is made of.
pub(super) struct Letter<'a> {
    pub(super) id: &'a str,
    pub(super) from: &'a Mailbox,
    pub(super) to: Address,
    pub(super) at: Timestamp,
    pub(super) rendered: &'a Rendered,
}

impl Letter<'_> {
    /// The same letter always makes the same bytes.
    pub(super) fn compose(&self) -> Result<Message, MailError> {
        let id = checked_id(self.id)?;
        let Rendered { subject, html, text } = self.rendered;
        let body = MultiPart::alternative()
            .boundary(self.boundary())
            .singlepart(SinglePart::plain(text.clone()))
            .singlepart(SinglePart::html(html.clone()));
        let message = Message::builder()
            .date(system_time(self.at))
            .from(self.from.clone())
            .to(Mailbox::new(None, self.to.clone()))
            .subject(subject.clone())
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .multipart(body)?;
        Ok(message)
    }

    /// A line that stands between the parts and in neither of them.
    fn boundary(&self) -> String {
        let mut boundary = format!("part_{:.32}", self.id);
        while self.rendered.text.contains(&boundary) || self.rendered.html.contains(&boundary) {
            boundary.push('_');
        }
        boundary
    }
}

/// An id that may name a file and a message.
pub(super) fn checked_id(id: &str) -> Result<&str, MailError> {
    let fits = matches!(id.len(), 1..=128)
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if fits { Ok(id) } else { Err(MailError::BadId(id.to_owned())) }
}

/// The address of one recipient, its domain in ASCII.
///
/// Stricter than the RFCs: quoted local parts, bare IP addresses and names outside ASCII before the `@` are legal, but
/// no shopper has one and some relay on the way would stumble.
pub(super) fn recipient(text: &str) -> Result<Address, MailError> {
    deliverable(text).ok_or_else(|| MailError::BadAddress(text.to_owned()))
}

/// Whom mails come from, with or without a name.
pub(super) fn sender(text: &str) -> Result<Mailbox, MailError> {
    let bad = || MailError::BadAddress(text.to_owned());
    let parsed: Mailbox = text.parse().map_err(|_| bad())?;
    let email = deliverable(parsed.email.as_ref()).ok_or_else(bad)?;
    Ok(Mailbox::new(parsed.name, email))
}

fn deliverable(text: &str) -> Option<Address> {
    let (user, domain) = text.rsplit_once('@')?;
    let plain = |c: char| c.is_ascii_graphic() && !r#""(),:;<>@[\]"#.contains(c);
    if user.len() > 64 || !user.chars().all(plain) {
        return None;
    }
    let domain = idna::domain_to_ascii_strict(domain).ok()?;
    let is_host = domain.rsplit('.').next()?.contains(|c: char| c.is_ascii_alphabetic());
    if !is_host || user.len() + domain.len() >= 254 {
        return None;
    }
    Address::new(user, domain).ok()
}

/// Held within the years that a Date header can tell.
fn system_time(at: Timestamp) -> SystemTime {
    const LAST_SECOND: u64 = 253_402_300_799;
    let seconds = u64::try_from(at.as_seconds()).unwrap_or(0).min(LAST_SECOND);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(subject: &str, text: &str) -> Rendered {
        Rendered { subject: subject.into(), html: format!("<p>{text}</p>"), text: text.into() }
    }

    fn compose(rendered: &Rendered) -> String {
        let from = sender("Stoa <shop@example.com>").unwrap();
        let to = recipient("bob@example.org").unwrap();
        let letter =
            Letter { id: "mail-1", from: &from, to, at: Timestamp::from_seconds(1_700_000_000), rendered };
        String::from_utf8(letter.compose().unwrap().formatted()).unwrap()
    }

    #[test]
    fn has_the_headers_and_both_texts() {
        let message = compose(&rendered("Your order", "It is on its way."));
        for line in [
            "From: Stoa <shop@example.com>\r\n",
            "To: bob@example.org\r\n",
            "Subject: Your order\r\n",
            "Message-ID: <mail-1@example.com>\r\n",
            "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
            "MIME-Version: 1.0\r\n",
            "Content-Type: multipart/alternative;",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Type: text/html; charset=utf-8\r\n",
            "\r\nIt is on its way.\r\n",
            "\r\n<p>It is on its way.</p>\r\n",
        ] {
            assert!(message.contains(line), "{line:?} is missing in:\n{message}");
        }
    }

    #[test]
    fn the_same_letter_makes_the_same_bytes() {
        let rendered = rendered("Your order", "It is on its way.");
        assert_eq!(compose(&rendered), compose(&rendered));
    }

    #[test]
    fn a_text_cannot_end_its_part() {
        let message = compose(&rendered("Hello", "--part_mail-1--\n--part_mail-1_--"));
        assert!(message.contains("boundary=\"part_mail-1__\""), "{message}");
    }

    #[test]
    fn a_subject_cannot_start_another_header() {
        let message = compose(&rendered("Hi\r\nBcc: eve@example.com\r\n\r\nbody", "x"));
        let (head, _) = message.split_once("\r\n\r\n").unwrap();
        assert!(!head.to_lowercase().contains("\nbcc:"), "{head}");
    }

    #[test]
    fn odd_addresses_are_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let far = format!("a@{}.com", "example.".repeat(40));
        for odd in [
            "",
            "bob",
            "@example.com",
            "bob@",
            "bob@@example.com",
            "bob@example.com@example.com",
            "bob @example.com",
            " bob@example.com",
            "bob@example.com ",
            "bob@example.com\r\nBcc: eve@example.com",
            "bob\n@example.com",
            "bob\0@example.com",
            "bob@example.com, eve@example.com",
            "Bob <bob@example.com>",
            "<bob@example.com>",
            "\"bob\"@example.com",
            "\"a b\"@example.com",
            ".bob@example.com",
            "bob.@example.com",
            "b..b@example.com",
            "bøb@example.com",
            "bob@exa_mple.com",
            "bob@-example.com",
            "bob@example..com",
            "bob@example.com.",
            "bob@127.0.0.1",
            "bob@[127.0.0.1]",
            "bob@[::1]",
            &long,
            &far,
        ] {
            assert!(matches!(recipient(odd), Err(MailError::BadAddress(told)) if told == odd), "{odd:?}");
        }
    }

    #[test]
    fn plain_addresses_are_taken() {
        for (given, kept) in [
            ("bob@example.com", "bob@example.com"),
            ("bob.o'hara+shop@mail.example.co.uk", "bob.o'hara+shop@mail.example.co.uk"),
            ("root@localhost", "root@localhost"),
            ("bob@bücher.example", "bob@xn--bcher-kva.example"),
        ] {
            assert_eq!(recipient(given).unwrap().to_string(), kept);
        }
    }

    #[test]
    fn a_sender_may_have_a_name() {
        assert_eq!(sender("shop@example.com").unwrap().name, None);
        assert_eq!(sender("Stoà Shop <shop@example.com>").unwrap().name.unwrap(), "Stoà Shop");
        for odd in ["", "Stoa", "Stoa <shop>", "Sto\r\na <shop@example.com>", "a@example.com, b@example.com"]
        {
            assert!(matches!(sender(odd), Err(MailError::BadAddress(_))), "{odd:?}");
        }
    }

    #[test]
    fn ids_name_files() {
        for id in ["", "a/b", "../a", ".", "a.eml", "a b", "a\r\nb", "ä", &"a".repeat(129)] {
            assert!(matches!(checked_id(id), Err(MailError::BadId(_))), "{id:?}");
        }
        assert!(checked_id("018bcfe5-6800-7000-8000-00000000002a").is_ok());
    }
}
