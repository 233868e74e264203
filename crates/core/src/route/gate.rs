//! The snapshot gate: signature, then form, then sequence.
//!
//! What is refused changes nothing: the last good snapshot stays in force.

use alloc::string::String;
use smart_mining_wire::{Envelope, EnvelopeError, PublicKey, Snapshot};

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error("sequence {got} is not newer than {have}, which is in force")]
    Old { got: u64, have: u64 },
}

/// Remembers what is in force, and counts.
#[derive(Debug)]
pub struct Gate {
    trusted: PublicKey,
    /// The sequence in force. It alone orders snapshots: a clock of central that
    /// once stood in the future must not shut the gate for good.
    in_force: Option<u64>,
    pub accepted: u64,
    pub refused: u64,
    pub last_refusal: Option<String>,
}

impl Gate {
    pub const fn new(trusted: PublicKey) -> Self {
        Self {
            trusted,
            in_force: None,
            accepted: 0,
            refused: 0,
            last_refusal: None,
        }
    }

    /// The sequence in force, 0 if none is.
    pub fn sequence(&self) -> u64 {
        self.in_force.unwrap_or(0)
    }

    /// Judge one envelope. The caller puts it in force by [`Gate::commit`],
    /// once it is safely stored.
    pub fn judge(&mut self, envelope: &[u8]) -> Result<Snapshot, Refusal> {
        let judged = self.examine(envelope);
        if let Err(refusal) = &judged {
            self.refused += 1;
            self.last_refusal = Some(alloc::string::ToString::to_string(refusal));
        }
        judged
    }

    fn examine(&self, envelope: &[u8]) -> Result<Snapshot, Refusal> {
        let snapshot = Envelope::from_json(envelope)?.open(&self.trusted)?;
        match self.in_force {
            Some(have) if snapshot.sequence <= have => Err(Refusal::Old {
                got: snapshot.sequence,
                have,
            }),
            Some(_) | None => Ok(snapshot),
        }
    }

    pub fn commit(&mut self, snapshot: &Snapshot) {
        self.accepted += 1;
        self.in_force = Some(snapshot.sequence);
    }
}
