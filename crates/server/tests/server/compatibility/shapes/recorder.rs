//! Makes the calls of the stories, in the way of a version, and remembers what answers look like.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use reqwest::Method;
use stoa_testing::{Answer, Client, Form, PASSWORD, TestApp, Value, json};

use super::{
    document::{Document, Operation, is_json},
    picture::Picture,
    shape::{Reading, Shape},
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    V0,
    V1,
    V2,
}

impl Version {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V0 => "v0",
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }

    /// v1 is named by the path, v2 by a header, v0 by nothing: its paths are its own.
    fn address(self, path: &str) -> String {
        match (self, path.strip_prefix("/api/")) {
            (Self::V1, Some(rest)) => format!("/api/v1/{rest}"),
            _ => path.to_owned(),
        }
    }

    fn media_of_refusals(self) -> &'static str {
        if self == Self::V2 { "application/problem+json" } else { "application/json" }
    }
}

/// The headers that clients may rely on, besides those of the limits.
const HEADERS: [&str; 18] = [
    "allow",
    "api-version",
    "cache-control",
    "content-disposition",
    "deprecation",
    "etag",
    "idempotent-replayed",
    "link",
    "location",
    "retry-after",
    "set-cookie",
    "sunset",
    "vary",
    "warning",
    "www-authenticate",
    "x-cache",
    "x-content-type-options",
    "x-request-id",
];

/// They come together, and are kept as one: `limits`.
const LIMITS: [&str; 5] =
    ["ratelimit", "ratelimit-policy", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];

/// Objects whose keys are data: the beginning of the path of a call, and the end of the place in what it answers.
const MAPS: [(&str, &str); 8] = [
    ("/api/", ".reactions"),
    ("/api/", ".specifications"),
    ("/api/", ".attributes"),
    ("/api/files/presign", ".headers"),
    ("/api/files/stats", ".byType"),
    ("/api/admin/audit", "[].details"),
    ("/api/admin/jobs", ".payload"),
    ("/api/notifications", ".data"),
];

/// A picture of one pixel.
const PICTURE: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\xff\0\0\0\0\xff\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";

/// Where numbers are measured.
const MEASURED: &str = "/api/admin/performance/";

/// The paths of v0, which has no document.
pub(super) const PATHS_OF_V0: [(&str, &str); 10] = [
    ("POST", "/register"),
    ("POST", "/login"),
    ("GET", "/profile"),
    ("PATCH", "/profile"),
    ("GET", "/protected"),
    ("POST", "/upload"),
    ("POST", "/upload/multiple"),
    ("GET", "/files"),
    ("DELETE", "/files/{id}"),
    ("DELETE", "/upload/{filename}"),
];

pub(super) struct Recorder<'a> {
    pub(super) app: &'a TestApp,
    pub(super) version: Version,
    pub(super) document: Option<Document>,
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    picture: Picture,
    /// The body of the last success of each call.
    bodies: BTreeMap<String, (String, String)>,
    complaints: BTreeSet<String>,
}

impl<'a> Recorder<'a> {
    pub(super) async fn new(app: &'a TestApp, version: Version) -> Self {
        let path = format!("/api/openapi.json?version={}", version.name());
        let document = match version {
            Version::V0 => None,
            Version::V1 | Version::V2 => Some(Document(app.anon().get(&path).await.expect(200).body)),
        };
        Self { app, version, document, seen: RefCell::default() }
    }

    /// What was seen, and everything in which it is not as the document says.
    pub(super) fn finished(self) -> (Picture, Option<Document>, BTreeSet<String>) {
        let Seen { picture, complaints, .. } = self.seen.into_inner();
        (picture.finished(), self.document, complaints)
    }

