//! Settings by value: precedence, other names, refusals, masking.

use std::{fs, time::Duration};

use stoa_platform::database::DatabaseConfig;
use tempfile::TempDir;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A folder with a `stoa.toml` of this text.
struct Written(TempDir);

impl Written {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("stoa.toml"), text).unwrap();
        Self(folder)
    }

    fn load(&self, variables: &[(&str, &str)]) -> Result<Loaded, ConfigurationError> {
        load(&Environment::of(variables), Some(&self.0.path().join("stoa.toml")))
    }

    fn faults(&self, variables: &[(&str, &str)]) -> Vec<String> {
        self.load(variables).unwrap_err().faults().map(str::to_owned).collect()
    }
}

fn faults(variables: &[(&str, &str)]) -> Vec<String> {
    Settings::of(variables).unwrap_err().faults().map(str::to_owned).collect()
}

fn line<'l>(loaded: &'l Loaded, name: &str) -> &'l ReportLine {
    loaded.report.lines.iter().find(|line| line.name == name).unwrap()
}

fn postgres_url(variables: &[(&str, &str)]) -> String {
    match Settings::of(variables).unwrap().database {
        DatabaseConfig::Postgres(postgres) => postgres.url,
        DatabaseConfig::Sqlite(sqlite) => panic!("{sqlite:?}"),
    }
}

#[test]
fn nothing_given_is_the_defaults() {
    let settings = Settings::of(&[]).unwrap();
    assert_eq!((settings.host.to_string(), settings.port), ("127.0.0.1".into(), 5000));
    assert!(settings.accounts.jwt_secret.is_empty() && settings.rate_limits && settings.cache.on);
    assert_eq!(settings.accounts.access_token_ttl, Duration::from_mins(15));
    assert_eq!(settings.accounts.issuer, "http://localhost:5000");
    let DatabaseConfig::Sqlite(sqlite) = settings.database else { panic!("not SQLite") };
    assert_eq!(sqlite.path, PathBuf::from("./data/stoa.db"));
    assert_eq!(settings.http.limits.general.max, 100);
    assert_eq!((settings.ordering.tax_basis_points, settings.ordering.shipping_fee_minor), (1_000, 1_000));
    assert_eq!(settings.ordering.free_shipping_above_minor, 10_000);
}

#[test]
fn the_table_and_the_domains_agree_on_the_defaults() {
    let settings = Settings::of(&[]).unwrap();
    let currency = settings.currency;
    assert_eq!(format!("{:?}", settings.catalog), format!("{:?}", CatalogSettings::of(currency)));
    assert_eq!(format!("{:?}", settings.ordering), format!("{:?}", OrderingSettings::for_currency(currency)));
    assert_eq!(format!("{:?}", settings.http), format!("{:?}", HttpSettings::default()));
    assert_eq!(format!("{:?}", settings.workers), format!("{:?}", WorkerSettings::default()));
    let accounts = AccountsSettings::new(Vec::new(), "http://localhost:5000");
    assert_eq!(format!("{:?}", settings.accounts), format!("{accounts:?}"));
}

#[test]
fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
    let file = Written::new("port = 7000\nhost = \"::1\"\n[cache]\nenabled = false\nttl_products = 30\n");
    let loaded = file.load(&[("STOA_PORT", "8000")]).unwrap();
    assert_eq!((loaded.settings.host.to_string(), loaded.settings.port), ("::1".into(), 8000));
    assert!(!loaded.settings.cache.on);
    assert_eq!(loaded.settings.catalog.products_ttl, Duration::from_secs(30));
    assert_eq!(line(&loaded, "STOA_PORT").origin, Origin::Environment("STOA_PORT".into()));
    assert!(matches!(&line(&loaded, "STOA_HOST").origin, Origin::File(path) if path.ends_with("stoa.toml")));
    assert_eq!(line(&loaded, "STOA_CURRENCY").origin, Origin::Default);
}

