//! /api/categories

use stoa_testing::json;

use crate::{made, offered};

stoa_testing::each_engine! {

async fn a_tree_of_categories(app: TestApp) {
    let admin = app.admin().await;
    let home = admin.post("/api/categories", json!({"name": "Home & Garden"})).await.expect(201);
    assert_eq!((&home.body["slug"], home.body.get("parentId")), (&json!("home-garden"), None));
    assert_eq!(home.header("location"), Some("/api/categories/home-garden"));
    let lamps = json!({"name": "Lamps", "slug": "lights", "parentId": home.id()});
    let lamps = admin.post("/api/categories", lamps).await.expect(201);
    admin.post("/api/categories", json!({"name": "Books"})).await.expect(201);

    let list = app.anon().get("/api/categories?limit=2&total=true").await.expect(200);
    let names: Vec<_> = list.entries().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!((names, &list.body["total"]), (vec!["Books", "Home & Garden"], &json!(3)));
    let cursor = list.body["nextCursor"].as_str().unwrap();
    let rest = app.anon().get(&format!("/api/categories?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((rest.entries().len(), &rest.entries()[0]["parentId"]), (1, &home.body["id"]));
    let backwards = app.anon().get("/api/categories?sortOrder=desc").await.expect(200);
    assert_eq!(backwards.entries()[0]["name"], "Lamps");

    let tree = app.anon().get("/api/categories/tree").await.expect(200);
    assert_eq!(tree.body[1]["children"][0]["slug"], "lights");
    assert_eq!(tree.body[0]["children"], json!([]));
    for name in [lamps.id(), "lights".to_owned()] {
        assert_eq!(app.anon().get(&format!("/api/categories/{name}")).await.expect(200).body, lamps.body);
    }
    app.anon().get("/api/categories/nowhere").await.refused(404, "CATEGORY_NOT_FOUND");
    app.anon().get("/api/categories?sortBy=slug").await.refused(400, "INVALID_QUERY");
    app.anon().get("/api/categories?sortOrder=desc&cursor=eyJ").await.refused(400, "INVALID_QUERY");
    assert_eq!(app.events("category.created").await.len(), 3);
}

async fn categories_are_renamed_and_moved(app: TestApp) {
    let admin = app.admin().await;
    let home = admin.post("/api/categories", json!({"name": "Home"})).await.expect(201).id();
    let lamps = json!({"name": "Lamps", "parentId": home});
    let lamps = admin.post("/api/categories", lamps).await.expect(201).id();
    let renamed = admin.put("/api/categories/lamps", json!({"name": "Lights", "slug": "lights"})).await.expect(200);
    assert_eq!((&renamed.body["slug"], &renamed.body["parentId"]), (&json!("lights"), &json!(home)));
    let top = admin.patch("/api/categories/lights", json!({"parentId": null})).await.expect(200);
    assert!(top.body.get("parentId").is_none());
    let below = admin.patch(&format!("/api/categories/{home}"), json!({"parentId": lamps})).await.expect(200);
    assert_eq!(below.body["parentId"], json!(lamps));
    let looped = admin.patch("/api/categories/lights", json!({"parentId": home})).await;
    assert_eq!(looped.refused(422, "VALIDATION_FAILED").fields(), ["parentId"]);
    admin.patch("/api/categories/lights", json!({"slug": "home"})).await.refused(409, "CATEGORY_SLUG_TAKEN");
    admin.patch("/api/categories/nowhere", json!({"name": "x"})).await.refused(404, "CATEGORY_NOT_FOUND");
}

async fn a_category_in_use_stays(app: TestApp) {
    let admin = app.admin().await;
    let home = admin.post("/api/categories", json!({"name": "Home"})).await.expect(201).id();
    admin.post("/api/categories", json!({"name": "Lamps", "parentId": home})).await.expect(201);
    admin.delete("/api/categories/home").await.refused(409, "CATEGORY_IN_USE");
    admin.delete("/api/categories/lamps").await.expect(204);
    let lamp = made(&admin, offered("Lamp", 1.0, 1)).await;
    admin.delete("/api/categories/home").await.refused(409, "CATEGORY_IN_USE");
    admin.patch("/api/categories/home", json!({"slug": "house"})).await.refused(409, "CATEGORY_IN_USE");
    admin.patch("/api/categories/home", json!({"slug": "home", "name": "House"})).await.expect(200);
    admin.delete(&lamp).await.expect(204);
    admin.delete("/api/categories/home").await.expect(204);
    admin.delete("/api/categories/home").await.refused(404, "CATEGORY_NOT_FOUND");
}

async fn bad_categories_are_refused(app: TestApp) {
    let (admin, bob) = (app.admin().await, app.shopper("bob").await);
    for (body, field) in [
        (json!({"name": ""}), "name"), (json!({"name": "x".repeat(256)}), "name"), (json!({}), "name"),
        (json!({"name": "x", "slug": "No Slug"}), "slug"), (json!({"name": "Tree"}), "slug"),
        (json!({"name": "日本"}), "slug"), (json!({"name": "x", "slug": "x".repeat(101)}), "slug"),
        (json!({"name": "x", "parentId": "home"}), "parentId"), (json!({"name": "x", "more": 1}), "more"),
        (json!({"name": "x", "parentId": "01890a5d-ac96-774b-bcce-b302099a8057"}), "parentId"),
    ] {
        let answer = admin.post("/api/categories", body.clone()).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(answer.fields(), [field], "{body}");
    }
    admin.post("/api/categories", json!({"name": "Home"})).await.expect(201);
    admin.post("/api/categories", json!({"name": "Home"})).await.refused(409, "CATEGORY_SLUG_TAKEN");
    app.anon().post("/api/categories", json!({"name": "x"})).await.refused(401, "AUTHENTICATION_REQUIRED");
    bob.post("/api/categories", json!({"name": "x"})).await.refused(403, "FORBIDDEN");
    bob.patch("/api/categories/home", json!({"name": "x"})).await.refused(403, "FORBIDDEN");
    bob.delete("/api/categories/home").await.refused(403, "FORBIDDEN");
}

async fn a_repeated_key_makes_one_category(app: TestApp) {
    let admin = app.admin().await.with_header("idempotency-key", "k");
    let first = admin.post("/api/categories", json!({"name": "Home"})).await.expect(201);
    let again = admin.post("/api/categories", json!({"name": "Home"})).await.expect(201);
    assert_eq!((first.text, again.header("idempotent-replayed")), (again.text.clone(), Some("true")));
}

}
