//! From a file that has come to what is kept of it: looked through for harm, a picture turned into those that are served.

use std::{fs::File as DiskFile, sync::Arc, time::Duration};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use stoa_pictures::{Bounds, PictureError, Prepared as Pictures, Rendition};

use crate::{
    Files,
    error::FileError,
    kinds::Kind,
    names::FileName,
    spool::{SpoolFile, hexadecimal},
};

/// How long a file waits for its turn among the pictures before it is refused.
const PATIENCE: Duration = Duration::from_mins(1);

/// The sides of a square.
const SQUARE: &str = "400";

/// A file that has come whole, of a kind that is taken.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) spool: SpoolFile,
    pub(crate) name: FileName,
    pub(crate) kind: Kind,
}

/// What is to be kept of a file.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) kind: Kind,
    pub(crate) original_name: String,
    pub(crate) content_type: &'static str,
    pub(crate) extension: &'static str,
    pub(crate) size: u64,
    pub(crate) checksum: String,
    pub(crate) dimensions: Option<(u32, u32)>,
    pub(crate) thumbnail: Option<Bytes>,
    pub(crate) main: Content,
    /// What was sent, where that is to be kept besides; with its ending.
    pub(crate) original: Option<(SpoolFile, &'static str)>,
}

/// The bytes of what is served.
#[derive(Debug)]
pub(crate) enum Content {
    /// As they came.
    Spooled(SpoolFile),
    /// Made of what came.
    Made(Bytes),
}

/// What is to be made of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// As large as pictures are served.
    Usual,
    /// A square, for pictures of people.
    Square,
}

impl Files {
    /// Makes of what has come what is kept.
    pub(crate) async fn prepare(&self, arrival: Arrival, shape: Shape) -> Result<Prepared, FileError> {
        self.scan(&arrival).await?;
        let Arrival { spool, name, kind } = arrival;
        let Some(pictures) = self.pictures_of(&spool, kind, shape).await? else {
            return Ok(as_it_came(spool, name, kind));
        };
        let Pictures { main, thumbnail } = pictures;
        let keep = self.settings().keep_originals && shape == Shape::Usual;
        let served = Kind::ALL.into_iter().find(|kind| kind.content_type() == main.content_type);
        let bytes = Bytes::from(main.bytes);
        Ok(Prepared {
            kind,
            original_name: name.or_file(kind.name()),
            content_type: main.content_type,
            extension: served.unwrap_or(Kind::Webp).name(),
            size: bytes.len() as u64,
            checksum: hexadecimal(&Sha256::digest(&bytes)),
            dimensions: Some((main.width, main.height)),
            thumbnail: thumbnail.map(|picture| picture.bytes.into()),
            main: Content::Made(bytes),
            original: keep.then(|| (spool, kind.name())),
        })
    }

    /// The pictures that are served in the place of one that was sent; none when it is no picture.
    async fn pictures_of(
        &self,
        spool: &SpoolFile,
        kind: Kind,
        shape: Shape,
    ) -> Result<Option<Pictures>, FileError> {
        let Some(picture) = kind.picture() else { return Ok(None) };
        let (path, bounds) = (spool.path().to_owned(), self.picture_bounds());
        let work = move || -> Result<Pictures, FileError> {
            let pictures = stoa_pictures::prepare(DiskFile::open(&path)?, picture, &bounds)?;
            match shape {
                Shape::Usual => Ok(pictures),
                Shape::Square => squared(pictures, &bounds),
            }
        };
        self.on_a_processor(work).await?.map(Some)
    }

    /// Does work for which a processor is needed, waiting a while for a turn when many want one.
    pub(crate) async fn on_a_processor<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, FileError> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(self.turns()).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(FileError::Busy) };
        // It goes with the work, which stays queued when nobody waits for it any more.
        let work = move || {
            let _turn = turn;
            work()
        };
        Ok(self.processors().run(work).await?)
    }
}

/// A file that is kept as it came.
fn as_it_came(spool: SpoolFile, name: FileName, kind: Kind) -> Prepared {
    Prepared {
        kind,
        original_name: name.or_file(kind.name()),
        content_type: kind.content_type(),
        extension: kind.name(),
        size: spool.size,
        checksum: spool.checksum.clone(),
        dimensions: None,
        thumbnail: None,
        main: Content::Spooled(spool),
        original: None,
    }
}

/// The same picture as a square, of which the middle is seen.
fn squared(pictures: Pictures, bounds: &Bounds) -> Result<Pictures, FileError> {
    let unknown = || PictureError::Unsupported("there is no such square".into());
    let square = Rendition::parse([("w", SQUARE), ("h", SQUARE), ("fit", "cover")]);
    let square = square.ok().flatten().ok_or_else(unknown)?;
    let main = stoa_pictures::render(&pictures.main.bytes, &square, bounds)?;
    Ok(Pictures { main, ..pictures })
}