#[test]
fn values_of_the_file_may_be_numbers_switches_and_lists() {
    let file = Written::new(
        "[ordering]\ntax_rate = 8.25\nshipping_fee = 4.5\n\
         [http]\ncors_origins = [\"https://a.example\", \"https://b.example\"]\n\
         [rate_limit]\nenabled = true\ngeneral = \"7/1m\"\n",
    );
    let settings = file.load(&[]).unwrap().settings;
    assert_eq!((settings.ordering.tax_basis_points, settings.ordering.shipping_fee_minor), (825, 450));
    assert_eq!(settings.http.cors_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(settings.http.limits.general.max, 7);
}

#[test]
fn the_shops_address_is_read_line_by_line() {
    let shop = |address| Settings::of(&[("STOA_SHOP_ADDRESS", address)]).unwrap().ordering.shop;
    let unset = shop("");
    assert_eq!((unset.name.as_str(), unset.address.len(), unset.tax_id), ("Stoa", 0, None));
    assert_eq!(shop("1 Market Square; London\n\nUK;").address, ["1 Market Square", "London", "UK"]);
}

#[test]
fn names_of_other_stacks_are_read_where_ours_are_not_set() {
    let settings = Settings::of(&[
        ("PORT", "3000"),
        ("JWT_SECRET", SECRET),
        ("JWT_EXPIRES_IN", "1h"),
        ("FRONTEND_URL", "http://localhost:3001"),
        ("CACHE_TTL_PRODUCTS", "60"),
        ("API_KEYS", "till-key-0123456789,other-key-0123456789"),
        ("HOST", "0.0.0.0"),
        ("STOA_HOST", "127.0.0.2"),
    ])
    .unwrap();
    assert_eq!((settings.host.to_string(), settings.port), ("127.0.0.2".into(), 3000));
    assert_eq!(settings.accounts.jwt_secret, SECRET.as_bytes());
    assert_eq!(settings.accounts.access_token_ttl, Duration::from_hours(1));
    assert_eq!(settings.accounts.machine_keys.len(), 2);
    assert_eq!(settings.http.cors_origins, ["http://localhost:3001"]);
    assert_eq!(settings.catalog.products_ttl, Duration::from_mins(1));
}

#[test]
fn the_general_limit_may_come_in_two_names() {
    let general = |variables: &[(&str, &str)]| {
        let policy = Settings::of(variables).unwrap().http.limits.general;
        (policy.max, policy.window.as_secs())
    };
    assert_eq!(general(&[("RATE_LIMIT_MAX_REQUESTS", "7")]), (7, 900));
    assert_eq!(general(&[("RATE_LIMIT_WINDOW_MS", "60000")]), (100, 60));
    assert_eq!(general(&[("RATE_LIMIT_WINDOW_MS", "60000"), ("RATE_LIMIT_MAX_REQUESTS", "7")]), (7, 60));
    assert_eq!(general(&[("RATE_LIMIT_MAX_REQUESTS", "7"), ("STOA_RATE_LIMIT_GENERAL", "9/1s")]), (9, 1));
    assert!(faults(&[("RATE_LIMIT_WINDOW_MS", "15m")])[0].contains("RATE_LIMIT_WINDOW_MS"));
}

#[test]
fn a_database_may_come_as_address_or_in_parts() {
    assert_eq!(postgres_url(&[("DATABASE_URL", "postgres://h/d")]), "postgres://h/d");
    let parts = [
        ("DATABASE_HOST", "db"),
        ("DATABASE_USER", "bob"),
        ("DATABASE_PASSWORD", "p@ss/word"),
        ("DATABASE_NAME", "shop"),
    ];
    assert_eq!(postgres_url(&parts), "postgres://bob:p%40ss%2Fword@db:5432/shop");
    let both: Vec<_> = parts.into_iter().chain([("DATABASE_URL", "postgres://h/d")]).collect();
    assert_eq!(postgres_url(&both), "postgres://h/d");
    let weak = faults(&[("DATABASE_URL", "postgres://u:hush@h/d?sslmode=prefer")]).join("");
    assert!(weak.starts_with("DATABASE_URL has sslmode=prefer") && !weak.contains("hush"), "{weak}");
    assert!(faults(&[("DATABASE_HOST", "db")])[0].contains("DATABASE_NAME"));
    assert!(faults(&[("DATABASE_USER", "bob")])[0].contains("DATABASE_HOST"));
}

#[test]
fn parts_in_the_environment_go_before_an_address_in_the_file() {
    let file = Written::new("[database]\nurl = \"postgres://file/d\"\n");
    let settings = file.load(&[("DATABASE_HOST", "db"), ("DATABASE_NAME", "shop")]).unwrap().settings;
    let DatabaseConfig::Postgres(postgres) = settings.database else { panic!("not PostgreSQL") };
    assert_eq!(postgres.url, "postgres://db:5432/shop");
}

#[test]
fn redis_may_come_as_address_or_in_parts() {
    let shown = |variables: &[(&str, &str)]| {
        Settings::of(variables).unwrap().redis.map(|redis| redis.address.to_string())
    };
    assert_eq!(shown(&[]), None);
    assert_eq!(
        shown(&[("REDIS_URL", "rediss://u:p@cache.example.com/1")]).unwrap(),
        "cache.example.com:6379"
    );
    let parts = [("REDIS_HOST", "cache"), ("REDIS_PORT", "7000"), ("REDIS_PASSWORD", "p@ss/word")];
    assert_eq!(shown(&parts).unwrap(), "cache:7000");
    let both: Vec<_> = parts.into_iter().chain([("REDIS_URL", "redis://h")]).collect();
    assert_eq!(shown(&both).unwrap(), "h:6379");
    assert!(faults(&[("REDIS_PASSWORD", "p")])[0].contains("REDIS_HOST"));
    let told = faults(&[("REDIS_URL", "redis://:hunter2@cache/first")]).join("");
    assert!(told.starts_with("REDIS_URL has") && !told.contains("hunter2"), "{told}");
    let redis = |name, value| faults(&[("REDIS_URL", "redis://h"), (name, value)]).join("");
    assert!(redis("STOA_REDIS_PREFIX", "a b").contains("is not a prefix"));
    assert!(redis("STOA_REDIS_TIMEOUT", "1m").contains("at most 5s"));
}

#[test]
fn certificates_by_acme_want_the_terms_accepted_and_no_certificate_beside_them() {
    let (domains, terms) =
        (("STOA_ACME_DOMAINS", "Shop.example.com,www.example.com"), ("STOA_ACME_ACCEPT_TERMS", "true"));
    assert_eq!(Settings::of(&[]).unwrap().acme, None);
    let settings = Settings::of(&[domains, terms, ("STOA_ACME_EMAIL", "admin@example.com")]).unwrap();
    assert!(settings.http.https);
    let acme = settings.acme.unwrap();
    assert_eq!(acme.domains, ["shop.example.com", "www.example.com"]);
    assert_eq!(acme.email.as_deref(), Some("admin@example.com"));
    assert_eq!(acme.directory, "https://acme-v02.api.letsencrypt.org/directory");

    assert!(faults(&[domains])[0].contains("STOA_ACME_ACCEPT_TERMS=true"));
    let both = [domains, terms, ("STOA_TLS_CERTIFICATE", "c.pem"), ("STOA_TLS_KEY", "k.pem")];
    assert!(faults(&both)[0].contains("two certificates"));
    assert!(faults(&[terms])[0].contains("STOA_ACME_DOMAINS"));
    assert!(faults(&[("STOA_ACME_EMAIL", "a@b.c")])[0].contains("STOA_ACME_DOMAINS"));
    let told = |domains| faults(&[("STOA_ACME_DOMAINS", domains), terms]).join("");
    for bad in ["*.example.com", "10.0.0.1", "shop_.example.com", "-a.example.com", "a..b", "käse.example"] {
        assert!(told(bad).contains("is no name of a host"), "{bad}");
    }
    let plain = faults(&[domains, terms, ("STOA_ACME_DIRECTORY", "http://h/dir")]);
    assert!(plain[0].contains("is not https"), "{plain:?}");
}

#[test]
fn an_empty_variable_is_not_set() {
    let settings =
        Settings::of(&[("STOA_PORT", ""), ("PORT", " "), ("STOA_BROKER_URL", ""), ("MONGODB_URI", "")])
            .unwrap();
    assert_eq!(settings.port, 5000);
}

#[test]
fn an_unknown_name_is_told_with_the_nearest() {
    assert_eq!(faults(&[("STOA_PROT", "1")]), ["STOA_PROT is unknown; did you mean STOA_PORT?"]);
    assert_eq!(
        faults(&[("STOA_DATABASE_URL", "x")]),
        ["STOA_DATABASE_URL is unknown; did you mean DATABASE_URL?"]
    );
    assert!(faults(&[("STOA_COLOUR_OF_THE_SKY", "blue")])[0].contains("stoa doctor"));
}

#[test]
fn names_of_kubernetes_and_of_tests_are_ignored() {
    let names = ["STOA_SERVICE_HOST", "STOA_PORT_5000_TCP", "STOA_TEST_ENGINES", "STOA_SOAK", "STOA_TOOLS"];
    let variables: Vec<_> = names.into_iter().map(|name| (name, "tcp://10.0.0.1:5000")).collect();
    assert_eq!(Settings::of(&variables).unwrap().port, 5000);
    assert!(Settings::of(&[("STOA_CONFIG", "x"), ("STOA_ADMIN_PASSWORD", "x"), ("PATH", "/bin")]).is_ok());
}

#[test]
fn what_has_no_engine_yet_is_refused_by_name() {
    for name in ["STOA_BROKER_URL", "STOA_OIDC_GOOGLE_ISSUER"] {
        let told = faults(&[(name, "x")]);
        assert!(told[0].starts_with(name) && told[0].contains("does not have yet"), "{told:?}");
    }
}

#[test]
fn files_are_kept_beside_the_data_unless_told_otherwise() {
    let storage = |variables: &[(&str, &str)]| Settings::of(variables).unwrap().storage;
    let StorageSettings::Folder(folder) = storage(&[("STOA_DATA_DIR", "/srv/stoa")]) else { panic!() };
    assert_eq!(folder, Path::new("/srv/stoa/files"));
    let StorageSettings::Folder(folder) = storage(&[("STOA_STORAGE_URL", "file:///srv/files")]) else {
        panic!()
    };
    assert_eq!(folder, Path::new("/srv/files"));
}

#[test]
fn a_bucket_takes_the_names_that_aws_gives_its_keys() {
    let bucket = ("STOA_STORAGE_URL", "s3://shop-files");
    let s3 = |variables: &[(&str, &str)]| {
        let StorageSettings::S3(s3) = Settings::of(variables).unwrap().storage else { panic!() };
        s3
    };
    let s3_by_role = s3(&[bucket, ("AWS_DEFAULT_REGION", "eu-west-1")]);
    assert!(s3_by_role.credentials.is_none());
    assert_eq!(s3_by_role.address.region.as_deref(), Some("eu-west-1"));
    let key =
        [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "hush"), ("AWS_SESSION_TOKEN", "day")];
    let place = [("STOA_STORAGE_URL", "s3://shop-files?region=us-west-2"), ("AWS_REGION", "x")];
    let by_key = s3(&[&place[..], &key[..]].concat());
    assert_eq!(by_key.address.region.as_deref(), Some("us-west-2"), "the address goes first");
    let credentials = by_key.credentials.unwrap();
    assert_eq!((credentials.key_id.as_str(), credentials.secret.as_str()), ("AKIA", "hush"));
    assert_eq!(credentials.session_token.as_deref(), Some("day"));
    let lonely = faults(&[bucket, ("AWS_SECRET_ACCESS_KEY", "hush")]);
    assert!(lonely[0].contains("STOA_S3_ACCESS_KEY_ID") && !lonely[0].contains("hush"), "{lonely:?}");
    assert!(faults(&[bucket, ("STOA_S3_ACCESS_KEY_ID", "AKIA")])[0].contains("STOA_S3_SECRET_ACCESS_KEY"));
    assert!(Settings::of(&key).is_ok(), "keys for something else than files");
}

