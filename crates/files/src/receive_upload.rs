//! Reading a form with files: each part goes to the spool as it comes, and whatever makes the form a bad one ends it as
//! soon as that is seen.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use multer::{Constraints, Field, Multipart, SizeLimit};
use stoa_contracts::files::{ByteStream, Visibility};
use stoa_http::linger;
use stoa_kernel::Flaw;
use tokio::time::timeout;

use crate::{
    Files,
    error::FileError,
    kinds::Kind,
    names::FileName,
    prepare::Arrival,
    spool::{Receiving, SpoolFile},
};

/// How long a body may say nothing.
const PATIENCE: Duration = Duration::from_mins(1);
/// Parts of a form beside its files.
const OTHER_PARTS: usize = 16;
/// The longest head of a part, and the longest part that is no file.
const LONGEST_HEAD: usize = 32 * 1024;
const LONGEST_TEXT: usize = 16 * 1024;
/// What a form has beside its files, in bytes, at most.
const LONGEST_REST: u64 = 1024 * 1024;
/// The longest boundary (RFC 2046).
const LONGEST_BOUNDARY: usize = 70;

/// What is taken at an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// Files to a form.
    pub(crate) files: usize,
    /// Of these kinds.
    pub(crate) kinds: &'static [Kind],
    /// Each of at most so many bytes, whatever else holds.
    pub(crate) limit: u64,
}

impl Taken {
    /// One file of any kind.
    pub(crate) const ONE: Self = Self { files: 1, kinds: &Kind::ALL, limit: u64::MAX };
    /// Several files.
    pub(crate) const SEVERAL: Self = Self { files: 10, ..Self::ONE };

    /// The largest file of one of these kinds.
    pub(crate) fn limit_of(&self, kinds: &[Kind], files: &Files) -> u64 {
        let limit = |kind: &Kind| files.settings().limit_of(*kind).min(self.limit);
        kinds.iter().filter(|kind| self.kinds.contains(kind)).map(limit).max().unwrap_or(0)
    }
}

/// A body on its way, and what its head says of it.
pub(crate) struct Incoming {
    pub(crate) content_type: String,
    pub(crate) length: Option<u64>,
    /// Whether its sender waits to be told to send it.
    pub(crate) waits: bool,
    pub(crate) body: ByteStream,
}

impl Incoming {
    /// What came of it; when that is a refusal, the rest of it is read first.
    pub(crate) async fn end<T>(self, outcome: Result<T, FileError>) -> Result<T, FileError> {
        if outcome.is_err() && !self.waits {
            linger(self.body).await;
        }
        outcome
    }
}

/// A form that was read whole: its files are in the spool, each of a kind that is taken.
#[derive(Debug, Default)]
pub(crate) struct Form {
    pub(crate) files: Vec<Arrival>,
    pub(crate) room: Option<String>,
    pub(crate) content: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) visibility: Option<Visibility>,
}

impl Files {
    /// Reads a form. Nothing of it is left when it is refused, and the refusal arrives even while it is still being sent.
    pub(crate) async fn receive(&self, mut incoming: Incoming, taken: Taken) -> Result<Form, FileError> {
        let received = self.receive_form(&mut incoming, taken).await;
        incoming.end(received).await
    }

    async fn receive_form(&self, incoming: &mut Incoming, taken: Taken) -> Result<Form, FileError> {
        let boundary = boundary(&incoming.content_type)?;
        let each = taken.limit_of(&Kind::ALL, self);
        let whole = each.saturating_mul(taken.files as u64).saturating_add(LONGEST_REST);
        if incoming.length.is_some_and(|length| length > whole) {
            return Err(FileError::TooLarge(each));
        }
        let _place = self.place_to_receive()?;
        incoming.waits = false;
        let reading = self.read_form(&mut incoming.body, boundary, whole, taken);
        timeout(self.settings().upload_timeout, reading).await.map_err(|_| FileError::Slow)?
    }

    /// Receives a body that is one file and nothing else, of at most so many bytes.
    pub(crate) async fn receive_bare(
        &self,
        incoming: &mut Incoming,
        limit: u64,
    ) -> Result<SpoolFile, FileError> {
        let _place = self.place_to_receive()?;
        incoming.waits = false;
        let reading = async {
            let mut receiving = self.spool().begin();
            loop {
                let next = timeout(PATIENCE, incoming.body.try_next()).await.map_err(|_| FileError::Slow)?;
                let Some(bytes) = next.map_err(|_| FileError::Incomplete)? else { break };
                if receiving.size() + bytes.len() as u64 > limit {
                    return Err(FileError::TooLarge(limit));
                }
                receiving.take(&bytes).await?;
            }
            receiving.finish().await
        };
        timeout(self.settings().upload_timeout, reading).await.map_err(|_| FileError::Slow)?
    }

