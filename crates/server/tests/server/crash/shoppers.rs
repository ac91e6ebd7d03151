//! Shoppers who remember what they were told, and who ask again when they were told nothing.

use std::collections::HashMap;

use reqwest::Method;
use stoa_kernel::Random;
use stoa_testing::{Answer, Client, PASSWORD, Value, at_once, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::node::Home;

/// What is sold.
#[derive(Clone)]
pub(crate) struct Goods {
    pub(crate) ids: Vec<Uuid>,
    /// What there was of each at first.
    pub(crate) stock: HashMap<Uuid, i64>,
}

/// An order that its buyer was told of with 201.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) id: Uuid,
    pub(crate) total: i64,
    pub(crate) items: Vec<(Uuid, i64)>,
    /// The last `paymentStatus` heard.
    pub(crate) paid: bool,
    pub(crate) cancelled: bool,
}

/// A request that has no answer yet.
#[derive(Clone, Debug)]
enum Open {
    Purchase { key: String, method: &'static str, items: Vec<(Uuid, i64)> },
    Cancellation { order: Uuid },
}

/// The node died before it answered.
pub(crate) struct Unanswered;

/// One shopper, who does one thing after the other.
pub(crate) struct Shopper {
    client: Client,
    random: Random,
    goods: Goods,
    name: String,
    purchases: u64,
    open: Option<Open>,
    told: Vec<Told>,
    declined: u64,
}

impl Shopper {
    /// Somebody new.
    pub(crate) async fn register(home: &Home, number: usize, goods: Goods) -> Self {
        let name = format!("shopper{number}");
        let body = json!({"email": format!("{name}@example.com"), "password": PASSWORD, "name": name});
        let session = home.anon().post("/api/auth/register", body).await.expect(201).body;
        Self {
            client: home.anon().signed_in(session),
            random: Random::system(),
            goods,
            name,
            purchases: 0,
            open: None,
            told: Vec::new(),
            declined: 0,
        }
    }

    /// Buys something, and may call it off.
    async fn shop(&mut self) -> Result<(), Unanswered> {
        self.finish().await?;
        self.fill_cart().await
    }

    /// Repeats what is unanswered, each time as it was, until nothing is.
    pub(crate) async fn finish(&mut self) -> Result<(), Unanswered> {
        while let Some(open) = self.open.clone() {
            match open {
                Open::Purchase { key, method, items } => self.buy(&key, method, &items).await?,
                Open::Cancellation { order } => self.cancel(order).await?,
            }
        }
        Ok(())
    }

    /// Starts with an empty cart: what an unanswered request has put in does not matter.
    async fn fill_cart(&mut self) -> Result<(), Unanswered> {
        self.ask(Method::DELETE, "/api/cart", None).await?.expect(204);
        let first = self.random.below(self.goods.ids.len() as u64);
        let mut items = Vec::new();
        for offset in 0..=self.random.below(2) {
            let at = usize::try_from(first + offset).unwrap() % self.goods.ids.len();
            let (id, quantity) = (self.goods.ids[at], 1 + i64::try_from(self.random.below(3)).unwrap());
            let body = json!({"productId": id, "quantity": quantity});
            self.ask(Method::POST, "/api/cart/items", Some(body)).await?.expect(200);
            items.push((id, quantity));
        }
        self.purchases += 1;
        let key = format!("{}-{}", self.name, self.purchases);
        self.open = Some(Open::Purchase { key, method: self.method(), items });
        Ok(())
    }

    fn method(&self) -> &'static str {
        match self.random.below(5) {
            0 => "pm_card_chargeDeclined",
            1 => "pm_test_timeout",
            _ => "pm_card_visa",
        }
    }

