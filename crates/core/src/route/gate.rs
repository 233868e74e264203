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
    #[error(
        "created at {created_at} by central's clock, before the snapshot in force ({in_force}), in spite of its newer sequence"
    )]
    BackInTime { created_at: u64, in_force: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InForce {
    sequence: u64,
    created_at: u64,
}

/// Remembers what is in force, and counts.
#[derive(Debug)]
pub struct Gate {
    trusted: PublicKey,
    in_force: Option<InForce>,
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
        self.in_force.map_or(0, |snapshot| snapshot.sequence)
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
        let Some(have) = self.in_force else {
            return Ok(snapshot);
        };
        if snapshot.sequence <= have.sequence {
            return Err(Refusal::Old {
                got: snapshot.sequence,
                have: have.sequence,
            });
        }
        if snapshot.created_at < have.created_at {
            return Err(Refusal::BackInTime {
                created_at: snapshot.created_at,
                in_force: have.created_at,
            });
        }
        Ok(snapshot)
    }

    pub fn commit(&mut self, snapshot: &Snapshot) {
        self.accepted += 1;
        self.in_force = Some(InForce {
            sequence: snapshot.sequence,
            created_at: snapshot.created_at,
        });
    }
}
