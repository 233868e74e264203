//! `mining.configure`, BIP 310: every extension that was asked for is answered.

use super::{MinerSession, USUAL_MASK};
use crate::hex;
use crate::share::Board;
use crate::sv1::message::{self, Message, Strings, Text};
use alloc::vec::Vec;
use serde_json::value::RawValue;

#[derive(Default, serde::Deserialize)]
struct Options<'a> {
    #[serde(borrow, default, rename = "version-rolling.mask")]
    mask: Option<Text<'a>>,
    #[serde(borrow, default, rename = "minimum-difficulty.value")]
    minimum: Option<&'a RawValue>,
}

impl MinerSession {
    pub(super) fn configure(
        &mut self,
        id: &str,
        message: &Message<'_>,
        board: &Board,
        out: &mut Vec<u8>,
    ) {
        let parts: Vec<&RawValue> = message.params().unwrap_or_default();
        let part = |index: usize| parts.get(index).map_or("null", |raw| raw.get());
        let asked: Strings<'_, 8> = serde_json::from_str(part(0)).unwrap_or_default();
        let options: Options<'_> = serde_json::from_str(part(1)).unwrap_or_default();
        out.extend_from_slice(b"{\"id\":");
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(b",\"result\":{");
        for (index, name) in asked.0.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            message::push_string(out, &name.0);
            match &*name.0 {
                "version-rolling" => self.roll(&options, board, out),
                "minimum-difficulty" => {
                    let minimum = options.minimum.and_then(message::positive);
                    if let Some(minimum) = minimum {
                        self.vardiff.at_least(minimum);
                    }
                    let known = if minimum.is_some() { ":true" } else { ":false" };
                    out.extend_from_slice(known.as_bytes());
                }
                "subscribe-extranonce" => {
                    self.hears_extranonce = true;
                    out.extend_from_slice(b":true");
                }
                "info" => out.extend_from_slice(b":true"),
                _ => out.extend_from_slice(b":false"),
            }
        }
        out.extend_from_slice(b"},\"error\":null}\n");
    }

    fn roll(&mut self, options: &Options<'_>, board: &Board, out: &mut Vec<u8>) {
        let wanted = options.mask.as_ref();
        let wanted = wanted
            .and_then(|mask| hex::number(&mask.0))
            .unwrap_or(u32::MAX);
        let current = board.current(self.spot());
        let pool = current.map_or(USUAL_MASK, |job| job.version_mask);
        self.wants_mask = Some(wanted);
        self.told.mask = wanted & pool;
        out.extend_from_slice(br#":true,"version-rolling.mask":""#);
        hex::push_number(out, self.told.mask);
        out.push(b'"');
    }
}
