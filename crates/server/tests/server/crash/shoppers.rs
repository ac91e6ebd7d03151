//! Shoppers who remember what they were told, and who ask again when they were told nothing.

use std::collections::HashMap;

use reqwest::Method;
use stoa_kernel::Random;
use stoa_testing::{Answer, Client, PASSWORD, Value, at_once, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::node::Home;

/// The method of an order that is not charged when it is placed.
const PAID_LATER: &str = "deferred";

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
    Purchase {
        key: String,
        method: &'static str,
        items: Vec<(Uuid, i64)>,
    },
    /// Of an order that was placed without a charge.
    Payment {
        key: String,
        order: Uuid,
        tries: u32,
    },
    Refund {
        key: String,
        order: Uuid,
    },
    Cancellation {
        order: Uuid,
    },
}

/// The node died before it answered.
pub(crate) struct Unanswered;

/// One shopper, who does one thing after the other.
pub(crate) struct Shopper {
    client: Client,
    clerk: Client,
    at_stripe: bool,
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
    pub(crate) async fn register(home: &Home, number: usize, (goods, at_stripe): (Goods, bool)) -> Self {
        let name = format!("shopper{number}");
        let body = json!({"email": format!("{name}@example.com"), "password": PASSWORD, "name": name});
        let session = home.anon().post("/api/auth/register", body).await.expect(201).body;
        Self {
            client: home.anon().signed_in(session),
            clerk: home.admin().await,
            at_stripe,
            random: Random::system(),
            goods,
            name,
            purchases: 0,
            open: None,
            told: Vec::new(),
            declined: 0,
        }
    }

    /// Ends what was begun, then chooses something new to buy.
    async fn shop(&mut self) -> Result<(), Unanswered> {
        self.finish().await?;
        self.fill_cart().await
    }

    /// Repeats what is unanswered, each time as it was, until nothing is.
    pub(crate) async fn finish(&mut self) -> Result<(), Unanswered> {
        while let Some(open) = self.open.clone() {
            match open {
                Open::Purchase { key, method, items } => self.buy(&key, method, &items).await?,
                Open::Payment { key, order, tries } => self.pay(&key, order, tries).await?,
                Open::Refund { key, order } => self.is_refunded(&key, order).await?,
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
        match self.random.below(6) {
            0 => "pm_card_chargeDeclined",
            1 if self.at_stripe => "pm_card_visa",
            1 => "pm_test_timeout",
            2 => PAID_LATER,
            _ => "pm_card_visa",
        }
    }

    async fn buy(&mut self, key: &str, method: &str, items: &[(Uuid, i64)]) -> Result<(), Unanswered> {
        let asking = self.client.clone().with_header("idempotency-key", key);
        let body = json!({"shippingAddress": address(), "paymentMethod": method});
        let sent = asking.attempt(Method::POST, "/api/orders", Some(body.to_string())).await;
        let answer = sent.map_err(|_| Unanswered)?;
        match answer.status {
            201 => self.hears_of(key, method, &answer, items),
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

    fn hears_of(&mut self, key: &str, method: &str, answer: &Answer, items: &[(Uuid, i64)]) {
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
        self.open = match self.random.below(6) {
            _ if method == PAID_LATER => Some(Open::Payment { key: key.to_owned(), order: id, tries: 0 }),
            0 => Some(Open::Cancellation { order: id }),
            1 if paid => Some(Open::Refund { key: format!("{key}-refund"), order: id }),
            _ => None,
        };
    }

    /// Pays what was placed without a charge, now and then with a card that is declined first.
    async fn pay(&mut self, key: &str, order: Uuid, tries: u32) -> Result<(), Unanswered> {
        let body = json!({"orderId": order});
        let opened = self.ask(Method::POST, "/api/payments/intents", Some(body)).await?;
        if opened.status != 200 {
            return self.hears_how_it_stands(&opened, order).await;
        }
        let intent = opened.body["paymentIntentId"].as_str().unwrap().to_owned();
        let method =
            if tries == 0 && self.random.below(2) == 0 { "pm_card_chargeDeclined" } else { "pm_card_visa" };
        let asking = self.client.clone().with_header("idempotency-key", &format!("{key}-{tries}-{method}"));
        let (path, body) = (format!("/api/payments/{intent}/confirm"), json!({"paymentMethod": method}));
        let sent = asking.attempt(Method::POST, &path, Some(body.to_string())).await;
        let answer = sent.map_err(|_| Unanswered)?;
        if answer.status != 200 {
            return self.hears_how_it_stands(&answer, order).await;
        }
        if answer.body["success"] == true {
            self.told.last_mut().unwrap().paid = true;
            self.open = None;
        } else {
            assert_eq!(answer.body["code"], "PAYMENT_DECLINED", "{}", answer.text);
            self.open = Some(Open::Payment { key: key.to_owned(), order, tries: tries + 1 });
        }
        Ok(())
    }

    /// An order that is not to be paid any more was paid by an attempt whose answer was lost, or was given up.
    async fn hears_how_it_stands(&mut self, refused: &Answer, order: Uuid) -> Result<(), Unanswered> {
        match refused.code() {
            Some("PAYMENT_IN_PROGRESS" | "IDEMPOTENCY_IN_PROGRESS" | "SERVICE_UNAVAILABLE") => {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            Some("ORDER_NOT_PAYABLE") => {
                let seen = self.ask(Method::GET, &format!("/api/orders/{order}"), None).await?.expect(200);
                self.told.last_mut().unwrap().paid = seen.body["paymentStatus"] == "captured";
                self.open = None;
            }
            _ => panic!("paying {order}: {}", refused.text),
        }
        Ok(())
    }

    /// The shop gives a part back.
    async fn is_refunded(&mut self, key: &str, order: Uuid) -> Result<(), Unanswered> {
        let asking = self.clerk.clone().with_header("idempotency-key", key);
        let body = json!({"amount": 1.5, "reason": "A dent"});
        let path = format!("/api/orders/{order}/refunds");
        let sent = asking.attempt(Method::POST, &path, Some(body.to_string())).await;
        let answer = sent.map_err(|_| Unanswered)?;
        match (answer.status, answer.code()) {
            (201, _) => self.open = None,
            (409, Some("IDEMPOTENCY_IN_PROGRESS")) => {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            _ => {
                let seen = self.ask(Method::GET, &format!("/api/orders/{order}"), None).await?;
                panic!("a refund of {order}: {} {}", answer.text, seen.text)
            }
        }
        Ok(())
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
    /// Each fills a cart and is about to buy it.
    pub(crate) async fn choose(&mut self) {
        for shopper in &mut self.0 {
            assert!(shopper.shop().await.is_ok(), "the node died");
        }
    }

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
