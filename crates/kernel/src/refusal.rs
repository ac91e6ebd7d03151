//! How a request is refused: one shape that HTTP, gRPC and sockets render, each in its own words.

use std::{borrow::Cow, error::Error, fmt, time::Duration};

use serde::Serialize;
use serde_json::value::RawValue;

/// The kinds of refusal; each surface maps them to its own status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusalKind {
    /// Cannot be read at all (400).
    Malformed,
    /// No credential, or a bad one (401).
    Unauthenticated,
    /// A charge was declined (402).
    PaymentDeclined,
    /// Known, but not allowed (403).
    Forbidden,
    /// No such thing, or none this actor may know of (404).
    NotFound,
    /// The way exists, the method does not (405).
    MethodNotAllowed,
    /// The request took too long to arrive (408).
    Timeout,
    /// Clashes with the present state (409).
    Conflict,
    /// Was here once (410).
    Gone,
    /// `If-Match` names another state (412).
    PreconditionFailed,
    /// Over a size limit (413).
    TooLarge,
    /// A media type we do not take (415).
    UnsupportedMediaType,
    /// A part was asked for that is not there (416).
    RangeNotSatisfiable,
    /// Well-formed but invalid (422).
    Invalid,
    /// Too often (429).
    TooMany,
    /// Our fault (500).
    Internal,
    /// Not built into this server yet (501).
    NotImplemented,
    /// Cannot be served now, may be later (503).
    Unavailable,
}

/// One invalid field of a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where it stands, e.g. `shippingAddress.city`.
    pub field: Cow<'static, str>,
    /// A stable `SCREAMING_SNAKE` word.
    #[schema(example = "TOO_LONG")]
    pub code: Cow<'static, str>,
    /// A sentence for people.
    pub message: Cow<'static, str>,
}

impl FieldError {
    /// A field error from its three parts.
    pub fn new(
        field: impl Into<Cow<'static, str>>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { field: field.into(), code: code.into(), message: message.into() }
    }
}

/// Why a request is not served.
///
/// `code` is stable and listed in the docs; `detail` is for people; the source is for the log alone.
#[derive(Debug)]
pub struct Refusal {
    /// The kind, from which the status follows.
    pub kind: RefusalKind,
    /// A stable `SCREAMING_SNAKE` word.
    pub code: &'static str,
    /// A sentence for people.
    pub detail: Cow<'static, str>,
    /// The fields at fault, if fields are.
    pub fields: Vec<FieldError>,
    /// Facts beside the sentence, such as `available` and `requested`.
    pub facts: Vec<(&'static str, Box<RawValue>)>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// What went wrong inside; logged, never sent.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Refusal {
    /// A refusal of `kind` with its stable code and a sentence.
    pub fn new(kind: RefusalKind, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            code,
            detail: detail.into(),
            fields: Vec::new(),
            facts: Vec::new(),
            retry_after: None,
            source: None,
        }
    }

    /// 400: the request cannot be read.
    pub fn malformed(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Malformed, code, detail)
    }

    /// 401: nobody is signed in and somebody must be.
    pub fn authentication_required() -> Self {
        Self::new(RefusalKind::Unauthenticated, "AUTHENTICATION_REQUIRED", "Sign in to do this.")
    }

    /// 403: signed in, but not allowed.
    pub fn forbidden() -> Self {
        Self::new(RefusalKind::Forbidden, "FORBIDDEN", "You are not allowed to do this.")
    }

    /// 404: no such thing, or none that this actor may know of.
    pub fn not_found(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::NotFound, code, detail)
    }

    /// 409: the present state does not allow it.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Conflict, code, detail)
    }

    /// 422 with every invalid field.
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let mut refusal =
            Self::new(RefusalKind::Invalid, "VALIDATION_FAILED", "Some fields of the request are invalid.");
        refusal.fields = fields;
        refusal
    }

    /// 500: says nothing of the inside; the source goes to the log.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut refusal =
            Self::new(RefusalKind::Internal, "INTERNAL_ERROR", "Something went wrong on our side.");
        refusal.source = Some(source.into());
        refusal
    }

    /// 503: cannot be served now; the source goes to the log.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut refusal = Self::new(
            RefusalKind::Unavailable,
            "SERVICE_UNAVAILABLE",
            "The service cannot answer right now. Try again shortly.",
        );
        refusal.source = Some(source.into());
        refusal.retry_after = Some(Duration::from_secs(1));
        refusal
    }

    /// Adds a fact beside the sentence, written as the type writes itself: money keeps its digits.
    pub fn with_fact(mut self, name: &'static str, value: impl Serialize) -> Self {
        // Numbers, texts and money always serialise.
        self.facts.extend(serde_json::value::to_raw_value(&value).ok().map(|value| (name, value)));
        self
    }

    /// Says when to try again.
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
