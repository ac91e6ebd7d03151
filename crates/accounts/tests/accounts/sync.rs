//! The copy of the users in an outer system, against a little HTTP server of our own.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use stoa_accounts::SyncSettings;
use stoa_testing::{TestApp, Value, each_engine, json};
use tokio::{net::TcpListener, sync::Notify, task::AbortHandle};

const FIVE_MINUTES: Duration = Duration::from_mins(5);
/// Long enough for an answer on a busy machine, short enough to wait for one that never comes.
const IMPATIENT: Duration = Duration::from_millis(500);

/// How the outer system behaves.
#[derive(Clone, Debug)]
enum Mood {
    Takes,
    Answers(u16),
    /// 422 for a request in which this user is.
    Refuses(&'static str),
    Redirects,
    /// Takes what it is sent, and the answer is lost.
    LosesAnswers,
    /// Takes what it is sent once it is let.
    Waits,
}

/// A request as it came.
#[derive(Clone, PartialEq, Debug)]
struct Asked {
    key: String,
    body: Value,
}

impl Asked {
    fn usernames(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.body["users"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["username"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        names
    }
}

/// The outer system.
#[derive(Clone)]
struct Outer(Arc<Inside>);

struct Inside {
    address: std::net::SocketAddr,
    mood: Mutex<Mood>,
    asked: Mutex<Vec<Asked>>,
    came: Notify,
    may_answer: Notify,
    serving: Mutex<Option<AbortHandle>>,
}

thread_local! {
    /// A test's settings are made on the thread of the test, before its body begins.
    static OUTER: RefCell<Option<Outer>> = const { RefCell::new(None) };
}

/// Starts an outer system for this test and says how to reach it.
fn outer_system() -> SyncSettings {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let outer = Outer(Arc::new(Inside {
        address: listener.local_addr().unwrap(),
        mood: Mutex::new(Mood::Takes),
        asked: Mutex::default(),
        came: Notify::new(),
        may_answer: Notify::new(),
        serving: Mutex::new(None),
    }));
    outer.serve(TcpListener::from_std(listener).unwrap());
    let url = format!("http://stoa:outer-password@{}/users", outer.0.address);
    OUTER.with(|kept| kept.replace(Some(outer)));
    SyncSettings::to(url)
}

fn outer() -> Outer {
    OUTER.with(|kept| kept.borrow().clone()).expect("an outer system")
}

impl Outer {
    fn serve(&self, listener: TcpListener) {
        let routes = Router::new().route("/users", post(take)).with_state(self.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        *self.0.serving.lock().unwrap() = Some(serving.abort_handle());
    }

    fn is(&self, mood: Mood) {
        *self.0.mood.lock().unwrap() = mood;
    }

    /// What it was asked since the last look.
    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.0.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn dies(&self) {
        self.0.serving.lock().unwrap().take().expect("a server").abort();
    }

    async fn comes_back(&self) {
        // The port is free as soon as the task that held it is gone.
        let listener = loop {
            match TcpListener::bind(self.0.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        self.serve(listener);
    }
}

async fn take(State(outer): State<Outer>, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!(headers["authorization"], "Basic c3RvYTpvdXRlci1wYXNzd29yZA==");
    assert_eq!(headers["content-type"], "application/json");
    let asked = Asked {
        key: headers["idempotency-key"].to_str().unwrap().to_owned(),
        body: serde_json::from_slice(&body).unwrap(),
    };
    let mood = outer.0.mood.lock().unwrap().clone();
    let names = asked.usernames().iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    outer.0.asked.lock().unwrap().push(asked);
    outer.0.came.notify_one();
    match mood {
        Mood::Takes => StatusCode::NO_CONTENT.into_response(),
        Mood::Answers(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Mood::Refuses(name) if names.iter().any(|known| known == name) => {
            StatusCode::UNPROCESSABLE_ENTITY.into_response()
        }
        Mood::Refuses(_) => StatusCode::OK.into_response(),
        Mood::Redirects => Redirect::temporary("/users").into_response(),
        Mood::LosesAnswers => std::future::pending().await,
        Mood::Waits => {
            outer.0.may_answer.notified().await;
            StatusCode::OK.into_response()
        }
    }
}

/// Everybody's status by username, behind the surface.
async fn statuses(app: &TestApp) -> BTreeMap<String, String> {
    let read = app.read(|c| {
        c.query("SELECT username, sync_status FROM users", &[], |row| Ok((row.read()?, row.read()?)))
    });
    read.await.into_iter().collect()
}

async fn status_of(app: &TestApp, name: &str) -> String {
    statuses(app).await[name].clone()
}

each_engine! {
    async fn who_is_new_or_changed_is_sent_and_synced(app: TestApp, |settings| {
        settings.accounts.sync = Some(outer_system());
    }) {
        let outer = outer();
        let ada = app.shopper("ada").await;
        app.shopper("bob").await;
        assert_eq!(status_of(app, "ada").await, "PENDING");
        app.advance(FIVE_MINUTES).await;
        let asked = outer.asked();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].usernames(), ["ada", "bob"]);
        let users = asked[0].body["users"].as_array().unwrap();
        let sent = users.iter().find(|user| user["username"] == "ada").unwrap();
        assert_eq!(*sent, json!({
            "id": ada.user_id(), "username": "ada", "name": "ada", "email": "ada@example.com", "emailVerified": false,
            "role": "user", "avatarUrl": null, "createdAt": "2026-01-15T12:00:00.000Z", "updatedAt": "2026-01-15T12:00:00.000Z",
        }));
        assert!(statuses(app).await.values().all(|status| status == "SYNCED"));
        app.advance(FIVE_MINUTES).await;
        assert!(outer.asked().is_empty(), "nobody has changed");

        let ada = app.sign_in("ada@example.com").await;
        ada.post("/api/users/status", json!({"status": "busy"})).await.expect(200);
        assert_eq!(status_of(app, "ada").await, "SYNCED", "neither is told outside");
        ada.patch("/api/users/profile", json!({"name": "Ada Lovelace"})).await.expect(200);
        assert_eq!(status_of(app, "ada").await, "PENDING");
        app.advance(FIVE_MINUTES).await;
        let asked = outer.asked();
        assert_eq!((asked.len(), asked[0].usernames()), (1, vec!["ada"]));
        assert_eq!(asked[0].body["users"][0]["name"], "Ada Lovelace");
        assert_eq!(status_of(app, "ada").await, "SYNCED");
    }

    async fn every_change_that_is_told_makes_pending(app: TestApp, |settings| {
        settings.accounts.sync = Some(outer_system());
    }) {
        let admin = app.admin().await;
        let ada = app.shopper("ada").await;
        let path = format!("/api/users/{}", ada.user_id());
        let proof = crate::mailed_token(app, "ada@example.com", "/verify-email").await;
        app.advance(FIVE_MINUTES).await;
        assert_eq!(status_of(app, "ada").await, "SYNCED");
        admin.patch(&path, json!({"username": "countess"})).await.expect(200);
        assert_eq!(status_of(app, "countess").await, "PENDING");
        app.advance(FIVE_MINUTES).await;
        app.anon().post("/api/auth/verify-email", json!({"token": proof})).await.expect(204);
        assert_eq!(status_of(app, "countess").await, "PENDING");
        app.advance(FIVE_MINUTES).await;
        let admin = app.sign_in("admin@example.com").await;
        admin.put(&format!("{path}/role"), json!({"role": "admin"})).await.expect(200);
        assert_eq!(status_of(app, "countess").await, "PENDING");
        app.advance(FIVE_MINUTES).await;
        assert_eq!(status_of(app, "countess").await, "SYNCED");
        let seen = app.sign_in("admin@example.com").await.get(&path).await.expect(200);
        assert_eq!(seen.body["syncStatus"], "SYNCED");
    }

    async fn without_an_address_nothing_runs(app: TestApp) {
        app.shopper("ada").await;
        app.advance(FIVE_MINUTES * 3).await;
        assert_eq!(status_of(app, "ada").await, "PENDING");
        let scheduled = app.read(|c| {
            c.find("SELECT 1 FROM schedules WHERE name = 'sync-pending-users'", &[], |_| Ok(()))
        });
        assert_eq!(scheduled.await, None);
    }

    async fn who_cannot_be_sent_is_given_up_after_a_day_until_they_change(app: TestApp, |settings| {
        settings.accounts.sync = Some(outer_system());
    }) {
        let outer = outer();
        outer.is(Mood::Answers(503));
        app.shopper("ada").await;
        app.advance(FIVE_MINUTES).await;
        assert_eq!((outer.asked().len(), status_of(app, "ada").await.as_str()), (1, "PENDING"));
        app.advance(Duration::from_secs(299)).await;
        assert!(outer.asked().is_empty(), "it is not asked again at once");
        let mut keys = Vec::new();
        for _ in 2..=10 {
            assert_eq!(status_of(app, "ada").await, "PENDING");
            app.advance(Duration::from_hours(6)).await;
            keys.extend(outer.asked().into_iter().map(|asked| asked.key));
        }
        assert_eq!(keys.len(), 9);
        assert!(keys.iter().all(|key| *key == keys[0]), "the same words go under the same key");
        assert_eq!(status_of(app, "ada").await, "FAILED");
        outer.is(Mood::Takes);
        app.advance(Duration::from_hours(6)).await;
        assert!(outer.asked().is_empty());
        let ada = app.sign_in("ada@example.com").await;
        ada.patch("/api/users/profile", json!({"name": "Ada Lovelace"})).await.expect(200);
        assert_eq!(status_of(app, "ada").await, "PENDING");
        app.advance(FIVE_MINUTES).await;
        assert_eq!(status_of(app, "ada").await, "SYNCED");
        assert_ne!(outer.asked()[0].key, keys[0], "other words go under another");
    }

    async fn one_who_is_refused_holds_nobody_up(app: TestApp, |settings| {
        settings.accounts.sync = Some(outer_system());
    }) {
        let outer = outer();
        outer.is(Mood::Refuses("eve"));
        for name in ["ann", "bob", "cid", "dan", "eve"] {
            app.shopper(name).await;
        }
        app.advance(FIVE_MINUTES).await;
        let statuses = statuses(app).await;
        let pending: Vec<_> = statuses.iter().filter(|(_, status)| *status != "SYNCED").collect();
        assert_eq!(pending, [(&"eve".to_owned(), &"PENDING".to_owned())]);
        let asked = outer.asked();
        assert_eq!(asked.iter().filter(|asked| asked.usernames() == ["eve"]).count(), 1, "alone, once");
        assert!(asked.len() <= 7, "by halves: {}", asked.len());
        outer.is(Mood::Takes);
        app.advance(FIVE_MINUTES * 2).await;
        assert_eq!(status_of(app, "eve").await, "SYNCED");
    }

    async fn a_lost_answer_is_asked_for_in_the_same_words(app: TestApp, |settings| {
        settings.accounts.sync = Some(SyncSettings { timeout: IMPATIENT, ..outer_system() });
    }) {
        let outer = outer();
        outer.is(Mood::LosesAnswers);
        app.shopper("ada").await;
        app.shopper("bob").await;
        app.advance(FIVE_MINUTES).await;
        let first = outer.asked();
        assert_eq!((first.len(), status_of(app, "ada").await.as_str()), (1, "PENDING"));
        // Somebody new does not get into words that are out already.
        app.shopper("cid").await;
        outer.is(Mood::Takes);
        let mut later = Vec::new();
        while statuses(app).await.values().any(|status| status != "SYNCED") {
            assert!(later.len() < 20, "it never comes to an end: {later:?}");
            app.advance(FIVE_MINUTES).await;
            later.extend(outer.asked());
        }
        let again = later.iter().find(|asked| asked.usernames().contains(&"ada")).unwrap();
        assert_eq!(*again, first[0]);
        assert!(later.iter().any(|asked| asked.usernames() == ["cid"]));
    }

    async fn it_may_die_and_come_back(app: TestApp, |settings| {
        settings.accounts.sync = Some(outer_system());
    }) {
        let outer = outer();
        app.shopper("ada").await;
        outer.dies();
        app.advance(FIVE_MINUTES).await;
        assert_eq!(status_of(app, "ada").await, "PENDING");
        app.shopper("bob").await;
        outer.comes_back().await;
        app.advance(FIVE_MINUTES * 2).await;
        app.advance(FIVE_MINUTES).await;
        assert!(statuses(app).await.values().all(|status| status == "SYNCED"));
    }

    async fn a_redirect_is_not_followed(app: TestApp, |settings| {
        settings.accounts.sync = Some(outer_system());
    }) {
        let outer = outer();
        outer.is(Mood::Redirects);
        app.shopper("ada").await;
        app.advance(FIVE_MINUTES).await;
        assert_eq!((outer.asked().len(), status_of(app, "ada").await.as_str()), (1, "PENDING"));
    }

    async fn who_changes_while_they_are_sent_is_sent_again(app: TestApp, |settings| {
        settings.accounts.sync = Some(outer_system());
    }) {
        let outer = outer();
        outer.is(Mood::Waits);
        let ada = app.shopper("ada").await;
        app.shopper("bob").await;
        let change = async {
            outer.0.came.notified().await;
            let ada = app.sign_in("ada@example.com").await;
            ada.patch("/api/users/profile", json!({"name": "Ada Lovelace"})).await.expect(200);
            outer.is(Mood::Takes);
            outer.0.may_answer.notify_one();
        };
        tokio::join!(app.advance(FIVE_MINUTES), change);
        // The run that was under way found her due once more.
        let asked = outer.asked();
        assert_eq!(asked.iter().map(Asked::usernames).collect::<Vec<_>>(), [vec!["ada", "bob"], vec!["ada"]]);
        assert_eq!(asked[1].body["users"][0]["name"], "Ada Lovelace");
        assert_eq!(asked[1].body["users"][0]["id"], ada.user_id());
        assert!(statuses(app).await.values().all(|status| status == "SYNCED"));
    }

    async fn many_are_sent_in_batches(app: TestApp, |settings| {
        settings.accounts.sync = Some(outer_system());
    }) {
        let outer = outer();
        let accounts = stoa_accounts::Accounts::new(app.platform(), cheap_passwords()).unwrap();
        let hash = accounts.hash_password(stoa_testing::PASSWORD).await.unwrap();
        let (clock, random) = (app.clock.clock(), stoa_kernel::Random::system());
        app.platform().database.write(move |tx| {
            let occasion = stoa_platform::Occasion::system(&clock, &random, "test");
            for n in 0..230 {
                let email = format!("shopper{n}@example.com");
                stoa_accounts::Accounts::insert_user(tx, &occasion, "user", &email, "Shopper", &hash)?;
            }
            Ok::<_, stoa_kernel::Refusal>(())
        }).await.unwrap();
        app.advance(FIVE_MINUTES).await;
        let asked = outer.asked();
        assert_eq!(asked.iter().map(|asked| asked.usernames().len()).collect::<Vec<_>>(), [100, 100, 30]);
        assert!(statuses(app).await.values().all(|status| status == "SYNCED"));
    }
}

fn cheap_passwords() -> stoa_accounts::AccountsSettings {
    let mut settings = stoa_accounts::AccountsSettings::new(vec![7; 32], "http://localhost");
    settings.password_cost = stoa_accounts::PasswordCost::FOR_TESTS;
    settings
}
