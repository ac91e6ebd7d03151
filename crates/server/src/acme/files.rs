//! What is kept of a directory in the data folder: the account, and the certificate with its key. Nobody else may read it.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";
/// No file of ours is longer.
const MOST_BYTES: u64 = 1 << 20;

/// Why nothing can be kept.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Others on this machine could pass for this server.
    #[error("{} can be read by others (mode {mode:03o}); `chmod 600` it, or remove it if they are not trusted", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file cannot be made or read.
    #[error("{} cannot be kept: {source}; set STOA_DATA_DIR to a folder of your own", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The folder of one directory.
#[derive(Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes it if it is not there. Each directory has its own: an account and a certificate are good for one.
    pub(super) fn open(data_dir: &Path, directory: &str) -> Result<Self, FolderError> {
        let folder = Self::look(data_dir, directory);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder.0);
        made.map_err(|source| FolderError::File { path: folder.0.clone(), source })?;
        Ok(folder)
    }

    /// Where it is or would be.
    pub(super) fn look(data_dir: &Path, directory: &str) -> Self {
        let bare = directory.split_once("://").map_or(directory, |(_, bare)| bare);
        let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '_' };
        Self(data_dir.join("acme").join(bare.chars().map(plain).collect::<String>()))
    }

    pub(super) fn account(&self) -> Result<Option<Vec<u8>>, FolderError> {
        self.read(ACCOUNT)
    }

    pub(super) fn keep_account(&self, account: &[u8]) -> Result<(), FolderError> {
        self.write(ACCOUNT, account)
    }

    pub(super) fn certificate(&self) -> Result<Option<Vec<u8>>, FolderError> {
        self.read(CERTIFICATE)
    }

    pub(super) fn keep_certificate(&self, pem: &str) -> Result<(), FolderError> {
        self.write(CERTIFICATE, pem.as_bytes())
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, FolderError> {
        let path = self.0.join(name);
        let failed = |source| FolderError::File { path: path.clone(), source };
        let about = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            about => about.map_err(failed)?,
        };
        let mode = about.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(FolderError::Readable { path, mode });
        }
        if about.len() > MOST_BYTES {
            return Err(failed(io::ErrorKind::FileTooLarge.into()));
        }
        fs::read(&path).map(Some).map_err(failed)
    }

    /// Whole or not at all: written beside its place, with 0600, and moved there.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.0.join(name);
        let written = || {
            let mut draft = NamedTempFile::new_in(&self.0)?;
            draft.write_all(bytes)?;
            draft.as_file().sync_all()?;
            draft.persist(&path)?;
            File::open(&self.0)?.sync_all()
        };
        written().map_err(|source| FolderError::File { path: path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_for_nobody_else_and_each_directory_has_its_own() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::open(data.path(), "https://acme.example/dir/../x?y").unwrap();
        assert!(
            folder.0.starts_with(data.path().join("acme")) && folder.0.parent().unwrap().ends_with("acme")
        );
        assert_eq!(folder.certificate().unwrap(), None);
        folder.keep_certificate("first").unwrap();
        folder.keep_certificate("second").unwrap();
        assert_eq!(folder.certificate().unwrap().unwrap(), b"second");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder.0), mode(&folder.0.join(CERTIFICATE))), (0o700, 0o600));
        assert_eq!(
            Folder::open(data.path(), "https://other.example/dir").unwrap().certificate().unwrap(),
            None
        );

        fs::set_permissions(folder.0.join(CERTIFICATE), fs::Permissions::from_mode(0o640)).unwrap();
        let refused = folder.certificate().unwrap_err().to_string();
        assert!(refused.contains("mode 640") && refused.contains("chmod 600"), "{refused}");
    }
}
