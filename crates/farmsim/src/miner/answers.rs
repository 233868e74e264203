//! What firmware makes of answers: each belongs to a request it made.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::config::Personality;
use super::firmware::{Asked, BITAXE_MASK, Firmware, HangUp};
use super::stats::MinerStats;
use crate::hex;

impl Firmware<'_> {
    pub(super) fn answer(&mut self, message: &Value, stats: &mut MinerStats) -> Result<(), HangUp> {
        let asked = message["id"]
            .as_u64()
            .and_then(|id| self.asked.get_mut(&id))
            .and_then(VecDeque::pop_front);
        let Some(asked) = asked else {
            stats.violation(format!("an answer to an unknown id: {message}"));
            return Ok(());
        };
        let result = &message["result"];
        let granted = *result == json!(true);
        if !message["error"].is_null() && (granted || result.is_object()) {
            stats.violation(format!("success with an error that is not null: {message}"));
        }
        match asked {
            Asked::Configure => self.configured(result, stats),
            Asked::Subscribe => self.subscribed(result, stats)?,
            Asked::Authorize if granted => self.authorized(stats),
            Asked::Authorize => {
                return Err(HangUp(format!("login refused: {}", message["error"])));
            }
            Asked::Other(method) => {
                self.extranonce_subscribed |= granted && method == "mining.extranonce.subscribe";
            }
            Asked::Share(share) if granted => {
                stats.accept(share.identity, share.difficulty, self.config.keep_shares);
            }
            Asked::Share(_) => {
                *stats.rejected.entry(error_code(message)).or_default() += 1;
                stats.last_rejection = Some(message.to_string());
            }
        }
        Ok(())
    }

    fn configured(&mut self, result: &Value, stats: &mut MinerStats) {
        match result["version-rolling"].as_bool() {
            Some(true) => match result["version-rolling.mask"]
                .as_str()
                .and_then(hex::decode_u32)
            {
                Some(mask) => self.version_mask = mask & BITAXE_MASK,
                None => stats.violation(format!("version rolling without a mask: {result}")),
            },
            Some(false) => {}
            None => stats.violation(format!("mining.configure does not answer: {result}")),
        }
    }

    fn subscribed(&mut self, result: &Value, stats: &mut MinerStats) -> Result<(), HangUp> {
        self.take_extranonce(&result[1], &result[2], stats)?;
        self.session = session_id(&result[0]);
        if let Some(early) = self.early_job.take() {
            self.take_job(early, stats);
        }
        match self.config.personality {
            Personality::Minerd | Personality::Cgminer => self.authorize(),
            Personality::Bitaxe => {}
        }
        Ok(())
    }

    fn authorized(&mut self, stats: &mut MinerStats) {
        self.authorized = true;
        if self.config.personality == Personality::Bitaxe {
            if let Some(difficulty) = self.config.suggest_difficulty {
                let asked = Asked::Other("mining.suggest_difficulty");
                self.ask("mining.suggest_difficulty", json!([difficulty]), asked);
            }
            let asked = Asked::Other("mining.extranonce.subscribe");
            self.ask("mining.extranonce.subscribe", json!([]), asked);
        }
        self.note_working(stats);
    }
}

/// The session id in the subscriptions of a subscribe answer: the one that
/// belongs to mining.notify, as cpuminer and cgminer look for it.
fn session_id(subscriptions: &Value) -> Option<String> {
    let pairs = subscriptions.as_array()?;
    let pair = pairs.iter().find(|pair| pair[0] == "mining.notify")?;
    pair[1].as_str().map(str::to_owned)
}

/// `[21, ".."]`, `{"code": 21}`, `"Stale"` and nothing at all occur.
fn error_code(message: &Value) -> i64 {
    let error = &message["error"];
    let code = error[0].as_i64().or_else(|| error["code"].as_i64());
    code.unwrap_or(crate::pool::OTHER)
}
