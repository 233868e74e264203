//! Asks the image's own system to restart, or to install a release.
//!
//! The proxy may do neither: it writes down what is wanted, and a path unit of the
//! image takes the file away and does it. Whether it was taken is waited for, so
//! that nobody is told that something happens which does not.

use crate::files;
use std::path::PathBuf;
use std::time::Duration;

const TAKEN_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub struct Machine {
    asked: PathBuf,
    taken_within: Duration,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl Machine {
    /// `asked`: the file that the image looks out for.
    pub fn new(asked: PathBuf) -> Self {
        Self {
            asked,
            taken_within: TAKEN_WITHIN,
            one_at_a_time: tokio::sync::Mutex::new(()),
        }
    }

    /// `wish`: one line.
    pub async fn ask(&self, wish: &str) -> Result<(), String> {
        let _one = self.one_at_a_time.lock().await;
        let (path, line) = (self.asked.clone(), format!("{wish}\n"));
        let cannot =
            |error: std::io::Error| format!("{} cannot be written: {error}", self.asked.display());
        tokio::task::spawn_blocking(move || files::replace(&path, line.as_bytes(), 0o600))
            .await
            .map_err(|fault| fault.to_string())?
            .map_err(cannot)?;
        let mut look = tokio::time::interval(LOOK_EVERY);
        let taken = async {
            loop {
                look.tick().await;
                if !self.asked.exists() {
                    return;
                }
            }
        };
        if tokio::time::timeout(self.taken_within, taken).await.is_ok() {
            return Ok(());
        }
        // Taken late it would come as a surprise.
        files::remove(&self.asked).map_err(cannot)?;
        Err(format!(
            "the system did not take it within {} s",
            self.taken_within.as_secs()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_takes_is_taken_back_and_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("asked");
        let mut machine = Machine::new(path.clone());
        machine.taken_within = Duration::from_secs(1);
        let refused = machine.ask("reboot").await;
        let why = "the system did not take it within 1 s";
        assert_eq!(refused, Err(why.to_owned()));
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_taken_is_one_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("asked");
        let (taken, seen) = (path.clone(), tokio::sync::oneshot::channel());
        std::thread::spawn(move || {
            let text = loop {
                match std::fs::read_to_string(&taken) {
                    Ok(text) if text.ends_with('\n') => break text,
                    Ok(_) | Err(_) => std::thread::yield_now(),
                }
            };
            std::fs::remove_file(&taken).expect("it is there");
            seen.0.send(text).expect("it waits");
        });
        let asked = Machine::new(path)
            .ask("update https://x.example/r.raucb")
            .await;
        assert_eq!(asked, Ok(()));
        let text = seen.1.await.expect("taken");
        assert_eq!(text, "update https://x.example/r.raucb\n");
    }
}
