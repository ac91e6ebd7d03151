//! What an account is made of, and the rules of its parts.

use serde::Serialize;
use stoa_kernel::{Flaw, Timestamp, UserId, fields};
use utoipa::ToSchema;

/// The role of whoever registers.
pub(crate) const USER_ROLE: &str = "user";
/// The role that may do everything.
pub(crate) const ADMIN_ROLE: &str = "admin";

const LONGEST_EMAIL: usize = 254;
const LONGEST_LOCAL_PART: usize = 64;
const LONGEST_LABEL: usize = 63;
const LONGEST_USERNAME: usize = 64;
const LONGEST_NAME: usize = 100;
/// Room is left for the digits that make a derived username unique.
const LONGEST_DERIVED: usize = 48;

/// An address that mail can be sent to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmailAddress {
    given: String,
    folded: String,
}

impl EmailAddress {
    /// Reads an address. Stricter than the RFCs allow: no quoted local parts, no bare IP addresses, domains in ASCII;
    /// nobody who registers has one, and mail to them would not arrive.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        if text.len() > LONGEST_EMAIL {
            return Err(Flaw::new("TOO_LONG", "An e-mail address has at most 254 characters."));
        }
        let parts = text.split_once('@').filter(|(local, domain)| is_local_part(local) && is_domain(domain));
        if parts.is_none() {
            return Err(Flaw::new("INVALID_EMAIL", "This is not an e-mail address."));
        }
        Ok(Self { given: text.to_owned(), folded: text.to_ascii_lowercase() })
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.given
    }

    /// The form in which addresses are unique.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// What stands before the `@`.
    pub fn local_part(&self) -> &str {
        self.given.split('@').next().unwrap_or_default()
    }
}

fn is_local_part(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !r#""(),:;<>@[\]"#.contains(c);
    text.len() <= LONGEST_LOCAL_PART
        && text.chars().all(plain)
        && text.split('.').all(|atom| !atom.is_empty())
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    let has_dot = text.contains('.') || text.eq_ignore_ascii_case("localhost");
    has_dot && text.split('.').all(is_label) && last.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// The name by which others know and mention somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Username {
    given: String,
    folded: String,
}

impl Username {
    /// Reads a username: 2 to 64 letters, digits, `.`, `_` and `-`, the first a letter or digit.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let length = text.chars().count();
        if length < 2 {
            return Err(Flaw::new("TOO_SHORT", "A username has at least 2 characters."));
        }
        if length > LONGEST_USERNAME {
            return Err(Flaw::new("TOO_LONG", "A username has at most 64 characters."));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if !text.bytes().all(allowed) || !text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            return Err(Flaw::new(
                "INVALID_USERNAME",
                "A username is made of letters, digits, `.`, `_` and `-`, and begins with a letter or digit.",
            ));
        }
        Ok(Self { given: text.to_owned(), folded: text.to_ascii_lowercase() })
    }

    /// A username made from somebody's name or address.
    pub fn derived_from(text: &str) -> Self {
        let mut made = String::new();
        for c in text.chars() {
            if made.len() >= LONGEST_DERIVED {
                break;
            }
            match c.to_ascii_lowercase() {
                c if c.is_ascii_alphanumeric() => made.push(c),
                c @ ('.' | '_' | '-') if !made.is_empty() => made.push(c),
                c if c.is_whitespace() && !made.is_empty() && !made.ends_with('.') => made.push('.'),
                _ => {}
            }
        }
        let made = made.trim_end_matches(['.', '_', '-']);
        let made = if made.len() < 2 { "user" } else { made };
        Self { given: made.to_owned(), folded: made.to_owned() }
    }

    /// The same name with a number behind it.
    pub fn numbered(&self, number: u64) -> Self {
        Self { given: format!("{}{number}", self.given), folded: format!("{}{number}", self.folded) }
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.given
    }

    /// The form in which usernames are unique.
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

/// What a person is called: 1 to 100 characters without line breaks and other controls.
pub(crate) fn person_name(text: &str) -> Result<String, Flaw> {
    if text.contains(char::is_control) {
        return Err(Flaw::new("INVALID_NAME", "A name holds no line breaks or other control characters."));
    }
    fields::text(text.trim(), 1, LONGEST_NAME)
}

