//! The answers of v0, v1 and v2 look as they did.
//!
//! Stories make every call of a version against a whole node. From each answer a shape is taken: its status, the names of
//! its headers, and what its body is made of. `docs/api/shapes.<version>.json` is what was promised last, and the same on
//! every engine. Each body is also held against the OpenAPI document of its version, which must name its status and all its
//! members; and whatever that document names must have been seen.

mod document;
mod picture;
mod recorder;
mod schema;
mod shape;
mod stories;

use stoa_ordering::Shop;
use stoa_server::{Settings, StorageSettings};
use stoa_testing::{TestApp, each_engine};

use self::{
    document::Document,
    picture::Picture,
    recorder::{PATHS_OF_V0, Recorder, Version},
};
use super::is_as_promised;

/// How often somebody may guess before it is too often.
const MOST_GUESSES: u32 = 300;
const BODY_LIMIT: usize = 65_536;

each_engine! {
    async fn the_answers_of_v0_look_as_promised(app: TestApp, settings) {
        look_as_promised(app, Version::V0).await;
    }

    async fn the_answers_of_v1_look_as_promised(app: TestApp, settings) {
        look_as_promised(app, Version::V1).await;
    }

    async fn the_answers_of_v2_look_as_promised(app: TestApp, settings) {
        look_as_promised(app, Version::V2).await;
    }
}

/// Limits that count and are far away, small bodies, and everything slow enough to be told of.
fn settings(settings: &mut Settings) {
    settings.rate_limits = true;
    let limits = &mut settings.http.limits;
    for policy in
        [&mut limits.general, &mut limits.admin, &mut limits.order, &mut limits.payment, &mut limits.upload]
    {
        policy.max = 1_000_000;
    }
    limits.auth.max = MOST_GUESSES;
    settings.http.body_limit = BODY_LIMIT;
    settings.http.slow_request = std::time::Duration::ZERO;
    settings.http.v0_sunset = stoa_kernel::Timestamp::parse("2027-01-01T00:00:00Z");
    settings.catalog.import_limit = 65_536;
    // Where files are sent past the server is the store's to say; here it is always the node's own address.
    settings.storage = StorageSettings::Folder(settings.files.spool.with_file_name("files"));
    settings.ordering.shop =
        Shop { name: "Stoa".into(), address: vec!["1 Market Square".into()], tax_id: Some("GB 123".into()) };
}

async fn look_as_promised(app: &TestApp, version: Version) {
    let recorder = Recorder::new(app, version).await;
    stories::tell(&recorder).await;
    let (picture, document, mut complaints) = recorder.finished();
    match &document {
        Some(document) => complaints.extend(not_seen(&picture, document)),
        None => shows_all_of_v0(&picture),
    }
    let complaints: Vec<String> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "{} of {}:\n{}", complaints.len(), version.name(), complaints.join("\n"));
    let about = format!(
        "What answers of {} are made of. Written by a test; docs/api-design.md#compatibility says how to read it.",
        version.name()
    );
    let path = format!("docs/api/shapes.{}.json", version.name());
    let text = picture.written(&about);
    assert_eq!(Picture::read(&text), picture, "what is written can be read");
    is_as_promised(version.name(), &path, &text, |promised| {
        Picture::read(promised).breaking_changes(&picture)
    });
}

/// What no story can bring about: a call and a status, or a status of all calls, and why.
const OUT_OF_REACH: &[(&str, &str, &str)] = &[
    ("", "500", "nothing is known to fail"),
    ("", "503", "nothing is overloaded"),
    ("", "429", "limits are used up once, which is enough"),
    ("POST /api/auth/register", "401", NOT_ASKED_FOR),
    ("POST /api/auth/register", "403", NOT_ASKED_FOR),
    ("POST /api/auth/login", "403", NOT_ASKED_FOR),
    ("POST /api/auth/refresh", "403", NOT_ASKED_FOR),
    ("POST /api/auth/logout", "401", NOT_ASKED_FOR),
    ("POST /api/auth/logout", "403", NOT_ASKED_FOR),
    ("POST /api/auth/forgot-password", "401", NOT_ASKED_FOR),
    ("POST /api/auth/forgot-password", "403", NOT_ASKED_FOR),
    ("POST /api/auth/reset-password", "401", NOT_ASKED_FOR),
    ("POST /api/auth/reset-password", "403", NOT_ASKED_FOR),
    ("POST /api/auth/verify-email", "401", NOT_ASKED_FOR),
    ("POST /api/auth/verify-email", "403", NOT_ASKED_FOR),
    ("POST /api/payments/webhooks/stripe", "401", NOT_ASKED_FOR),
    ("POST /api/payments/webhooks/stripe", "403", NOT_ASKED_FOR),
    ("POST /api/payments/webhooks/stripe", "422", "what is signed and cannot be read is 400"),
    ("POST /api/admin/announcements", "409", RACES),
    ("POST /api/cart/items", "409", RACES),
    ("POST /api/messages", "409", RACES),
    ("POST /api/packages", "409", RACES),
    ("POST /api/products", "409", RACES),
    ("POST /api/admin/catalog/import", "409", "two imports at one time"),
    ("POST /api/admin/catalog/import", "408", "an import that stops in the middle for half a minute"),
    ("POST /api/orders", "404", "a product that goes while it is being bought"),
    ("POST /api/files/upload", "408", TOO_SLOW),
    ("POST /api/files/presign", "409", "a hundred uploads that are open"),
    ("POST /api/files/{id}/complete", "413", "a store that takes more than was announced"),
    ("POST /api/rooms/{room}/join", "409", "hundreds of rooms, or thousands of members"),
];
const NOT_ASKED_FOR: &str = "who asks does not matter here";
const TOO_SLOW: &str = "a body that stops in the middle for a minute";
const RACES: &str = "an Idempotency-Key whose first request is still running";

/// What the document names and no answer was: a call with a status. Also what is excused and was seen all the same.
fn not_seen(picture: &Picture, document: &Document) -> Vec<String> {
    let mut wrong = Vec::new();
    for operation in document.operations() {
        let call = operation.call();
        let seen = picture.statuses(&call);
        for status in operation.statuses() {
            let excuse =
                |of: &str| OUT_OF_REACH.iter().any(|(known, which, _)| *known == of && *which == status);
            match seen.contains(status) {
                true if excuse(&call) => wrong.push(format!("{call} {status} was seen and needs no excuse")),
                false if !excuse(&call) && !excuse("") => {
                    wrong.push(format!("{call} {status} was never seen"));
                }
                _ => {}
            }
        }
    }
    wrong
}

fn shows_all_of_v0(picture: &Picture) {
    for (method, path) in PATHS_OF_V0 {
        let call = format!("{method} {path}");
        let answered = picture.statuses(&call).iter().any(|status| status.starts_with('2'));
        assert!(answered, "{call} was never answered with a success");
    }
}
