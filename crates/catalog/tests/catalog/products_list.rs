//! GET /api/products

use stoa_testing::{Answer, Client, json};

use crate::{made, offered};

fn names(answer: &Answer) -> Vec<&str> {
    answer.entries().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

/// Reads a list to its end by its cursors.
async fn whole(client: &Client, query: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = client.get(&format!("/api/products?limit=2&{query}{cursor}")).await.expect(200);
        all.extend(names(&answer).into_iter().map(str::to_owned));
        match answer.body["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// Made in this order: b 2.00, C 1.00 (sold out), a 3.00 (garden), d 2.00 (draft).
async fn four_products(admin: &Client) {
    made(admin, offered("b lamp", 2.0, 1)).await;
    made(admin, offered("C Chair", 1.0, 0)).await;
    let mut garden = offered("a lamp", 3.0, 5);
    garden["category"] = json!("garden");
    made(admin, garden).await;
    let mut draft = offered("d draft", 2.0, 5);
    draft["status"] = json!("DRAFT");
    made(admin, draft).await;
}

stoa_testing::each_engine! {

async fn filters_and_orders_combine(app: TestApp) {
    let admin = app.admin().await;
    let anon = app.anon();
    four_products(&admin).await;
    for (query, expected) in [
        ("sortBy=name", &["a lamp", "b lamp", "C Chair"][..]),
        ("sortBy=name&sortOrder=desc", &["C Chair", "b lamp", "a lamp"]),
        ("sortBy=price", &["C Chair", "b lamp", "a lamp"]),
        ("sortBy=price&sortOrder=desc", &["a lamp", "b lamp", "C Chair"]),
        ("category=home&sortBy=name", &["b lamp", "C Chair"]),
        ("category=nowhere", &[]),
        ("inStock=true&sortBy=name", &["a lamp", "b lamp"]),
        ("inStock=false", &["C Chair"]),
        ("minPrice=2&sortBy=price", &["b lamp", "a lamp"]),
        ("minPrice=1.01&maxPrice=2.5", &["b lamp"]),
        ("maxPrice=2.00&sortBy=name", &["b lamp", "C Chair"]),
        ("search=LAMP&sortBy=name", &["a lamp", "b lamp"]),
        ("search=lam%20b", &["b lamp"]),
        ("search=%25", &[]),
        ("search=&sortBy=price&category=garden", &["a lamp"]),
        ("status=ACTIVE&sortBy=price&inStock=true&minPrice=2&category=home&search=b", &["b lamp"]),
        ("status=DRAFT", &[]),
    ] {
        assert_eq!(whole(&anon, query).await, expected, "{query}");
    }
    assert_eq!(whole(&admin, "status=DRAFT").await, ["d draft"]);
    assert_eq!(whole(&admin, "sortBy=name").await, ["a lamp", "b lamp", "C Chair", "d draft"]);
}

async fn the_newest_come_first_unless_told(app: TestApp) {
    let admin = app.admin().await;
    for name in ["one", "two", "three"] {
        made(&admin, offered(name, 1.0, 1)).await;
        app.clock.advance(std::time::Duration::from_secs(1));
    }
    assert_eq!(whole(&app.anon(), "").await, ["three", "two", "one"]);
    assert_eq!(whole(&app.anon(), "sortBy=createdAt&sortOrder=asc").await, ["one", "two", "three"]);
}

async fn a_cursor_is_stable_while_products_come(app: TestApp) {
    let admin = app.admin().await;
    for price in [1.0, 2.0, 3.0, 4.0] {
        made(&admin, offered(&format!("p{price}"), price, 1)).await;
    }
    let first = app.anon().get("/api/products?sortBy=price&limit=2").await.expect(200);
    assert_eq!(names(&first), ["p1", "p2"]);
    made(&admin, offered("p0.5", 0.5, 1)).await;
    made(&admin, offered("p2.5", 2.5, 1)).await;
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let rest = app.anon().get(&format!("/api/products?sortBy=price&limit=9&cursor={cursor}")).await.expect(200);
    assert_eq!((names(&rest), &rest.body["nextCursor"]), (vec!["p2.5", "p3", "p4"], &json!(null)));
    let foreign = app.anon().get(&format!("/api/products?sortBy=name&cursor={cursor}")).await;
    assert_eq!(foreign.refused(400, "INVALID_QUERY").fields(), ["cursor"]);
}

async fn pages_have_numbers_and_totals(app: TestApp) {
    let admin = app.admin().await;
    four_products(&admin).await;
    let page = app.anon().get("/api/products?page=2&size=2&sortBy=name").await.expect(200);
    assert_eq!(names(&page), ["C Chair"]);
    assert_eq!((&page.body["page"], &page.body["size"], &page.body["total"]), (&json!(2), &json!(2), &json!(3)));
    let counted = app.anon().get("/api/products?limit=1&total=true").await.expect(200);
    assert_eq!((counted.entries().len(), &counted.body["total"]), (1, &json!(3)));
    assert!(app.anon().get("/api/products?limit=1").await.body.get("total").is_none());
    let beyond = app.anon().get("/api/products?page=9").await.expect(200);
    assert_eq!((beyond.entries().len(), &beyond.body["total"]), (0, &json!(3)));
    assert_eq!(admin.get("/api/products?total=true&status=DRAFT").await.body["total"], 1);
}

async fn bad_parameters_are_refused_by_name(app: TestApp) {
    for (query, field) in [
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("page=0", "page"),
        ("page=1000&limit=100", "page"),  ("cursor=abc", "cursor"),
        ("sortBy=stock", "sortBy"), ("sortOrder=up", "sortOrder"), ("minPrice=ten", "minPrice"),
        ("minPrice=1.999", "minPrice"), ("maxPrice=-1", "maxPrice"), ("maxPrice=1e999", "maxPrice"),
        ("inStock=maybe", "inStock"), ("status=SOLD", "status"), ("category=No%20Slug", "category"),
        ("total=2", "total"),
    ] {
        let answer = app.anon().get(&format!("/api/products?{query}")).await.refused(400, "INVALID_QUERY");
        assert_eq!(answer.fields(), [field], "{query}");
    }
    let long = "x".repeat(101);
    app.anon().get(&format!("/api/products?search={long}")).await.refused(400, "INVALID_QUERY");
}

}
