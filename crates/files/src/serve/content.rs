//! From a name to an answer with bytes.

use std::{ops::Range, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use stoa_contracts::files::Visibility;
use stoa_http::Verbatim;
use stoa_kernel::{Actor, Refusal};
use stoa_pictures::Rendition;
use stoa_platform::storage::{ObjectKey, Storage, StorageError};

use super::{
    LARGEST_KEPT,
    conditions::{Decision, Validators},
    ranges::Wanted,
    renditions::ending,
};
use crate::{
    Files,
    error::FileError,
    file::{File, Part, StoredName},
    kinds::Kind,
    sign::{LinkFlaw, Purpose},
};

/// How public content may be kept by others: it never changes.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");
/// Whatever it is, nothing in it runs and nothing is loaded from it.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
/// What need not be encoded in the value of a header's parameter (RFC 8187).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// What is asked for.
pub(crate) struct Asked {
    pub(crate) name: StoredName,
    /// A signed link's end and signature.
    pub(crate) link: Option<(String, String)>,
    /// Whether it is to be saved rather than shown.
    pub(crate) download: bool,
    pub(crate) rendition: Option<Rendition>,
}

/// How it is asked for.
pub(crate) struct Head<'r> {
    pub(crate) method: &'r Method,
    pub(crate) headers: &'r HeaderMap,
}

/// An object to be served, and what is said of it.
pub(super) struct Served {
    pub(super) source: Source,
    pub(super) size: u64,
    pub(super) content_type: String,
    pub(super) etag: String,
}

/// Where the bytes of an object are.
pub(super) enum Source {
    /// In memory.
    Kept(Bytes),
    /// In the store.
    Stored(ObjectKey),
}

impl Files {
    /// The content of a file, for whoever may have it; to others there is none.
    pub(crate) async fn content(
        &self,
        actor: Result<&Actor, Refusal>,
        asked: Asked,
        head: &Head<'_>,
    ) -> Result<Response, FileError> {
        let file = self.allowed(actor, &asked).await?;
        if file.name(asked.name.part) != asked.name {
            return Err(FileError::Unknown);
        }
        let served = match &asked.rendition {
            Some(rendition) if asked.name.part == Part::Main && file.extension == Kind::Webp.name() => {
                self.rendition(&file, rendition).await?
            }
            Some(_) => return Err(FileError::NoRendition),
            None => self.object(&file, asked.name.part).await?,
        };
        let validators =
            Validators { etag: served.etag.clone(), modified: file.uploaded_at.unwrap_or(file.created_at) };
        let mut response = match validators.decide(head.headers) {
            Decision::Failed => return Err(FileError::Precondition),
            Decision::NotModified => answer(StatusCode::NOT_MODIFIED, Body::empty()),
            Decision::Serve => self.body(served, &validators, head).await?,
        };
        describe(response.headers_mut(), &file, &asked, &validators);
        response.extensions_mut().insert(Verbatim);
        Ok(response)
    }

    /// The file, if it may be read: by everybody, by whoever asks, or by whoever has the link.
    async fn allowed(&self, actor: Result<&Actor, Refusal>, asked: &Asked) -> Result<File, FileError> {
        let id = asked.name.id;
        let now = self.0.platform.clock.now();
        let link = asked.link.as_ref().map(|(expires, signature)| {
            self.0.links.check(Purpose::Read, id, (expires.as_str(), signature.as_str()), now)
        });
        // A credential that is no good is no reason to refuse what everybody may have.
        let person = actor.as_ref().map_or(&Actor::Guest, |actor| *actor);
        let found = self.readable(person, id, link == Some(Ok(()))).await?;
        let is_own = |file: &File| matches!(person, Actor::User(person) if file.owner == person.user.into());
        match (found, link) {
            // What was sent may tell where a picture was taken.
            (Some(file), _) if asked.name.part == Part::Original && !is_own(&file) => Err(FileError::Unknown),
            (Some(file), _) => Ok(file),
            (None, Some(Err(flaw))) => Err(FileError::Link(flaw)),
            (None, _) => match actor {
                Err(refusal) => Err(refusal.into()),
                Ok(_) => Err(FileError::Unknown),
            },
        }
    }

    /// A part of a file as it lies in the store.
    async fn object(&self, file: &File, part: Part) -> Result<Served, FileError> {
        let found = file.parts().find(|(one, _)| *one == part);
        let (_, size) = found.ok_or(FileError::Unknown)?;
        let (content_type, mark) = match part {
            Part::Main => (file.content_type.clone(), ""),
            Part::Thumbnail => (Kind::Webp.content_type().to_owned(), "-thumb"),
            Part::Original => (file.kind.content_type().to_owned(), "-original"),
        };
        let key = file.key(part)?;
        let source = self.source(key, size).await?;
        Ok(Served { source, size, content_type, etag: etag(file, mark) })
    }