#[test]
fn stripe_is_the_provider_when_its_key_is_set() {
    assert!(Settings::of(&[]).unwrap().stripe.is_none());
    let key = ("STRIPE_SECRET_KEY", "sk_test_a");
    let stripe = Settings::of(&[key]).unwrap().stripe.unwrap();
    assert_eq!((stripe.api_base.as_str(), stripe.webhook_secret), ("https://api.stripe.com", None));
    let moved =
        Settings::of(&[key, ("STRIPE_API_BASE", "http://localhost:1"), ("STRIPE_WEBHOOK_SECRET", "whsec_a")]);
    let stripe = moved.unwrap().stripe.unwrap();
    assert_eq!(
        (stripe.api_base.as_str(), stripe.webhook_secret.as_deref()),
        ("http://localhost:1", Some("whsec_a"))
    );
    assert!(!format!("{stripe:?}").contains("whsec_a"));
    assert!(faults(&[("STRIPE_WEBHOOK_SECRET", "whsec_a")])[0].contains("STRIPE_SECRET_KEY"));
}

#[test]
fn what_will_never_be_is_refused_with_the_cure() {
    assert!(faults(&[("MONGODB_URI", "mongodb://h")])[0].contains("DATABASE_URL"));
    assert!(faults(&[("CLOUDINARY_API_KEY", "x")])[0].contains("unset it"));
}

