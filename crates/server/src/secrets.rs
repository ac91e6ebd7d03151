//! The secret that signs access tokens: the configured one, else one made at first start and kept in the data folder.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use stoa_kernel::Random;

use crate::settings::{SECRET_BYTES, Settings};

/// The file in the data folder.
const FILE: &str = "signing-secret";
/// No secret is longer; whatever is was put there by mistake.
const MOST_BYTES: u64 = 64 * 1024;

/// Why there is no secret to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Others on this machine could sign tokens.
    #[error("{} can be read by others (mode {mode:03o}); `chmod 600` it, and make a new one if they are not trusted", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The kept secret could be guessed, or was damaged.
    #[error("{} holds {bytes} bytes where a secret has at least {SECRET_BYTES}; remove it, then a new one is made and everybody signs in anew", path.display())]
    Short {
        /// The file.
        path: PathBuf,
        /// How many bytes it holds.
        bytes: usize,
    },
    /// The file cannot be made or read.
    #[error("the signing secret {} cannot be kept: {source}; set STOA_DATA_DIR to a folder of your own, or STOA_JWT_SECRET", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Gives the settings a secret unless the configuration did: the kept one, else a new one that is kept from now on.
pub fn signing_secret(settings: &mut Settings, random: &Random) -> Result<(), SecretError> {
    if settings.accounts.jwt_secret.is_empty() {
        settings.accounts.jwt_secret = kept_or_new(&settings.data_dir, random)?;
    }
    Ok(())
}

/// Whether a secret is kept already, and may be used.
pub fn check_kept(data_dir: &Path) -> Result<bool, SecretError> {
    read(&data_dir.join(FILE)).map(|secret| secret.is_some())
}

/// Makes the data folder if it is not there; nobody else may look into it.
pub(crate) fn make_data_folder(data_dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir)
}

fn kept_or_new(data_dir: &Path, random: &Random) -> Result<Vec<u8>, SecretError> {
    let path = data_dir.join(FILE);
    if let Some(secret) = read(&path)? {
        return Ok(secret);
    }
    let failed = |source| SecretError::File { path: path.clone(), source };
    match keep(data_dir, &path, random.secret().as_bytes()) {
        // Another node on the same folder may have been quicker; then its secret is ours too.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    read(&path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

/// Written whole beside its place and linked into it, so that a crash never leaves half a secret, and no secret that is
/// there is ever replaced.
fn keep(data_dir: &Path, path: &Path, secret: &[u8]) -> io::Result<()> {
    make_data_folder(data_dir)?;
    let draft = data_dir.join(format!("{FILE}.{}", std::process::id()));
    // What a process of this id left behind when it crashed here.
    let _ = fs::remove_file(&draft);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let linked = file
        .write_all(secret)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path))
        .and_then(|()| File::open(data_dir)?.sync_all());
    fs::remove_file(&draft)?;
    linked
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, SecretError> {
    let failed = |source| SecretError::File { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Readable { path: path.to_owned(), mode });
    }
    let mut secret = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut secret).map_err(failed)?;
    let secret = secret.trim_ascii();
    if secret.len() < SECRET_BYTES {
        return Err(SecretError::Short { path: path.to_owned(), bytes: secret.len() });
    }
    Ok(Some(secret.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret_of(folder: &Path) -> Result<Vec<u8>, SecretError> {
        kept_or_new(folder, &Random::system())
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_first_start_makes_a_secret_that_only_we_read_and_the_next_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("deep/data");
        assert!(!check_kept(&data).unwrap());
        let secret = secret_of(&data).unwrap();
        assert!(secret.len() >= SECRET_BYTES);
        assert_eq!((mode(&data), mode(&data.join(FILE))), (0o700, 0o600));
        assert_eq!(secret_of(&data).unwrap(), secret);
        assert!(check_kept(&data).unwrap());
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn two_installations_have_different_secrets() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_ne!(secret_of(one.path()).unwrap(), secret_of(other.path()).unwrap());
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        secret_of(folder.path()).unwrap();
        for open in [0o640, 0o604, 0o660] {
            fs::set_permissions(folder.path().join(FILE), fs::Permissions::from_mode(open)).unwrap();
            let told = secret_of(folder.path()).unwrap_err();
            assert!(matches!(told, SecretError::Readable { mode, .. } if mode == open), "{told}");
            assert!(told.to_string().contains("chmod 600"));
        }
    }

    #[test]
    fn a_short_secret_is_refused_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        secret_of(folder.path()).unwrap();
        fs::write(&path, "short\n").unwrap();
        assert!(matches!(secret_of(folder.path()), Err(SecretError::Short { bytes: 5, .. })));
        assert_eq!(fs::read(&path).unwrap(), b"short\n");
    }

    #[test]
    fn whoever_is_slower_takes_the_secret_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let first = secret_of(folder.path()).unwrap();
        let quicker = keep(folder.path(), &folder.path().join(FILE), &[b'x'; 40]);
        assert_eq!(quicker.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(secret_of(folder.path()).unwrap(), first);
    }

    #[test]
    fn a_configured_secret_is_left_alone_and_no_file_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let configured = "0123456789abcdef0123456789abcdef";
        let data = folder.path().to_str().unwrap();
        let mut settings = Settings::of(&[("STOA_DATA_DIR", data), ("STOA_JWT_SECRET", configured)]).unwrap();
        signing_secret(&mut settings, &Random::system()).unwrap();
        assert_eq!(settings.accounts.jwt_secret, configured.as_bytes());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
