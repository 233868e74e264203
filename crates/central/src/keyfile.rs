//! The file that holds the aggregator's secret Ed25519 key: one line of base64.

use smart_mining_wire::{KeyError, SecretKey};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error(
        "{0} exists and is left as it is; name another file, or move this one away if no farm trusts its key"
    )]
    Exists(PathBuf),
    #[error("{0} cannot be written: {1}; name a file in a folder that exists and is yours")]
    Write(PathBuf, io::Error),
    #[error("{0} cannot be read: {1}; make a key with `smart-mining-aggregator keygen FILE`")]
    Read(PathBuf, io::Error),
    #[error(
        "{0} holds no signing key: {1}; it must be the file that `smart-mining-aggregator keygen FILE` wrote"
    )]
    Key(PathBuf, KeyError),
    #[error("the operating system gave no random bytes: {0}")]
    Random(getrandom::Error),
}

/// Make a new key. An existing file is never overwritten: farms may trust its key.
pub fn generate(path: &Path) -> Result<SecretKey, KeyFileError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(KeyFileError::Random)?;
    let key = SecretKey::from_bytes(&seed);
    let failed = |error: io::Error| match error.kind() == io::ErrorKind::AlreadyExists {
        true => KeyFileError::Exists(path.into()),
        false => KeyFileError::Write(path.into(), error),
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    writeln!(file, "{}", key.to_base64()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    Ok(key)
}

pub fn read(path: &Path) -> Result<SecretKey, KeyFileError> {
    let unreadable = |error| KeyFileError::Read(path.into(), error);
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions();
    // Not an error: a container's secret mount is often readable for its group.
    if mode.mode() & 0o077 != 0 {
        log::warn!(
            "{} can be read by others (mode {:o}); `chmod 600` it",
            path.display(),
            mode.mode() & 0o777
        );
    }
    text.parse()
        .map_err(|error| KeyFileError::Key(path.into(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_private_and_is_never_overwritten() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("signing.key");
        let key = generate(&path).expect("a key");
        let mode = std::fs::metadata(&path).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(generate(&path), Err(KeyFileError::Exists(_))));
        assert_eq!(read(&path).expect("readable").public(), key.public());
    }

    #[test]
    fn a_file_that_is_no_key_is_named_without_its_content() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("signing.key");
        std::fs::write(&path, "c2VjcmV0").expect("written");
        let text = read(&path).expect_err("too short").to_string();
        assert!(
            text.contains("6 bytes") && !text.contains("c2VjcmV0"),
            "{text}"
        );
    }
}
