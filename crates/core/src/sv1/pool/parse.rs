//! What a pool's messages hold.

use crate::share::{Work, WorkText};
use crate::sv1::message::{Message, Text};
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::value::RawValue;

/// The pool's words, for the log and the status page.
pub(super) fn refusal<'a>(message: &Message<'a>) -> &'a str {
    let raw = message.error.or(message.result).map(|raw| raw.get());
    raw.unwrap_or("no reason given")
}

pub(super) fn work_of(message: &Message<'_>) -> Option<Work> {
    let part: Vec<&RawValue> = message.params()?;
    let text =
        |index: usize| -> Option<Text<'_>> { serde_json::from_str(part.get(index)?.get()).ok() };
    let (job_id, prev_hash, coinbase1, coinbase2) = (text(0)?, text(1)?, text(2)?, text(3)?);
    let branches: Vec<Text<'_>> = serde_json::from_str(part.get(4)?.get()).ok()?;
    let branches: Vec<&str> = branches.iter().map(|branch| &*branch.0).collect();
    let (version, nbits, ntime) = (text(5)?, text(6)?, text(7)?);
    let clean = part.get(8).is_some_and(|raw| raw.get() == "true");
    Work::decode(&WorkText {
        job_id: &job_id.0,
        prev_hash: &prev_hash.0,
        coinbase1: &coinbase1.0,
        coinbase2: &coinbase2.0,
        branches: &branches,
        version: &version.0,
        nbits: &nbits.0,
        ntime: &ntime.0,
        clean,
    })
    .ok()
}

/// The answer to `mining.subscribe`.
pub(super) struct Subscription<'a> {
    /// What a later connection names to get the same extranonce1 again.
    pub session: Option<String>,
    pub extranonce1: Text<'a>,
    pub size: usize,
}

pub(super) fn subscription<'a>(message: &Message<'a>) -> Option<Subscription<'a>> {
    let (sessions, extranonce1, size) =
        serde_json::from_str::<(&RawValue, Text<'_>, usize)>(message.result?.get()).ok()?;
    // `[["mining.set_difficulty", id], ["mining.notify", id]]`, or one such pair.
    let pairs: Vec<(Text<'_>, Text<'_>)> = serde_json::from_str(sessions.get())
        .or_else(|_| serde_json::from_str(sessions.get()).map(|pair| alloc::vec![pair]))
        .unwrap_or_default();
    let notify = pairs.iter().find(|(what, _)| what.0 == "mining.notify");
    Some(Subscription {
        session: notify
            .map(|(_, id)| String::from(&*id.0))
            .filter(|id| !id.is_empty() && id.len() <= 128),
        extranonce1,
        size,
    })
}

/// The mask that `mining.configure` was answered with; 0: no version rolling.
pub(super) fn mask_of(message: &Message<'_>) -> u32 {
    #[derive(Default, serde::Deserialize)]
    struct Answer<'a> {
        #[serde(default, rename = "version-rolling")]
        rolling: Option<bool>,
        #[serde(borrow, default, rename = "version-rolling.mask")]
        mask: Option<Text<'a>>,
    }
    let answer: Answer<'_> = message
        .result
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default();
    if answer.rolling != Some(true) {
        return 0;
    }
    let mask = answer.mask.and_then(|mask| crate::hex::number(&mask.0));
    mask.unwrap_or(0)
}
