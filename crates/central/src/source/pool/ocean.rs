//! OCEAN: all of it in `result`, all of it text; an error stands in `error`.
//!
//! `current_estimated_block_reward` is what the block in work would pay, fees
//! included. `statsnap` is of one account: ours.

use super::*;
use crate::source::Budget;
use crate::source::rows::Maybe;

pub struct Ocean;

impl Source for Ocean {
    fn name(&self) -> &'static str {
        "ocean"
    }

    /// None is documented; this is polite.
    fn budget(&self) -> Budget {
        Budget {
            burst: 2,
            per_minute: 6.0,
        }
    }

    fn requests(&self, settings: &Settings, _catalog: &Catalog) -> Vec<Request> {
        let url = |path: &str| coin_url(settings, "https://api.ocean.xyz/v1", "", path);
        let mut asked = vec![get("pool", "BTC", url("/pool_stat"), 120)];
        if let Some(user) = settings.more.get("user") {
            let path = format!("/statsnap/{}", crate::source::address::escaped(user));
            asked.push(get("user", "BTC", url(&path), 300));
        }
        asked
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        let place = Place::of(self.name(), &request.about, catalog)?;
        let mut parsed = Parsed::default();
        match request.kind {
            "pool" => {
                let said = object::<Envelope<Pool>>(answer)?.result.0;
                let said = said.unwrap_or_default();
                let (miners, chain) = (said.active_users.not_negative(), &place.chain);
                let reward = said.current_estimated_block_reward.positive();
                parsed.push(&place.pool, Fact::PoolMiners, miners, None);
                let difficulty = said.network_difficulty.positive();
                parsed.push(chain, Fact::Difficulty, difficulty, None);
                parsed.push(chain, Fact::BlockReward, reward, None);
            }
            "user" => {
                let said = object::<Envelope<User>>(answer)?.result.0;
                let said = said.unwrap_or_default();
                let at = stated::seconds(&said.snap_ts, now);
                let hashrate = said.hashrate_300s.not_negative();
                let hashrate = hashrate.or_else(|| said.hashrate_60s.not_negative());
                parsed.push(&place.pool, Fact::AccountHashrate, hashrate, at);
            }
            other => return Err(chain::no_such_kind(other)),
        }
        not_empty(parsed)
    }
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Envelope<T> {
    #[serde(default)]
    result: Maybe<T>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pool {
    active_users: Num,
    network_difficulty: Num,
    current_estimated_block_reward: Num,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    snap_ts: Num,
    hashrate_60s: Num,
    hashrate_300s: Num,
}

#[cfg(test)]
mod tests {
    use super::testing::{fails, lines, parse};
    use super::*;

    #[test]
    fn numbers_are_texts_inside_result() {
        let body = r#"{"result":{"active_users":"12","network_difficulty":"99000000000001",
            "current_estimated_block_reward":"3.25"}}"#;
        assert_eq!(
            lines(&parse(&Ocean, "pool", "BTC", body)),
            [
                "pool BTC/sha256d PoolMiners 12",
                "BTC/sha256d Difficulty 99000000000001",
                "BTC/sha256d BlockReward 3.25",
            ]
        );
        let body = r#"{"result":{"snap_ts":"1700000000","hashrate_60s":"5","hashrate_300s":""}}"#;
        assert_eq!(
            lines(&parse(&Ocean, "user", "BTC", body)),
            ["pool BTC/sha256d AccountHashrate 5 @1700000000"]
        );
    }

    #[test]
    fn an_error_is_the_services() {
        assert_eq!(
            fails(&Ocean, "user", "BTC", r#"{"error":"no such user"}"#),
            SourceError::Service("no such user".to_owned())
        );
        assert!(matches!(
            fails(&Ocean, "pool", "BTC", r#"{"result":null}"#),
            SourceError::Malformed(_)
        ));
    }
}
