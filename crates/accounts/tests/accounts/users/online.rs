use std::time::Duration;

use stoa_testing::{Client, each_engine, json};

use crate::refresh_token;

async fn online(somebody: &Client) -> Vec<String> {
    let page = somebody.get("/api/users/online").await.expect(200);
    assert!(!page.text.contains('@'), "{}", page.text);
    page.entries()
        .iter()
        .map(|user| format!("{} {}", user["username"].as_str().unwrap(), user["status"].as_str().unwrap()))
        .collect()
}

async fn choose(somebody: &Client, status: &str) {
    let chosen = somebody.post("/api/users/status", json!({"status": status})).await.expect(200);
    assert_eq!(chosen.body["status"], status);
}

each_engine! {
    async fn those_are_who_are_signed_in_and_do_not_hide(app: TestApp) {
        let ada = app.shopper("ada").await;
        let bob = app.shopper("bob").await;
        let cid = app.shopper("cid").await;
        app.sign_in("cid@example.com").await;
        assert_eq!(online(&ada).await, ["ada online", "bob online", "cid online"]);
        choose(&ada, "away").await;
        choose(&bob, "offline").await;
        choose(&cid, "busy").await;
        assert_eq!(online(&bob).await, ["ada away", "cid busy"]);
        assert_eq!(bob.get("/api/auth/me").await.expect(200).body["status"], "offline");
        choose(&bob, "online").await;
        assert_eq!(online(&bob).await, ["ada away", "bob online", "cid busy"]);
        // A device less is no absence; no device is.
        cid.post("/api/auth/logout", refresh_token(&cid.session)).await.expect(204);
        assert_eq!(online(&bob).await.len(), 3);
        ada.post("/api/auth/logout-all", json!({})).await.expect(204);
        assert_eq!(online(&bob).await, ["bob online", "cid busy"]);
    }

    async fn whoever_goes_on_using_a_session_refreshes_it(app: TestApp) {
        let ada = app.shopper("ada").await;
        app.shopper("bob").await;
        app.clock.advance(Duration::from_mins(14));
        let pair = app.anon().post("/api/auth/refresh", refresh_token(&ada.session)).await.expect(200);
        let ada = app.anon().signed_in(pair.body);
        assert_eq!(online(&ada).await, ["ada online", "bob online"]);
        app.clock.advance(Duration::from_mins(1));
        assert_eq!(online(&ada).await, ["ada online"]);
    }

    async fn whoever_has_a_socket_open_is_here(app: TestApp, |settings| {
        settings.realtime.look_after_logins = Duration::from_millis(50);
    }) {
        let (ada, bob) = (app.shopper("ada").await, app.shopper("bob").await);
        let _socket = app.plain(&ada).await;
        app.clock.advance(Duration::from_mins(14));
        // When its use is noted is the server's to say.
        let began = ada.get("/api/auth/sessions").await.expect(200).entries()[0]["lastUsedAt"].clone();
        while ada.get("/api/auth/sessions").await.expect(200).entries()[0]["lastUsedAt"] == began {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        app.clock.advance(Duration::from_mins(2));
        drop(bob);
        let cid = app.shopper("cid").await;
        assert_eq!(online(&cid).await, ["ada online", "cid online"]);
    }

    async fn pages_run_by_username(app: TestApp) {
        let ada = app.shopper("ada").await;
        for name in ["bob", "cid", "dan"] {
            app.shopper(name).await;
        }
        let first = ada.get("/api/users/online?limit=3&total=true").await.expect(200);
        assert_eq!((first.entries().len(), &first.body["total"]), (3, &json!(4)));
        let cursor = first.body["nextCursor"].as_str().unwrap();
        let rest = ada.get(&format!("/api/users/online?limit=3&cursor={cursor}")).await.expect(200);
        assert_eq!((&rest.entries()[0]["username"], rest.entries().len()), (&json!("dan"), 1));
        let second = ada.get("/api/users/online?limit=3&page=2").await.expect(200);
        assert_eq!(second.entries()[0]["username"], "dan");
        for query in ["limit=0", "sortBy=email", "sortOrder=desc", "cursor=nonsense"] {
            ada.get(&format!("/api/users/online?{query}")).await.refused(400, "INVALID_QUERY");
        }
    }

    async fn is_for_people_and_of_four_words(app: TestApp, |settings| {
        settings.accounts.machine_keys = vec!["till-key-one".into()];
    }) {
        let ada = app.shopper("ada").await;
        let till = app.anon().with_header("x-api-key", "till-key-one");
        for (somebody, status) in [(app.anon(), 401), (till, 403)] {
            somebody.get("/api/users/online").await.expect(status);
            somebody.get("/api/users/search?q=ada").await.expect(status);
            somebody.post("/api/users/status", json!({"status": "busy"})).await.expect(status);
        }
        for (body, field) in [
            (json!({"status": "Busy"}), "status"),
            (json!({"status": "gone"}), "status"),
            (json!({}), "status"),
            (json!({"status": "busy", "userId": "x"}), "userId"),
        ] {
            assert_eq!(ada.post("/api/users/status", body).await.expect(422).fields(), [field]);
        }
        assert!(app.events("user.updated").await.is_empty());
    }
}