#[test]
fn unknown_keys_of_the_file_are_told_with_the_nearest() {
    let file = Written::new("prot = 1\n[cache]\nttl_product = \"1m\"\n[weather]\nsunny = true\n");
    let told = file.faults(&[]).join("\n");
    assert!(
        told.contains("did you mean port?") && told.contains("did you mean cache.ttl_products?"),
        "{told}"
    );
    assert!(told.contains("weather.sunny in ") && told.contains("remove it"), "{told}");
}

#[test]
fn a_file_that_cannot_be_read_or_understood_is_told() {
    let told = Written::new("port = = 1").faults(&[]);
    assert!(told[0].contains("stoa.toml is not TOML"), "{told:?}");
    let missing = load(&Environment::of(&[("STOA_CONFIG", "/nowhere/stoa.toml")]), None).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/stoa.toml cannot be read"), "{missing}");
    let told = Written::new("[port]\nnumber = 1").faults(&[]).join("\n");
    assert!(told.contains("port in ") && told.contains("is a table"), "{told}");
}

#[test]
fn all_faults_are_told_at_once_each_with_its_name_and_cure() {
    let told = faults(&[
        ("PORT", "http"),
        ("STOA_RATE_LIMIT_AUTH", "often"),
        ("STOA_CURENCY", "EUR"),
        ("STOA_BROKER_URL", "redis://h"),
        ("CORS_ORIGIN", "*"),
    ]);
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(told.iter().any(|fault| fault.starts_with("PORT (\"http\") is not a port; give")));
    assert!(told.iter().all(|fault| fault.contains("; ") || fault.contains(": ")), "{told:?}");
}

