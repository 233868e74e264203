//! The signed form in which a snapshot travels and is stored.
//!
//! The signature covers the payload's exact bytes, so nobody has to agree on a
//! canonical JSON: what was signed is what is stored and what is checked again
//! after a restart. A fixed prefix keeps a signature made for one purpose from
//! being valid for another (a release manifest will have its own).

use crate::{PublicKey, SecretKey, Snapshot, SnapshotError, snapshot};
use alloc::string::String;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

const PURPOSE: &[u8] = b"smart-mining snapshot v1\n";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Envelope {
    /// Which key signed, for a helpful error when keys were rotated. Not trusted.
    pub key_id: String,
    /// base64 of the snapshot's JSON.
    pub payload: String,
    /// base64 of the 64 signature bytes over the purpose prefix and the payload.
    pub signature: String,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EnvelopeError {
    #[error("envelope is not JSON of the expected form: {0}")]
    Malformed(String),
    #[error("envelope member {0:?} is not base64")]
    NotBase64(&'static str),
    #[error("payload of {0} bytes is larger than the limit")]
    TooLarge(usize),
    #[error("signature does not match: signed by key {got:?}, this farm trusts {trusted:?}")]
    Signature { got: String, trusted: String },
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

impl Envelope {
    pub fn seal(snapshot: &Snapshot, key: &SecretKey) -> Self {
        let payload = snapshot.to_bytes();
        Self {
            key_id: key.public().id(),
            signature: STANDARD.encode(key.sign(&signed_bytes(&payload))),
            payload: STANDARD.encode(payload),
        }
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        serde_json::from_slice(bytes)
            .map_err(|error| EnvelopeError::Malformed(alloc::string::ToString::to_string(&error)))
    }

    pub fn to_json(&self) -> String {
        // Three strings: serialising them cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Check the signature, then parse. Nothing of the payload is looked at before.
    pub fn open(&self, trusted: &PublicKey) -> Result<Snapshot, EnvelopeError> {
        let payload = STANDARD
            .decode(&self.payload)
            .map_err(|_| EnvelopeError::NotBase64("payload"))?;
        if payload.len() > snapshot::MAX_PAYLOAD {
            return Err(EnvelopeError::TooLarge(payload.len()));
        }
        let signature: [u8; 64] = STANDARD
            .decode(&self.signature)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(EnvelopeError::NotBase64("signature"))?;
        if !trusted.verify(&signed_bytes(&payload), &signature) {
            return Err(EnvelopeError::Signature {
                got: self.key_id.chars().take(16).collect(),
                trusted: trusted.id(),
            });
        }
        Ok(Snapshot::parse(&payload)?)
    }
}

fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    [PURPOSE, payload].concat()
}