    /// Nobody.
    pub(super) fn anon(&self) -> Person<'_> {
        self.person(self.app.anon())
    }

    /// The administrator there is from the beginning.
    pub(super) async fn admin(&self) -> Person<'_> {
        self.person(self.app.admin().await)
    }

    /// Somebody who has just registered as `<name>@example.com`.
    pub(super) async fn shopper(&self, name: &str) -> Person<'_> {
        self.person(self.app.shopper(name).await)
    }

    /// Whoever this is, watched.
    pub(super) fn person(&self, client: Client) -> Person<'_> {
        let client =
            if self.version == Version::V2 { client.with_header("api-version", "v2") } else { client };
        Person { recorder: self, client }
    }

    /// The token in the link to `page` of the last mail to somebody that has one.
    pub(super) async fn mailed_token(&self, email: &str, page: &str) -> String {
        let beginning = format!("{page}?token=");
        for mail in self.app.mails().await.iter().filter(|mail| mail.to.eq_ignore_ascii_case(email)) {
            let message = self.app.platform().mailer.read(&mail.id).await.unwrap().unwrap();
            let message = String::from_utf8(message).unwrap().replace("=\r\n", "").replace("=3D", "=");
            if let Some((_, rest)) = message.split_once(&beginning) {
                return rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
            }
        }
        panic!("no mail to {email} with a link to {page}");
    }

    /// What was sent with the last success of a call: media type and body.
    pub(super) fn body_of(&self, call: &str) -> Option<(String, String)> {
        self.seen.borrow().bodies.get(call).cloned()
    }

    /// The call that a request is.
    fn call_of(&self, method: &str, path: &str) -> Option<String> {
        match &self.document {
            Some(document) => document.operation(method, path).map(|operation| operation.call()),
            None => {
                PATHS_OF_V0.iter().find(|known| **known == (method, path)).map(|_| format!("{method} {path}"))
            }
        }
    }

    fn operation(&self, method: &str, path: &str) -> Option<(&Document, Operation<'_>)> {
        let document = self.document.as_ref()?;
        document.operation(method, path).map(|operation| (document, operation))
    }

    /// Holds an answer against the document, and remembers its shape under the name of its call.
    fn remember(&self, method: &str, path: &str, answer: &Answer) {
        let call = self.call_of(method, path);
        let media = answer.header("content-type").map(|media| media.split(';').next().unwrap());
        let media = media.filter(|_| !answer.text.is_empty());
        let mut complaints = Vec::new();
        match (self.operation(method, path), &call) {
            (Some((document, operation)), _) => {
                complaints = document.misfits(operation, answer.status, media, &answer.body);
            }
            (None, None) => complaints.push("nothing of this name is known".to_owned()),
            (None, Some(_)) => {}
        }
        let call = call.unwrap_or_else(|| format!("{method} {path}"));
        let mut seen = self.seen.borrow_mut();
        seen.complaints.extend(complaints.iter().map(|what| format!("{call} {}: {what}", answer.status)));
        seen.picture.add(
            &call,
            &self.kind_of(answer, media),
            &headers_of(answer),
            self.shape_of(&call, media, answer),
        );
    }

    /// The status, and the media type where it is not the usual one.
    fn kind_of(&self, answer: &Answer, media: Option<&str>) -> String {
        let usual = if answer.status < 400 { "application/json" } else { self.version.media_of_refusals() };
        match media {
            Some(media) if media != usual => format!("{} {media}", answer.status),
            _ => answer.status.to_string(),
        }
    }

    fn shape_of(&self, call: &str, media: Option<&str>, answer: &Answer) -> Option<Shape> {
        let media = media?;
        let path = call.split(' ').nth(1).unwrap();
        let is_map = |place: &str| {
            let place = if self.version == Version::V1 {
                place.strip_prefix(".data").unwrap_or(place)
            } else {
                place
            };
            MAPS.iter().any(|(begin, end)| path.starts_with(begin) && place.ends_with(end))
        };
        let reading = Reading { is_map: &is_map, is_measured: path.starts_with(MEASURED) };
        let text = if is_json(media) {
            answer.text.clone()
        } else if media == "application/x-ndjson" {
            format!("[{}]", answer.text.lines().collect::<Vec<_>>().join(","))
        } else {
            r#""text""#.to_owned()
        };
        Some(Shape::of(&text, &reading).unwrap_or_else(|error| panic!("{call}: {error}: {text}")))
    }
}

fn headers_of(answer: &Answer) -> BTreeSet<String> {
    let known = |names: &[&str]| -> BTreeSet<String> {
        names.iter().filter(|name| answer.header(name).is_some()).map(|name| (*name).to_owned()).collect()
    };
    let limits = known(&LIMITS);
    let limits = if limits.len() == LIMITS.len() { BTreeSet::from(["limits".to_owned()]) } else { limits };
    &known(&HEADERS) | &limits
}

/// Somebody whose calls are watched.
#[derive(Clone)]
pub(super) struct Person<'r> {
    recorder: &'r Recorder<'r>,
    client: Client,
}

/// An answer, with the resource out of the envelope of its version.
pub(super) struct Told {
    pub(super) data: Value,
    pub(super) answer: Answer,
}

impl Told {
    /// A text of the resource: `told.text("id")`.
    #[track_caller]
    pub(super) fn text(&self, field: &str) -> String {
        self.data[field].as_str().unwrap_or_else(|| panic!("no {field} in {}", self.answer.text)).to_owned()
    }

    #[track_caller]
    pub(super) fn id(&self) -> String {
        self.text("id")
    }

    /// The entries of a list.
    #[track_caller]
    pub(super) fn entries(&self) -> &[Value] {
        let entries = if self.data.is_array() { &self.data } else { &self.data["data"] };
        entries.as_array().unwrap_or_else(|| panic!("no list in {}", self.answer.text))
    }
}

