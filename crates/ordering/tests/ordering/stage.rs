//! The stage a test plays on: a shop with people, products and books that must balance when it closes.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{body::Body, extract::Request, http::HeaderMap};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use stoa_contracts::{accounts::Contact, catalog::ProductId};
use stoa_http::{Authenticator, Credentials, Edge, HttpSettings, IDEMPOTENCY_MIGRATION};
use stoa_kernel::{
    Actor, Id, ManualClock, Permission, Permissions, Random, Refusal, SignedIn, Timestamp, UserId,
};
use stoa_ordering::{Ordering, OrderingSettings, PaymentProvider, TestProvider};
use stoa_platform::{
    MIGRATIONS, Platform,
    cache::Cache,
    database::{DatabaseError, Engine, Migration},
    jobs::{self, Handler},
    limits::Limits,
    mail::{Mailer, SentMail},
    params,
    testing::TestDatabase,
};
use tower::ServiceExt;

use crate::{
    outside::{Line, Outside},
    shelf::{SHELF, Shelf, Users, usd},
};

/// 2026-01-15 12:00 UTC.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_768_478_400);

pub(crate) fn migrations() -> Vec<Migration> {
    [MIGRATIONS, &[IDEMPOTENCY_MIGRATION], stoa_ordering::MIGRATIONS, &[SHELF]].concat()
}

/// People by name: `clerk` works in the shop, everybody else buys. The name is the token.
struct Doorkeeper;

fn user_id(name: &str) -> UserId {
    let seed = name.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    Id::new(START, &Random::seeded(seed))
}

fn permissions(name: &str) -> Arc<Permissions> {
    let actions: &[&str] = match name {
        "clerk" => &["read", "update"],
        "stranger" => &[],
        _ => &["read", "create"],
    };
    let allowed =
        actions.iter().map(|action| Permission { resource: "order".into(), action: (*action).into() });
    Arc::new(allowed.collect())
}

impl Authenticator for Doorkeeper {
    fn authenticate<'r>(
        &'r self,
        credentials: Credentials<'r>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Actor, Refusal>> + Send + 'r>> {
        Box::pin(async move {
            let Credentials::Bearer(name) = credentials else {
                return Err(Refusal::authentication_required());
            };
            let user = user_id(name);
            let role = if name == "clerk" { "admin" } else { "user" };
            let person = SignedIn {
                user,
                session: user.uuid().into(),
                role: role.into(),
                permissions: permissions(name),
            };
            Ok(Actor::User(person))
        })
    }
}

pub(crate) struct Stage {
    pub(crate) clock: ManualClock,
    pub(crate) platform: Platform,
    pub(crate) outside: Arc<Outside>,
    edge: Edge,
    ordering: Ordering,
    handlers: Vec<Handler>,
    _folder: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn open(database: &TestDatabase) -> Self {
        let clock = ManualClock::starting_at(START);
        let folder = tempfile::tempdir().unwrap();
        let templates = stoa_ordering::TEMPLATES;
        let mailer = Mailer::to_folder(folder.path(), "shop@example.com", templates, clock.clock()).unwrap();
        let platform = Platform {
            database: database.open(),
            clock: clock.clock(),
            random: Random::system(),
            cache: Cache::in_process(1 << 20, clock.clock()),
            limits: Limits::off(),
            mailer: Arc::new(mailer),
        };
        let outside = Arc::new(Outside::new(TestProvider::new(&platform)));
        let people = ["bob", "ann"].map(|name| {
            (user_id(name), Contact { email: format!("{name}@example.com"), name: name.to_owned() })
        });
        let ordering = Ordering::new(
            &platform,
            OrderingSettings::for_currency(usd()),
            Arc::new(Shelf),
            Arc::new(Users(HashMap::from(people))),
            Arc::clone(&outside) as Arc<dyn PaymentProvider>,
        );
        let module = ordering.module();
        let (router, _) = module.routes.split_for_parts();
        let edge = Edge::new(router, HttpSettings::default(), Arc::new(Doorkeeper), &platform);
        Self { clock, platform, outside, edge, ordering, handlers: module.job_handlers, _folder: folder }
    }

