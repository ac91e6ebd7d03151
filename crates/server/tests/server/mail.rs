//! Mails of the real binary on their way to a mail server, and what operators see of them.

use stoa_drivers::testing::MailServer;
use stoa_platform::database::Engine;
use stoa_testing::{Client, PASSWORD, Value, json};

use crate::node::Home;

/// A home whose mails go to a server that asks for a password, on the same machine.
fn home(server: &MailServer) -> Home {
    let home = Home::new(Engine::Sqlite).with("STOA_MAIL_FROM", "Shop <shop@example.com>");
    home.with("STOA_SMTP_URL", &format!("smtp://shop:hush%21@127.0.0.1:{}?tls=none", server.port()))
}

async fn register(home: &Home) {
    let body = json!({"email": "ann@example.org", "password": PASSWORD, "name": "Ann"});
    home.anon().post("/api/auth/register", body).await.expect(201);
}

/// What is listed, once nothing waits any more.
async fn settled(admin: &Client) -> Vec<Value> {
    loop {
        let list = admin.get("/api/admin/mails?limit=100").await.expect(200);
        if list.entries().iter().all(|mail| mail["state"] != "waiting") && list.entries().len() >= 2 {
            return list.entries().to_vec();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn mails_go_to_the_server_and_their_links_nowhere_else() {
    let server = MailServer::start(&["--auth", "shop:hush!"]);
    let home = home(&server);
    home.make_admin();
    let node = home.start().await;
    register(&home).await;
    let mails = server.has(2).await;
    let verify =
        mails.iter().find(|mail| mail["message"].as_str().unwrap().contains("token=")).expect("a link");
    assert_eq!((&verify["to"], &verify["user"]), (&json!(["ann@example.org"]), &json!("shop")));

    let admin = home.admin().await;
    let listed = settled(&admin).await;
    assert!(
        listed.iter().all(|mail| mail["state"] == "sent" && mail["to"] == "ann@example.org"),
        "{listed:?}"
    );
    for mail in &listed {
        let shown =
            admin.get(&format!("/api/admin/mails/{}", mail["id"].as_str().unwrap())).await.expect(200);
        assert!(shown.body.get("message").is_none() && !shown.text.contains("token="), "{}", shown.text);
    }
    assert!(!home.data().join("mails").exists(), "nothing is kept beside");
    assert!(!node.log().contains("hush"));
}

#[tokio::test]
async fn a_refused_mail_is_seen_with_its_reason_and_can_be_tried_again() {
    let server = MailServer::start(&["--auth", "shop:hush!", "--refuse", "RCPT=550 5.1.1 No such user here"]);
    let home = home(&server);
    home.make_admin();
    let _node = home.start().await;
    register(&home).await;
    let admin = home.admin().await;
    let listed = settled(&admin).await;
    assert!(listed.iter().all(|mail| mail["state"] == "failed"), "{listed:?}");
    assert!(listed[0]["error"].as_str().unwrap().contains("No such user here"));
    let dead = admin.get("/api/admin/jobs?state=dead&queue=emails").await.expect(200);
    assert_eq!(dead.entries().len(), listed.len());
    let id = dead.entries()[0]["id"].as_str().unwrap();
    assert!(listed.iter().any(|mail| mail["id"] == id), "a mail has the id of its job");
    admin.post(&format!("/api/admin/jobs/{id}/retry"), json!({})).await.expect(200);
}

#[test]
fn the_doctor_asks_the_mail_server_and_keeps_the_password_to_itself() {
    let server = MailServer::start(&["--auth", "shop:hush!"]);
    let text = |home: &Home| home.tries(&["doctor"]);
    let (fine, told) = text(&home(&server));
    assert!(fine && told.contains("ok    mail           127.0.0.1:"), "{told}");
    assert!(!told.contains("hush") && told.contains("STOA_SMTP_URL"), "{told}");
    let wrong = home(&server)
        .with("STOA_SMTP_URL", &format!("smtp://shop:guess@127.0.0.1:{}?tls=none", server.port()));
    let (fine, told) = text(&wrong);
    assert!(!fine && told.contains("FAIL  mail") && told.contains("signing in"), "{told}");
    let local = home(&server).with("STOA_MAIL_FROM", "stoa@localhost");
    assert!(text(&local).1.contains("warn  mail"), "nobody takes mail from localhost");
    let (fine, told) =
        text(&home(&server).with("STOA_SMTP_URL", "smtp://shop:hush@mail.example.com?tls=maybe"));
    assert!(
        !fine && told.contains("STOA_SMTP_URL") && told.contains("required, opportunistic or none"),
        "{told}"
    );
    assert!(!told.contains("hush"), "{told}");
    let gone = home(&server);
    drop(server);
    let (fine, told) = text(&gone);
    assert!(!fine && told.contains("FAIL  mail") && told.contains("check STOA_SMTP_URL"), "{told}");
}
