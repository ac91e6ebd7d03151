//! POST /api/admin/catalog/import, GET /api/admin/catalog/imports/{id}, GET /api/admin/catalog/export

use std::{convert::Infallible, fmt::Write as _, time::Duration};

use reqwest::Method;
use stoa_testing::{Answer, Client, TestApp, Value, json};

use crate::{made, offered};

const IMPORT: &str = "/api/admin/catalog/import";
const EXPORT: &str = "/api/admin/catalog/export";

async fn imports(client: &Client, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    client.raw(Method::POST, IMPORT, kind, body).await
}

async fn csv(client: &Client, body: impl Into<reqwest::Body>) -> Answer {
    imports(client, "text/csv", body).await
}

/// What an import counted: lines, created, updated, unchanged, failed.
fn counts(answer: &Value) -> [i64; 5] {
    ["lines", "created", "updated", "unchanged", "failed"].map(|field| answer[field].as_i64().unwrap())
}

/// The lines that were not imported, with the fields and codes of what is wrong.
fn told(answer: &Value) -> Vec<String> {
    let bad = answer["errors"].as_array().unwrap();
    bad.iter()
        .map(|bad| {
            let errors = bad["errors"].as_array().unwrap().iter();
            let errors = errors.map(|error| {
                format!("{} {}", error["field"].as_str().unwrap(), error["code"].as_str().unwrap())
            });
            format!("{}: {}", bad["line"], errors.collect::<Vec<_>>().join(", "))
        })
        .collect()
}

/// Movements add up to stock, as `stoa verify` looks at it.
async fn books_agree(app: &TestApp) {
    let wrong = app
        .read(|connection| {
            connection.query(
                "SELECT CAST(COALESCE(moved.total, 0) AS BIGINT), COALESCE(products.stock, 0)
                 FROM (SELECT product_id, SUM(change) AS total FROM stock_movements GROUP BY product_id) AS moved
                 FULL JOIN products ON products.id = moved.product_id
                 WHERE COALESCE(moved.total, 0) <> COALESCE(products.stock, 0)",
                &[],
                |row| Ok((row.read::<i64>()?, row.read::<i64>()?)),
            )
        })
        .await;
    assert_eq!(wrong, []);
}

async fn exported(admin: &Client, format: &str) -> String {
    admin.get(&format!("{EXPORT}?format={format}")).await.expect(200).text
}

fn many_lines(count: usize) -> String {
    let mut text = "name,price,stock,category,status\n".to_owned();
    for number in 0..count {
        let _ = writeln!(text, "Product {number},{}.50,{},home,ACTIVE", number % 90, number % 4);
    }
    text
}

