//! An API key before it is made: what somebody asks for, checked, and the secret it will be.

use ipnet::IpNet;
use stoa_kernel::{Fields, Flaw, Permission, Random, Refusal, Timestamp};

use super::{networks, scopes};
use crate::tokens::{SecretHash, hash_of};

/// What keys begin with, so that people and scanners of leaked secrets know one when they see it.
const MARK: &str = "stoa_";
/// How many characters 32 random bytes have in base64.
const SECRET_LENGTH: usize = 43;
/// How many of them lists may show: too few to be of use, enough to tell keys apart.
const SHOWN: usize = 6;

const LONGEST_NAME: usize = 100;
const MOST_SCOPES: usize = 100;
const MOST_NETWORKS: usize = 100;

/// A key as somebody wants it, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeyDraft {
    pub(super) name: String,
    pub(super) scopes: Vec<Permission>,
    pub(super) networks: Vec<IpNet>,
    pub(super) expires_at: Option<Timestamp>,
}

impl KeyDraft {
    /// Checks what was given; whether the scopes are known and may be given is for the database to say.
    pub(crate) fn parse(
        name: &str,
        scopes: &[String],
        networks: &[String],
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let mut fields = Fields::default();
        let name = fields.take("name", named(name));
        let scopes = parsed(&mut fields, "scopes", scopes, MOST_SCOPES, scopes::parse);
        let networks = parsed(&mut fields, "allowedIps", networks, MOST_NETWORKS, networks::parse);
        if scopes.is_empty() && fields.is_clean() {
            fields.refuse("scopes", Flaw::new("REQUIRED", "Give the key something that it may do."));
        }
        let past = Flaw::new("IN_THE_PAST", "Give a moment that is still to come.");
        fields.check("expiresAt", expires_at.is_none_or(|at| at > now), past);
        match name {
            Some(name) if fields.is_clean() => Ok(Self { name, scopes, networks, expires_at }),
            _ => Err(fields.into_refusal()),
        }
    }
}

fn named(name: &str) -> Result<String, Flaw> {
    let name = name.trim();
    match name.chars().count() {
        0 => Err(Flaw::new("TOO_SHORT", "Give the key a name.")),
        1..=LONGEST_NAME if name.chars().any(char::is_control) => {
            Err(Flaw::new("INVALID_NAME", "A name has no control characters."))
        }
        1..=LONGEST_NAME => Ok(name.to_owned()),
        _ => Err(Flaw::new("TOO_LONG", "A name has at most 100 characters.")),
    }
}

/// The parsed entries of a list, each once, in order.
fn parsed<T: Ord>(
    fields: &mut Fields,
    field: &'static str,
    given: &[String],
    most: usize,
    parse: fn(&str) -> Result<T, Flaw>,
) -> Vec<T> {
    if given.len() > most {
        fields.refuse(field, Flaw::new("TOO_MANY", "At most 100 entries."));
        return Vec::new();
    }
    let entries = given.iter().enumerate();
    let mut values: Vec<T> =
        entries.filter_map(|(index, text)| fields.take(format!("{field}.{index}"), parse(text))).collect();
    values.sort();
    values.dedup();
    values
}

/// A key's secret. The text leaves once, in the answer that made it; the hash and the prefix stay.
pub(crate) struct KeySecret {
    pub(crate) text: String,
    pub(crate) hash: SecretHash,
    pub(crate) prefix: String,
}

impl KeySecret {
    pub(crate) fn new(random: &Random) -> Self {
        let text = format!("{MARK}{}", random.secret());
        let prefix = text.chars().take(MARK.len() + SHOWN).collect();
        Self { hash: hash_of(&text), prefix, text }
    }
}

/// Whether a text could be a key of ours at all; most nonsense ends here, before the database is asked.
pub(super) fn is_well_formed(text: &str) -> bool {
    let secret = text.strip_prefix(MARK).unwrap_or_default();
    secret.len() == SECRET_LENGTH
        && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_seconds(1_700_000_000)
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_field_at_fault_is_named() {
        let (scopes, networks) = (texts(&["order:read", "order"]), texts(&["10.0.0.0/33"]));
        let refused = KeyDraft::parse(" \n", &scopes, &networks, Some(now()), now()).unwrap_err();
        let flaws: Vec<_> =
            refused.fields.iter().map(|flaw| (flaw.field.as_ref(), flaw.code.as_ref())).collect();
        assert_eq!(
            flaws,
            [
                ("name", "TOO_SHORT"),
                ("scopes.1", "INVALID_PERMISSION"),
                ("allowedIps.0", "INVALID_NETWORK"),
                ("expiresAt", "IN_THE_PAST")
            ]
        );
        let code = |name: &str, scopes: &[String]| {
            KeyDraft::parse(name, scopes, &[], None, now()).unwrap_err().fields[0].code.clone()
        };
        assert_eq!(code("till", &[]), "REQUIRED");
        assert_eq!(code("till", &texts(&["order:read"; 101])), "TOO_MANY");
        assert_eq!(code(&"x".repeat(101), &texts(&["order:read"])), "TOO_LONG");
        assert_eq!(code("ti\u{7}ll", &texts(&["order:read"])), "INVALID_NAME");
    }

    #[test]
    fn entries_count_once() {
        let scopes = texts(&["order:read", "category:read", "order:read"]);
        let later = Some(now() + Duration::from_secs(1));
        let draft = KeyDraft::parse(" Till ", &scopes, &texts(&["10.1.1.1/8", "10.0.0.0/8"]), later, now());
        let draft = draft.unwrap();
        assert_eq!(draft.name, "Till");
        let written: Vec<_> = draft.scopes.iter().map(scopes::written).collect();
        assert_eq!(written, ["category:read", "order:read"]);
        assert_eq!(draft.networks.len(), 1);
    }

    #[test]
    fn keys_look_like_keys() {
        let key = KeySecret::new(&Random::system());
        assert!(is_well_formed(&key.text) && key.text.starts_with(&key.prefix));
        assert_eq!(key.prefix.len(), 11);
        let inside = key.text.replace("stoa_", "stoa");
        for other in ["", "stoa_", "till-key", &key.text[1..], &key.text[..47], inside.as_str()] {
            assert!(!is_well_formed(other), "{other}");
        }
        assert!(!is_well_formed(&format!("{}é", &key.text[..46])));
    }
}
