//! Traces: what a request or a job did, as spans that a collector puts together.
//!
//! Off unless the server gives a tracer, and then only for what is sampled: everything else costs a comparison. The
//! span that is open rides in the task's [`Context`], so whatever happens within can hang its own span below it.

mod parent;

use std::{fmt, sync::Arc};

pub use self::parent::{now, read, under, written};
pub use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry::{
    Context, KeyValue, Value,
    global::BoxedTracer,
    trace::{FutureExt, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer, WithContext},
};
use stoa_kernel::Random;

/// Where traces begin; clones share it.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Beginning>>);

struct Beginning {
    tracer: BoxedTracer,
    /// How many of 2³² begin a trace where nobody outside has decided.
    share: u64,
    random: Random,
}

/// The tracer that the spans below use, carried in the context.
struct Active(Arc<Beginning>);

impl Traces {
    /// No traces.
    pub const fn off() -> Self {
        Self(None)
    }

    /// Traces by `tracer`, which must keep every span it is given: a `share` (0 to 1) of what begins here, and
    /// whatever came with a parent that is sampled.
    pub fn to(tracer: BoxedTracer, share: f64, random: Random) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 0 to 2³²")]
        let share = (share.clamp(0.0, 1.0) * 4_294_967_296.0) as u64;
        Self(Some(Arc::new(Beginning { tracer, share, random })))
    }

    /// Whether anything can ever be traced.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins the span of a request that came with this parent; `None` when it is not sampled.
    pub fn request(&self, name: impl Into<String>, parent: Option<&SpanContext>) -> Option<Span> {
        self.begin(name.into(), SpanKind::Server, parent)
    }

    /// Begins the span of a job below the span in which it was queued, if that was traced; `None` when it is not
    /// sampled.
    pub fn job(&self, name: impl Into<String>, queued_in: Option<&SpanContext>) -> Option<Span> {
        self.begin(name.into(), SpanKind::Consumer, queued_in)
    }

    fn begin(&self, name: String, kind: SpanKind, parent: Option<&SpanContext>) -> Option<Span> {
        let beginning = self.0.as_ref()?;
        let sampled = parent.map_or_else(|| beginning.draws(), SpanContext::is_sampled);
        sampled.then(|| beginning.span(name, kind, parent))
    }
}

impl Beginning {
    fn draws(&self) -> bool {
        match self.share {
            0 => false,
            share => self.random.below(1 << 32) < share,
        }
    }

    fn span(self: &Arc<Self>, name: String, kind: SpanKind, parent: Option<&SpanContext>) -> Span {
        let root = Context::new();
        let outside = match parent {
            Some(parent) => root.with_remote_span_context(parent.clone()),
            None => root,
        };
        let builder = SpanBuilder::from_name(name).with_kind(kind);
        let span = self.tracer.build_with_context(builder, &outside);
        Span(Context::new().with_value(Active(Arc::clone(self))).with_span(span))
    }
}

/// A span that is open; it ends when the last clone of it is dropped.
#[derive(Clone)]
pub struct Span(Context);

impl Span {
    /// A span below the one that is open in this task; `None` when none is.
    pub fn below(name: &'static str, kind: Kind) -> Option<Self> {
        Context::map_current(|current| {
            let Active(beginning) = current.get::<Active>()?;
            let kind = match kind {
                Kind::Inside => SpanKind::Internal,
                Kind::Asking => SpanKind::Client,
            };
            let builder = SpanBuilder::from_name(name).with_kind(kind);
            let span = beginning.tracer.build_with_context(builder, current);
            Some(Self(current.with_span(span)))
        })
    }

    /// Notes something about it.
    pub fn note(&self, key: &'static str, value: impl Into<Value>) {
        self.0.span().set_attribute(KeyValue::new(key, value));
    }

    /// Gives it another name.
    pub fn rename(&self, name: String) {
        self.0.span().update_name(name);
    }

    /// Says that it failed. The description must tell nothing that the log may not.
    pub fn fail(&self, description: &'static str) {
        self.0.span().set_status(Status::error(description));
    }

    /// What names it to others.
    pub fn context(&self) -> SpanContext {
        self.0.span().span_context().clone()
    }

    /// Runs a future with this span open.
    pub fn over<F: Future>(&self, future: F) -> WithContext<F> {
        future.with_context(self.0.clone())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Span({:?})", self.context())
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Traces({})", if self.is_on() { "on" } else { "off" })
    }
}

/// What a span below another is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Work in this process.
    Inside,
    /// Asking an engine or a service.
    Asking,
}
