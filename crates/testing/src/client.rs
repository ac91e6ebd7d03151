//! Somebody who sends requests.

use reqwest::{Method, header::HeaderMap};
use serde_json::Value;

use crate::answer::Answer;

/// A client of a node, signed in or not; cheap to clone, so that many can race.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    headers: HeaderMap,
    /// What registering or signing in answered: `user`, `accessToken`, `refreshToken`; `Null` for nobody.
    pub session: Value,
}

impl Client {
    /// Nobody, at a node's address.
    pub fn new(base: impl Into<String>) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // Nodes under test speak plain HTTP, and reading the system's certificates takes longer than a test.
            .tls_certs_only([])
            .build();
        Self {
            http: http.expect("a client"),
            base: base.into(),
            headers: HeaderMap::new(),
            session: Value::Null,
        }
    }

    /// The same client at another node.
    pub fn at(self, base: impl Into<String>) -> Self {
        Self { base: base.into(), ..self }
    }

    /// The same client signed in by what registering or signing in answered.
    pub fn signed_in(self, session: Value) -> Self {
        let token = session["accessToken"].as_str().expect("an access token").to_owned();
        Self { session, ..self.bearing(&token) }
    }

    /// The same client with this bearer token.
    pub fn bearing(self, token: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    /// The same client with one more header on each request.
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header value"));
        self
    }

    /// The user's id.
    pub fn user_id(&self) -> &str {
        self.session["user"]["id"].as_str().expect("a signed-in user")
    }

    /// Where a path of the node is; a whole address, as the node gives those of a store, is what it says.
    fn address(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// HEAD.
    pub async fn head(&self, path: &str) -> Answer {
        self.send(Method::HEAD, path, None).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body.to_string())).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body.to_string())).await
    }

    /// PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body.to_string())).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// POST with a body that is sent as it stands, declared as JSON.
    pub async fn post_raw(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.raw(Method::POST, path, "application/json", body).await
    }

    /// Any method with any body of any declared type.
    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        self.try_raw(method, path, content_type, body).await.expect("an answer")
    }

    /// The same at a node that may die before its answer is here.
    pub async fn try_raw(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> Result<Answer, reqwest::Error> {
        let request = self.http.request(method, self.address(path)).headers(self.headers.clone());
        Answer::read(request.header("content-type", content_type).body(body).send().await?).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<String>) -> Answer {
        self.attempt(method, path, body).await.expect("an answer")
    }

    /// Any method, with or without a JSON body, at a node that may die before its answer is here.
    pub async fn attempt(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method, self.address(path)).headers(self.headers.clone());
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        Answer::read(request.send().await?).await
    }
}
