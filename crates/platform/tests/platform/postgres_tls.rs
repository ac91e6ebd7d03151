//! PostgreSQL over TLS: encrypted where that is asked, and sure of the server where that is asked too.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use stoa_platform::{
    MIGRATIONS,
    database::{Database, DatabaseConfig, DatabaseError, Engine, PostgresConfig, migrate},
    events::{self, Tail},
    testing::{TestDatabase, on_engine},
};

use crate::support::{clock, deposited, mischief, number, occasion, postgres_config, until};

/// Of the server's certificate: it is for `127.0.0.1` and nothing else.
struct Vouched {
    root: tempfile::NamedTempFile,
    certificate: String,
    key: String,
}

fn vouched() -> Vouched {
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::new(Vec::<String>::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_certificate = root.self_signed(&root_key).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), root_certificate.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, &Issuer::new(root, root_key)).unwrap();
    Vouched { root: file, certificate: certificate.pem(), key: key.serialize_pem() }
}

/// The server of the run begins or ends to speak TLS; whoever does not ask for it notices nothing.
async fn speak_tls(db: &TestDatabase, vouched: Option<&Vouched>) {
    let on = if vouched.is_some() { "on" } else { "off" };
    let write = |name: &str, text: &str| {
        format!(
            "COPY (SELECT unnest(string_to_array('{text}', E'\\n'))) TO PROGRAM 'umask 077 && cat > {name}.new && mv {name}.new {name}'"
        )
    };
    let mut statements = Vec::new();
    if let Some(Vouched { certificate, key, .. }) = vouched {
        statements.extend([write("stoa-test.crt", certificate), write("stoa-test.key", key)]);
        statements.push("ALTER SYSTEM SET ssl_cert_file = 'stoa-test.crt'".to_owned());
        statements.push("ALTER SYSTEM SET ssl_key_file = 'stoa-test.key'".to_owned());
    }
    statements.push(format!("ALTER SYSTEM SET ssl = {on}"));
    statements.push("SELECT pg_reload_conf()".to_owned());
    mischief(db, move |client| statements.iter().for_each(|sql| client.batch_execute(sql).unwrap())).await;
    until("the server has heard it", || async {
        let shown: String = mischief(db, |client| client.query_one("SHOW ssl", &[]).unwrap().get(0)).await;
        shown == on
    })
    .await;
}

fn address(db: &TestDatabase, host: &str, query: &str) -> DatabaseConfig {
    let config = postgres_config(db);
    let (port, name) = (config.get_ports()[0], config.get_dbname().unwrap());
    let user = config.get_user().unwrap();
    DatabaseConfig::Postgres(PostgresConfig {
        url: format!("postgres://{user}@{host}:{port}/{name}?{query}"),
        connections: 2,
    })
}

async fn open(config: DatabaseConfig) -> Result<Database, DatabaseError> {
    tokio::task::spawn_blocking(move || Database::open(&config)).await.unwrap()
}

async fn refused(config: DatabaseConfig) -> String {
    match open(config).await {
        Err(refused) => refused.to_string(),
        Ok(_) => panic!("it was let in"),
    }
}

const ENCRYPTED: &str =
    "SELECT CAST(COUNT(*) AS BIGINT) FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";

#[test]
fn an_address_gets_the_line_it_asks_for_or_none() {
    on_engine(Engine::Postgres, MIGRATIONS, |db| async move {
        let vouched = vouched();
        speak_tls(&db, None).await;
        let plain = refused(address(&db, "127.0.0.1", "sslmode=require")).await;
        assert!(plain.contains("TLS"), "{plain}");

        speak_tls(&db, Some(&vouched)).await;
        let asked = open(address(&db, "127.0.0.1", "sslmode=require")).await.unwrap();
        assert_eq!(number(&asked, ENCRYPTED).await, 1);
        let unasked = open(address(&db, "127.0.0.1", "sslmode=disable")).await.unwrap();
        assert_eq!(number(&unasked, ENCRYPTED).await, 0);

        let root = vouched.root.path().display();
        let sure = format!("sslmode=verify-full&sslrootcert={root}");
        let verified = open(address(&db, "127.0.0.1", &sure)).await.unwrap();
        assert_eq!(number(&verified, ENCRYPTED).await, 1);
        let other_name = refused(address(&db, "localhost", &sure)).await;
        assert!(other_name.contains("not valid for name"), "{other_name}");
        let other_root = self::vouched();
        let unknown = format!("sslmode=verify-full&sslrootcert={}", other_root.root.path().display());
        let unknown = refused(address(&db, "127.0.0.1", &unknown)).await;
        assert!(unknown.contains("certificate"), "{unknown}");

        hears_of_events(address(&db, "127.0.0.1", &sure)).await;
        speak_tls(&db, None).await;
    });
}

/// Migrating, the sequencer and the listener have lines of their own.
async fn hears_of_events(config: DatabaseConfig) {
    let again = config.clone();
    let migrated = tokio::task::spawn_blocking(move || migrate(&again, MIGRATIONS, &clock().clock()));
    assert!(migrated.await.unwrap().unwrap().is_empty());
    let database = open(config).await.unwrap();
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let hear = move |events: Vec<std::sync::Arc<events::StoredEvent>>| {
        for event in events {
            told.send(event.pos).unwrap();
        }
        std::future::ready(())
    };
    let _tail = Tail::start(&database, |_| hear).await.unwrap();
    let write = database.write(move |tx| events::append(tx, &occasion(), &deposited(7, 3)));
    write.await.unwrap_or_else(|error: DatabaseError| panic!("{error}"));
    let pos = tokio::time::timeout(Duration::from_mins(1), heard.recv()).await;
    assert_eq!(pos.unwrap(), Some(1));
}
