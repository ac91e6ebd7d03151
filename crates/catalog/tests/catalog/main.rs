//! The catalogue over real HTTP, on every engine, mirrored on its addresses.
#![cfg(test)]

mod cache;
mod categories;
mod products;
mod products_id;
mod products_list;
mod stock;

use stoa_testing::{Client, Value, json};

/// A body for a product that is on offer.
fn offered(name: &str, price: f64, stock: i64) -> Value {
    json!({"name": name, "price": price, "stock": stock, "category": "home", "status": "ACTIVE"})
}

/// Makes a product; answers its address.
async fn made(admin: &Client, body: Value) -> String {
    format!("/api/products/{}", admin.post("/api/products", body).await.expect(201).id())
}
