//! From the text of a setting to its value; a flaw says what is wrong with the text, and what to write instead.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use axum::http::{HeaderName, HeaderValue, Uri};
use ipnet::IpNet;
use stoa_accounts::{JwtAlgorithm, PasswordPolicy};
use stoa_drivers::{clamd::ClamdAddress, redis::RedisAddress, s3::S3Address, smtp::SmtpServer};
use stoa_files::Kind;
use stoa_http::ApiVersion;
use stoa_kernel::{Currency, Decimal, Timestamp};
use stoa_platform::database::PostgresConfig;
use tracing_subscriber::EnvFilter;

use super::LogFormat;

/// The fewest bytes a signing secret may have.
pub const SECRET_BYTES: usize = 32;

/// What is wrong with a value, to follow its name: "is …; give …".
pub(super) type Flaw = String;

/// The items of a list that is separated by commas.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

pub(super) fn address(text: &str) -> Result<IpAddr, Flaw> {
    let text = if text.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { text };
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().map_err(|_| "is not an address; give an IP address such as 127.0.0.1 or 0.0.0.0".into())
}

pub(super) fn port(text: &str) -> Result<u16, Flaw> {
    text.parse().map_err(|_| "is not a port; give a number from 0 (any free one) to 65535".into())
}

pub(super) fn url(text: &str) -> Result<String, Flaw> {
    let flaw = || "is not an address of the web; give one such as https://shop.example.com".to_owned();
    let uri: Uri = text.parse().map_err(|_| flaw())?;
    let is_web =
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty());
    if is_web && uri.query().is_none() { Ok(text.trim_end_matches('/').to_owned()) } else { Err(flaw()) }
}

/// The origin of an address of the web, as browsers send it; nothing when it is none.
pub(super) fn origin_of(address: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}

pub(super) fn https(text: &str) -> Result<String, Flaw> {
    Some(url(text)?)
        .filter(|url| url.starts_with("https:"))
        .ok_or_else(|| "is not https; give such an address".into())
}

/// Names that a certificate can bear, proved one by one: so no wildcards.
pub(super) fn domains(text: &str) -> Result<Vec<String>, Flaw> {
    const MOST: usize = 100;
    let label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && plain && !label.starts_with('-') && !label.ends_with('-')
    };
    let domain = |item: &str| {
        let is_name = item.len() <= 253 && item.split('.').all(label) && item.parse::<IpAddr>().is_err();
        let flaw = || {
            format!(
                "has {item:?}, which is no name of a host; give such as shop.example.com (no wildcards, xn-- for other scripts)"
            )
        };
        is_name.then(|| item.to_ascii_lowercase()).ok_or_else(flaw)
    };
    let domains: Vec<String> = items(text).map(domain).collect::<Result<_, _>>()?;
    if domains.len() > MOST {
        return Err(format!("has more names than a certificate bears; give at most {MOST}"));
    }
    Ok(domains)
}

pub(super) fn email(text: &str) -> Result<String, Flaw> {
    mailbox(text)?;
    let bare = !text.contains(['<', '>', ' ', ',']) && text.is_ascii();
    bare.then(|| text.to_owned())
        .ok_or_else(|| "is not a bare address; give such as admin@example.com".into())
}

/// Where the database is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum DatabaseUrl {
    Sqlite(String),
    Postgres(String),
}

pub(super) fn database_url(text: &str) -> Result<DatabaseUrl, Flaw> {
    let scheme = text.split(':').next().unwrap_or_default().to_ascii_lowercase();
    match scheme.as_str() {
        "postgres" | "postgresql" => {
            PostgresConfig::check_address(text).map_err(|flaw| flaw.to_string())?;
            Ok(DatabaseUrl::Postgres(text.to_owned()))
        }
        "sqlite" => {
            let path = text.split_once(':').map_or("", |(_, path)| path);
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path == ":memory:" {
                return Err("names no file; give one such as sqlite:./data/stoa.db".into());
            }
            Ok(DatabaseUrl::Sqlite(path.to_owned()))
        }
        "mysql" | "mariadb" | "mongodb" | "mongodb+srv" | "sqlserver" => Err(format!(
            "is of {scheme}, which Stoa does not speak; give postgres://user:password@host:5432/name, or nothing for \
             SQLite in the data folder"
        )),
        _ => {
            Err("is not a database address; give postgres://user:password@host:5432/name or sqlite:FILE"
                .into())
        }
    }
}

