//! The database's password from the environment or from a file, so that it is part of
//! neither a command line nor a URL that is shown somewhere.

use std::path::PathBuf;

const VALUE: &str = "SMART_MINING_DATABASE_PASSWORD";
const FILE: &str = "SMART_MINING_DATABASE_PASSWORD_FILE";

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("{VALUE} and {FILE} are both set; set one of them")]
    Both,
    #[error(
        "{0}, named by {FILE}, cannot be read: {1}; name a file with the password that this user can read"
    )]
    Read(PathBuf, std::io::Error),
    #[error("{0}, named by {FILE}, is empty; write the password into it")]
    Empty(PathBuf),
}

/// What this process was given; it replaces a password in the URL.
pub fn given() -> Result<Option<String>, PasswordError> {
    // An empty variable is how a compose file spells "none".
    let file = std::env::var_os(FILE).filter(|name| !name.is_empty());
    read(std::env::var(VALUE).ok(), file.map(PathBuf::from))
}

fn read(value: Option<String>, file: Option<PathBuf>) -> Result<Option<String>, PasswordError> {
    let value = value.filter(|value| !value.is_empty());
    let Some(file) = file else {
        return Ok(value);
    };
    if value.is_some() {
        return Err(PasswordError::Both);
    }
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) => return Err(PasswordError::Read(file, error)),
    };
    // Editors and `echo` end the line; a password may well end in a space.
    match text.trim_end_matches(['\n', '\r']) {
        "" => Err(PasswordError::Empty(file)),
        password => Ok(Some(password.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_with(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("password");
        std::fs::write(&path, text).expect("written");
        (folder, path)
    }

    #[test]
    fn the_value_or_the_files_line_is_the_password() {
        assert_eq!(read(None, None).expect("none"), None);
        assert_eq!(read(Some(String::new()), None).expect("none"), None);
        let value = read(Some("hunter2".into()), None).expect("a value");
        assert_eq!(value.as_deref(), Some("hunter2"));
        let (_folder, path) = file_with(" hunter3 \r\n");
        let value = read(Some(String::new()), Some(path)).expect("a file");
        assert_eq!(value.as_deref(), Some(" hunter3 "));
    }

    #[test]
    fn what_is_wrong_is_named_without_the_password() {
        let (_folder, path) = file_with("hunter2\n");
        let both = read(Some("hunter3".into()), Some(path)).expect_err("two passwords");
        assert!(!both.to_string().contains("hunter"), "{both}");
        let (_folder, path) = file_with("\n");
        let empty = read(None, Some(path)).expect_err("an empty file");
        assert!(matches!(empty, PasswordError::Empty(_)));
        let absent = read(None, Some("/nonexistent/password".into())).expect_err("no file");
        assert!(absent.to_string().contains("/nonexistent/password"));
    }
}
