use std::time::Duration;

use stoa_testing::{Client, TestApp, Value, each_engine, json};

async fn found(somebody: &Client, question: &str) -> Vec<String> {
    let page = somebody.get(&format!("/api/users/search?{question}")).await.expect(200);
    page.entries().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
}

async fn registered(app: &TestApp, username: &str, name: &str) -> Client {
    let body = json!({
        "email": format!("{}.hidden@mail.example", username.to_lowercase()), "password": stoa_testing::PASSWORD,
        "username": username, "name": name,
    });
    app.anon().signed_in(app.anon().post("/api/auth/register", body).await.expect(201).body)
}

each_engine! {
    async fn people_are_found_by_the_beginning_of_any_word_of_their_names(app: TestApp) {
        let ada = registered(app, "Countess", "Ada Lovelace").await;
        registered(app, "adam.s", "Adam Smith").await;
        registered(app, "emilie_c", "Émilie du Châtelet").await;
        assert_eq!(found(&ada, "q=ada").await, ["Countess", "adam.s"], "the whole word before the longer one");
        assert_eq!(found(&ada, "q=LOVE").await, ["Countess"]);
        assert_eq!(found(&ada, "q=count").await, ["Countess"]);
        assert_eq!(found(&ada, "q=smith%20ad").await, ["adam.s"], "words in any order");
        assert_eq!(found(&ada, "q=adam.s").await, ["adam.s"]);
        assert_eq!(found(&ada, "q=%C3%A9MI").await, ["emilie_c"]);
        assert_eq!(found(&ada, "q=emilie_").await, ["emilie_c"]);
        assert_eq!(found(&ada, "q=ovelace").await, [""; 0], "the middle of a word is no beginning");
        assert_eq!(found(&ada, "q=ada%20smith").await, ["adam.s"]);
        assert_eq!(found(&ada, "q=nobody").await, [""; 0]);
    }

    async fn addresses_are_neither_searched_nor_shown(app: TestApp) {
        let ada = registered(app, "ada", "Ada").await;
        registered(app, "bob", "Bob").await;
        let admin = app.admin().await;
        for somebody in [&ada, &admin] {
            for question in ["hidden", "bob.hidden", "mail", "example"] {
                assert_eq!(found(somebody, &format!("q={question}")).await, [""; 0], "{question}");
            }
            let page = somebody.get("/api/users/search?q=bob").await.expect(200);
            assert!(!page.text.contains('@') && !page.text.contains("hidden"), "{}", page.text);
            let bob = &page.entries()[0];
            assert!(bob.get("email").is_none() && bob.get("syncStatus").is_none());
            assert_eq!((&bob["username"], &bob["name"], &bob["status"]), (&json!("bob"), &json!("Bob"), &json!("online")));
        }
    }

    async fn pages_run_through_everybody_once(app: TestApp) {
        let ann = registered(app, "ann", "Ann Anders").await;
        for n in 0..6 {
            registered(app, &format!("ann{n}"), "Ann Andersson").await;
        }
        let (mut seen, mut path) = (Vec::new(), "/api/users/search?q=an&limit=3&total=true".to_owned());
        loop {
            let page = ann.get(&path).await.expect(200);
            assert_eq!(page.body["total"], 7);
            seen.extend(page.entries().iter().map(|user| user["username"].as_str().unwrap().to_owned()));
            let Some(cursor) = page.body["nextCursor"].as_str() else { break };
            path = format!("/api/users/search?q=an&limit=3&total=true&cursor={cursor}");
        }
        seen.sort();
        assert_eq!(seen, ["ann", "ann0", "ann1", "ann2", "ann3", "ann4", "ann5"]);
        let second = ann.get("/api/users/search?q=an&page=2&limit=5").await.expect(200);
        assert_eq!((second.entries().len(), &second.body["total"]), (2, &json!(7)));
    }

    async fn a_new_name_is_found_and_the_old_one_is_not(app: TestApp) {
        let ada = registered(app, "ada", "Ada Byron").await;
        ada.patch("/api/users/profile", json!({"name": "Ada Lovelace"})).await.expect(200);
        assert_eq!(found(&ada, "q=byron").await, [""; 0]);
        assert_eq!(found(&ada, "q=lovelace").await, ["ada"]);
        let admin = app.admin().await;
        admin.patch(&format!("/api/users/{}", ada.user_id()), json!({"username": "countess"})).await.expect(200);
        assert_eq!(found(&ada, "q=ada").await, ["countess"]);
        assert_eq!(found(&ada, "q=countess").await, ["countess"]);
    }

    async fn bad_questions_are_refused(app: TestApp) {
        let ada = app.shopper("ada").await;
        let long = "x".repeat(101);
        for question in [
            "", "q=", "q=%20", "q=%25_*", "q=a+b+c+d+e+f", &format!("q={long}"), "q=a&limit=0", "q=a&cursor=nonsense",
            "q=a&sortBy=email", "q=a&sortOrder=desc", "q=a&q=b",
        ] {
            ada.get(&format!("/api/users/search?{question}")).await.refused(400, "INVALID_QUERY");
        }
        let online = ada.get("/api/users/online?limit=1").await.expect(200);
        assert_eq!(online.body["nextCursor"], json!(null));
        app.anon().get("/api/users/search?q=ada").await.refused(401, "AUTHENTICATION_REQUIRED");
    }

    async fn who_is_not_here_is_offline(app: TestApp) {
        let ada = app.shopper("ada").await;
        let bob = app.shopper("bob").await;
        bob.post("/api/users/status", json!({"status": "busy"})).await.expect(200);
        let status = |somebody: Client| async move {
            somebody.get("/api/users/search?q=bob").await.expect(200).entries()[0]["status"].clone()
        };
        assert_eq!(status(ada).await, "busy");
        app.clock.advance(Duration::from_mins(15));
        assert_eq!(status(app.sign_in("ada@example.com").await).await, Value::from("offline"));
    }
}
