//! What holds and where it came from, fit to be shown: secrets are masked.

use std::path::{Path, PathBuf};

use super::{
    kind::Kind,
    sources::{Held, Origin},
};

/// Every setting, in the order of the documentation.
#[derive(Clone, Debug)]
pub struct Report {
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
    /// One line a setting.
    pub lines: Vec<ReportLine>,
}

/// One setting as it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReportLine {
    /// Its name in the environment.
    pub name: &'static str,
    /// Its value; of secrets no more than that there is one.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl Report {
    pub(super) fn of(held: &[Held], file: Option<&Path>) -> Self {
        let line = |held: &Held| ReportLine {
            name: held.setting.name,
            value: masked(held),
            origin: held.origin.clone(),
        };
        Self { file: file.map(Path::to_owned), lines: held.iter().map(line).collect() }
    }
}

const MASK: &str = "********";

fn masked(held: &Held) -> String {
    match held.setting.kind {
        _ if held.text.is_empty() || !held.setting.secret => held.text.clone(),
        Kind::DatabaseUrl => without_password(&held.text),
        _ => MASK.to_owned(),
    }
}

/// An address without its password. The last `@` before the path ends the credentials, whatever a password contains;
/// parameters may hold passwords too, so they are left out.
fn without_password(url: &str) -> String {
    let address = url.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    match rest.rsplit_once('@') {
        Some((credentials, place)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:{MASK}@{place}")
        }
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_passwords() {
        assert_eq!(
            without_password("postgres://bob:p@ss:w@h:5432/d"),
            format!("postgres://bob:{MASK}@h:5432/d")
        );
        assert_eq!(without_password("postgres://h/d?password=secret"), "postgres://h/d");
        assert_eq!(without_password("sqlite:./x.db"), "sqlite:./x.db");
        assert!(!without_password("postgres://bob:a?secret@h/d").contains("secret"));
    }
}
