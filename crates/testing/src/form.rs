//! Forms with files, as browsers send them.

use reqwest::Method;

use crate::{answer::Answer, client::Client};

/// A multipart form.
#[derive(Clone, Debug, Default)]
pub struct Form(Vec<u8>);

impl Form {
    /// What stands between its parts.
    pub const BOUNDARY: &'static str = "between-two-parts";

    /// One without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with a file.
    #[must_use]
    pub fn file(self, field: &str, name: &str, content_type: &str, bytes: &[u8]) -> Self {
        let name = name.replace('"', "\\\"");
        let head =
            format!("form-data; name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: {content_type}");
        self.part(&head, bytes)
    }

    /// The same with a field of text.
    #[must_use]
    pub fn text(self, field: &str, text: &str) -> Self {
        self.part(&format!("form-data; name=\"{field}\""), text.as_bytes())
    }

    /// The same with any part, given what stands behind `Content-Disposition: `.
    #[must_use]
    pub fn part(mut self, disposition: &str, bytes: &[u8]) -> Self {
        let head = format!("--{}\r\nContent-Disposition: {disposition}\r\n\r\n", Self::BOUNDARY);
        self.0.extend([head.as_bytes(), bytes, b"\r\n"].concat());
        self
    }

    /// The body, without its end.
    pub fn open(self) -> Vec<u8> {
        self.0
    }

    /// The body.
    pub fn body(mut self) -> Vec<u8> {
        self.0.extend_from_slice(format!("--{}--\r\n", Self::BOUNDARY).as_bytes());
        self.0
    }

    /// Its media type.
    pub fn content_type() -> String {
        format!("multipart/form-data; boundary={}", Self::BOUNDARY)
    }
}

impl Client {
    /// POST with a form.
    pub async fn post_form(&self, path: &str, form: Form) -> Answer {
        self.raw(Method::POST, path, &Form::content_type(), form.body()).await
    }

    /// The same at a node that may die before its answer is here.
    pub async fn try_form(&self, path: &str, form: Form) -> Result<Answer, reqwest::Error> {
        self.try_raw(Method::POST, path, &Form::content_type(), form.body()).await
    }
}
