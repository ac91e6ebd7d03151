//! Collecting every invalid field of a request before it is refused, so that people mend all of them at once.

use std::borrow::Cow;

use crate::{FieldError, Refusal};

/// What a rule finds wrong with one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flaw {
    /// A stable `SCREAMING_SNAKE` word.
    pub code: &'static str,
    /// A sentence for people.
    pub message: &'static str,
}

impl Flaw {
    /// A flaw from its code and sentence.
    pub const fn new(code: &'static str, message: &'static str) -> Self {
        Self { code, message }
    }
}

/// The flaws found so far.
#[derive(Debug, Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// Notes a flaw of `field`.
    pub fn refuse(&mut self, field: impl Into<Cow<'static, str>>, flaw: Flaw) {
        self.0.push(FieldError::new(field, flaw.code, flaw.message));
    }

    /// Notes `flaw` unless `fine`.
    pub fn check(&mut self, field: impl Into<Cow<'static, str>>, fine: bool, flaw: Flaw) {
        if !fine {
            self.refuse(field, flaw);
        }
    }

    /// The parsed value, or `None` with its flaw noted.
    pub fn take<T>(&mut self, field: impl Into<Cow<'static, str>>, parsed: Result<T, Flaw>) -> Option<T> {
        parsed.map_err(|flaw| self.refuse(field, flaw)).ok()
    }

    /// As [`Fields::take`] for a field that may be absent.
    pub fn take_given<T>(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        parsed: Option<Result<T, Flaw>>,
    ) -> Option<T> {
        parsed.and_then(|parsed| self.take(field, parsed))
    }

    /// Whether nothing was found so far.
    pub fn is_clean(&self) -> bool {
        self.0.is_empty()
    }

    /// The refusal that names every flaw.
    pub fn into_refusal(self) -> Refusal {
        Refusal::invalid(self.0)
    }

    /// 422 with all flaws, if there are any.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.is_clean() { Ok(()) } else { Err(self.into_refusal()) }
    }
}

/// Text of `least` to `most` characters that holds something other than white space.
pub fn text(value: &str, least: usize, most: usize) -> Result<String, Flaw> {
    let length = value.chars().count();
    if length > most {
        Err(Flaw::new("TOO_LONG", "This is too long."))
    } else if length < least || (least > 0 && value.trim().is_empty()) {
        Err(Flaw::new("TOO_SHORT", "This is too short."))
    } else {
        Ok(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_flaws_are_told_at_once() {
        let mut fields = Fields::default();
        assert_eq!(fields.take("name", text("", 1, 5)), None);
        assert_eq!(fields.take("slug", text("toolong", 1, 5)), None);
        assert_eq!(fields.take("fine", text("fine", 1, 5)).as_deref(), Some("fine"));
        let refusal = fields.finish().unwrap_err();
        let codes: Vec<_> = refusal.fields.iter().map(|field| field.code.as_ref()).collect();
        assert_eq!(codes, ["TOO_SHORT", "TOO_LONG"]);
    }
}