#[test]
fn settings_that_contradict_each_other_are_told_at_once_too() {
    let told = faults(&[("DATABASE_USER", "bob"), ("STOA_CURRENCY", "JPY"), ("STOA_SHIPPING_FEE", "4.50")]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].contains("JPY"), "{told:?}");
    assert!(faults(&[("STOA_SETTLE_AFTER", "5s")])[0].contains("at least 30s"));
    assert!(faults(&[("STOA_JWT_KEY_ROTATION", "59m")])[0].contains("at least 1h"));
    assert!(faults(&[("STOA_JWT_ALGORITHM", "none")])[0].contains("give HS256 or EdDSA"));
}

#[test]
fn a_short_secret_is_refused_without_being_shown() {
    let told = faults(&[("STOA_JWT_SECRET", "hunter2hunter2")]).join("");
    assert!(told.contains("STOA_JWT_SECRET has 14 bytes") && !told.contains("hunter2"), "{told}");
}

#[test]
fn secrets_are_masked_in_the_report_and_in_debug() {
    let environment = Environment::of(&[
        ("STOA_JWT_SECRET", SECRET),
        ("STOA_API_KEYS", "till-key-0123456789"),
        ("DATABASE_URL", "postgres://bob:hunter2@h/d"),
        ("DATABASE_PASSWORD", "hunter2"),
        ("REDIS_URL", "redis://:hunter2@cache"),
        ("REDIS_PASSWORD", "hunter2"),
    ]);
    let loaded = load(&environment, None).unwrap();
    let shown = format!("{environment:?} {:?} {loaded:?}", loaded.report);
    assert!(!shown.contains(SECRET) && !shown.contains("till-key") && !shown.contains("hunter2"), "{shown}");
    assert_eq!(line(&loaded, "DATABASE_URL").value, "postgres://bob:********@h/d");
}

#[test]
fn a_public_address_by_https_is_the_issuer_and_turns_hsts_on() {
    let settings = Settings::of(&[("STOA_PUBLIC_URL", "https://shop.example.com/")]).unwrap();
    assert!(settings.http.https);
    assert_eq!(settings.accounts.issuer, "https://shop.example.com");
    assert!(!Settings::of(&[]).unwrap().http.https);
}