    async fn read_form(
        &self,
        body: &mut ByteStream,
        boundary: String,
        whole: u64,
        taken: Taken,
    ) -> Result<Form, FileError> {
        let heads = Arc::new(AtomicUsize::new(0));
        let pieces = Pieces { body, rests: false, heads: Arc::clone(&heads) };
        let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(whole));
        let mut parts = Multipart::with_constraints(pieces, boundary, limits);
        let mut form = Form::default();
        let mut count = 0;
        loop {
            heads.store(LONGEST_HEAD, Ordering::Relaxed);
            let Some(mut part) = patiently(parts.next_field()).await? else { break };
            heads.store(usize::MAX, Ordering::Relaxed);
            count += 1;
            if count > taken.files + OTHER_PARTS {
                return Err(FileError::TooManyParts);
            }
            self.read_part(&mut part, &mut form, taken).await?;
        }
        let missing = Flaw::new("REQUIRED", "There is no file in the form.");
        if form.files.is_empty() { Err(FileError::Field("file", missing)) } else { Ok(form) }
    }

    async fn read_part(&self, part: &mut Field<'_>, form: &mut Form, taken: Taken) -> Result<(), FileError> {
        let name = part.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" | "files" | "files[]" | "avatar" => {
                if form.files.len() >= taken.files {
                    return Err(FileError::TooManyFiles(taken.files));
                }
                form.files.push(self.read_file(part, taken).await?);
            }
            "room" | "roomId" => form.room = Some(text(part, "room").await?).filter(|room| !room.is_empty()),
            "content" => form.content = Some(text(part, "content").await?).filter(|text| !text.is_empty()),
            "clientId" => form.client_id = Some(text(part, "clientId").await?),
            "visibility" => {
                let given = text(part, "visibility").await?;
                let flaw = Flaw::new("INVALID", "It is public or private.");
                let parsed = Visibility::parse(&given).ok_or(FileError::Field("visibility", flaw))?;
                form.visibility = Some(parsed);
            }
            // Forms of browsers send what they like beside.
            _ => drop(text(part, "form").await?),
        }
        Ok(())
    }

    async fn read_file(&self, part: &mut Field<'_>, taken: Taken) -> Result<Arrival, FileError> {
        let flaw = Flaw::new("NO_FILENAME", "This is no file: it has no name.");
        let given = part.file_name().ok_or(FileError::Field("file", flaw))?;
        let name = FileName::parse(given).map_err(|flaw| FileError::Field("file", flaw))?;
        let declared = part.content_type().map(|kind| kind.essence_str().to_ascii_lowercase());
        let mut receiving = self.spool().begin();
        let mut limit = None;
        while let Some(bytes) = patiently(part.chunk()).await? {
            let size = receiving.size() + bytes.len() as u64;
            receiving.take(&bytes).await?;
            if limit.is_none() {
                limit = self.early_limit(&receiving, &name, taken)?;
            }
            let limit = limit.unwrap_or_else(|| taken.limit_of(&Kind::ALL, self));
            if size > limit {
                return Err(FileError::TooLarge(limit));
            }
        }
        self.check(receiving.finish().await?, name, declared.as_deref(), taken).await
    }

    /// How large it may be, as soon as its beginning says what it is; refused when that is nothing that is taken.
    fn early_limit(
        &self,
        receiving: &Receiving,
        name: &FileName,
        taken: Taken,
    ) -> Result<Option<u64>, FileError> {
        let Some(guess) = receiving.early_guess() else { return Ok(None) };
        let candidates: Vec<Kind> =
            guess.candidates().iter().copied().filter(|kind| taken.kinds.contains(kind)).collect();
        if candidates.is_empty() {
            return Err(FileError::Kind);
        }
        let ending = name.ending();
        if ending.is_some_and(|ending| !candidates.iter().any(|kind| kind.may_end_in(&ending))) {
            return Err(FileError::Name);
        }
        Ok(Some(taken.limit_of(&candidates, self)))
    }

    /// What a file is that has come whole, whichever way it came: what its bytes say, when name and header agree.
    pub(crate) async fn check(
        &self,
        spool: SpoolFile,
        name: FileName,
        declared: Option<&str>,
        taken: Taken,
    ) -> Result<Arrival, FileError> {
        let (guess, is_text, path) = (spool.guess, spool.is_text, spool.path().to_owned());
        let settled = crate::spool::blocking(move || crate::sniff::settle(guess, is_text, &path)).await?;
        let kind = settled.filter(|kind| taken.kinds.contains(kind)).ok_or(FileError::Kind)?;
        if name.ending().is_some_and(|ending| !kind.may_end_in(&ending)) {
            return Err(FileError::Name);
        }
        if declared.is_some_and(|declared| !kind.may_be_called(declared)) {
            return Err(FileError::Header);
        }
        let limit = taken.limit_of(&[kind], self);
        if spool.size > limit {
            return Err(FileError::TooLarge(limit));
        }
        Ok(Arrival { spool, name, kind })
    }
}