stoa_testing::each_engine! {

async fn lines_make_products_and_change_them(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    let id = lamp.rsplit('/').next().unwrap();
    let text = format!(
        "id,name,price,stock,category,status,description,compareAtPrice,images,specifications\r\n\
         {id},Lantern,12.50,5,garden,ACTIVE,\"Two\nlines, \"\"quoted\"\"\",20,\"[\"\"/a.png\"\"]\",\"{{\"\"w\"\":1.50}}\"\r\n\
         ,Chair,1,,home,,,,,\r\n\
         00000000-0000-7000-8000-00000000000a,Named,2.00,7,home,ACTIVE,,,,\r\n"
    );
    let answer = csv(&admin, text.clone()).await.expect(200);
    assert_eq!((counts(&answer.body), answer.body["state"].as_str()), ([3, 2, 1, 0, 0], Some("completed")));
    let lantern = admin.get(&lamp).await.expect(200).body;
    assert_eq!(lantern["description"], "Two\nlines, \"quoted\"");
    assert_eq!((&lantern["price"], &lantern["stock"], &lantern["compareAtPrice"]), (&json!(12.5), &json!(5), &json!(20.0)));
    assert_eq!((&lantern["images"], &lantern["specifications"]), (&json!(["/a.png"]), &json!({"w": 1.5})));
    let named = admin.get("/api/products/00000000-0000-7000-8000-00000000000a").await.expect(200).body;
    assert_eq!((&named["name"], &named["stock"]), (&json!("Named"), &json!(7)));
    assert_eq!(admin.get("/api/products?search=chair").await.entries()[0]["status"], "DRAFT");
    assert_eq!(app.anon().get("/api/products/search?q=lantern").await.entries().len(), 1);
    assert_eq!(app.events("product.created").await.len(), 3, "each product is told of");
    assert_eq!(app.events("product.updated").await.len(), 1);
    books_agree(app).await;

    let only_known = text.lines().filter(|line| !line.starts_with(",Chair")).collect::<Vec<_>>().join("\n");
    let again = csv(&admin, only_known).await.expect(200);
    assert_eq!(counts(&again.body), [2, 0, 0, 2, 0], "what is so already changes nothing");
    assert_eq!(app.events("product.updated").await.len(), 1);
}

async fn stock_that_an_import_changes_is_told(app: TestApp) {
    let admin = app.admin().await;
    csv(&admin, many_lines(3_000)).await.expect(200);
    assert!(app.events("product.stock_changed").await.is_empty(), "new products are not told of");
    // Those with a number that four divides had none; of the others one half stays as it is.
    let sold_out = exported(&admin, "csv").await.replace(".50,,0,", ".50,,7,").replace(".50,,1,", ".50,,9,");
    assert_eq!(counts(&csv(&admin, sold_out.clone()).await.expect(200).body), [3_000, 0, 1_500, 1_500, 0]);
    let told = app.events("product.stock_changed").await;
    let of = |stock: i64, change: i64| {
        let same = |event: &&Value| event["stock"] == stock && event["change"] == change && event["reason"] == "set";
        told.iter().filter(same).count()
    };
    assert_eq!((told.len(), of(7, 7), of(9, 8)), (1_500, 750, 750));
    csv(&admin, sold_out).await.expect(200);
    assert_eq!(app.events("product.stock_changed").await.len(), 1_500);
    books_agree(app).await;
}

async fn json_lines_say_the_same(app: TestApp) {
    let admin = app.admin().await;
    let text = "{\"name\":\"Lamp\",\"price\":5.10,\"category\":\"home\",\"stock\":2,\"specifications\":{\"w\":1.50}}\n\n\
                {\"name\":\"Chair\",\"price\":1,\"category\":\"home\",\"compareAtPrice\":null}\n{\"price\":-1}\n{\n";
    let answer = imports(&admin, "application/x-ndjson; charset=utf-8", text).await.expect(200);
    assert_eq!(counts(&answer.body), [4, 2, 0, 0, 2]);
    assert_eq!(told(&answer.body), ["4: price NEGATIVE", "5: line MALFORMED_JSON"]);
    let line = exported(&admin, "ndjson").await;
    assert!(line.contains(r#""price":5.10,"compareAtPrice":null,"stock":2,"category":"home","status":"DRAFT","images":[],"specifications":{"w":1.50},"variants":[]}"#), "{line}");
}

async fn a_broken_line_among_many_is_told_by_its_number(app: TestApp) {
    let admin = app.admin().await;
    let mut lines: Vec<String> = many_lines(20_000).lines().map(str::to_owned).collect();
    lines[13_370] = "Broken,ten,1,home,ACTIVE".into();
    let answer = csv(&admin, lines.join("\n")).await.expect(200);
    assert_eq!(counts(&answer.body), [20_000, 19_999, 0, 0, 1]);
    assert_eq!(told(&answer.body), ["13371: price INVALID"]);
    let count = |connection: &mut stoa_platform::database::Connection<'_>| {
        connection.find("SELECT COUNT(*) FROM products", &[], |row| row.read::<i64>())
    };
    assert_eq!(app.read(count).await, Some(19_999));
    assert_eq!(app.anon().get("/api/products/search?q=product%2019999").await.entries()[0]["name"], "Product 19999");
    books_agree(app).await;
}

async fn bad_lines_are_counted_and_the_first_are_told(app: TestApp) {
    let admin = app.admin().await;
    let mut text = "name,price,category\n".to_owned();
    for number in 0..250 {
        let _ = writeln!(text, "P{number},{},home", if number % 5 == 0 { "1" } else { "-1" });
    }
    let answer = csv(&admin, text).await.expect(200);
    assert_eq!(counts(&answer.body), [250, 50, 0, 0, 200]);
    assert_eq!((told(&answer.body).len(), told(&answer.body)[0].as_str()), (100, "3: price NEGATIVE"));
}

async fn every_kind_of_broken_line_leaves_the_others_whole(app: TestApp) {
    let admin = app.admin().await;
    let mut body = b"id,name,price,category,stock\n".to_vec();
    body.extend_from_slice(b",First,1,home,1\n");
    body.extend_from_slice(b",\xff\xfe,1,home,1\n");
    body.extend_from_slice(b",short,1\n");
    body.extend_from_slice(b",nul\0,1,home,1\n");
    body.extend_from_slice(b"nonsense,id,1,home,1\n");
    body.extend_from_slice(b"00000000-0000-7000-8000-00000000000b,,,,\n");
    body.extend_from_slice(b"00000000-0000-7000-8000-00000000000c,No Price,,home,1\n");
    body.extend_from_slice(format!(",{},1,home,1\n", "x".repeat(10_000_000)).as_bytes());
    body.extend_from_slice(b",\"never closed,1,home,1\n");
    body.extend_from_slice(b",Last,1,home,1\n");
    let answer = csv(&admin, body).await.expect(200);
    assert_eq!(counts(&answer.body), [10, 2, 0, 0, 8]);
    assert_eq!(
        told(&answer.body),
        [
            "3: line NOT_UTF8", "4: line WRONG_NUMBER_OF_CELLS", "5: name NUL_CHARACTER", "6: id INVALID",
            "7: name TOO_SHORT, category TOO_SHORT", "8: price REQUIRED", "9: line TOO_LONG", "10: line TOO_LONG",
        ]
    );
    let names = admin.get("/api/products?sortBy=name").await;
    assert_eq!(names.entries().iter().map(|entry| entry["name"].clone()).collect::<Vec<_>>(), ["First", "Last"]);
}

async fn what_cannot_be_imported_at_all_is_refused(app: TestApp) {
    let admin = app.admin().await;
    for (body, field, code) in [
        ("name,price,category,colour\n", "colour", "UNKNOWN"),
        ("name,price,category,price\n", "price", "AMBIGUOUS"),
        ("name,price\n", "category", "REQUIRED"),
    ] {
        let answer = csv(&admin, body).await.refused(422, "VALIDATION_FAILED");
        assert_eq!((answer.fields(), &answer.body["errors"][0]["code"]), (vec![field], &json!(code)));
    }
    csv(&admin, "").await.refused(400, "MALFORMED_IMPORT");
    csv(&admin, b"\xff\xfen\0a\0m\0".to_vec()).await.refused(400, "MALFORMED_IMPORT");
    csv(&admin, format!("{}\n", "x".repeat(5_000_000))).await.refused(400, "MALFORMED_IMPORT");
    for kind in ["application/json", "text/plain", "", "text/csv; charset=utf-16"] {
        imports(&admin, kind, "name,price,category\n").await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let bob = app.shopper("bob").await;
    csv(&app.anon(), "name\n").await.refused(401, "AUTHENTICATION_REQUIRED");
    csv(&bob, "name\n").await.refused(403, "FORBIDDEN");
    bob.get(EXPORT).await.refused(403, "FORBIDDEN");
    app.anon().get(EXPORT).await.refused(401, "AUTHENTICATION_REQUIRED");
    admin.get(&format!("{EXPORT}?format=xml")).await.refused(400, "INVALID_QUERY");
    let unknown = "/api/admin/catalog/imports/00000000-0000-7000-8000-000000000000";
    admin.get(unknown).await.refused(404, "IMPORT_NOT_FOUND");
    bob.get(unknown).await.refused(403, "FORBIDDEN");
    app.anon().get(unknown).await.refused(401, "AUTHENTICATION_REQUIRED");
    admin.get("/api/admin/catalog/imports/x").await.refused(400, "INVALID_ID");
}

async fn an_import_has_a_limit_of_its_own(app: TestApp, |settings| {
    settings.http.body_limit = 1_000;
    settings.catalog.import_limit = 100_000;
}) {
    let admin = app.admin().await;
    let fitting = csv(&admin, many_lines(2_000)).await.expect(200);
    assert_eq!(counts(&fitting.body), [2_000, 2_000, 0, 0, 0], "beyond the limit of other bodies");
    let refused = csv(&admin, many_lines(5_000)).await.refused(413, "BODY_TOO_LARGE");
    assert_eq!(refused.body["limit"], 100_000);
    // One that does not say how long it is is found out on its way.
    let (sender, body) = http_body_util::channel::Channel::<bytes::Bytes, Infallible>::new(1);
    let feeding = tokio::spawn(feed(sender, many_lines(5_000).into_bytes(), 5_000));
    let answer = csv(&admin, reqwest::Body::wrap(body)).await.expect(200);
    feeding.await.unwrap();
    assert_eq!(answer.body["state"], "failed");
    assert_eq!(counts(&answer.body)[0] % 2_000, 0, "whole slices");
}

async fn progress_is_told_as_it_goes(app: TestApp) {
    let admin = app.admin().await.with_header("accept", "application/x-ndjson");
    let answer = csv(&admin, many_lines(5_000)).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let reports: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, before) = reports.split_last().unwrap();
    assert!(before.iter().all(|report| report["state"] == "running"));
    assert!(before.windows(2).all(|pair| pair[0]["lines"].as_i64() < pair[1]["lines"].as_i64()));
    assert_eq!((last["state"].as_str(), counts(last)), (Some("completed"), [5_000, 5_000, 0, 0, 0]));
    let shown = admin.get(&format!("/api/admin/catalog/imports/{}", last["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(shown.body, *last, "the record tells the same");
}

async fn the_answer_has_the_shape_of_its_version(app: TestApp) {
    let admin = app.admin().await.with_header("api-version", "v1");
    let answer = csv(&admin, many_lines(3)).await.expect(200);
    assert_eq!((&answer.body["success"], &answer.body["data"]["created"]), (&json!(true), &json!(3)));
    assert!(answer.body["meta"]["requestId"].is_string());
}

async fn a_client_that_goes_away_leaves_whole_slices_and_a_record(app: TestApp) {
    let admin = app.admin().await.with_header("accept", "application/x-ndjson");
    let (sender, body) = http_body_util::channel::Channel::<bytes::Bytes, std::io::Error>::new(1);
    let text = many_lines(7_000).into_bytes();
    let half = text.len() / 2;
    let feeding = tokio::spawn(async move {
        let mut sender = sender;
        for piece in text[..half].chunks(5_000) {
            sender.send_data(piece.to_vec().into()).await.unwrap();
        }
        sender.abort(std::io::Error::other("gone"));
    });
    let url = format!("{}{IMPORT}", app.address());
    let sent = reqwest::Client::new().post(url).header("content-type", "text/csv");
    let token = format!("Bearer {}", admin.session["accessToken"].as_str().unwrap());
    // The client's own error; what counts is what it leaves behind.
    let _ = sent.header("authorization", token).body(reqwest::Body::wrap(body)).send().await;
    feeding.await.unwrap();
    let record = loop {
        let found = app.read(|connection| {
            connection.query("SELECT state, lines, created FROM catalog_imports", &[], |row| {
                Ok((row.read::<String>()?, row.read::<i64>()?, row.read::<i64>()?))
            })
        }).await;
        match found.as_slice() {
            [(state, lines, created)] if state != "running" => break (state.clone(), *lines, *created),
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert_eq!((record.0.as_str(), record.1), ("interrupted", record.2));
    assert!(record.1 % 2_000 == 0 && record.1 <= 3_500, "{record:?}");
    let count = |connection: &mut stoa_platform::database::Connection<'_>| {
        connection.find("SELECT COUNT(*) FROM products", &[], |row| row.read::<i64>())
    };
    assert_eq!(app.read(count).await, Some(record.1));
    let again = csv(&admin, "name,price,category\nNext,1,home\n").await.expect(200);
    assert!(again.text.contains("completed"), "the place for an import is free again");
}

async fn one_import_at_a_time(app: TestApp) {
    let admin = app.admin().await;
    let (mut sender, body) = http_body_util::channel::Channel::<bytes::Bytes, Infallible>::new(1);
    sender.send_data("name,price,category\nA,1,home\n".into()).await.unwrap();
    let first = tokio::spawn({
        let admin = admin.clone();
        async move { csv(&admin, reqwest::Body::wrap(body)).await }
    });
    loop {
        let running = app.read(|connection| {
            connection.find("SELECT COUNT(*) FROM catalog_imports WHERE state = 'running'", &[], |row| row.read::<i64>())
        }).await;
        if running == Some(1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    csv(&admin, "name,price,category\n").await.refused(409, "IMPORT_IN_PROGRESS");
    drop(sender);
    assert_eq!(counts(&first.await.unwrap().expect(200).body), [1, 1, 0, 0, 0]);
}

async fn what_is_exported_can_be_imported_elsewhere(app: TestApp) {
    let admin = app.admin().await;
    for number in 0..30 {
        let mut body = offered(&format!("=Sum({number}), \"{number}\" é 東京"), f64::from(number), number.into());
        body["description"] = json!(["", "-1", "'=x", "line\r\nbreak", "tab\tand, comma"][usize::try_from(number).unwrap() % 5]);
        body["specifications"] = json!({"weight": 1.5, "text": "a\nb"});
        body["images"] = json!(["/a.png", "https://x.example/b,c.png"]);
        body["status"] = json!(["DRAFT", "ACTIVE", "ARCHIVED"][usize::try_from(number).unwrap() % 3]);
        if number % 2 == 0 {
            body["compareAtPrice"] = json!(99.5);
        }
        made(&admin, body).await;
    }
    for format in ["csv", "ndjson"] {
        let kind = if format == "csv" { "text/csv" } else { "application/x-ndjson" };
        let written = exported(&admin, format).await;
        let unsafe_cell = |line: &str| line.split(',').any(|cell| cell.starts_with(['=', '+', '-', '@']));
        assert!(format != "csv" || !written.lines().any(unsafe_cell), "no cell is a formula");
        assert_eq!(counts(&imports(&admin, kind, written.clone()).await.expect(200).body), [30, 0, 0, 30, 0]);
        for product in admin.get("/api/products?limit=100").await.entries() {
            admin.delete(&format!("/api/products/{}", product["id"].as_str().unwrap())).await.expect(204);
        }
        assert_eq!(counts(&imports(&admin, kind, written.clone()).await.expect(200).body), [30, 30, 0, 0, 0]);
        assert_eq!(exported(&admin, format).await, written);
        books_agree(app).await;
    }
    let by_header = admin.clone().with_header("accept", "application/x-ndjson").get(EXPORT).await.expect(200);
    assert_eq!(by_header.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(by_header.text.lines().count(), 30);
    assert_eq!(admin.get(EXPORT).await.expect(200).text.matches("\r\n").count(), 31 + 6);
}

async fn an_export_of_many_pages_is_whole(app: TestApp) {
    let admin = app.admin().await;
    csv(&admin, many_lines(1_501)).await.expect(200);
    let text = exported(&admin, "ndjson").await;
    let names: std::collections::HashSet<String> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 1_501);
}

async fn variants_come_and_go_with_their_product(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 3)).await;
    let id = lamp.rsplit('/').next().unwrap();
    let line = |variants: &str| format!("{{\"id\":\"{id}\",\"variants\":{variants}}}\n");
    let lines = |text: String| imports(&admin, "application/x-ndjson", text);
    let first = lines(line(r#"[{"name":"Red","sku":"L-R"},{"name":"Blue","sku":"L-B","price":12.50,"stock":4,"attributes":{"c":"b"}}]"#)).await;
    assert_eq!(counts(&first.expect(200).body), [1, 0, 1, 0, 0]);
    let shown = admin.get(&lamp).await.expect(200).body;
    let (red, blue) = (shown["variants"][0].clone(), shown["variants"][1].clone());
    assert_eq!((&red["stock"], &red["price"], &shown["stock"]), (&json!(3), &json!(10.0), &json!(7)), "the first took the pieces over");
    assert_eq!((&blue["attributes"], &blue["price"]), (&json!({"c": "b"}), &json!(12.5)));
    assert_eq!(app.events("product.stock_changed").await.len(), 3, "3 left the product, 3 came to red, 4 to blue");

    let swapped = lines(line(r#"[{"sku":"l-b","stock":1},{"sku":"L-R","name":"Rosso"}]"#)).await.expect(200);
    assert_eq!(counts(&swapped.body), [1, 0, 1, 0, 0]);
    let shown = admin.get(&lamp).await.body;
    assert_eq!((&shown["variants"][0]["id"], &shown["variants"][1]["id"]), (&blue["id"], &red["id"]), "in the order of the list");
    assert_eq!((&shown["variants"][0]["stock"], &shown["variants"][1]["name"]), (&json!(1), &json!("Rosso")));

    let (red, blue) = (red["id"].as_str().unwrap(), blue["id"].as_str().unwrap());
    let skus = format!(r#"[{{"id":"{red}","sku":"L-B"}},{{"id":"{blue}","sku":"L-R"}}]"#);
    assert_eq!(counts(&lines(line(&skus)).await.expect(200).body), [1, 0, 1, 0, 0], "SKUs can change places");
    assert_eq!(counts(&lines(line(&skus)).await.expect(200).body), [1, 0, 0, 1, 0], "and then they have");
    let one = lines(line(&format!(r#"[{{"id":"{red}"}}]"#))).await.expect(200);
    assert_eq!(counts(&one.body), [1, 0, 1, 0, 0]);
    let shown = admin.get(&lamp).await.body;
    assert_eq!((shown["variants"].as_array().unwrap().len(), &shown["stock"]), (1, &json!(3)), "what is not listed goes");
    let none = lines(format!("{{\"id\":\"{id}\",\"variants\":[],\"stock\":8}}\n")).await.expect(200);
    assert_eq!(counts(&none.body), [1, 0, 1, 0, 0]);
    let shown = admin.get(&lamp).await.body;
    assert_eq!((&shown["variants"], &shown["stock"]), (&json!([]), &json!(8)), "it is sold by itself again");
    books_agree(app).await;
}

async fn bad_variants_are_told_by_their_lines(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 0)).await;
    let other = admin.post(&format!("{lamp}/variants"), json!({"name": "Red", "sku": "TAKEN"})).await.expect(201).id();
    let rest = r#""name":"Chair","price":1,"category":"home""#;
    let many = vec![r#"{"name":"x","sku":"x"}"#; 101].join(",");
    let lists = [
        r#""variants":[{"name":"A","sku":"a"},{"name":"B","sku":"A"}]"#.to_owned(),
        r#""variants":[{"name":"A","sku":"taken"}]"#.to_owned(),
        format!(r#""variants":[{{"id":"{other}","name":"A","sku":"a"}}]"#),
        r#""variants":[{"name":"A","sku":"a","stock":1}],"stock":2"#.to_owned(),
        r#""variants":[{"name":"","sku":"a b","price":-1,"stock":-1}]"#.to_owned(),
        r#""variants":[{"sku":"a"}]"#.to_owned(),
        format!(r#""variants":[{many}]"#),
        r#""variants":[{"name":"A","sku":"a","colour":1}]"#.to_owned(),
        r#""variants":[{"name":"A","sku":"ok","stock":1}],"stock":1"#.to_owned(),
    ];
    let text = lists.map(|list| format!("{{{rest},{list}}}")).join("\n");
    let answer = imports(&admin, "application/x-ndjson", text).await.expect(200);
    assert_eq!(
        told(&answer.body),
        [
            "1: variants[1].sku REPEATED", "2: variants SKU_TAKEN", "3: variants VARIANT_ID_TAKEN", "4: stock NOT_THE_SUM",
            "5: variants[0].name TOO_SHORT, variants[0].sku NOT_A_SKU, variants[0].price NEGATIVE, variants[0].stock NEGATIVE",
            "6: variants[0].name REQUIRED", "7: variants TOO_MANY", "8: variants[0].colour INVALID",
        ]
    );
    assert_eq!(counts(&answer.body), [9, 1, 0, 0, 8]);
    assert_eq!(app.events("product.created").await.len(), 2, "nothing is left of a bad line");
    let cell = csv(&admin, "name,price,category,variants\nC,1,home,{}\nD,1,home,\"[{\"\"sku\"\":1}]\"\nE,1,home,\n").await.expect(200);
    assert_eq!(told(&cell.body), ["2: variants INVALID", "3: variants INVALID"]);
    books_agree(app).await;
}

async fn variants_are_exported_as_they_are_imported(app: TestApp) {
    let admin = app.admin().await;
    for number in 0..12 {
        let lamp = made(&admin, offered(&format!("Lamp {number}"), 10.0, 5)).await;
        for kind in 0..number % 4 {
            let variant = json!({
                "name": format!("=Kind \"{kind}\", é 東京"), "sku": format!("L{number}-{kind}"), "price": f64::from(kind) + 0.5,
                "stock": kind * 3, "attributes": {"size\n": "a,b", "é": "\u{1}"},
            });
            admin.post(&format!("{lamp}/variants"), variant).await.expect(201);
        }
    }
    for (format, kind) in [("csv", "text/csv"), ("ndjson", "application/x-ndjson")] {
        let written = exported(&admin, format).await;
        assert_eq!(counts(&imports(&admin, kind, written.clone()).await.expect(200).body), [12, 0, 0, 12, 0], "{format}");
        let before = admin.get("/api/products?limit=100&sortBy=name").await;
        for product in before.entries() {
            admin.delete(&format!("/api/products/{}", product["id"].as_str().unwrap())).await.expect(204);
        }
        assert_eq!(counts(&imports(&admin, kind, written.clone()).await.expect(200).body), [12, 12, 0, 0, 0], "{format}");
        assert_eq!(exported(&admin, format).await, written, "with the same ids");
        let after = admin.get("/api/products?limit=100&sortBy=name").await;
        let variants = |answer: &Answer| answer.entries().iter().map(|product| product["variants"].clone()).collect::<Vec<_>>();
        assert_eq!(variants(&after), variants(&before));
        books_agree(app).await;
    }
}

async fn the_longest_product_can_be_exported_and_imported(app: TestApp) {
    let admin = app.admin().await;
    let attributes: std::collections::BTreeMap<String, String> = (0..20).map(|number| (format!("{number:02}{}", "\u{1}".repeat(48)), "\u{1}".repeat(200))).collect();
    let variants: Vec<Value> = (0..100)
        .map(|number| json!({"name": format!("{number}{}", "\u{10FFFF}".repeat(250)), "sku": format!("{number}{}", "é".repeat(60)), "attributes": attributes}))
        .collect();
    let line = json!({"name": "Lamp", "price": 1, "category": "home", "description": "\u{1}".repeat(20_000), "variants": variants}).to_string();
    assert!(line.len() > 3_000_000, "{}", line.len());
    let answer = imports(&admin, "application/x-ndjson", line).await.expect(200);
    assert_eq!((counts(&answer.body), told(&answer.body)), ([1, 1, 0, 0, 0], Vec::new()));
    for (format, kind) in [("csv", "text/csv"), ("ndjson", "application/x-ndjson")] {
        let written = exported(&admin, format).await;
        assert_eq!(counts(&imports(&admin, kind, written).await.expect(200).body), [1, 0, 0, 1, 0], "{format}");
    }
}

async fn stock_that_variants_have_is_not_overwritten(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 10.0, 0)).await;
    admin.post(&format!("{lamp}/variants"), json!({"name": "Red", "sku": "R", "stock": 4})).await.expect(201);
    let id = lamp.rsplit('/').next().unwrap();
    let answer = csv(&admin, format!("id,stock\n{id},9\n")).await.expect(200);
    assert_eq!(told(&answer.body), ["2: stock VARIANT_REQUIRED"]);
    let answer = csv(&admin, format!("id,stock,name\n{id},4,Lantern\n")).await.expect(200);
    assert_eq!(counts(&answer.body), [1, 0, 1, 0, 0]);
    assert_eq!(admin.get(&lamp).await.body["stock"], 4);
}

}

async fn feed(
    mut sender: http_body_util::channel::Sender<bytes::Bytes, Infallible>,
    text: Vec<u8>,
    piece: usize,
) {
    for piece in text.chunks(piece) {
        if sender.send_data(piece.to_vec().into()).await.is_err() {
            return;
        }
    }
}
