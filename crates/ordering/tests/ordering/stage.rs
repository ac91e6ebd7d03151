//! The stage a test plays on: a shop with people, products and books that must balance when it closes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{body::Body, extract::Request, http::HeaderMap};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use stoa_contracts::{accounts::Contact, catalog::ProductId, payments::PaymentProvider};
use stoa_http::{Edge, HttpSettings, IDEMPOTENCY_MIGRATION};
use stoa_kernel::{
    Actor, Authenticator, Clock, Credentials, Id, ManualClock, Permission, Permissions, Random, Refusal,
    SessionId, SignedIn, Timestamp, UserId, authenticate::Identified,
};
use stoa_ordering::{Ordering, OrderingSettings, RemoveAbandonedCarts, Shop, TestProvider};
use stoa_platform::{
    MIGRATIONS, Occasion, Platform,
    cache::Cache,
    database::{DatabaseError, Engine, Migration},
    jobs::{self, Handler},
    limits::Limits,
    mail::{Mailer, SentMail},
    params,
    storage::Storage,
    testing::TestDatabase,
};
use tower::ServiceExt;

use crate::{
    outside::{Line, Names, Outside},
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
    fn authenticate<'r>(&'r self, credentials: Credentials<'r>, _: std::net::IpAddr) -> Identified<'r> {
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

    /// Nobody stays for longer than a request.
    fn of_session(&self, _: SessionId) -> Identified<'_> {
        Box::pin(async { Err(Refusal::authentication_required()) })
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
        Self::with_provider(database, Names::Known)
    }

    /// A shop that asks nothing for sending.
    pub(crate) fn sending_free(database: &TestDatabase, names: Names) -> Self {
        let settings = OrderingSettings { shipping_fee_minor: 0, ..OrderingSettings::for_currency(usd()) };
        let clock = ManualClock::starting_at(START);
        Self::build(database, clock, settings, |platform| {
            Outside::new(TestProvider::new(platform), names).into()
        })
    }

    /// A shop whose orders are paid at another provider, and whose clock shows the real time at first.
    pub(crate) fn paid_at(database: &TestDatabase, provider: Arc<dyn PaymentProvider>) -> Self {
        let clock = ManualClock::starting_at(Clock::system().now());
        let settings = OrderingSettings::for_currency(usd());
        Self::build(database, clock, settings, |platform| Till {
            outside: Arc::new(Outside::new(TestProvider::new(platform), Names::Known)),
            provider,
        })
    }

    /// A shop whose provider tells the names of payments as `names` says.
    pub(crate) fn with_provider(database: &TestDatabase, names: Names) -> Self {
        let settings = OrderingSettings::for_currency(usd());
        let clock = ManualClock::starting_at(START);
        Self::build(database, clock, settings, |platform| {
            Outside::new(TestProvider::new(platform), names).into()
        })
    }

    fn build(
        database: &TestDatabase,
        clock: ManualClock,
        settings: OrderingSettings,
        till: impl FnOnce(&Platform) -> Till,
    ) -> Self {
        let settings = OrderingSettings { shop: shop(), ..settings };
        let folder = tempfile::tempdir().unwrap();
        let templates = stoa_ordering::TEMPLATES;
        let mailer = Mailer::to_folder(folder.path(), "shop@example.com", templates, clock.clock()).unwrap();
        let platform = Platform {
            database: database.open(),
            clock: clock.clock(),
            random: Random::system(),
            cache: Cache::in_process(1 << 20, clock.clock()),
            limits: Limits::off(),
            scanner: None,
            storage: Storage::folder(&folder.path().join("files")).unwrap(),
            mailer: Arc::new(mailer),
            metrics: stoa_platform::metrics::Metrics::off(),
            traces: stoa_platform::traces::Traces::off(),
            relay: None,
        };
        let Till { outside, provider } = till(&platform);
        let people = ["bob", "ann"].map(|name| {
            (user_id(name), Contact { email: format!("{name}@example.com"), name: name.to_owned() })
        });
        let ordering = Ordering::new(
            &platform,
            settings,
            Arc::new(Shelf),
            Arc::new(Users(HashMap::from(people))),
            provider,
        );
        let module = ordering.module();
        let (router, _) = module.routes.split_for_parts();
        let edge = Edge::new(router, HttpSettings::default(), Arc::new(Doorkeeper), &platform);
        Self { clock, platform, outside, edge, ordering, handlers: module.job_handlers, _folder: folder }
    }

    pub(crate) fn person(&self, name: &str) -> Person {
        Person { edge: self.edge.clone(), name: name.to_owned(), key: None, jar: None }
    }

    /// Somebody at a browser of their own, not signed in.
    pub(crate) fn guest(&self) -> Person {
        Person { jar: Some(Arc::default()), ..self.person("nobody") }
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

    /// Puts a variant of a product on the shelf.
    pub(crate) async fn variant(&self, product: &str, name: &'static str, price: i64, stock: i64) -> String {
        let (id, product) = (self.fresh_id(), id_of(product));
        self.write(
            "INSERT INTO shelf_variants (id, product_id, name, price, stock) VALUES ($1, $2, $3, $4, $5)",
            vec![id.into(), product.into(), name.into(), price.into(), stock.into()],
        )
        .await;
        id.to_string()
    }

    /// Offers so many pieces of each of some products together.
    pub(crate) async fn package(&self, price: i64, parts: &[(&str, Option<&str>, i64)]) -> String {
        let id = self.fresh_id();
        let values = vec![id.into(), "Set".into(), price.into(), true.into()];
        self.write("INSERT INTO shelf_packages (id, name, price, active) VALUES ($1, $2, $3, $4)", values)
            .await;
        for (product, variant, pieces) in parts {
            self.write(
                "INSERT INTO shelf_parts (package_id, product_id, variant_id, pieces) VALUES ($1, $2, $3, $4)",
                vec![id.into(), id_of(product).into(), variant.map(id_of).into(), (*pieces).into()],
            )
            .await;
        }
        id.to_string()
    }

    /// Makes a package of so many pieces of each of its products from now on.
    pub(crate) async fn repack(&self, package: &str, pieces: i64) {
        let id = id_of(package);
        let sql = "UPDATE shelf_parts SET pieces = $2 WHERE package_id = $1";
        let repacked = self.platform.database.write(move |tx| tx.execute(sql, params![id, pieces]));
        assert!(repacked.await.map_err(|error: DatabaseError| error).unwrap() > 0);
    }

    /// Takes so many percent off all goods, from now on without end, so often.
    pub(crate) async fn offer(&self, code: Option<&'static str>, percent: i64, max_uses: i64) -> String {
        let id = self.fresh_id();
        let values = vec![
            id.into(),
            "Sale".into(),
            code.into(),
            percent.into(),
            0_i64.into(),
            START.into(),
            i64::MAX.into(),
            max_uses.into(),
            0_i64.into(),
            true.into(),
        ];
        self.write(
            "INSERT INTO shelf_offers (id, name, code, percent, fixed, starts_at, ends_at, max_uses, uses, active)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            values,
        )
        .await;
        id.to_string()
    }

    fn fresh_id(&self) -> uuid::Uuid {
        Id::<()>::new(self.clock.clock().now(), &Random::system()).uuid()
    }

    async fn write(&self, sql: impl Into<String>, values: Vec<stoa_platform::database::Value<'static>>) {
        let sql = sql.into();
        let written = self.platform.database.write(move |tx| tx.execute(&sql, &values));
        assert_eq!(written.await.map_err(|error: DatabaseError| error).unwrap(), 1);
    }

    /// Changes a column of a product.
    pub(crate) async fn set(&self, product: &str, column: &str, value: &str) {
        self.set_in("shelf", product, column, value).await;
    }

    /// Changes a column of anything on the shelf.
    pub(crate) async fn set_in(&self, table: &str, id: &str, column: &str, value: &str) {
        self.write(format!("UPDATE {table} SET {column} = {value} WHERE id = $1"), vec![id_of(id).into()])
            .await;
    }

    pub(crate) async fn stock(&self, product: &str) -> i64 {
        self.number_in("shelf", product, "stock").await
    }

    /// A number of anything on the shelf.
    pub(crate) async fn number_in(&self, table: &str, id: &str, column: &str) -> i64 {
        let (sql, id) = (format!("SELECT {column} FROM {table} WHERE id = $1"), id_of(id));
        let read = self.platform.database.read(move |c| c.find(&sql, params![id], |row| row.read()));
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

    pub(crate) async fn remove_abandoned_carts(&self) {
        let Platform { database, clock, random, .. } = &self.platform;
        let occasion = Occasion::system(clock, random, "test");
        let queued = database.write(move |tx| jobs::enqueue(tx, &occasion, &RemoveAbandonedCarts {}));
        queued.await.map_err(|error: DatabaseError| error).unwrap();
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
        let earned = "SELECT CAST(COALESCE(SUM(total), 0) AS BIGINT) - (SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT)
                      FROM refunds WHERE state = 'succeeded') FROM orders
                      WHERE payment_status IN ('captured', 'partially_refunded', 'refunded')";
        assert_eq!(self.number(kept).await, self.number(earned).await, "money and orders agree");
        let unbalanced = "SELECT COUNT(*) FROM payments WHERE returned > captured OR returned <>
                          (SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM refunds
                           WHERE order_id = payments.order_id AND state <> 'failed')";
        assert_eq!(self.number(unbalanced).await, 0, "refunds add up");
        assert_eq!(self.number("SELECT COUNT(*) FROM refunds WHERE due_at IS NOT NULL").await, 0);
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

/// Where orders are paid.
struct Till {
    outside: Arc<Outside>,
    provider: Arc<dyn PaymentProvider>,
}

impl From<Outside> for Till {
    fn from(outside: Outside) -> Self {
        let outside = Arc::new(outside);
        Self { provider: Arc::clone(&outside) as _, outside }
    }
}

/// Who sells, by names that would be markup if they could.
fn shop() -> Shop {
    Shop {
        name: "Rue <Pot> & Sons".into(),
        address: vec!["1 Market Square".into(), "London".into()],
        tax_id: Some("GB 123".into()),
    }
}

fn id_of(text: &str) -> uuid::Uuid {
    text.parse().unwrap()
}

/// Somebody who sends requests.
#[derive(Clone)]
pub(crate) struct Person {
    edge: Edge,
    name: String,
    key: Option<String>,
    /// The cookies of the browser they sit at; clones sit at the same.
    jar: Option<Arc<Mutex<String>>>,
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

    /// The codes of everything that is told to be wrong.
    pub(crate) fn codes(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array();
        errors.into_iter().flatten().filter_map(|error| error["code"].as_str()).collect()
    }

    /// Some members of the body, as they are written.
    pub(crate) fn sums(&self) -> String {
        let names = ["subtotal", "discount", "tax", "shipping", "total"];
        names.map(|name| self.body[name].to_string()).join(" ")
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

    /// The same person at the same browser, signed in.
    pub(crate) fn signed_in_as(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// The cookie the browser holds.
    pub(crate) fn cookie(&self) -> String {
        self.jar.as_ref().unwrap().lock().unwrap().clone()
    }

    pub(crate) fn set_cookie(&self, cookie: &str) {
        cookie.clone_into(&mut self.jar.as_ref().unwrap().lock().unwrap());
    }

    /// Does with the cookie of an answer what browsers do.
    fn keep_cookie(&self, headers: &HeaderMap) {
        let (Some(jar), Some(set)) = (&self.jar, headers.get("set-cookie")) else { return };
        let set = set.to_str().unwrap();
        let pair = if set.contains("Max-Age=0;") { "" } else { set.split(';').next().unwrap() };
        pair.clone_into(&mut jar.lock().unwrap());
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>, if_match: &str) -> Seen {
        let mut request = Request::builder().method(method).uri(path);
        if self.jar.is_some() && !self.cookie().is_empty() {
            request = request.header("cookie", self.cookie());
        }
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
        self.request(request.body(Body::from(body)).unwrap()).await
    }

    /// Sends a request as it is.
    pub(crate) async fn request(&self, request: Request) -> Seen {
        let response = self.edge.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        self.keep_cookie(&parts.headers);
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

    pub(crate) async fn adds_variant(&self, product: &str, variant: &str, quantity: i64) -> Seen {
        let body = json!({"productId": product, "variantId": variant, "quantity": quantity});
        self.post("/api/cart/items", body).await
    }

    pub(crate) async fn adds_package(&self, package: &str, quantity: i64) -> Seen {
        self.post("/api/cart/items", json!({"packageId": package, "quantity": quantity})).await
    }

    pub(crate) async fn brings(&self, code: &str) -> Seen {
        self.post("/api/cart/offers", json!({"code": code})).await
    }

    pub(crate) async fn cart(&self) -> Seen {
        self.get("/api/cart").await.expect(200)
    }

    pub(crate) async fn validates(&self) -> Seen {
        self.send("POST", "/api/cart/validate", None, "").await.expect(200)
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
