//! How a file is read: a piece at a time, each by a thread that may block.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::Path,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::{ObjectBody, StorageError, blocking, present};

/// How much is read at once, and so what a slow reader makes the node hold.
const CHUNK: u64 = 128 * 1_024;

/// The file, read up to the end of its first piece; small files need no second visit to the disk.
pub(super) fn open(place: &Path, range: Option<Range<u64>>) -> Result<Option<ObjectBody>, StorageError> {
    let Some(mut file) = present(File::open(place)).map_err(StorageError::of_file)? else { return Ok(None) };
    let about = file.metadata().map_err(StorageError::of_file)?;
    if !about.is_file() {
        return Ok(None);
    }
    let (size, whole) = (about.len(), range.is_none());
    let range = range.unwrap_or(0..size);
    if !whole && (range.start >= range.end || range.end > size) {
        return Err(StorageError::OutOfRange { range, size });
    }
    if range.start > 0 {
        file.seek(SeekFrom::Start(range.start)).map_err(StorageError::of_file)?;
    }
    let mut rest = Rest { file, left: range.end - range.start };
    let first = rest.next().map_err(StorageError::of_file)?;
    let first = stream::once(std::future::ready(Ok(first)));
    let stream = if rest.left == 0 { first.boxed() } else { first.chain(chunks(rest)).boxed() };
    Ok(Some(ObjectBody { size, stream }))
}

/// What is left of a file that is being read.
struct Rest {
    file: File,
    left: u64,
}

impl Rest {
    fn next(&mut self) -> io::Result<Bytes> {
        let wanted = self.left.min(CHUNK);
        let mut chunk = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        let read = (&self.file).take(wanted).read_to_end(&mut chunk)? as u64;
        if read < wanted {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a stored file has become shorter"));
        }
        self.left -= read;
        Ok(chunk.into())
    }
}

fn chunks(rest: Rest) -> impl stream::Stream<Item = Result<Bytes, StorageError>> + Send + 'static {
    stream::try_unfold(rest, |mut rest| async move {
        if rest.left == 0 {
            return Ok(None);
        }
        let read = move || rest.next().map(|chunk| Some((chunk, rest))).map_err(StorageError::of_file);
        blocking(read).await
    })
}
