//! What came back.

use serde_json::Value;

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The JSON body; `Null` when there is none.
    pub body: Value,
    /// The body as text.
    pub text: String,
    /// The body as it came.
    pub bytes: Vec<u8>,
    headers: reqwest::header::HeaderMap,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = response.bytes().await?.to_vec();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Self { status, body, text, bytes, headers })
    }

    /// The same answer, which must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "unexpected answer: {}", self.text);
        self
    }

    /// The same answer, which must be a refusal with this status and code (of v2 or v1).
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.code(), Some(code), "unexpected refusal: {}", answer.text);
        answer
    }

    /// The code of a refusal, in v2 or v1.
    pub fn code(&self) -> Option<&str> {
        self.body["code"].as_str().or_else(|| self.body["error"]["code"].as_str())
    }

    /// The names of the fields a refusal complains of.
    pub fn fields(&self) -> Vec<&str> {
        let errors = if self.body["errors"].is_array() {
            &self.body["errors"]
        } else {
            &self.body["error"]["details"]["errors"]
        };
        errors.as_array().into_iter().flatten().filter_map(|error| error["field"].as_str()).collect()
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// All values of a header that may come several times.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
    }

    /// A header's text, which must be there.
    #[track_caller]
    pub fn said(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no {name} beside {}", self.text))
    }

    /// The `id` of the resource.
    #[track_caller]
    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.text)).to_owned()
    }

    /// The entries of a v2 list.
    #[track_caller]
    pub fn entries(&self) -> &[Value] {
        self.body["data"].as_array().unwrap_or_else(|| panic!("no list in {}", self.text))
    }
}