/// The boundary that a `Content-Type` names.
fn boundary(content_type: &str) -> Result<String, FileError> {
    let Ok(parsed) = content_type.parse::<mime::Mime>() else {
        let is_form = content_type.to_ascii_lowercase().starts_with("multipart/form-data");
        return Err(if is_form { FileError::NoBoundary } else { FileError::NotMultipart });
    };
    if (parsed.type_(), parsed.subtype()) != (mime::MULTIPART, mime::FORM_DATA) {
        return Err(FileError::NotMultipart);
    }
    let boundary = parsed.get_param(mime::BOUNDARY).ok_or(FileError::NoBoundary)?.as_str();
    if (1..=LONGEST_BOUNDARY).contains(&boundary.len()) {
        Ok(boundary.to_owned())
    } else {
        Err(FileError::NoBoundary)
    }
}

/// A field that is no file.
async fn text(part: &mut Field<'_>, name: &'static str) -> Result<String, FileError> {
    let mut bytes = Vec::new();
    while let Some(piece) = patiently(part.chunk()).await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > LONGEST_TEXT {
            return Err(FileError::Field(name, Flaw::new("TOO_LONG", "This is too long.")));
        }
    }
    let flaw = Flaw::new("INVALID", "This is no text in UTF-8.");
    let text = String::from_utf8(bytes).map_err(|_| FileError::Field(name, flaw))?;
    if text.contains('\0') {
        let flaw = Flaw::new("NUL_CHARACTER", "Text must not contain the character U+0000.");
        return Err(FileError::Field(name, flaw));
    }
    Ok(text)
}

/// What comes of a step of reading, unless nothing comes for too long.
async fn patiently<T>(step: impl Future<Output = multer::Result<T>>) -> Result<T, FileError> {
    match timeout(PATIENCE, step).await {
        Ok(done) => done.map_err(of_form),
        Err(_) => Err(FileError::Slow),
    }
}

fn of_form(error: multer::Error) -> FileError {
    use multer::Error::{IncompleteFieldData, IncompleteStream, StreamReadFailed, StreamSizeExceeded};
    match error {
        StreamReadFailed(error) if error.is::<HeadTooLong>() => FileError::TooManyParts,
        IncompleteFieldData { .. } | IncompleteStream | StreamReadFailed(_) => FileError::Incomplete,
        StreamSizeExceeded { limit } => FileError::TooLarge(limit),
        error => FileError::Malformed(error.to_string()),
    }
}

/// The body, a piece to a poll: whoever reads parts of it takes all that is ready, which of a quick client would be
/// everything. What comes between two parts is bounded.
struct Pieces<'b> {
    body: &'b mut ByteStream,
    rests: bool,
    heads: Arc<AtomicUsize>,
}

#[derive(Debug, thiserror::Error)]
#[error("the head of a part is too long")]
struct HeadTooLong;

impl Stream for Pieces<'_> {
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.rests) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = ready!(this.body.as_mut().poll_next(context));
        this.rests = true;
        let Some(Ok(bytes)) = piece else { return Poll::Ready(piece) };
        let left = this.heads.load(Ordering::Relaxed);
        if left == 0 {
            return Poll::Ready(Some(Err(HeadTooLong.into())));
        }
        if left != usize::MAX {
            this.heads.store(left.saturating_sub(bytes.len()), Ordering::Relaxed);
        }
        Poll::Ready(Some(Ok(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_forms_with_a_decent_boundary_are_read() {
        assert_eq!(boundary("multipart/form-data; boundary=abc").unwrap(), "abc");
        assert_eq!(boundary("Multipart/Form-Data; boundary=\"a b\"").unwrap(), "a b");
        for other in ["application/json", "multipart/mixed; boundary=x", "", "multipart"] {
            assert!(matches!(boundary(other), Err(FileError::NotMultipart)), "{other}");
        }
        let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
        for without in ["multipart/form-data", "multipart/form-data; boundary=\"\"", &long] {
            assert!(matches!(boundary(without), Err(FileError::NoBoundary)), "{without}");
        }
    }
}
