//! One question to central: is there a snapshot after the one in force?

use crate::config::Central;
use ureq::Agent;

/// An envelope is base64 of at most 512 KiB, with its signature.
const MAX_ENVELOPE: u64 = 800 * 1024;

/// Why a poll brought nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Connection(String),
    /// It came, and is of no use.
    #[error("{0}")]
    Answer(String),
}

pub(super) struct Question {
    pub agent: Agent,
    pub central: Central,
    /// The sequence that is in force.
    pub after: u64,
    pub wait: u64,
    /// A connection may be kept from the last one.
    pub is_kept: bool,
}

impl Question {
    /// A connection that is kept may have ended unseen, when central was
    /// restarted or a router forgot it: only a new one tells whether it is there.
    pub fn ask_twice(&self) -> Result<Option<String>, Fault> {
        match self.ask() {
            Err(Fault::Connection(error)) if self.is_kept => {
                log::debug!("asking central again: {error}");
                self.ask()
            }
            outcome => outcome,
        }
    }

    /// The envelope, if there is a new one.
    fn ask(&self) -> Result<Option<String>, Fault> {
        let mut response = self
            .agent
            .get(format!("{}/api/v1/snapshot", self.central.url))
            .query("after", self.after.to_string())
            .query("wait", self.wait.to_string())
            .header(
                "Authorization",
                format!("Bearer {}", self.central.token.expose()),
            )
            .call()
            .map_err(|error| Fault::Connection(error.to_string()))?;
        let refusal = match response.status().as_u16() {
            200 => None,
            204 => return Ok(None),
            401 | 403 => Some(
                "central does not know this farm's token; check central.token in farm.toml"
                    .to_owned(),
            ),
            status => Some(format!("central answered with status {status}")),
        };
        if let Some(refusal) = refusal {
            return Err(Fault::Answer(refusal));
        }
        let envelope = response
            .body_mut()
            .with_config()
            .limit(MAX_ENVELOPE)
            .read_to_string()
            .map_err(|error| Fault::Connection(error.to_string()))?;
        Ok(Some(envelope))
    }
}