    pub(crate) fn person(&self, name: &str) -> Person {
        Person { edge: self.edge.clone(), name: name.to_owned(), key: None }
    }

    pub(crate) fn bob(&self) -> Person {
        self.person("bob")
    }

    pub(crate) fn clerk(&self) -> Person {
        self.person("clerk")
    }

    /// Puts a product on the shelf; the price in cents.
    pub(crate) async fn product(&self, price: i64, stock: i64) -> String {
        let id: ProductId = Id::new(self.clock.clock().now(), &Random::system());
        let put = self.platform.database.write(move |tx| {
            tx.execute(
                "INSERT INTO shelf (id, name, price, stock, active) VALUES ($1, $2, $3, $4, $5)",
                params![id, "Pot", price, stock, true],
            )
        });
        put.await.map_err(|error: DatabaseError| error).unwrap();
        id.to_string()
    }

    /// Changes a column of a product.
    pub(crate) async fn set(&self, product: &str, column: &'static str, value: &'static str) {
        let id: ProductId = product.parse().unwrap();
        let sql = format!("UPDATE shelf SET {column} = {value} WHERE id = $1");
        let set = self.platform.database.write(move |tx| tx.execute(&sql, params![id]));
        assert_eq!(set.await.map_err(|error: DatabaseError| error).unwrap(), 1);
    }

    pub(crate) async fn stock(&self, product: &str) -> i64 {
        let id: ProductId = product.parse().unwrap();
        let sql = "SELECT stock FROM shelf WHERE id = $1";
        let read = self.platform.database.read(move |c| c.find(sql, params![id], |row| row.read()));
        read.await.map_err(|error: DatabaseError| error).unwrap().unwrap()
    }

    /// One number the database knows.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        let read = self.platform.database.read(move |c| c.find(sql, &[], |row| row.read()));
        read.await.map_err(|error: DatabaseError| error).unwrap().unwrap()
    }

    /// The payloads of the events of a type, in order.
    pub(crate) async fn events(&self, kind: &'static str) -> Vec<Value> {
        let order = match self.platform.database.engine() {
            Engine::Sqlite => "pos",
            Engine::Postgres => "ident",
        };
        let sql = format!("SELECT payload FROM events WHERE type = $1 ORDER BY {order}");
        let read =
            self.platform.database.read(move |c| c.query(&sql, params![kind], |row| row.read::<String>()));
        let texts = read.await.map_err(|error: DatabaseError| error).unwrap();
        texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    pub(crate) async fn run_jobs(&self) {
        let Platform { database, clock, random, .. } = &self.platform;
        jobs::run_due(database, clock, random, &self.handlers).await.unwrap();
    }

    /// Lets time pass and the sweep come by.
    pub(crate) async fn sweep_after(&self, time: Duration) {
        self.clock.advance(time);
        self.ordering.queue_sweep().await.unwrap();
        self.run_jobs().await;
    }

    /// The mails sent so far, by subject.
    pub(crate) async fn mails(&self) -> Vec<SentMail> {
        self.run_jobs().await;
        let mut mails = self.platform.mailer.list(100).await.unwrap();
        mails.sort_by(|one, other| one.subject.cmp(&other.subject));
        mails
    }

    pub(crate) async fn mail(&self, id: &str) -> String {
        String::from_utf8(self.platform.mailer.read(id).await.unwrap().unwrap()).unwrap()
    }

    /// Closes the shop: nothing is left to do, and the books agree with each other.
    pub(crate) async fn close(self) {
        self.run_jobs().await;
        assert_eq!(self.number("SELECT COUNT(*) FROM jobs").await, 0, "jobs are left");
        let kept = "SELECT CAST(COALESCE(SUM(amount - refunded), 0) AS BIGINT) FROM test_provider_charges
                    WHERE state = 'captured'";
        let earned = "SELECT CAST(COALESCE(SUM(total), 0) AS BIGINT) FROM orders
                      WHERE payment_status = 'captured'";
        assert_eq!(self.number(kept).await, self.number(earned).await, "money and orders agree");
        let untold = "SELECT COUNT(*) FROM orders WHERE (SELECT COUNT(*) FROM order_history
                      WHERE order_id = orders.id AND status = orders.status) <> 1";
        assert_eq!(self.number(untold).await, 0, "every order's status is in its history, once");
        let placed = i64::try_from(self.events("order.placed").await.len()).unwrap();
        assert_eq!(placed, self.number("SELECT COUNT(*) FROM orders").await, "each order has its event");
        assert_eq!(self.number("SELECT COUNT(*) FROM payments WHERE due_at IS NOT NULL").await, 0);
    }

    pub(crate) fn cut(&self, line: Line) {
        self.outside.set(line);
    }
}

