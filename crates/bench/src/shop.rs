//! Buyers with full carts, made over the API before the clock runs.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::{
    client::{Connection, request},
    failure::Failure,
    measure::Cost,
    server::Server,
};

const PASSWORD: &str = "Corr3ct-Horse-Battery";
const LINES: usize = 3;

/// A signed-in buyer on a connection of their own.
pub(crate) struct Buyer {
    connection: Connection,
    token: String,
}

impl Buyer {
    pub(crate) async fn register(address: SocketAddr, number: usize) -> Result<Self, Failure> {
        let mut connection = Connection::open(address).await?;
        let body = json!({"email": format!("buyer{number}@example.com"), "password": PASSWORD});
        let answer = connection.send(&request("POST", "/api/auth/register", None, Some(&body))).await?;
        let session = answer.expect(201)?;
        let token = text(&session, "accessToken");
        Ok(Self { connection, token })
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    async fn fill_cart(&mut self, products: &[String]) -> Result<(), Failure> {
        for product in products.iter().take(LINES) {
            let body = json!({"productId": product, "quantity": 1});
            let request = request("POST", "/api/cart/items", Some(&self.token), Some(&body));
            let answer = self.connection.send(&request).await?;
            if !matches!(answer.status, 200 | 201) {
                answer.expect(200)?;
            }
        }
        Ok(())
    }

    async fn bring(&mut self, code: &str) -> Result<(), Failure> {
        let request = request("POST", "/api/cart/offers", Some(&self.token), Some(&json!({"code": code})));
        self.connection.send(&request).await?.expect(200).map(drop)
    }

    async fn order(&mut self, request: &[u8]) -> Result<(), Failure> {
        self.connection.send(request).await?.expect(201).map(drop)
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The ids of products that are in stock.
pub(crate) async fn products(address: SocketAddr) -> Result<Vec<String>, Failure> {
    let mut connection = Connection::open(address).await?;
    let list = connection
        .send(&request("GET", "/api/products?limit=20&inStock=true", None, None))
        .await?
        .expect(200)?;
    let entries = list.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(entries.iter().map(|product| text(product, "id")).collect())
}

/// The demo shop's administrator.
async fn administrator(address: SocketAddr) -> Result<(Connection, String), Failure> {
    let mut connection = Connection::open(address).await?;
    let login = json!({"email": "admin@demo.stoa", "password": "Demo-Shop-1"});
    let answer = connection.send(&request("POST", "/api/auth/login", None, Some(&login))).await?;
    let token = text(&answer.expect(200)?, "accessToken");
    Ok((connection, token))
}

/// Two offers for every cart: one that applies by itself, and one by the code that is answered.
pub(crate) async fn offers(address: SocketAddr) -> Result<&'static str, Failure> {
    const CODE: &str = "BENCH";
    let (mut connection, token) = administrator(address).await?;
    for (name, code) in [("Sale", None), ("Bench", Some(CODE))] {
        let offer = json!({
            "name": name, "code": code, "kind": "percent", "value": 10, "target": {"type": "cart"},
            "maxUses": 1_000_000,
        });
        connection.send(&request("POST", "/api/offers", Some(&token), Some(&offer))).await?.expect(201)?;
    }
    Ok(CODE)
}

/// Six products of which there is plenty.
async fn plenty(address: SocketAddr) -> Result<Vec<String>, Failure> {
    let (mut connection, token) = administrator(address).await?;
    let mut made = Vec::new();
    for number in 1..=6 {
        let product = json!({
            "name": format!("Plenty {number}"), "category": "plenty", "price": 12, "stock": 1_000_000,
            "status": "ACTIVE",
        });
        let answer = connection.send(&request("POST", "/api/products", Some(&token), Some(&product))).await?;
        made.push(text(&answer.expect(201)?, "id"));
    }
    Ok(made)
}

/// Rounds in which every buyer fills a cart, unmeasured, and then all order at once, measured. With a code they put it on
/// their carts first.
pub(crate) async fn order_rounds(
    server: &Server,
    mut buyers: Vec<Buyer>,
    rounds: usize,
    code: Option<&str>,
) -> Result<(Vec<Buyer>, Cost), Failure> {
    let products = plenty(server.address).await?;
    let mut total = Cost { requests: 0, wall: std::time::Duration::ZERO, cpu: std::time::Duration::ZERO };
    for round in 0..rounds {
        let start = round * LINES % products.len().saturating_sub(LINES).max(1);
        let chosen = products.get(start..start + LINES).unwrap_or_default();
        for buyer in &mut buyers {
            buyer.fill_cart(chosen).await?;
            if let Some(code) = code {
                buyer.bring(code).await?;
            }
        }
        let cost;
        (buyers, cost) = order_at_once(server, buyers).await?;
        total.requests += cost.requests;
        total.wall += cost.wall;
        total.cpu += cost.cpu;
    }
    Ok((buyers, total))
}

async fn order_at_once(server: &Server, buyers: Vec<Buyer>) -> Result<(Vec<Buyer>, Cost), Failure> {
    let requests = buyers.len() as u64;
    let start = Arc::new(Barrier::new(buyers.len() + 1));
    let tasks: Vec<_> = buyers
        .into_iter()
        .map(|mut buyer| {
            let start = Arc::clone(&start);
            tokio::spawn(async move {
                let order = request("POST", "/api/orders", Some(&buyer.token), Some(&order_body()));
                start.wait().await;
                buyer.order(&order).await.map(|()| buyer)
            })
        })
        .collect();
    let cpu = server.cpu()?;
    start.wait().await;
    let begun = Instant::now();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await??);
    }
    let wall = begun.elapsed();
    Ok((done, Cost { requests, wall, cpu: server.cpu()?.saturating_sub(cpu) }))
}

fn order_body() -> Value {
    json!({
        "shippingAddress": {
            "fullName": "Bea Buyer", "street": "1 Stoa Lane", "city": "Athens", "state": "Attica",
            "zipCode": "10555", "country": "GR", "phone": "+30 210 0000000",
        },
        "paymentMethod": "pm_card_visa",
    })
}