/// What somebody signs in with, in the form in which it is looked up and counted: an address or a username.
pub(crate) fn login_identifier(text: &str) -> Result<String, Flaw> {
    fields::text(text.trim(), 1, LONGEST_EMAIL).map(|text| text.to_lowercase())
}

/// An account as it is kept, but for the password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) username: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) email_verified_at: Option<Timestamp>,
    pub(crate) role: String,
    pub(crate) avatar_url: Option<String>,
    pub(crate) status: String,
    pub(crate) sync_status: String,
    pub(crate) last_login_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// An account as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub(crate) struct UserView {
    id: UserId,
    username: String,
    name: String,
    /// Shown to the user and to those who may read users.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    email_verified: bool,
    role: String,
    avatar_url: Option<String>,
    /// Presence: `online`, `away`, `busy` or `offline`.
    status: String,
    last_login_at: Option<Timestamp>,
    /// How far the copy to the outer system is: shown to those who may read users.
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_status: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl UserView {
    /// As the user sees it.
    pub(crate) fn own(user: User) -> Self {
        Self { sync_status: None, ..Self::full(user) }
    }

    /// As everybody else sees it.
    pub(crate) fn public(user: User) -> Self {
        Self { email: None, sync_status: None, ..Self::full(user) }
    }

    /// As those see it who may read users.
    pub(crate) fn full(user: User) -> Self {
        Self {
            id: user.id,
            username: user.username,
            name: user.name,
            email: Some(user.email),
            email_verified: user.email_verified_at.is_some(),
            role: user.role,
            avatar_url: user.avatar_url,
            status: user.status,
            last_login_at: user.last_login_at,
            sync_status: Some(user.sync_status),
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_folded_for_comparing_and_kept_as_given() {
        let address = EmailAddress::parse("Bob.Smith+shop@Example.COM").unwrap();
        assert_eq!(address.as_str(), "Bob.Smith+shop@Example.COM");
        assert_eq!(address.folded(), "bob.smith+shop@example.com");
        assert_eq!(address.local_part(), "Bob.Smith+shop");
        assert!(EmailAddress::parse("root@localhost").is_ok());
    }

    #[test]
    fn odd_addresses_are_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}com", "example.".repeat(40));
        for odd in [
            "",
            "bob",
            "@example.com",
            "bob@",
            "bob@host",
            "bob@@example.com",
            "a@b@example.com",
            "bob @example.com",
            " bob@example.com",
            "bob@example.com\n",
            "bob\0@example.com",
            "bob@example..com",
            "bob@.com",
            "bob@-example.com",
            "bob@exa_mple.com",
            "bob@127.0.0.1",
            "\"bob\"@example.com",
            ".bob@example.com",
            "bob.@example.com",
            "bøb@example.com",
            &long,
            &longer,
        ] {
            assert!(EmailAddress::parse(odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn usernames_are_plain_words() {
        assert_eq!(Username::parse("Bob_Smith-1.x").unwrap().folded(), "bob_smith-1.x");
        for odd in ["", "a", "_bob", "bob smith", "bob@example.com", "bób", &"a".repeat(65)] {
            assert!(Username::parse(odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn usernames_are_made_of_whatever_there_is() {
        let made = |text: &str| Username::derived_from(text).as_str().to_owned();
        assert_eq!(made("Ada Lovelace"), "ada.lovelace");
        assert_eq!(made("  .bob+shop!"), "bobshop");
        assert_eq!(made("李小龍"), "user");
        assert_eq!(made("x"), "user");
        for odd in ["Ada Lovelace", "李", "..--", &"long ".repeat(100)] {
            let made = Username::derived_from(odd).numbered(99_999_999);
            assert!(Username::parse(made.as_str()).is_ok(), "{made:?}");
        }
    }

    #[test]
    fn names_are_one_line() {
        assert_eq!(person_name(" Ada "), Ok("Ada".into()));
        assert!(person_name("Ada\nBcc: eve").is_err());
        assert!(person_name("   ").is_err());
        assert!(person_name(&"a".repeat(101)).is_err());
    }

    #[test]
    fn identifiers_are_counted_in_one_form() {
        assert_eq!(login_identifier(" Bob@Example.com "), Ok("bob@example.com".into()));
        assert!(login_identifier(" ").is_err());
    }
}
