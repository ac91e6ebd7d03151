//! Traces of the real binary, at a collector that speaks the protocol.

use rustix::process::{Pid, Signal, kill_process};
use stoa_drivers::testing::{ArrivedSpan, Collector, Manner};
use stoa_testing::{Engine, PASSWORD, json};

use super::metrics::figure;
use crate::node::{Home, Node};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const OTHER_TRACE: &str = "a4f1bb31d2c7a9f5a1d7c0e8a9b3c2d1";
const PARENT: &str = "b7ad6b7169203331";

async fn end(mut node: Node) {
    kill_process(Pid::from_raw(node.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
    assert!(node.ends().await.success());
}

fn traced(engine: Engine, endpoint: &str) -> Home {
    Home::new(engine).with("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).with("OTEL_SERVICE_NAME", "shop")
}

async fn a_request_and_its_transactions_are_one_trace(engine: Engine) {
    let collector = Collector::start(Manner::Kind).await;
    let home = traced(engine, &collector.endpoint()).with("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=a%20key");
    home.make_admin();
    let node = home.start().await;
    let client = home
        .anon()
        .with_header("traceparent", &format!("00-{TRACE}-{PARENT}-01"))
        .with_header("x-request-id", "the-registering");
    let body = json!({"email": "bob@example.com", "password": PASSWORD, "name": "Bob"});
    let answer = client.post("/api/auth/register?token=secret-word", body).await.expect(201);
    let told = answer.header("traceparent").unwrap().to_owned();

    let spans = collector
        .until(|spans| {
            let named = |name: &str| spans.iter().any(|span| span.name.starts_with(name));
            named("POST /api/auth/register") && named("job send-mail")
        })
        .await;
    let request = spans.iter().find(|span| span.name == "POST /api/auth/register").unwrap();
    assert_eq!((request.trace.as_str(), request.parent.as_str()), (TRACE, PARENT));
    assert_eq!(told, format!("00-{TRACE}-{}-01", request.id));
    assert_eq!(request.attribute("http.route"), "/api/auth/register");
    assert_eq!(request.attribute("http.request.method"), "POST");
    assert_eq!(request.attribute("http.response.status_code"), "201");
    assert_eq!(request.attribute("stoa.request_id"), "the-registering");
    assert_eq!(request.attribute("service.name"), "shop");
    let write = spans.iter().find(|span| span.name == "database write" && span.trace == TRACE).unwrap();
    assert_eq!(write.parent, request.id);
    assert_eq!(write.attribute("db.system.name"), engine.name());
    let job = spans.iter().find(|span| span.name == "job send-mail").unwrap();
    assert_eq!(job.attribute("job.outcome"), "done");
    assert_eq!((job.trace.as_str(), &job.parent), (TRACE, &request.id), "it goes on from who queued it");
    assert!(
        spans.iter().any(|span| span.name.starts_with("database ") && span.parent == job.id),
        "{spans:#?}"
    );
    assert!(!format!("{spans:?}").contains("secret-word"));
    assert!(collector.keys().iter().all(|key| key == "a key"));

    what_an_event_sets_off_is_of_its_trace(&home, &collector).await;

    let unsampled = home.anon().with_header("traceparent", &format!("00-{TRACE}-{PARENT}-00"));
    let answer = unsampled.get("/api/categories").await.expect(200);
    assert_eq!(answer.header("traceparent"), Some(format!("00-{TRACE}-{PARENT}-00").as_str()));
    home.anon().get("/api/products").await.expect(200);
    // What waits is sent before the end, so nothing more can come after it.
    end(node).await;
    let spans = collector.spans();
    assert!(spans.iter().any(|span| span.name == "GET /api/products" && span.parent.is_empty()));
    assert!(!spans.iter().any(|span| span.name == "GET /api/categories" && span.trace == TRACE));
}

/// From a request to its event, to the follower of that, to the job that the follower queues.
async fn what_an_event_sets_off_is_of_its_trace(home: &Home, collector: &Collector) {
    let admin = home.admin().await;
    let tea = json!({"name": "Tea", "price": 5, "category": "tea", "stock": 11, "status": "ACTIVE"});
    let tea = admin.post("/api/products", tea).await.expect(201).id();
    let traced = admin.with_header("traceparent", &format!("00-{OTHER_TRACE}-{PARENT}-01"));
    traced.patch(&format!("/api/products/{tea}/stock"), json!({"quantityChange": -1})).await.expect(200);
    let is_request = |span: &ArrivedSpan| span.trace == OTHER_TRACE && span.parent == PARENT;
    let spans = collector
        .until(|spans| spans.iter().any(|span| span.name == "job mail-stock") && spans.iter().any(is_request))
        .await;
    let request = spans.iter().find(|span| is_request(span)).unwrap();
    let job = spans.iter().find(|span| span.name == "job mail-stock").unwrap();
    assert_eq!((job.trace.as_str(), &job.parent), (OTHER_TRACE, &request.id));
}

#[tokio::test]
async fn a_request_and_its_transactions_are_one_trace_on_sqlite() {
    a_request_and_its_transactions_are_one_trace(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_request_and_its_transactions_are_one_trace_on_postgres() {
    if stoa_platform::testing::engines_under_test().contains(&Engine::Postgres) {
        a_request_and_its_transactions_are_one_trace(Engine::Postgres).await;
    }
}

#[tokio::test]
async fn a_bad_collector_disturbs_no_request_and_no_end() {
    for manner in [None, Some(Manner::Refusing), Some(Manner::Silent)] {
        let collector = Collector::start(manner.unwrap_or(Manner::Kind)).await;
        let endpoint = collector.endpoint();
        let collector = manner.map(|_| collector);
        let home = traced(Engine::Sqlite, &endpoint);
        let node = home.start().await;
        let client = home.anon();
        for _ in 0..200 {
            client.get("/api/products").await.expect(200);
        }
        if manner != Some(Manner::Silent) {
            let failed = "stoa_trace_spans_total{outcome=\"failed\"} ";
            for round in 0.. {
                let text = client.get("/metrics").await.expect(200).text;
                if figure(&text, failed) > 0.0 {
                    break;
                }
                assert!(round < 3_000, "{text}");
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
        end(node).await;
        drop(collector);
    }
}
