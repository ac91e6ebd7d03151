//! The OpenAPI document a version serves, as what answers are held against.

use std::collections::BTreeSet;

use serde_json::Value;

use super::schema::misfits;

pub(super) struct Document(pub(super) Value);

/// A call that the document describes.
#[derive(Clone, Copy)]
pub(super) struct Operation<'d> {
    /// `GET`, `POST` …
    pub(super) method: &'d str,
    /// `/api/products/{id}`.
    pub(super) path: &'d str,
    described: &'d Value,
}

impl Document {
    pub(super) fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.0["paths"].as_object().into_iter().flatten();
        paths.flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            methods.map(move |(method, described)| Operation { method: upper(method), path, described })
        })
    }

    /// The call that a request is, by the path that names the most of its parts.
    pub(super) fn operation(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        let path = path.split('?').next().unwrap();
        let fitting = self.operations().filter(|one| one.method == method && is_of(path, one.path));
        fitting.min_by_key(|one| one.path.matches('{').count())
    }

    /// In what an answer is not what the document says of its call and status.
    pub(super) fn misfits(
        &self,
        operation: Operation<'_>,
        status: u16,
        media: Option<&str>,
        body: &Value,
    ) -> Vec<String> {
        let answers = &operation.described["responses"];
        let Some(answer) = answers.get(status.to_string()) else {
            return vec![format!("the document does not name status {status}")];
        };
        let content = answer.get("content").and_then(Value::as_object);
        match (media, content) {
            (None, None) => Vec::new(),
            (None, Some(_)) => vec![format!("{status} has no body, and the document says it has")],
            (Some(media), content) => match content.and_then(|content| content.get(media)) {
                None => vec![format!("the document does not name {media} for {status}")],
                // Of what is no JSON the document can only say that it is text.
                Some(_) if !is_json(media) => Vec::new(),
                Some(described) => misfits(&self.0, &described["schema"], body),
            },
        }
    }
}

pub(super) fn is_json(media: &str) -> bool {
    media == "application/json" || media.ends_with("+json")
}

fn upper(method: &str) -> &'static str {
    match method {
        "get" => "GET",
        "post" => "POST",
        "put" => "PUT",
        "patch" => "PATCH",
        "delete" => "DELETE",
        other => panic!("nobody knows how to call {other}"),
    }
}

fn is_of(path: &str, template: &str) -> bool {
    let (parts, pattern) = (path.split('/'), template.split('/'));
    parts.clone().count() == pattern.clone().count()
        && parts.zip(pattern).all(|(part, place)| place.starts_with('{') || part == place)
}

impl Operation<'_> {
    /// Method and path: `GET /api/products/{id}`.
    pub(super) fn call(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Statuses the document names.
    pub(super) fn statuses(&self) -> BTreeSet<&str> {
        let answers = self.described["responses"].as_object();
        answers.into_iter().flatten().map(|(status, _)| status.as_str()).collect()
    }

    /// The media type of the body it takes, the first of several.
    pub(super) fn takes(&self) -> Option<&str> {
        let content = self.described["requestBody"]["content"].as_object()?;
        content
            .keys()
            .map(String::as_str)
            .find(|media| is_json(media))
            .or_else(|| content.keys().next().map(String::as_str))
    }

    /// Whether it can be called by nobody in particular.
    pub(super) fn is_open(&self) -> bool {
        let ways = self.described["security"].as_array();
        ways.is_none_or(|ways| ways.iter().any(|way| way.as_object().is_some_and(serde_json::Map::is_empty)))
    }

    /// Whether it is a list in pages.
    pub(super) fn is_list(&self) -> bool {
        self.parameters().any(|parameter| parameter["name"] == "cursor")
    }

    /// Whether it cannot be called without more in its address than its own path.
    pub(super) fn needs_more(&self) -> bool {
        self.path.contains('{')
            || self.parameters().any(|parameter| parameter["in"] == "query" && parameter["required"] == true)
    }

    /// Its path with what nobody has for each of the parts that are filled in.
    pub(super) fn path_to_nothing(&self) -> String {
        let mut path = self.path.to_owned();
        for parameter in self.parameters().filter(|parameter| parameter["in"] == "path") {
            let schema = &parameter["schema"];
            let is_id = schema["format"] == "uuid" || schema["$ref"] == "#/components/schemas/Id";
            let nothing = if is_id { "01890a5d-ac96-774b-bcce-b302099a8057" } else { "nobody-has-this" };
            path = path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), nothing);
        }
        path
    }

    fn parameters(&self) -> impl Iterator<Item = &Value> {
        self.described["parameters"].as_array().into_iter().flatten()
    }
}