    /// Small objects from memory, where they are put when they are asked for.
    pub(super) async fn source(&self, key: ObjectKey, size: u64) -> Result<Source, FileError> {
        if size > LARGEST_KEPT {
            return Ok(Source::Stored(key));
        }
        if let Some(bytes) = self.0.servings.kept(&key) {
            return Ok(Source::Kept(bytes));
        }
        let bytes = self.whole(&key, size).await?;
        self.0.servings.keep(key, bytes.clone());
        Ok(Source::Kept(bytes))
    }

    /// All bytes of an object that has so many.
    pub(super) async fn whole(&self, key: &ObjectKey, size: u64) -> Result<Bytes, FileError> {
        let found = self.storage().read(key, None).await?.ok_or_else(|| missing(key))?;
        let mut bytes = BytesMut::with_capacity(usize::try_from(size).unwrap_or_default());
        let mut stream = found.stream;
        while let Some(piece) = stream.try_next().await? {
            if bytes.len() + piece.len() > usize::try_from(size).unwrap_or(usize::MAX) {
                return Err(missing(key).into());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }

    async fn body(
        &self,
        served: Served,
        validators: &Validators,
        head: &Head<'_>,
    ) -> Result<Response, FileError> {
        let Served { source, size, content_type, .. } = served;
        let wanted = match *head.method {
            Method::GET if validators.allow_range(head.headers) => Wanted::of(head.headers, size),
            _ => Wanted::Whole,
        };
        let kind = HeaderValue::from_str(&content_type).map_err(Refusal::internal)?;
        match wanted {
            Wanted::Nothing => Err(FileError::Range(size)),
            Wanted::Whole => {
                let mut response = answer(StatusCode::OK, Body::empty());
                if head.method != Method::HEAD {
                    *response.body_mut() = self.part(source, 0..size).await?;
                }
                set(&mut response, header::CONTENT_TYPE, kind);
                set(&mut response, header::CONTENT_LENGTH, size.into());
                Ok(response)
            }
            Wanted::Part(part) => {
                let (range, length) = (content_range(&part, size)?, part.end - part.start);
                let mut response = answer(StatusCode::PARTIAL_CONTENT, self.part(source, part).await?);
                set(&mut response, header::CONTENT_TYPE, kind);
                set(&mut response, header::CONTENT_RANGE, range);
                set(&mut response, header::CONTENT_LENGTH, length.into());
                Ok(response)
            }
            Wanted::Parts(parts) => self.parts(source, parts, (&content_type, size)),
        }
    }

    async fn part(&self, source: Source, part: Range<u64>) -> Result<Body, FileError> {
        match source {
            Source::Kept(bytes) => Ok(Body::from(slice(&bytes, &part))),
            Source::Stored(key) => {
                let found = self.storage().read(&key, Some(part)).await?.ok_or_else(|| missing(&key))?;
                Ok(Body::from_stream(found.stream))
            }
        }
    }

    /// Several parts, each with a head of its own, read one after the other as they are sent.
    fn parts(
        &self,
        source: Source,
        parts: Vec<Range<u64>>,
        (content_type, size): (&str, u64),
    ) -> Result<Response, FileError> {
        let boundary = format!("{:032x}", u128::from_le_bytes(self.0.platform.random.bytes()));
        let (mut pieces, mut length) = (Vec::new(), 0);
        for part in parts {
            let head = format!(
                "\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: bytes {}-{}/{size}\r\n\r\n",
                part.start,
                part.end - 1
            );
            length += head.len() as u64 + part.end - part.start;
            pieces.push((Bytes::from(head), Some(part)));
        }
        let end = format!("\r\n--{boundary}--\r\n");
        length += end.len() as u64;
        pieces.push((Bytes::from(end), None));

        let (storage, source) = (self.storage().clone(), Arc::new(source));
        let stream = stream::iter(pieces).flat_map(move |(head, part)| {
            let (storage, source) = (storage.clone(), Arc::clone(&source));
            let rest = async move {
                match part {
                    Some(part) => piece(&storage, &source, part).await,
                    None => Ok(stream::empty().boxed()),
                }
            };
            stream::iter([Ok(head)]).chain(stream::once(rest).try_flatten()).boxed()
        });
        let mut response = answer(StatusCode::PARTIAL_CONTENT, Body::from_stream(stream));
        let kind = format!("multipart/byteranges; boundary={boundary}");
        set(&mut response, header::CONTENT_TYPE, HeaderValue::from_str(&kind).map_err(Refusal::internal)?);
        set(&mut response, header::CONTENT_LENGTH, length.into());
        Ok(response)
    }
}

type Chunks = futures_util::stream::BoxStream<'static, Result<Bytes, StorageError>>;

async fn piece(storage: &Storage, source: &Source, part: Range<u64>) -> Result<Chunks, StorageError> {
    match source {
        Source::Kept(bytes) => {
            let bytes = slice(bytes, &part);
            Ok(stream::once(std::future::ready(Ok(bytes))).boxed())
        }
        Source::Stored(key) => match storage.read(key, Some(part)).await? {
            Some(found) => Ok(found.stream.boxed()),
            None => Err(StorageError::Unavailable(format!("the object {key} of a file is not there"))),
        },
    }
}

fn slice(bytes: &Bytes, part: &Range<u64>) -> Bytes {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(place(part.start)..place(part.end))
}

fn answer(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn set(response: &mut Response, name: HeaderName, value: HeaderValue) {
    response.headers_mut().insert(name, value);
}

fn content_range(part: &Range<u64>, size: u64) -> Result<HeaderValue, Refusal> {
    let text = format!("bytes {}-{}/{size}", part.start, part.end - 1);
    HeaderValue::from_str(&text).map_err(Refusal::internal)
}

/// A row says that it is there, so this is ours to mend.
pub(super) fn missing(key: &ObjectKey) -> Refusal {
    Refusal::internal(format!("the object {key} of a file is not there"))
}

/// The mark of an object: of what it is made of, and how.
pub(super) fn etag(file: &File, how: &str) -> String {
    let mark = file.checksum.get(..32).unwrap_or(&file.checksum);
    format!("\"{mark}{how}\"")
}

/// What is said of every answer with content, whole, part or none.
fn describe(headers: &mut HeaderMap, file: &File, asked: &Asked, validators: &Validators) {
    let public = file.visibility == Visibility::Public && asked.name.part != Part::Original;
    let caching = if public { IMMUTABLE } else { PRIVATE };
    headers.insert(header::CACHE_CONTROL, caching);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    let shown = file.kind.is_shown() && !asked.download;
    let texts = [
        (header::ETAG, validators.etag.clone()),
        (header::LAST_MODIFIED, validators.date()),
        (header::CONTENT_DISPOSITION, disposition(shown, &name_of(file, asked))),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

/// The name that is offered when it is saved: what whoever sent it called it, with the ending of what is served.
fn name_of(file: &File, asked: &Asked) -> String {
    let stem = file.original_name.rsplit_once('.').map_or(file.original_name.as_str(), |(stem, _)| stem);
    match (asked.name.part, &asked.rendition) {
        (Part::Original, _) => file.original_name.clone(),
        (Part::Thumbnail, _) => format!("{stem}_thumb.webp"),
        (Part::Main, Some(rendition)) => format!("{stem}.{}", ending(rendition)),
        (Part::Main, None) if file.kind.may_end_in(&file.extension) => file.original_name.clone(),
        (Part::Main, None) => format!("{stem}.{}", file.extension),
    }
}

/// `Content-Disposition` with the name in plain letters, and as it is for whoever understands that (RFC 6266).
fn disposition(shown: bool, name: &str) -> String {
    let kind = if shown { "inline" } else { "attachment" };
    let plain: String =
        name.chars()
            .map(|one| {
                if one.is_ascii_graphic() && !matches!(one, '"' | '\\' | '%') || one == ' ' {
                    one
                } else {
                    '_'
                }
            })
            .collect();
    if plain == name {
        format!("{kind}; filename=\"{plain}\"")
    } else {
        format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, PLAIN))
    }
}

impl From<LinkFlaw> for FileError {
    fn from(flaw: LinkFlaw) -> Self {
        Self::Link(flaw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_offered_plain_and_as_they_are() {
        assert_eq!(disposition(true, "photo 1.png"), "inline; filename=\"photo 1.png\"");
        assert_eq!(
            disposition(false, "Übung \"1\".pdf"),
            "attachment; filename=\"_bung _1_.pdf\"; filename*=UTF-8''%C3%9Cbung%20%221%22.pdf"
        );
        assert_eq!(
            disposition(false, "100%.txt"),
            "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"
        );
    }
}