impl Person<'_> {
    /// The same person with one more header.
    pub(super) fn with(&self, name: &'static str, value: &str) -> Self {
        Self { recorder: self.recorder, client: self.client.clone().with_header(name, value) }
    }

    /// The same client, signed in by what registering or signing in told.
    pub(super) fn signed_in(&self, told: &Told) -> Self {
        Self { recorder: self.recorder, client: self.client.clone().signed_in(told.data.clone()) }
    }

    /// Signed in anew by address and password.
    pub(super) async fn signs_in(&self, email: &str, password: &str) -> Self {
        let body = json!({"email": email, "password": password});
        let anon = self.recorder.anon();
        anon.signed_in(&anon.post("/api/auth/login", body, 200).await)
    }

    pub(super) fn user_id(&self) -> &str {
        self.client.user_id()
    }

    pub(super) fn refresh_token(&self) -> Value {
        json!({"refreshToken": self.client.session["refreshToken"]})
    }

    pub(super) async fn get(&self, path: &str, status: u16) -> Told {
        self.call("GET", path, None, Some(status)).await
    }

    /// GET, and once more by somebody who has the answer already.
    pub(super) async fn get_twice(&self, path: &str) {
        let seen = self.get(path, 200).await;
        let etag = seen.answer.header("etag").unwrap_or_else(|| panic!("{path} has no etag"));
        self.with("if-none-match", etag).get(path, 304).await;
    }

    pub(super) async fn delete(&self, path: &str, status: u16) -> Told {
        self.call("DELETE", path, None, Some(status)).await
    }

    /// DELETE of something that a path of v0 names.
    pub(super) async fn deletes(&self, template: &str, path: &str, status: u16) {
        let answer = self.answer("DELETE", path, None).await.expect(status);
        self.recorder.remember("DELETE", template, &answer);
    }

    /// PUT of a file at an address that was given for it, which belongs to no version.
    pub(super) async fn puts_at(&self, url: &str, media: &str, text: &str) {
        self.client.raw(Method::PUT, url, media, text.to_owned()).await.expect(204);
    }

    /// POST of a form with a picture.
    pub(super) async fn sends_picture(&self, path: &str) {
        let form = Form::new().file("file", "a.gif", "image/gif", PICTURE);
        let address = self.recorder.version.address(path);
        let answer =
            self.client.raw(Method::POST, &address, &Form::content_type(), form.body()).await.expect(200);
        self.recorder.remember("POST", path, &answer);
    }

    /// POST of nothing.
    pub(super) async fn act(&self, path: &str, status: u16) -> Told {
        self.call("POST", path, None, Some(status)).await
    }

    pub(super) async fn post(&self, path: &str, body: Value, status: u16) -> Told {
        self.json("POST", path, body, status).await
    }

    pub(super) async fn put(&self, path: &str, body: Value, status: u16) -> Told {
        self.json("PUT", path, body, status).await
    }

    pub(super) async fn patch(&self, path: &str, body: Value, status: u16) -> Told {
        self.json("PATCH", path, body, status).await
    }

    pub(super) async fn json(&self, method: &str, path: &str, body: Value, status: u16) -> Told {
        self.call(method, path, Some(("application/json", body.to_string())), Some(status)).await
    }

    /// Any call with any body; whatever the status is, unless one is expected.
    pub(super) async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, String)>,
        status: Option<u16>,
    ) -> Told {
        let answer = self.answer(method, path, body.as_ref()).await;
        if let Some(status) = status {
            let version = self.recorder.version.name();
            assert_eq!(answer.status, status, "{version} {method} {path} {body:?}: {}", answer.text);
        }
        self.recorder.remember(method, path, &answer);
        if let (200..300, Some((media, text)), Some(call)) =
            (answer.status, body, self.recorder.call_of(method, path))
        {
            self.recorder.seen.borrow_mut().bodies.insert(call, (media.to_owned(), text));
        }
        self.told(answer)
    }

    /// The same outside of all operations: what it is is named by hand.
    pub(super) async fn call_outside(&self, name: &str, method: &str, path: &str, status: u16) {
        let answer = self.answer(method, path, None).await.expect(status);
        let media = Some(self.recorder.version.media_of_refusals());
        let shape = self.recorder.shape_of(&format!("{method} {path}"), media, &answer);
        let mut seen = self.recorder.seen.borrow_mut();
        seen.picture.add(name, &status.to_string(), &headers_of(&answer), shape);
    }

    async fn answer(&self, method: &str, path: &str, body: Option<&(&str, String)>) -> Answer {
        let address = self.recorder.version.address(path);
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        match body {
            Some((media, text)) => self.client.raw(method, &address, media, text.clone()).await,
            None => self.client.attempt(method, &address, None).await.unwrap(),
        }
    }

    fn told(&self, answer: Answer) -> Told {
        let enveloped = self.recorder.version == Version::V1 && answer.body["success"] == true;
        let data = if enveloped { &answer.body["data"] } else { &answer.body };
        Told { data: data.clone(), answer }
    }
}

/// Everybody's password at first, and another.
pub(super) const FIRST: &str = PASSWORD;
pub(super) const OTHER: &str = "An0ther-Quiet-Trombone";
