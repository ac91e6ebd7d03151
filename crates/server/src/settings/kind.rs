//! The kinds of values settings take: how each is checked, and how the documentation words it.

use super::parse::{
    Flaw, address, amount, basis_points, clamd_url, count, currency, database_url, domains, duration, email,
    headers, https, jwt_algorithm, keys, log_filter, log_format, mailbox, moment, networks, origins,
    password_policy, port, prefix, rate, redis_url, secret, share, size, smtp_url, storage_url, switch,
    upload_limits, url, version,
};

/// What kind of value a setting takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Text,
    Folder,
    File,
    Address,
    Port,
    Url,
    DatabaseUrl,
    RedisUrl,
    StorageUrl,
    ClamdUrl,
    Domains,
    Email,
    Https,
    Prefix,
    Switch,
    Duration,
    Rate,
    Size,
    SizesOfFiles,
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
    SmtpUrl,
    Policy,
    JwtAlgorithm,
    Headers,
    Share,
    LogFilter,
    LogFormat,
}

impl Kind {
    /// Whether `text` is a value of this kind.
    pub(super) fn check(self, text: &str) -> Result<(), Flaw> {
        match self {
            Self::Text | Self::Folder | Self::File => Ok(()),
            Self::Address => address(text).map(drop),
            Self::Port => port(text).map(drop),
            Self::Url => url(text).map(drop),
            Self::DatabaseUrl => database_url(text).map(drop),
            Self::Domains => domains(text).map(drop),
            Self::Email => email(text).map(drop),
            Self::Https => https(text).map(drop),
            Self::RedisUrl => redis_url(text).map(drop),
            Self::StorageUrl => storage_url(text).map(drop),
            Self::ClamdUrl => clamd_url(text).map(drop),
            Self::Prefix => prefix(text).map(drop),
            Self::Switch => switch(text).map(drop),
            Self::Duration => duration(text).map(drop),
            Self::Rate => rate(text).map(drop),
            Self::Size => size(text).map(drop),
            Self::SizesOfFiles => upload_limits(text).map(drop),
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
            Self::SmtpUrl => smtp_url(text).map(drop),
            Self::Policy => password_policy(text).map(drop),
            Self::JwtAlgorithm => jwt_algorithm(text).map(drop),
            Self::Headers => headers(text).map(drop),
            Self::Share => share(text).map(drop),
            Self::LogFilter => log_filter(text).map(drop),
            Self::LogFormat => log_format(text).map(drop),
        }
    }

    /// What to write, for the table of settings.
    pub(super) const fn wording(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Folder => "a folder",
            Self::File => "a file",
            Self::Address => "an IP address or `localhost`",
            Self::Port => "0 to 65535",
            Self::Url => "an http or https address",
            Self::DatabaseUrl => {
                "`sqlite:FILE` or `postgres://…`, with `?sslmode=require` or `verify-full` over TLS"
            }
            Self::Domains => "names such as `shop.example.com`, separated by commas",
            Self::Email => "`admin@example.com`",
            Self::Https => "an https address",
            Self::RedisUrl => "`redis://user:password@host:6379/0` or `rediss://…` for TLS",
            Self::StorageUrl => "`file:FOLDER` or `s3://bucket/folder?endpoint=https://host&region=name`",
            Self::ClamdUrl => "`tcp://host:3310` or `unix:/run/clamav/clamd.ctl`",
            Self::Prefix => "letters, digits and `-_.:`",
            Self::Switch => "`on` or `off`",
            Self::Duration => "a time: `500ms`, `30s`, `15m`, `1h`, `7d`",
            Self::Rate => "so many in a time: `100/15m`",
            Self::Size => "a size: `512KiB`, `10MB`",
            Self::SizesOfFiles => "sizes by kind: `pdf=20MB, mp4=100MB`",
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
            Self::SmtpUrl => "`smtps://user:password@host:465` or `smtp://host:587`",
            Self::Policy => "`strict` or `basic`",
            Self::JwtAlgorithm => "`HS256` or `EdDSA`",
            Self::Headers => "`name=value`, separated by commas, values percent-encoded",
            Self::Share => "0 to 1: `0.1` is one of ten",
            Self::LogFilter => "`error`, `warn`, `info`, `debug`, `trace`, or a filter by target",
            Self::LogFormat => "`auto`, `pretty`, `compact` or `json`",
        }
    }

    /// Whether the example file writes the value bare, as numbers are.
    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Port | Self::Count { .. } | Self::Percent | Self::Amount | Self::Share)
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
            (Kind::Domains, "shop.example.com, www.example.com", "*.example.com"),
            (Kind::Email, "admin@example.com", "Admin <admin@example.com>"),
            (Kind::Https, "https://acme.example.com/directory", "http://acme.example.com/directory"),
            (Kind::RedisUrl, "rediss://:p@cache.example.com/1", "cache:6379"),
            (Kind::StorageUrl, "file:./files", "./files"),
            (Kind::StorageUrl, "s3://shop-files/live?region=eu-central-1", "s3://shop-files?key=a"),
            (Kind::ClamdUrl, "unix:/run/clamav/clamd.ctl", "clamd:3310"),
            (Kind::Prefix, "shop-1", "shop 1"),
            (Kind::SizesOfFiles, "pdf=20MB, mp4=1GiB", "exe=1MB"),
            (Kind::SizesOfFiles, "", "pdf"),
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
            (Kind::SmtpUrl, "smtp://u:p@mail.example.com", "smtp://u:p@mail.example.com?tls=maybe"),
            (Kind::Policy, "basic", "none"),
            (Kind::JwtAlgorithm, "eddsa", "RS256"),
            (Kind::LogFilter, "info,stoa_http=debug", "stoa=loud"),
            (Kind::Headers, "x-key=a%20b, authorization=Bearer%20x", "x key=a"),
            (Kind::Headers, "x-key=a", "x-key"),
            (Kind::Share, "0.25", "1.5"),
            (Kind::Share, "1", "NaN"),
            (Kind::LogFormat, "json", "xml"),
        ] {
            assert_eq!(kind.check(good), Ok(()), "{good}");
            assert!(kind.check(bad).is_err(), "{bad}");
        }
    }
}