pub(super) fn redis_url(text: &str) -> Result<RedisAddress, Flaw> {
    RedisAddress::parse(text).map_err(|flaw| flaw.to_string())
}

/// Where files are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum StorageUrl {
    Folder(PathBuf),
    S3(S3Address),
}

pub(super) fn storage_url(text: &str) -> Result<StorageUrl, Flaw> {
    match text.split(':').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "file" => {
            let path = text.split_once(':').map_or("", |(_, path)| path);
            let path = path.strip_prefix("//").unwrap_or(path);
            let flaw = || "names no folder; give one such as file:./data/files".to_owned();
            (!path.is_empty()).then(|| StorageUrl::Folder(path.into())).ok_or_else(flaw)
        }
        "s3" => S3Address::parse(text).map(StorageUrl::S3).map_err(|flaw| flaw.to_string()),
        _ => Err("is no place for files; give file:FOLDER, or s3://bucket?endpoint=https://host&region=name"
            .into()),
    }
}

pub(super) fn clamd_url(text: &str) -> Result<ClamdAddress, Flaw> {
    ClamdAddress::parse(text).map_err(|flaw| flaw.to_string())
}

/// What keys in a store shared with others begin with.
pub(super) fn prefix(text: &str) -> Result<String, Flaw> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err("is not a prefix; give up to 64 letters, digits and -_.: such as shop-1".into())
}

/// The largest file of some kinds, such as `pdf=20MB, mp4=100MB`.
pub(super) fn upload_limits(text: &str) -> Result<BTreeMap<Kind, u64>, Flaw> {
    let known = || Kind::ALL.map(Kind::name).join(", ");
    let limit = |item: &str| {
        let (kind, limit) =
            item.split_once('=').ok_or("is not such as pdf=20MB, mp4=100MB; give that".to_owned())?;
        let kind = Kind::parse(kind.trim().to_ascii_lowercase().as_str())
            .ok_or_else(|| format!("has {kind:?}, which is no kind of file; give {}", known()))?;
        Ok((kind, u64::try_from(size(limit.trim())?).unwrap_or(u64::MAX)))
    };
    items(text).map(limit).collect()
}

pub(super) fn switch(text: &str) -> Result<bool, Flaw> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err("is neither on nor off; give one of these".into()),
    }
}

/// A number with one of these units behind it; without one it is of the first.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let default = units.first().filter(|_| unit.is_empty());
    let (_, factor) = default.or_else(|| units.iter().find(|(name, _)| *name == unit))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

pub(super) fn duration(text: &str) -> Result<Duration, Flaw> {
    const SECOND: u64 = 1_000;
    const HUNDRED_YEARS: u64 = 36_525 * 86_400 * SECOND;
    let units = [
        ("s", SECOND),
        ("ms", 1),
        ("m", 60 * SECOND),
        ("min", 60 * SECOND),
        ("h", 3_600 * SECOND),
        ("d", 86_400 * SECOND),
        ("w", 7 * 86_400 * SECOND),
    ];
    let millis = with_unit(text.trim(), &units).filter(|millis| (1..=HUNDRED_YEARS).contains(millis));
    let flaw = "is not a time; give a whole number above 0 with a unit, such as 500ms, 30s, 15m, 1h or 7d";
    millis.map(Duration::from_millis).ok_or_else(|| flaw.to_owned())
}

pub(super) fn size(text: &str) -> Result<usize, Flaw> {
    let units = [
        ("", 1),
        ("b", 1),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("k", 1 << 10),
        ("m", 1 << 20),
        ("g", 1 << 30),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
    ];
    let bytes = with_unit(text.trim(), &units).filter(|bytes| *bytes > 0);
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| "is not a size; give bytes, or a number with a unit such as 512KiB or 10MB".into())
}

/// How many in which time.
pub(super) fn rate(text: &str) -> Result<(u32, Duration), Flaw> {
    let flaw = || "is not a rate; give so many in a time, such as 100/15m".to_owned();
    let (max, window) = text.split_once('/').ok_or_else(flaw)?;
    let max = max.trim().parse().ok().filter(|max| *max > 0).ok_or_else(flaw)?;
    Ok((max, duration(window).map_err(|_| flaw())?))
}

pub(super) fn count(text: &str, least: u64, most: u64) -> Result<u64, Flaw> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("is out of range; give a whole number from {least} to {most}"))
}

