//! Mails on their way from the queue to a mail server: delivered, refused, late, and never in clear.

use std::{net::TcpListener, path::PathBuf, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use stoa_drivers::{
    smtp::{Smtp, SmtpServer, SmtpSettings},
    testing::MailServer,
};
use stoa_kernel::{ManualClock, Page, PageRequest, Random, Timestamp};
use stoa_platform::{
    MIGRATIONS, Occasion,
    database::{Database, DatabaseError},
    each_engine,
    jobs::{self, DeadLetter, JobId},
    mail::{
        Delivery, Mailer, SendMail, Template,
        records::{self, MailRecord, MailState},
    },
    testing::TestDatabase,
};
use tempfile::TempDir;

const WELCOME: Template = Template {
    name: "welcome",
    subject: "Welcome, {{ name }}",
    html: "<p>Welcome, <b>{{ name }}</b></p>",
    text: "Welcome, {{ name }}",
    sample: "{}",
};

/// Long enough for a step that works, short enough to wait for one that does not.
const STEP: Duration = Duration::from_secs(2);

/// Everything between the queue and the server.
struct Office {
    database: Database,
    hand: ManualClock,
    mailer: Arc<Mailer>,
}

impl Office {
    fn new(db: &TestDatabase, url: &str) -> Self {
        Self::trusting(db, url, Vec::new())
    }

    fn trusting(db: &TestDatabase, url: &str, roots: Vec<u8>) -> Self {
        let (database, hand) = (db.open(), ManualClock::starting_at(Timestamp::from_seconds(1_768_478_400)));
        let settings =
            SmtpSettings { step: STEP, roots, ..SmtpSettings::of(SmtpServer::parse(url).unwrap()) };
        let smtp = Smtp::new(settings, hand.clock()).unwrap();
        let mailer =
            Mailer::new(Delivery::Transport(smtp), "Shop <shop@example.com>", &[WELCOME], hand.clock());
        let mailer = Arc::new(mailer.unwrap().recording(&database));
        Self { database, hand, mailer }
    }

    async fn queue(&self, to: &str) -> JobId {
        let occasion = Occasion::system(&self.hand.clock(), &Random::system(), "test");
        let mail = SendMail::new(to, "welcome", json!({"name": "Ünna"}));
        let queued = self.database.write(move |tx| jobs::enqueue(tx, &occasion, &mail)).await;
        queued.unwrap_or_else(|error: DatabaseError| panic!("{error}")).unwrap()
    }

    /// Runs what is due; answers how many runs that were.
    async fn run(&self) -> usize {
        let handler = SendMail::handler(Arc::clone(&self.mailer));
        jobs::run_due(&self.database, &self.hand.clock(), &Random::system(), &[handler]).await.unwrap()
    }

    /// Runs what comes due within the longest pause between attempts.
    async fn run_later(&self) -> usize {
        self.hand.advance(Duration::from_secs(5));
        self.run().await
    }

    async fn record(&self, id: JobId) -> MailRecord {
        let read = self.database.read(move |c| records::find(c, id.uuid().into()));
        read.await.unwrap_or_else(|error: DatabaseError| panic!("{error}")).unwrap()
    }

    async fn dead(&self) -> Vec<DeadLetter> {
        let read = self.database.read(|c| jobs::dead_letters(c, &PageRequest::first(10)));
        let page: Result<Page<DeadLetter>, DatabaseError> = read.await;
        page.unwrap().entries
    }
}

fn url(server: &MailServer, tls: &str) -> String {
    format!("smtp://127.0.0.1:{}?tls={tls}", server.port())
}

/// A certificate for `localhost` and who vouches for it, as files and as PEM.
struct Papers {
    folder: TempDir,
    authority: Vec<u8>,
}

impl Papers {
    fn new() -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &issuer).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("certificate.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
        Self { folder, authority: authority_pem.into_bytes() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn server(&self, more: &[&str]) -> MailServer {
        let (certificate, key) = (self.path("certificate.pem"), self.path("key.pem"));
        let mut arguments =
            vec!["--certificate", certificate.to_str().unwrap(), "--key", key.to_str().unwrap()];
        arguments.extend(more);
        MailServer::start(&arguments)
    }
}

each_engine! { MIGRATIONS;
    async fn a_mail_arrives_with_both_texts_and_its_headers(db: TestDatabase) {
        let server = MailServer::start(&[]);
        let office = Office::new(&db, &url(&server, "none"));
        let id = office.queue("ann@example.org").await;
        assert_eq!(office.run().await, 1);
        let mails = server.has(1).await;
        let message = mails[0]["message"].as_str().unwrap();
        for line in [
            "From: Shop <shop@example.com>\r\n",
            "To: ann@example.org\r\n",
            "Subject: Welcome, =?utf-8?b?w5xubmE=?=\r\n",
            "Content-Type: multipart/alternative;",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Type: text/html; charset=utf-8\r\n",
            &format!("Message-ID: <{id}@example.com>\r\n"),
            "Date: Thu, 15 Jan 2026 12:00:00 +0000\r\n",
        ] {
            assert!(message.contains(line), "{line:?} is missing in:\n{message}");
        }
        assert_eq!((&mails[0]["from"], &mails[0]["to"]), (&json!("shop@example.com"), &json!(["ann@example.org"])));
        let record = office.record(id).await;
        assert_eq!((record.state, record.attempts, record.error), (MailState::Sent, 1, None));
        assert_eq!((record.subject.as_str(), record.template.as_str()), ("Welcome, Ünna", "welcome"));
    }

    async fn one_line_carries_mail_after_mail(db: TestDatabase) {
        let server = MailServer::start(&[]);
        let office = Office::new(&db, &url(&server, "none"));
        for number in 0..10 {
            office.queue(&format!("shopper{number}@example.org")).await;
        }
        assert_eq!(office.run().await, 10);
        assert_eq!(server.has(10).await.len(), 10);
        assert_eq!(server.reached("EHLO"), 1);
    }

    async fn a_line_that_the_server_closed_is_replaced(db: TestDatabase) {
        let server = MailServer::start(&[]);
        let port = server.port().to_string();
        let office = Office::new(&db, &url(&server, "none"));
        office.queue("ann@example.org").await;
        office.run().await;
        server.has(1).await;
        drop(server);
        let server = MailServer::start(&["--port", &port]);
        office.queue("bob@example.org").await;
        assert_eq!(office.run().await, 1);
        assert_eq!(server.has(1).await[0]["to"], json!(["bob@example.org"]));
        assert!(office.dead().await.is_empty());
    }

    async fn a_server_that_is_down_gets_the_mail_when_it_is_up_and_once(db: TestDatabase) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let office = Office::new(&db, &format!("smtp://127.0.0.1:{port}?tls=none"));
        let id = office.queue("ann@example.org").await;
        assert_eq!(office.run().await, 1);
        let record = office.record(id).await;
        assert_eq!((record.state, record.attempts), (MailState::Waiting, 1));
        assert!(record.error.unwrap().contains("connecting"), "the reason is kept");
        assert_eq!(office.run().await, 0, "not before its pause is over");

        let server = MailServer::start(&["--port", &port.to_string()]);
        assert_eq!(office.run_later().await, 1);
        assert_eq!(server.has(1).await.len(), 1);
        let record = office.record(id).await;
        assert_eq!((record.state, record.attempts, record.error), (MailState::Sent, 2, None));
        assert_eq!(office.run_later().await, 0);
        assert_eq!(server.mails().len(), 1);
    }

    async fn a_server_that_stays_down_makes_a_dead_letter_that_can_be_revived(db: TestDatabase) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let office = Office::new(&db, &format!("smtp://127.0.0.1:{port}?tls=none"));
        let id = office.queue("ann@example.org").await;
        assert_eq!(office.run().await + office.run_later().await + office.run_later().await, 3);
        assert_eq!(office.dead().await[0].attempts, 3);
        assert_eq!(office.record(id).await.state, MailState::Failed);

        let server = MailServer::start(&["--port", &port.to_string()]);
        let occasion = Occasion::system(&office.hand.clock(), &Random::system(), "test");
        let revived = office.database.write(move |tx| jobs::retry(tx, &occasion, id)).await;
        assert!(revived.unwrap_or_else(|error: DatabaseError| panic!("{error}")));
        assert_eq!(office.record(id).await.state, MailState::Waiting);
        assert_eq!(office.run().await, 1);
        server.has(1).await;
        assert_eq!(office.record(id).await.state, MailState::Sent);
    }

    async fn a_server_that_does_not_answer_is_given_up_and_tried_again(db: TestDatabase) {
        for step in ["EHLO", "MAIL", "RCPT"] {
            let server = MailServer::start(&["--stall", &format!("{step}=1")]);
            let office = Office::new(&db, &url(&server, "none"));
            let id = office.queue("ann@example.org").await;
            assert_eq!(office.run().await, 1);
            let record = office.record(id).await;
            assert_eq!(record.state, MailState::Waiting, "{step}");
            assert!(record.error.unwrap().contains("no answer within"), "{step}");
            assert_eq!(office.run_later().await, 1);
            assert_eq!(server.has(1).await.len(), 1, "{step}");
            assert_eq!(office.record(id).await.state, MailState::Sent);
        }
    }

    async fn a_mail_whose_answer_was_lost_is_known_by_its_id(db: TestDatabase) {
        let server = MailServer::start(&["--stall", "DATA=1"]);
        let office = Office::new(&db, &url(&server, "none"));
        let id = office.queue("ann@example.org").await;
        office.run().await;
        assert_eq!(office.record(id).await.state, MailState::Waiting);
        office.run_later().await;
        let mails = server.has(2).await;
        let told = format!("Message-ID: <{id}@example.com>\r\n");
        assert!(mails.iter().all(|mail| mail["message"].as_str().unwrap().contains(&told)));
        assert_eq!(office.record(id).await.state, MailState::Sent);
        // The late answer must not be taken for that to another mail: the line was thrown away.
        assert_eq!(server.reached("EHLO"), 2);
    }

    async fn a_refused_recipient_is_a_dead_letter_at_once(db: TestDatabase) {
        for (step, answer) in [("RCPT", "550 5.1.1 No such user here"), ("DATA", "554 5.7.1 Looks like spam")] {
            let server = MailServer::start(&["--refuse", &format!("{step}={answer}")]);
            let office = Office::new(&db, &url(&server, "none"));
            let before = office.dead().await.len();
            let id = office.queue("nobody@example.org").await;
            assert_eq!(office.run().await, 1);
            let dead = office.dead().await;
            assert_eq!(dead.len(), before + 1, "{step}");
            let letter = dead.into_iter().find(|letter| letter.id == id).unwrap();
            assert!(letter.error.contains(answer.split_once(' ').unwrap().1), "{}", letter.error);
            assert_eq!(letter.attempts, 1);
            let record = office.record(id).await;
            assert_eq!((record.state, record.attempts), (MailState::Failed, 1));
            assert_eq!(office.run_later().await, 0);
            assert!(server.mails().is_empty());
        }
    }

    async fn a_refusal_for_now_is_tried_again(db: TestDatabase) {
        let server = MailServer::start(&["--refuse", "RCPT=451 4.7.1 Try again later"]);
        let office = Office::new(&db, &url(&server, "none"));
        let id = office.queue("ann@example.org").await;
        assert_eq!(office.run().await + office.run_later().await, 2);
        let record = office.record(id).await;
        assert_eq!((record.state, record.attempts), (MailState::Waiting, 2));
        assert!(record.error.unwrap().contains("Try again later"));
        assert_eq!(office.run_later().await, 1);
        assert_eq!(office.record(id).await.state, MailState::Failed, "after the last attempt it is given up");
    }

    async fn a_password_goes_over_tls(db: TestDatabase) {
        let papers = Papers::new();
        for (scheme, more) in [("smtp", vec![]), ("smtps", vec!["--wrapped"])] {
            let mut arguments = vec!["--auth", "shop:p@ss:word"];
            arguments.extend(more);
            let server = papers.server(&arguments);
            let address = format!("{scheme}://shop:p%40ss%3Aword@localhost:{}", server.port());
            let office = Office::trusting(&db, &address, papers.authority.clone());
            office.queue("ann@example.org").await;
            assert_eq!(office.run().await, 1);
            let mails = server.has(1).await;
            assert_eq!((&mails[0]["encrypted"], &mails[0]["user"]), (&json!(true), &json!("shop")), "{scheme}");
        }
    }

    async fn a_wrong_password_sends_nothing_and_is_tried_again(db: TestDatabase) {
        let papers = Papers::new();
        let server = papers.server(&["--auth", "shop:right"]);
        let office = Office::trusting(&db, &format!("smtp://shop:wrong@localhost:{}", server.port()), papers.authority.clone());
        let id = office.queue("ann@example.org").await;
        office.run().await;
        let record = office.record(id).await;
        assert_eq!(record.state, MailState::Waiting, "the settings are wrong, not the mail");
        let error = record.error.unwrap();
        assert!(error.contains("signing in") && !error.contains("wrong"), "{error}");
        assert_eq!(server.reached("MAIL"), 0);
    }

    async fn without_starttls_nothing_is_sent_in_clear(db: TestDatabase) {
        for credentials in ["", "shop:secret@"] {
            for tls in ["", "?tls=required", "?tls=opportunistic"] {
                if credentials.is_empty() && tls != "?tls=required" {
                    continue;
                }
                let server = MailServer::start(&["--auth", "shop:secret"]);
                let office = Office::new(&db, &format!("smtp://{credentials}localhost:{}{tls}", server.port()));
                let id = office.queue("ann@example.org").await;
                office.run().await;
                let record = office.record(id).await;
                assert_eq!(record.state, MailState::Waiting);
                assert!(record.error.unwrap().contains("STARTTLS"), "{credentials}{tls}");
                let (auth, mail) = (server.reached("AUTH"), server.reached("MAIL"));
                assert_eq!((auth, mail, server.mails().len()), (0, 0, 0), "{credentials}{tls}");
            }
        }
    }

    async fn a_certificate_that_nobody_vouches_for_is_not_talked_to(db: TestDatabase) {
        let server = Papers::new().server(&["--auth", "shop:secret"]);
        let office = Office::new(&db, &format!("smtp://shop:secret@localhost:{}", server.port()));
        let id = office.queue("ann@example.org").await;
        office.run().await;
        assert_eq!(office.record(id).await.state, MailState::Waiting);
        assert_eq!((server.reached("AUTH"), server.reached("MAIL")), (0, 0));
    }

    async fn a_mail_that_was_sent_is_not_sent_again_when_its_job_is(db: TestDatabase) {
        let server = MailServer::start(&[]);
        let office = Office::new(&db, &url(&server, "none"));
        let id = office.queue("ann@example.org").await;
        // As when the process dies between the mail and the end of its job.
        let sent = || office.mailer.send("01890000-0000-7000-8000-000000000001", "ann@example.org", "welcome", json!({"name": "Ann"}));
        sent().await.unwrap();
        sent().await.unwrap();
        assert_eq!(office.run().await, 1);
        assert_eq!(server.has(2).await.len(), 2);
        assert_eq!(office.record(id).await.attempts, 1);
    }
}

#[tokio::test]
async fn asking_whether_it_answers_sends_nothing() {
    let server = MailServer::start(&[]);
    let clock = stoa_kernel::Clock::system();
    let way =
        |url: &str| Smtp::new(SmtpSettings::of(SmtpServer::parse(url).unwrap()), clock.clone()).unwrap();
    way(&url(&server, "none")).check().await.unwrap();
    assert_eq!((server.reaches("EHLO").await, server.reached("MAIL")), (1, 0));
    assert!(way(&url(&server, "required")).check().await.is_err());
    let closed = format!("smtp://127.0.0.1:{}?tls=none", server.port());
    drop(server);
    assert!(way(&closed).check().await.is_err());
}
