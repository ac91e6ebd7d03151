//! How a file comes to its place.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::Path,
    time::Duration,
};

use tempfile::NamedTempFile;

use super::{Inner, ObjectKey, StorageError, TRIES, present};

/// No put takes this long, so a draft that is older belongs to one that was interrupted.
const FORSAKEN: Duration = Duration::from_hours(24);
/// What a trial writes: as much as makes the file system look for room.
const TRIAL: [u8; 4_096] = [0; 4_096];

impl Inner {
    pub(super) fn put(&self, key: &ObjectKey, bytes: &[u8]) -> io::Result<()> {
        let mut draft = self.draft()?;
        draft.write_all(bytes)?;
        self.publish(draft, key)
    }

    /// Takes the file itself where it lies on the same file system, else a copy.
    pub(super) fn put_file(&self, key: &ObjectKey, source: &Path) -> Result<(), StorageError> {
        let mut file = File::open(source).map_err(StorageError::Source)?;
        file.sync_all().map_err(StorageError::of_file)?;
        match self.rename(source, key) {
            Err(apart) if apart.kind() == io::ErrorKind::CrossesDevices => {
                let copied = self.draft().and_then(|mut draft| {
                    io::copy(&mut file, &mut draft)?;
                    self.publish(draft, key)
                });
                copied.map_err(StorageError::of_file)
            }
            renamed => renamed.map_err(StorageError::of_file),
        }
    }

    /// A file to be filled. Dropped before it is published, it is gone.
    fn draft(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(&self.drafts)
    }

    fn publish(&self, draft: NamedTempFile, key: &ObjectKey) -> io::Result<()> {
        draft.as_file().sync_all()?;
        let mut path = draft.into_temp_path();
        self.rename(&path, key)?;
        // Nothing lies there any more, so there is nothing to remove.
        path.disable_cleanup(true);
        Ok(())
    }

    /// Moves a synced file to its place, for good.
    fn rename(&self, from: &Path, key: &ObjectKey) -> io::Result<()> {
        let place = self.place(key);
        let folder = place.parent().unwrap_or(&self.root);
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match fs::rename(from, &place) {
                Err(missing) if missing.kind() == io::ErrorKind::NotFound && tries > 0 => {
                    let _alone = self.folders.write();
                    make_folder(folder)?;
                }
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        let _made = self.folders.read();
        // It may have been deleted meanwhile, and its folder with it.
        present(File::open(folder))?.map_or(Ok(()), |folder| folder.sync_all())
    }

    pub(super) fn try_writing(&self) -> io::Result<()> {
        self.draft()?.write_all(&TRIAL)
    }

    /// Removes drafts that are older than any put takes, by the clock of the file system.
    pub(super) fn sweep(&self) -> io::Result<()> {
        let now = self.draft()?.as_file().metadata()?.modified()?;
        for file in fs::read_dir(&self.drafts)? {
            let file = file?;
            let Some(about) = present(file.metadata())? else { continue };
            if now.duration_since(about.modified()?).is_ok_and(|age| age > FORSAKEN) {
                present(fs::remove_file(file.path()))?;
            }
        }
        Ok(())
    }
}

/// Makes a folder and those above it, each synced into the one above.
fn make_folder(folder: &Path) -> io::Result<()> {
    let Some(above) = folder.parent() else { return Ok(()) };
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => File::open(above)?.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(above)?;
            make_folder(folder)
        }
        Err(error) => Err(error),
    }
}
