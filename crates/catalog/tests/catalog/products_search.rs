//! GET /api/products/search, and the `search` filter of GET /api/products.

use stoa_testing::{Answer, Client, Value, json};

use crate::{made, offered};

fn names(answer: &Answer) -> Vec<&str> {
    answer.entries().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

/// Searches; answers the names, best first.
async fn found(client: &Client, question: &str) -> Vec<String> {
    let escaped: Vec<String> = question.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let question = escaped.concat();
    let answer = client.get(&format!("/api/products/search?limit=100&q={question}")).await.expect(200);
    names(&answer).into_iter().map(str::to_owned).collect()
}

async fn offers(admin: &Client, goods: &[&str]) {
    for name in goods {
        made(admin, offered(name, 10.0, 1)).await;
    }
}

fn described(name: &str, description: &str) -> Value {
    let mut body = offered(name, 10.0, 1);
    body["description"] = json!(description);
    body
}

stoa_testing::each_engine! {

async fn what_fits_best_comes_first(app: TestApp) {
    let admin = app.admin().await;
    made(&admin, described("Shelf", "Holds any oak table")).await;
    // Made in another order than they are to be shown in.
    offers(&admin, &["Takle in Oak", "Tables of Oak and Ash", "Table of Smoked Oak", "Oak Tablet", "Oak Table Round", "Oak Table", "Pine Table"]).await;
    assert_eq!(
        found(&app.anon(), "oak table").await,
        [
            "Oak Table",              // the name itself
            "Oak Table Round",        // begins so
            "Oak Tablet",
            "Table of Smoked Oak",    // all words
            "Tables of Oak and Ash",  // words that begin so
            "Shelf",                  // somewhere else
            "Takle in Oak",           // looks alike
        ]
    );
}

async fn words_that_begin_so_are_found(app: TestApp) {
    let admin = app.admin().await;
    offers(&admin, &["Green Teapot", "Teapot", "Tea Light", "Steamer"]).await;
    assert_eq!(found(&app.anon(), "tea").await, ["Tea Light", "Teapot", "Green Teapot"]);
    assert_eq!(found(&app.anon(), "gr tea").await, ["Green Teapot"]);
    assert_eq!(found(&app.anon(), "t").await, ["Tea Light", "Teapot", "Green Teapot"]);
    assert_eq!(found(&app.anon(), "pot").await, Vec::<String>::new());
}

async fn typing_errors_are_forgiven(app: TestApp) {
    let admin = app.admin().await;
    offers(&admin, &["Brass Lantern", "Oak Desk", "Casserole", "Cup 2001"]).await;
    for question in ["lantren", "lantrn", "lanterm", "lamtern", "xantern", "brsas", "brass lantrn"] {
        assert_eq!(found(&app.anon(), question).await, ["Brass Lantern"], "{question}");
    }
    assert_eq!(found(&app.anon(), "deks").await, ["Oak Desk"]);
    assert_eq!(found(&app.anon(), "cazzerole").await, ["Casserole"]);
    for question in ["dest", "oka", "cup 2002", "lnatren", "zzzz"] {
        let expected: &[&str] = if question == "dest" { &["Oak Desk"] } else { &[] };
        assert_eq!(found(&app.anon(), question).await, expected, "{question}");
    }
}

async fn words_that_look_alike_only_fill_a_page_that_is_short(app: TestApp) {
    let admin = app.admin().await;
    offers(&admin, &["Lamp A", "Lamp B", "Damp C"]).await;
    let page = app.anon().get("/api/products/search?q=lamp&limit=1").await.expect(200);
    assert_eq!(names(&page), ["Lamp A"]);
    assert_eq!(found(&app.anon(), "lamp").await, ["Lamp A", "Lamp B", "Damp C"]);
}

async fn case_accents_and_scripts_are_understood(app: TestApp) {
    let admin = app.admin().await;
    offers(&admin, &["Café Crème", "STRASSENLAMPE", "東京タワー 模型", "Красный Чайник", "Καφές", "שולחן עץ", "iPhone充電器", "Gift 🎁"]).await;
    for (question, expected) in [
        ("cafe creme", "Café Crème"), ("CAFÉ", "Café Crème"), ("cafe\u{301}", "Café Crème"),
        ("straßenlampe", "STRASSENLAMPE"), ("東京", "東京タワー 模型"), ("タワー", "東京タワー 模型"),
        ("京", "東京タワー 模型"), ("模型 東京", "東京タワー 模型"), ("красный", "Красный Чайник"), ("чайнки", "Красный Чайник"),
        ("ΚΑΦΕΣ", "Καφές"), ("שולחן", "שולחן עץ"), ("充電", "iPhone充電器"), ("iphone 充電器", "iPhone充電器"), ("🎁", "Gift 🎁"),
    ] {
        assert_eq!(found(&app.anon(), question).await, [expected], "{question}");
    }
    assert_eq!(found(&app.anon(), "京東").await, Vec::<String>::new());
}

async fn what_is_said_of_a_product_is_found_too(app: TestApp) {
    let admin = app.admin().await;
    let mut body = described("Lamp", "Warm light for reading");
    body["specifications"] = json!({"colour": "vermilion", "sizes": ["XL", 42], "deep": {"hidden": "secret"}});
    body["category"] = json!("table-lamps");
    made(&admin, body).await;
    for question in ["reading", "vermilion", "xl", "42", "lamp warm", "tabl"] {
        assert_eq!(found(&app.anon(), question).await, ["Lamp"], "{question}");
    }
    assert_eq!(found(&app.anon(), "secret").await, Vec::<String>::new());
}

async fn a_product_is_found_by_its_variants(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, described("Lamp", "for the desk")).await;
    let tea = made(&admin, offered("Tea", 4.0, 1)).await;
    let red = admin.post(&format!("{lamp}/variants"), json!({"name": "Vermilion Größe", "sku": "LMP-77/a"})).await.expect(201).id();
    admin.post(&format!("{tea}/variants"), json!({"name": "Lampshade edition", "sku": "TEA-1"})).await.expect(201);
    for (question, expected) in [
        ("vermilion", &["Lamp"][..]), ("verm", &["Lamp"]), ("lamp vermilion", &["Lamp"]), ("desk grosse", &["Lamp"]),
        ("vermillion", &["Lamp"]), ("lmp-77/a", &["Lamp"]), ("LMP", &["Lamp"]), ("lmp 77", &["Lamp"]), ("77", &["Lamp"]),
        ("tea-1", &["Tea"]),
    ] {
        assert_eq!(found(&app.anon(), question).await, expected, "{question}");
    }
    assert_eq!(found(&app.anon(), "lamp").await, ["Lamp", "Tea"], "its own name comes first");

    let of_lamp = format!("{lamp}/variants/{red}");
    admin.patch(&of_lamp, json!({"name": "Scarlet", "sku": "LMP-78"})).await.expect(200);
    assert_eq!(found(&app.anon(), "vermilion").await, Vec::<String>::new());
    assert_eq!(found(&app.anon(), "LMP-77/a").await, Vec::<String>::new());
    assert_eq!((found(&app.anon(), "scarlet").await, found(&app.anon(), "lmp-78").await), (vec!["Lamp".into()], vec!["Lamp".to_owned()]));
    admin.delete(&of_lamp).await.expect(204);
    assert_eq!(found(&app.anon(), "scarlet").await, Vec::<String>::new());
    let id = lamp.rsplit('/').next().unwrap();
    let line = json!({"id": id, "variants": [{"name": "Ochre", "sku": "OC-1"}]}).to_string();
    admin.raw(reqwest::Method::POST, "/api/admin/catalog/import", "application/x-ndjson", line).await.expect(200);
    assert_eq!((found(&app.anon(), "ochre").await, found(&app.anon(), "oc-1").await), (vec!["Lamp".into()], vec!["Lamp".to_owned()]));
    admin.patch(&format!("{lamp}/stock"), json!({"quantityChange": 1, "variantId": admin.get(&lamp).await.body["variants"][0]["id"]})).await.expect(200);
    assert_eq!(found(&app.anon(), "ochre").await, ["Lamp"]);
}

async fn a_whole_sku_comes_first_and_once(app: TestApp) {
    let admin = app.admin().await;
    offers(&admin, &["Oak", "Oak Desk", "Big Oak"]).await;
    let mut shelf = described("Shelf of Oak", "plain");
    (shelf["category"], shelf["price"]) = (json!("garden"), json!(30));
    let shelf = made(&admin, shelf).await;
    admin.post(&format!("{shelf}/variants"), json!({"name": "Wide", "sku": "Oak"})).await.expect(201);
    let all = ["Shelf of Oak", "Oak", "Oak Desk", "Big Oak"];
    assert_eq!(found(&app.anon(), " oak ").await, all);
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = app.anon().get(&format!("/api/products/search?q=oak&limit=1&total=true{cursor}")).await.expect(200);
        assert_eq!(answer.body["total"], 4);
        pages.extend(names(&answer).into_iter().map(str::to_owned));
        match answer.body["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(pages, all);
    for (query, expected) in [
        ("category=home", &["Oak", "Oak Desk", "Big Oak"][..]), ("max_price=10", &["Oak", "Oak Desk", "Big Oak"]),
        ("category=garden", &["Shelf of Oak"]), ("page=2&limit=2", &["Oak Desk", "Big Oak"]),
    ] {
        let answer = app.anon().get(&format!("/api/products/search?q=oak&{query}")).await.expect(200);
        assert_eq!(names(&answer), expected, "{query}");
    }
    admin.patch(&shelf, json!({"status": "DRAFT"})).await.expect(200);
    assert_eq!(found(&app.anon(), "oak").await, ["Oak", "Oak Desk", "Big Oak"], "a draft is nobody's business");
    assert_eq!(found(&admin, "oak").await, all);
}

async fn category_and_prices_narrow_a_search(app: TestApp) {
    let admin = app.admin().await;
    for (name, price, category) in [("Lamp", 10.0, "home"), ("Lamp Two", 20.0, "home"), ("Big Lamp", 30.0, "home"), ("Lamp Three", 40.0, "home-garden")] {
        let mut body = offered(name, price, 1);
        body["category"] = json!(category);
        made(&admin, body).await;
    }
    for (query, expected) in [
        ("category=home", &["Lamp", "Lamp Two", "Big Lamp"][..]),
        ("category=home-garden", &["Lamp Three"]),
        ("category=garden", &[]),
        ("min_price=20", &["Lamp Three", "Lamp Two", "Big Lamp"]),
        ("max_price=20.00", &["Lamp", "Lamp Two"]),
        ("min_price=20&max_price=30&category=home", &["Lamp Two", "Big Lamp"]),
        ("minPrice=30&maxPrice=30", &["Big Lamp"]),
    ] {
        let answer = app.anon().get(&format!("/api/products/search?q=lamp&{query}")).await.expect(200);
        assert_eq!(names(&answer), expected, "{query}");
    }
}

async fn others_than_those_who_change_products_find_what_is_offered(app: TestApp) {
    let admin = app.admin().await;
    let mut draft = offered("Lamp Draft", 1.0, 1);
    draft["status"] = json!("DRAFT");
    let draft = made(&admin, draft).await;
    offers(&admin, &["Lamp", "Old Lamp"]).await;
    let bob = app.shopper("bob").await;
    for client in [&bob, &app.anon()] {
        for question in ["lamp", "lapm"] {
            assert_eq!(found(client, question).await, ["Lamp", "Old Lamp"]);
        }
        assert_eq!(found(client, "draft").await, Vec::<String>::new());
    }
    assert_eq!(found(&admin, "lamp").await, ["Lamp", "Lamp Draft", "Old Lamp"]);
    admin.patch(&draft, json!({"status": "ACTIVE"})).await.expect(200);
    assert_eq!(found(&bob, "lamp").await, ["Lamp", "Lamp Draft", "Old Lamp"]);
}

async fn the_index_follows_every_write(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, described("Lamp", "bright")).await;
    admin.patch(&lamp, json!({"name": "Lantern"})).await.expect(200);
    assert_eq!(found(&app.anon(), "lamp").await, Vec::<String>::new());
    assert_eq!(found(&app.anon(), "lantern").await, ["Lantern"]);
    admin.patch(&lamp, json!({"description": "dim", "category": "garden"})).await.expect(200);
    assert_eq!(found(&app.anon(), "bright").await, Vec::<String>::new());
    assert_eq!(found(&app.anon(), "dim garden").await, ["Lantern"]);
    admin.patch(&lamp, json!({"price": 2, "stock": 5})).await.expect(200);
    admin.patch(&format!("{lamp}/stock"), json!({"quantityChange": 1})).await.expect(200);
    assert_eq!(found(&app.anon(), "lantern").await, ["Lantern"]);
    admin.delete(&lamp).await.expect(204);
    assert_eq!(found(&app.anon(), "lantern").await, Vec::<String>::new());
    assert_eq!(app.read(index_size).await, [0, 0], "nothing is left of it");
}

async fn selling_leaves_the_index_alone(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 1.0, 9)).await;
    let entry = |connection: &mut stoa_platform::database::Connection<'_>| {
        connection.find("SELECT doc FROM product_search", &[], |row| row.read::<i64>())
    };
    let before = app.read(entry).await;
    admin.patch(&format!("{lamp}/stock"), json!({"quantityChange": -9})).await.expect(200);
    admin.patch(&lamp, json!({"price": 3, "images": ["/a.png"]})).await.expect(200);
    assert_eq!(app.read(entry).await, before, "the entry was not written anew");
}

