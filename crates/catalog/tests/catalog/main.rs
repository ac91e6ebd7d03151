//! The catalogue over real HTTP, on every engine, mirrored on its addresses.
#![cfg(test)]

mod cache;
mod cache_race;
mod categories;
mod offers;
mod packages;
mod products;
mod products_id;
mod products_list;
mod products_search;
mod stock;
mod transfer;
mod variants;

use stoa_testing::{Client, Value, json};

/// A body for a product that is on offer.
fn offered(name: &str, price: f64, stock: i64) -> Value {
    json!({"name": name, "price": price, "stock": stock, "category": "home", "status": "ACTIVE"})
}

/// Makes a product; answers its address.
async fn made(admin: &Client, body: Value) -> String {
    format!("/api/products/{}", admin.post("/api/products", body).await.expect(201).id())
}
