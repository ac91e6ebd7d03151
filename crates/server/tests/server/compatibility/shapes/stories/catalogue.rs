//! What is sold: categories, products with their variants, packages, offers, and all of them carried in and out.

use stoa_testing::json;

use super::super::recorder::{Person, Recorder};

pub(super) async fn tell(shop: &Recorder<'_>, admin: &Person<'_>) {
    categories_are_arranged(shop, admin).await;
    products_are_written(admin).await;
    products_are_read(shop, admin).await;
    variants_are_written(admin).await;
    packages_are_put_together(shop, admin).await;
    offers_are_made(shop, admin).await;
    shelves_are_carried_in_and_out(admin).await;
}

/// A product that is on offer.
pub(super) async fn product(admin: &Person<'_>, name: &str, stock: i64) -> String {
    let body = json!({"name": name, "price": 9.9, "stock": stock, "category": "tea", "status": "ACTIVE"});
    admin.post("/api/products", body, 201).await.id()
}

/// A package on offer, of one product.
pub(super) async fn package(admin: &Person<'_>, name: &str, product: &str) -> String {
    let items = json!([{"productId": product, "quantity": 1}]);
    let body = json!({"name": name, "price": 8.5, "items": items, "status": "ACTIVE"});
    admin.post("/api/packages", body, 201).await.id()
}

async fn categories_are_arranged(shop: &Recorder<'_>, admin: &Person<'_>) {
    let categories = "/api/categories";
    let home = admin.post(categories, json!({"name": "Home", "slug": "home"}), 201).await.id();
    admin.post(categories, json!({"name": "Tea", "slug": "tea", "parentId": home}), 201).await;
    admin.post(categories, json!({"name": "Garden", "slug": "garden"}), 201).await;
    admin.post(categories, json!({"name": "Tea", "slug": "tea"}), 409).await;
    for path in [categories, "/api/categories/tree", "/api/categories/tea"] {
        shop.anon().get_twice(path).await;
    }
    for method in ["PATCH", "PUT"] {
        admin.json(method, "/api/categories/garden", json!({"name": "Gardens"}), 200).await;
        admin.json(method, "/api/categories/garden", json!({"slug": "tea"}), 409).await;
    }
    admin.delete("/api/categories/home", 409).await;
    admin.delete("/api/categories/garden", 204).await;
}

async fn products_are_written(admin: &Person<'_>) {
    let lamp = json!({
        "name": "Lamp", "description": "It shines.", "price": 19.9, "compareAtPrice": 25, "stock": 5, "category": "home",
        "status": "ACTIVE", "images": ["https://cdn.example/lamp.png"], "specifications": {"watts": 40},
    });
    let lamp = format!("/api/products/{}", admin.post("/api/products", lamp, 201).await.id());
    admin.post("/api/products", json!({"name": "Draft", "price": 1, "category": "home"}), 201).await;
    let images = format!("{lamp}/images");
    let stock = format!("{lamp}/stock");
    for (method, path, body) in [
        ("PATCH", &lamp, json!({"price": 18.5})),
        ("PUT", &lamp, json!({"name": "Lantern"})),
        ("PUT", &images, json!({"images": ["https://cdn.example/lantern.png"]})),
        ("PATCH", &stock, json!({"quantityChange": 2})),
    ] {
        admin.json(method, path, body.clone(), 200).await;
        admin.with("if-match", "\"0\"").json(method, path, body, 412).await;
    }
    admin.patch(&stock, json!({"quantityChange": -1_000}), 422).await;
    admin.with("if-match", "\"0\"").delete(&lamp, 412).await;
    let draft = product(admin, "Mistake", 1).await;
    admin.delete(&format!("/api/products/{draft}"), 204).await;
}

async fn products_are_read(shop: &Recorder<'_>, admin: &Person<'_>) {
    let anon = shop.anon();
    let tea = product(admin, "Tea", 50).await;
    admin.get("/api/products?sortBy=price&sortOrder=asc", 200).await;
    for path in ["/api/products", "/api/products/search?q=tea", &format!("/api/products/{tea}")] {
        anon.get_twice(path).await;
    }
    anon.get("/api/products/search?q=lantern&page=1", 200).await;
    anon.get("/api/products?limit=0", 400).await;
}