/// Per cent as hundredths of one.
pub(super) fn basis_points(text: &str) -> Result<i64, Flaw> {
    let hundredths = Currency::parse("USD").and_then(|cents| {
        let percent = Decimal::parse(text.trim_end_matches('%').trim())?;
        percent.in_currency(cents).ok()
    });
    let points = hundredths.map(|points| points.minor()).filter(|points| (0..=10_000).contains(points));
    points.ok_or_else(|| {
        "is not a share; give per cent from 0 to 100 with two decimals at most, such as 8.25".into()
    })
}

pub(super) fn amount(text: &str) -> Result<Decimal, Flaw> {
    let amount = Decimal::parse(text).filter(|_| !text.starts_with('-'));
    amount.ok_or_else(|| "is not an amount of money; give a number such as 9.90".into())
}

pub(super) fn currency(text: &str) -> Result<Currency, Flaw> {
    Currency::parse(text)
        .ok_or_else(|| "is not a currency; give three capital letters such as USD or EUR".into())
}

pub(super) fn version(text: &str) -> Result<ApiVersion, Flaw> {
    ApiVersion::parse(text).map_err(|_| "is not a version of the API; give v1 or v2".into())
}

pub(super) fn moment(text: &str) -> Result<Timestamp, Flaw> {
    let midnight = format!("{text}T00:00:00Z");
    let moment = Timestamp::parse(text).or_else(|| Timestamp::parse(&midnight));
    moment.ok_or_else(|| "is not a date; give one such as 2027-01-31 or 2027-01-31T12:00:00Z".into())
}

pub(super) fn origins(text: &str) -> Result<Vec<HeaderValue>, Flaw> {
    items(text).map(origin).collect()
}

fn origin(text: &str) -> Result<HeaderValue, Flaw> {
    if text == "*" {
        return Err(
            "would let every site use the API in its visitors' name; list the origins that may, such as \
                    https://shop.example.com"
                .into(),
        );
    }
    let flaw = || {
        format!("has {text:?}, which is not an origin; give such as https://shop.example.com, without a path")
    };
    let bare = text.strip_suffix('/').unwrap_or(text);
    let uri: Uri = bare.parse().map_err(|_| flaw())?;
    let has_path = bare.matches('/').count() != 2;
    if uri.scheme().is_none() || uri.host().is_none() || has_path {
        return Err(flaw());
    }
    HeaderValue::from_str(&bare.to_ascii_lowercase()).map_err(|_| flaw())
}

pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, Flaw> {
    let network = |item: &str| {
        let host = || item.parse::<IpAddr>().map(IpNet::from);
        let flaw = "which is neither an address nor a network; give such as 10.0.0.0/8 or 127.0.0.1";
        item.parse::<IpNet>().or_else(|_| host()).map_err(|_| format!("has {item:?}, {flaw}"))
    };
    items(text).map(network).collect()
}

pub(super) fn secret(text: &str) -> Result<(), Flaw> {
    if text.len() >= SECRET_BYTES {
        return Ok(());
    }
    let found = text.len();
    Err(format!(
        "has {found} bytes, which can be guessed; give at least {SECRET_BYTES} random ones (`openssl rand -base64 48`), \
         or nothing, then Stoa makes one"
    ))
}

pub(super) fn keys(text: &str) -> Result<Vec<String>, Flaw> {
    const LEAST: usize = 16;
    let keys: Vec<String> = items(text).map(str::to_owned).collect();
    if keys.iter().all(|key| key.len() >= LEAST) {
        return Ok(keys);
    }
    Err(format!("has a key that can be guessed; give keys of at least {LEAST} random characters"))
}

/// `name=value,name=value` as OpenTelemetry has it, the values percent-encoded.
pub(super) fn headers(text: &str) -> Result<Vec<(String, String)>, Flaw> {
    let header = |item: &str| {
        let (name, value) = item.split_once('=')?;
        let name = HeaderName::try_from(name.trim()).ok()?;
        let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().ok()?;
        HeaderValue::from_str(&value).ok()?;
        Some((name.to_string(), value.into_owned()))
    };
    let headers: Option<Vec<_>> = items(text).map(header).collect();
    headers.ok_or_else(|| "holds something that is no header; give such as x-api-key=KEY".into())
}

/// A part of a whole.
pub(super) fn share(text: &str) -> Result<f64, Flaw> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "is not a share; give a number from 0 to 1".into())
}