async fn pages_hold_while_products_come_and_go(app: TestApp) {
    let admin = app.admin().await;
    let goods = ["Oak Table", "Oak Table One", "Table of Oak", "Big Table of Oak", "Tables, Oaken", "Taple Oak", "Oak Taple"];
    offers(&admin, &goods).await;
    made(&admin, described("Shelf", "for an oak table")).await;
    let all = found(&app.anon(), "oak table").await;
    assert_eq!(all.len(), 8);
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = app.anon().get(&format!("/api/products/search?q=oak+table&limit=1{cursor}")).await.expect(200);
        pages.extend(names(&answer).into_iter().map(str::to_owned));
        if pages.len() == 4 {
            // Its place is before what was shown already, so it must not move what follows.
            made(&admin, offered("Oak Table", 1.0, 1)).await;
        }
        match answer.body["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(pages, all);
}

async fn pages_have_numbers_and_totals(app: TestApp) {
    let admin = app.admin().await;
    offers(&admin, &["Lamp", "Lamp A", "Big Lamp", "Damp", "Chair"]).await;
    let page = app.anon().get("/api/products/search?q=lamp&page=2&limit=2").await.expect(200);
    assert_eq!(names(&page), ["Big Lamp", "Damp"]);
    assert_eq!((&page.body["page"], &page.body["size"], &page.body["total"]), (&json!(2), &json!(2), &json!(4)));
    let v1 = app.anon().get("/api/v1/products/search?q=lamp&limit=1&total=true").await.expect(200);
    assert_eq!(v1.body["data"][0]["name"], "Lamp");
    assert_eq!(v1.body["meta"]["pagination"]["total"], 4);
}

async fn signs_are_never_understood_by_an_engine(app: TestApp) {
    let admin = app.admin().await;
    offers(&admin, &["C++ Book", r#"a"b"#, "AND", "Rock 'n' Roll", "100% Wool"]).await;
    for (question, expected) in [
        ("c++", &["C++ Book"][..]), ("C++ book", &["C++ Book"]), (r#"a"b"#, &[r#"a"b"#]), ("AND", &["AND"]),
        ("rock 'n' roll", &["Rock 'n' Roll"]), ("100%", &["100% Wool"]), ("%", &[]), ("_", &[]), ("*", &[]), (r#"""""#, &[]),
        ("'; DROP TABLE products; --", &[]), ("name:and", &[]), ("NEAR(a b)", &[]), ("a | !b & (", &[r#"a"b"#]),
        ("s_active", &[]), ("c_garden", &[]), ("\\", &[]), ("🙂", &[]), ("a:*", &[r#"a"b"#, "AND"]),
    ] {
        assert_eq!(found(&app.anon(), question).await, expected, "{question:?}");
    }
}

async fn bad_questions_are_refused_by_name(app: TestApp) {
    let long = "x".repeat(201);
    let huge = "x".repeat(10_000);
    for (query, field) in [
        ("", "q"), ("q=", "q"), ("q=%20", "q"), (&format!("q={long}"), "q"), (&format!("q={huge}"), "q"),
        ("q=a&category=No%20Slug", "category"), ("q=a&min_price=ten", "min_price"), ("q=a&max_price=-1", "max_price"),
        ("q=a&min_price=1&minPrice=2", "query"), ("q=a&limit=0", "limit"), ("q=a&limit=101", "limit"), ("q=a&cursor=x", "cursor"),
        ("q=a&sortBy=price", "sortBy"), ("q=a&sortOrder=asc", "sortOrder"), ("q=a&page=101&limit=100", "page"),
    ] {
        let answer = app.anon().get(&format!("/api/products/search?{query}")).await.refused(400, "INVALID_QUERY");
        if field != "query" {
            assert_eq!(answer.fields(), [field], "{query}");
        }
    }
    app.anon().get("/api/products/search?q=%00").await.refused(400, "NUL_CHARACTER");
    let foreign = app.admin().await;
    offers(&foreign, &["A", "B"]).await;
    let other = app.anon().get("/api/products?limit=1").await.body["nextCursor"].as_str().unwrap().to_owned();
    app.anon().get(&format!("/api/products/search?q=a&cursor={other}")).await.refused(400, "INVALID_QUERY");
    app.anon().with_header("authorization", "Bearer nonsense").get("/api/products/search?q=a").await.expect(401);
}

async fn a_search_is_kept_until_a_product_changes(app: TestApp) {
    let admin = app.admin().await;
    let lamp = made(&admin, offered("Lamp", 1.0, 1)).await;
    let path = "/api/products/search?q=lamp";
    assert_eq!(app.anon().get(path).await.expect(200).header("x-cache"), Some("MISS"));
    let again = crate::cache::found_again(&app.anon(), path).await;
    assert_eq!(again.entries().len(), 1);
    admin.patch(&lamp, json!({"name": "Chair"})).await.expect(200);
    assert_eq!(app.anon().get(path).await.entries().len(), 0);
}

async fn the_filter_of_the_list_uses_words_too(app: TestApp) {
    let admin = app.admin().await;
    offers(&admin, &["b Café Lamp", "a Café Lampshade", "c Camp", "東京タワー"]).await;
    for (query, expected) in [
        ("search=cafe&sortBy=name", &["a Café Lampshade", "b Café Lamp"][..]),
        ("search=LAM%20caf&sortBy=name&sortOrder=desc", &["b Café Lamp", "a Café Lampshade"]),
        ("search=amp", &[]), ("search=タワ", &["東京タワー"]), ("search=lapm", &[]), ("search=!!", &[]),
        ("search=lamp&category=home&inStock=true&minPrice=1&sortBy=name", &["a Café Lampshade", "b Café Lamp"]),
    ] {
        let answer = app.anon().get(&format!("/api/products?{query}&total=true")).await.expect(200);
        assert_eq!(names(&answer), expected, "{query}");
        assert_eq!(answer.body["total"], expected.len(), "{query}");
    }
}

}

fn index_size(
    connection: &mut stoa_platform::database::Connection<'_>,
) -> Result<[i64; 2], stoa_platform::database::DatabaseError> {
    let mut sizes = [0; 2];
    let texts = match connection.engine() {
        stoa_platform::database::Engine::Sqlite => {
            "SELECT COUNT(*) FROM product_texts('name : a* OR name : l*')"
        }
        stoa_platform::database::Engine::Postgres => "SELECT COUNT(*) FROM product_search",
    };
    for (size, sql) in sizes.iter_mut().zip(["SELECT COUNT(*) FROM product_search", texts]) {
        *size = connection.find(sql, &[], |row| row.read())?.unwrap_or(-1);
    }
    Ok(sizes)
}
