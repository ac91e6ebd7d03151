//! The kinds of values settings take: how each is checked, and how the documentation words it.

use super::parse::{
    Flaw, address, amount, basis_points, count, currency, database_url, duration, keys, log_filter,
    log_format, mailbox, moment, networks, origins, password_policy, port, rate, secret, size, switch, url,
    version,
};

/// What kind of value a setting takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Text,
    Folder,
    Address,
    Port,
    Url,
    DatabaseUrl,
    Switch,
    Duration,
    Rate,
    Size,
    Count { least: u64, most: u64 },
    Percent,
    Amount,
    Currency,
    Version,
    Moment,
    Origins,
    Networks,
    Secret,
    Keys,
    Mailbox,
    Policy,
    LogFilter,
    LogFormat,
}

impl Kind {
    /// Whether `text` is a value of this kind.
    pub(super) fn check(self, text: &str) -> Result<(), Flaw> {
        match self {
            Self::Text | Self::Folder => Ok(()),
            Self::Address => address(text).map(drop),
            Self::Port => port(text).map(drop),
            Self::Url => url(text).map(drop),
            Self::DatabaseUrl => database_url(text).map(drop),
            Self::Switch => switch(text).map(drop),
            Self::Duration => duration(text).map(drop),
            Self::Rate => rate(text).map(drop),
            Self::Size => size(text).map(drop),
            Self::Count { least, most } => count(text, least, most).map(drop),
            Self::Percent => basis_points(text).map(drop),
            Self::Amount => amount(text).map(drop),
            Self::Currency => currency(text).map(drop),
            Self::Version => version(text).map(drop),
            Self::Moment => moment(text).map(drop),
            Self::Origins => origins(text).map(drop),
            Self::Networks => networks(text).map(drop),
            Self::Secret => secret(text),
            Self::Keys => keys(text).map(drop),
            Self::Mailbox => mailbox(text),
            Self::Policy => password_policy(text).map(drop),
            Self::LogFilter => log_filter(text).map(drop),
            Self::LogFormat => log_format(text).map(drop),
        }
    }

    /// What to write, for the table of settings.
    pub(super) const fn wording(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Folder => "a folder",
            Self::Address => "an IP address or `localhost`",
            Self::Port => "0 to 65535",
            Self::Url => "an http or https address",
            Self::DatabaseUrl => "`sqlite:FILE` or `postgres://…`",
            Self::Switch => "`on` or `off`",
            Self::Duration => "a time: `500ms`, `30s`, `15m`, `1h`, `7d`",
            Self::Rate => "so many in a time: `100/15m`",
            Self::Size => "a size: `512KiB`, `10MB`",
            Self::Count { .. } => "a whole number",
            Self::Percent => "per cent: `10`, `8.25`",
            Self::Amount => "an amount of money: `9.90`",
            Self::Currency => "an ISO 4217 code",
            Self::Version => "`v1` or `v2`",
            Self::Moment => "a date, or date and time as in RFC 3339",
            Self::Origins => "origins, separated by commas",
            Self::Networks => "addresses or CIDR networks, separated by commas",
            Self::Secret => "at least 32 bytes",
            Self::Keys => "keys of at least 16 characters, separated by commas",
            Self::Mailbox => "`shop@example.com` or `Shop <shop@example.com>`",
            Self::Policy => "`strict` or `basic`",
            Self::LogFilter => "`error`, `warn`, `info`, `debug`, `trace`, or a filter by target",
            Self::LogFormat => "`auto`, `pretty`, `compact` or `json`",
        }
    }

    /// Whether the example file writes the value bare, as numbers are.
    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Port | Self::Count { .. } | Self::Percent | Self::Amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_kind_refuses_what_it_is_not() {
        let any = Kind::Count { least: 1, most: 9 };
        for (kind, good, bad) in [
            (Kind::Address, "::1", "example.com"),
            (Kind::Address, "localhost", "1.2.3"),
            (Kind::Port, "0", "65536"),
            (Kind::Url, "https://shop.example.com/", "shop.example.com"),
            (Kind::Switch, "Off", "maybe"),
            (any, "9", "10"),
            (Kind::Amount, "9.90", "-1"),
            (Kind::Currency, "EUR", "euro"),
            (Kind::Version, "v1", "v0"),
            (Kind::Moment, "2027-01-31", "soon"),
            (Kind::Networks, "10.0.0.0/8, ::1", "10.0.0.0/33"),
            (Kind::Secret, "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcde"),
            (Kind::Keys, "0123456789abcdef,fedcba9876543210", "0123456789abcdef,short"),
            (Kind::Mailbox, "Shop <shop@example.com>", "shop"),
            (Kind::Policy, "basic", "none"),
            (Kind::LogFilter, "info,stoa_http=debug", "stoa=loud"),
            (Kind::LogFormat, "json", "xml"),
        ] {
            assert_eq!(kind.check(good), Ok(()), "{good}");
            assert!(kind.check(bad).is_err(), "{bad}");
        }
    }
}
