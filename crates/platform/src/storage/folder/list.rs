//! What is in a folder, looked at a little at a time.

use std::{
    collections::VecDeque,
    fs::{self, ReadDir},
    io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};

use super::{
    super::{Listing, ObjectKey, StorageError, StoredObject, key::is_part},
    blocking, present,
};

/// How many files a thread looks at before others have their turn.
const BATCH: usize = 256;

/// The objects below a folder of the root, or all.
pub(super) fn below(root: &Path, folder: Option<ObjectKey>) -> Listing {
    let (path, prefix) = match folder {
        Some(folder) => (root.join(folder.as_str()), format!("{folder}/")),
        None => (root.to_owned(), String::new()),
    };
    let walk = Walk { unopened: vec![(path, prefix)], open: None, found: VecDeque::new() };
    stream::try_unfold(walk, |mut walk| async move {
        if walk.found.is_empty() {
            let search = move || walk.search().map(|()| walk).map_err(StorageError::of_file);
            walk = blocking(search).await?;
        }
        Ok(walk.found.pop_front().map(|object| (object, walk)))
    })
    .boxed()
}

/// A folder on the disk, and what the keys of its files begin with.
type Place = (PathBuf, String);

struct Walk {
    unopened: Vec<Place>,
    open: Option<(ReadDir, String)>,
    found: VecDeque<StoredObject>,
}

impl Walk {
    /// Goes on until a batch of objects is found or there is nothing left.
    fn search(&mut self) -> io::Result<()> {
        while self.found.len() < BATCH {
            let Some((folder, prefix)) = &mut self.open else {
                let Some((path, prefix)) = self.unopened.pop() else { return Ok(()) };
                self.open = present(fs::read_dir(path))?.map(|folder| (folder, prefix));
                continue;
            };
            let Some(entry) = folder.next().transpose()? else {
                self.open = None;
                continue;
            };
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_part(name)) else { continue };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.unopened.push((entry.path(), format!("{prefix}{name}/")));
            } else if kind.is_file()
                && let Some(about) = present(entry.metadata())?
                && let Ok(key) = ObjectKey::parse(&format!("{prefix}{name}"))
            {
                let modified = DateTime::<Utc>::from(about.modified()?).into();
                self.found.push_back(StoredObject { key, size: about.len(), modified });
            }
        }
        Ok(())
    }
}