/// Somebody who sends requests.
#[derive(Clone)]
pub(crate) struct Person {
    edge: Edge,
    name: String,
    key: Option<String>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Seen {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        let seen = self.expect(status);
        assert_eq!(seen.body["code"], code, "{}", seen.text);
        seen
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array();
        errors.into_iter().flatten().filter_map(|error| error["field"].as_str()).collect()
    }

    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.text)).to_owned()
    }

    pub(crate) fn version(&self) -> String {
        self.header("etag").to_owned()
    }
}

impl Person {
    pub(crate) fn id(&self) -> String {
        user_id(&self.name).to_string()
    }

    /// The same person, whose POSTs bear this Idempotency-Key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>, if_match: &str) -> Seen {
        let mut request = Request::builder().method(method).uri(path);
        if self.name != "nobody" {
            request = request.header("authorization", format!("Bearer {}", self.name));
        }
        if let Some(key) = &self.key {
            request = request.header("idempotency-key", key);
        }
        if !if_match.is_empty() {
            request = request.header("if-match", if_match);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let response = self.edge.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Seen { status: parts.status.as_u16(), headers: parts.headers, body, text }
    }

    pub(crate) async fn get(&self, path: &str) -> Seen {
        self.send("GET", path, None, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Seen {
        self.send("POST", path, Some(body), "").await
    }

    pub(crate) async fn adds(&self, product: &str, quantity: i64) -> Seen {
        self.post("/api/cart/items", json!({"productId": product, "quantity": quantity})).await
    }

    /// Fills the cart with one product.
    pub(crate) async fn wants(&self, product: &str, quantity: i64) {
        self.adds(product, quantity).await.expect(200);
    }

    /// Checks out, paying by `method`.
    pub(crate) async fn pays(&self, method: &str) -> Seen {
        self.post("/api/orders", order_by(method)).await
    }

    /// Fills the cart and pays.
    pub(crate) async fn buys(&self, product: &str, quantity: i64) -> Seen {
        self.wants(product, quantity).await;
        self.pays("pm_card_visa").await.expect(201)
    }

    pub(crate) async fn order(&self, id: &str) -> Seen {
        self.get(&format!("/api/orders/{id}")).await
    }

    pub(crate) async fn cancels(&self, id: &str) -> Seen {
        self.send("POST", &format!("/api/orders/{id}/cancel"), None, "").await
    }

    pub(crate) async fn moves(&self, id: &str, status: &str) -> Seen {
        let body = json!({"status": status});
        self.send("PATCH", &format!("/api/orders/{id}/status"), Some(body), "").await
    }
}

pub(crate) fn address() -> Value {
    json!({
        "fullName": "Bob Buyer", "street": "1 Stoa Lane", "city": "Athens", "state": "", "zipCode": "10555",
        "country": "GR", "phone": "+30 210 0000000",
    })
}

pub(crate) fn order_by(method: &str) -> Value {
    json!({"shippingAddress": address(), "paymentMethod": method})
}

/// The subjects of mails.
pub(crate) fn subjects(mails: &[SentMail]) -> Vec<&str> {
    mails.iter().map(|mail| mail.subject.as_str()).collect()
}

/// The statuses an order went through, with who did each.
pub(crate) fn history(order: &Value) -> Vec<(String, String)> {
    let entries = order["history"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    entries.map(|entry| (text(&entry["status"]), text(&entry["by"]))).collect()
}