pub(super) fn mailbox(text: &str) -> Result<(), Flaw> {
    let address = text.rsplit_once('<').map_or(text, |(_, rest)| rest.trim_end_matches('>')).trim();
    match address.split_once('@') {
        Some((name, host))
            if !name.is_empty() && !host.is_empty() && !address.contains(char::is_whitespace) =>
        {
            Ok(())
        }
        _ => Err("is not a sender of mail; give such as Shop <shop@example.com>".into()),
    }
}

pub(super) fn smtp_url(text: &str) -> Result<SmtpServer, Flaw> {
    SmtpServer::parse(text).map_err(|flaw| flaw.to_string())
}

pub(super) fn password_policy(text: &str) -> Result<PasswordPolicy, Flaw> {
    match text.to_ascii_lowercase().as_str() {
        "strict" => Ok(PasswordPolicy::Strict),
        "basic" => Ok(PasswordPolicy::Basic),
        _ => Err("is not a password policy; give strict or basic".into()),
    }
}

pub(super) fn jwt_algorithm(text: &str) -> Result<JwtAlgorithm, Flaw> {
    match text.to_ascii_uppercase().as_str() {
        "HS256" => Ok(JwtAlgorithm::Hs256),
        "EDDSA" => Ok(JwtAlgorithm::EdDsa),
        _ => Err("is not an algorithm that tokens are signed by; give HS256 or EdDSA".into()),
    }
}

pub(super) fn log_filter(text: &str) -> Result<EnvFilter, Flaw> {
    let flaw = "is not a filter; give error, warn, info, debug, trace, or such as info,stoa_http=debug";
    EnvFilter::try_new(text).map_err(|_| flaw.to_owned())
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, Flaw> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(LogFormat::Auto),
        "pretty" => Ok(LogFormat::Pretty),
        "compact" => Ok(LogFormat::Compact),
        "json" => Ok(LogFormat::Json),
        _ => Err("is not a log format; give auto, pretty, compact or json".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_seconds_are_the_default() {
        let seconds = |text| duration(text).unwrap().as_secs();
        assert_eq!(seconds("15m"), 900);
        assert_eq!(seconds("1h"), 3_600);
        assert_eq!(seconds("7d"), 604_800);
        assert_eq!(seconds("600"), 600);
        assert_eq!(duration("250ms").unwrap(), Duration::from_millis(250));
        for bad in ["", "m", "0s", "-5s", "1.5h", "15 minutes", "99999999999999999d", "1000000d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_are_so_many_in_a_time() {
        assert_eq!(rate("100/15m"), Ok((100, Duration::from_mins(15))));
        assert_eq!(rate("5 / 1h"), Ok((5, Duration::from_hours(1))));
        for bad in ["100", "0/15m", "100/", "/15m", "many/15m", "100/0s"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_have_decimal_and_binary_units() {
        assert_eq!(size("1MiB"), Ok(1_048_576));
        assert_eq!(size("10 MB"), Ok(10_000_000));
        assert_eq!(size("512"), Ok(512));
        assert!(size("0").is_err() && size("lots").is_err() && size("99999999999GiB").is_err());
    }

    #[test]
    fn shares_have_two_decimals_and_stay_within_the_whole() {
        assert_eq!(basis_points("10"), Ok(1_000));
        assert_eq!(basis_points("8.25 %"), Ok(825));
        assert!(
            basis_points("101").is_err() && basis_points("-1").is_err() && basis_points("8.255").is_err()
        );
    }

    #[test]
    fn origins_are_bare_and_never_everybody() {
        assert_eq!(origins("https://A.example, http://localhost:3000/").unwrap().len(), 2);
        assert_eq!(origins("https://A.example/").unwrap(), ["https://a.example"]);
        for bad in ["*", "https://a.example, *", "a.example", "https://a.example/app"] {
            assert!(origins(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn databases_are_told_apart_and_others_are_refused_by_name() {
        assert_eq!(database_url("sqlite://./x.db"), Ok(DatabaseUrl::Sqlite("./x.db".into())));
        assert_eq!(database_url("sqlite:/var/x.db"), Ok(DatabaseUrl::Sqlite("/var/x.db".into())));
        assert!(matches!(database_url("postgresql://h/d"), Ok(DatabaseUrl::Postgres(_))));
        assert!(database_url("mysql://h/d").unwrap_err().contains("mysql"));
        assert!(database_url("sqlite::memory:").is_err() && database_url("stoa.db").is_err());
    }
}