    async fn buy(&mut self, key: &str, method: &str, items: &[(Uuid, i64)]) -> Result<(), Unanswered> {
        let asking = self.client.clone().with_header("idempotency-key", key);
        let body = json!({"shippingAddress": address(), "paymentMethod": method});
        let sent = asking.attempt(Method::POST, "/api/orders", Some(body.to_string())).await;
        let answer = sent.map_err(|_| Unanswered)?;
        match answer.status {
            201 => self.hears_of(&answer, items),
            402 => {
                self.declined += 1;
                self.open = None;
            }
            409 if answer.code() == Some("IDEMPOTENCY_IN_PROGRESS") => {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            _ => panic!("an order of {} for {method}: {}", self.name, answer.text),
        }
        Ok(())
    }

    fn hears_of(&mut self, answer: &Answer, items: &[(Uuid, i64)]) {
        let mut items = items.to_vec();
        items.sort_unstable();
        assert_eq!(
            lines_of(&answer.body),
            items,
            "another order than {} asked for: {}",
            self.name,
            answer.text
        );
        let id: Uuid = answer.id().parse().unwrap();
        let paid = answer.body["paymentStatus"] == "captured";
        self.told.push(Told { id, total: minor(&answer.body["total"]), items, paid, cancelled: false });
        self.open = (self.random.below(4) == 0).then_some(Open::Cancellation { order: id });
    }

    async fn cancel(&mut self, order: Uuid) -> Result<(), Unanswered> {
        let answer = self.ask(Method::POST, &format!("/api/orders/{order}/cancel"), None).await?;
        let done = answer.status == 200 || answer.code() == Some("ORDER_NOT_CANCELLABLE");
        assert!(done, "cancelling {order}: {}", answer.text);
        let told = self.told.last_mut().unwrap();
        told.cancelled = true;
        self.open = None;
        Ok(())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, Unanswered> {
        let sent = self.client.attempt(method, path, body.map(|body| body.to_string())).await;
        sent.map_err(|_| Unanswered)
    }
}

/// All of them.
pub(crate) struct Shoppers(pub(crate) Vec<Shopper>);

/// Shoppers at work.
pub(crate) struct Shopping(JoinSet<Shopper>);

impl Shoppers {
    /// Sends them shopping until the node dies.
    pub(crate) fn go(&mut self) -> Shopping {
        let mut tasks = JoinSet::new();
        for mut shopper in self.0.drain(..) {
            tasks.spawn(async move {
                while shopper.shop().await.is_ok() {}
                shopper
            });
        }
        Shopping(tasks)
    }

    /// Each repeats what is unanswered; false when the node died over it.
    pub(crate) async fn finish(&mut self) -> bool {
        let shoppers = std::mem::take(&mut self.0);
        let done = at_once(shoppers.into_iter().map(|mut shopper| async move {
            let answered = shopper.finish().await.is_ok();
            (shopper, answered)
        }));
        let (shoppers, answered): (Vec<_>, Vec<_>) = done.await.into_iter().unzip();
        self.0 = shoppers;
        answered.into_iter().all(|one| one)
    }

    /// Every order that somebody was told of.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.0.iter().flat_map(|shopper| shopper.told.clone()).collect()
    }

    /// How many purchases and cancellations have no answer yet.
    pub(crate) fn unanswered(&self) -> usize {
        self.0.iter().filter(|shopper| shopper.open.is_some()).count()
    }

    /// How many purchases were answered with a refusal of the payment.
    pub(crate) fn declined(&self) -> u64 {
        self.0.iter().map(|shopper| shopper.declined).sum()
    }
}

impl Shopping {
    /// Waits until each has seen the node die; one that was told nonsense fails the test at once.
    pub(crate) async fn broken_off(mut self) -> Shoppers {
        let mut shoppers = Vec::new();
        while let Some(shopper) = self.0.join_next().await {
            shoppers.push(shopper.unwrap());
        }
        Shoppers(shoppers)
    }
}

fn address() -> Value {
    json!({
        "fullName": "Ann Smith", "street": "1 Long Road", "city": "Oslo", "state": "", "zipCode": "0150",
        "country": "NO", "phone": "+47 22 00 00 00",
    })
}

fn lines_of(order: &Value) -> Vec<(Uuid, i64)> {
    let line = |item: &Value| {
        let product = item["productId"].as_str().unwrap().parse().unwrap();
        (product, item["quantity"].as_i64().unwrap())
    };
    let mut lines: Vec<_> = order["items"].as_array().unwrap().iter().map(line).collect();
    lines.sort_unstable();
    lines
}

/// A decimal number with two digits as minor units.
#[expect(clippy::cast_possible_truncation, reason = "prices here are small")]
fn minor(amount: &Value) -> i64 {
    (amount.as_f64().unwrap() * 100.0).round() as i64
}