async fn variants_are_written(admin: &Person<'_>) {
    let pot = format!("/api/products/{}", product(admin, "Pot", 0).await);
    let variants = format!("{pot}/variants");
    let large =
        json!({"name": "Large", "sku": "POT-L", "price": 12.5, "stock": 3, "attributes": {"size": "L"}});
    let large = admin.post(&variants, large, 201).await.id();
    let small = json!({"name": "Small", "sku": "POT-S"});
    let small = admin.post(&variants, small.clone(), 201).await.id();
    admin.post(&variants, json!({"name": "Small", "sku": "POT-S"}), 409).await;
    admin.with("if-match", "\"0\"").post(&variants, json!({"name": "Small", "sku": "POT-M"}), 412).await;
    let large = format!("{variants}/{large}");
    admin.patch(&large, json!({"stock": 4}), 200).await;
    admin.patch(&large, json!({"sku": "POT-S"}), 409).await;
    admin.with("if-match", "\"0\"").patch(&large, json!({"stock": 5}), 412).await;
    admin.get(&pot, 200).await;
    let small = format!("{variants}/{small}");
    admin.with("if-match", "\"0\"").delete(&small, 412).await;
    admin.delete(&small, 204).await;
}

async fn packages_are_put_together(shop: &Recorder<'_>, admin: &Person<'_>) {
    let cup = product(admin, "Cup", 9).await;
    let set = json!({
        "name": "Tea for two", "description": "Warm.", "price": 19.9, "status": "ACTIVE",
        "images": ["https://cdn.example/set.png"], "items": [{"productId": cup, "quantity": 2}],
    });
    let set = format!("/api/packages/{}", admin.post("/api/packages", set, 201).await.id());
    for path in ["/api/packages", &set] {
        shop.anon().get_twice(path).await;
    }
    for method in ["PATCH", "PUT"] {
        admin.json(method, &set, json!({"price": 18.9}), 200).await;
    }
    admin.delete(&set, 204).await;
}

async fn offers_are_made(shop: &Recorder<'_>, admin: &Person<'_>) {
    let offers = "/api/offers";
    let jug = product(admin, "Jug", 9).await;
    let open =
        json!({"name": "Jugs", "kind": "percent", "value": 12.5, "target": {"type": "product", "id": jug}});
    let open = format!("{offers}/{}", admin.post(offers, open, 201).await.id());
    for path in [offers, &open] {
        shop.anon().get_twice(path).await;
    }
    let coded = json!({
        "name": "Spring", "code": "SPRING", "kind": "fixed", "value": 2.5, "target": {"type": "category", "id": "tea"},
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2027-01-01T00:00:00Z", "maxUses": 500,
    });
    let spring = format!("{offers}/{}", admin.post(offers, coded.clone(), 201).await.id());
    admin.post(offers, coded, 409).await;
    let other = json!({"name": "Summer", "code": "SUMMER", "kind": "percent", "value": 10, "target": {"type": "cart"}});
    let summer = format!("{offers}/{}", admin.post(offers, other, 201).await.id());
    admin.get(offers, 200).await;
    admin.get(&spring, 200).await;
    for method in ["PATCH", "PUT"] {
        admin.json(method, &summer, json!({"name": "High summer"}), 200).await;
        admin.json(method, &summer, json!({"code": "spring"}), 409).await;
    }
    admin.delete(&summer, 204).await;
}

async fn shelves_are_carried_in_and_out(admin: &Person<'_>) {
    let (export, import) = ("/api/admin/catalog/export", "/api/admin/catalog/import");
    admin.get(&format!("{export}?format=csv"), 200).await;
    admin.get(&format!("{export}?format=ndjson"), 200).await;
    let csv = "name,price,category\nChair,25.00,home\nTable,-1,home\n";
    let told = admin.call("POST", import, Some(("text/csv", csv.to_owned())), Some(200)).await;
    admin.get(&format!("/api/admin/catalog/imports/{}", told.id()), 200).await;
    let line = r#"{"name": "Stool", "price": 9.90, "category": "home"}"#.to_owned();
    let in_lines = admin.with("accept", "application/x-ndjson");
    in_lines.call("POST", import, Some(("application/x-ndjson", line)), Some(200)).await;
    let headless = Some(("text/csv", "colour,weight\nred,1\n".to_owned()));
    admin.call("POST", import, headless, Some(422)).await;
}
