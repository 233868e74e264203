//! 2Miners: one address per coin, the shapes of [`super::open_ethereum`].
//!
//! A reward is a number even where it is wei, so it must be read digit by digit.
//! The fee is not among what the service answers.

use super::open_ethereum::{blocks, stats};
use super::*;
use crate::source::Budget;

pub struct TwoMiners;

impl Source for TwoMiners {
    fn name(&self) -> &'static str {
        "2miners"
    }

    /// None is documented; this is polite.
    fn budget(&self) -> Budget {
        Budget {
            burst: 4,
            per_minute: 20.0,
        }
    }

    fn requests(&self, settings: &Settings, catalog: &Catalog) -> Vec<Request> {
        wanted("2miners", settings, catalog)
            .flat_map(|(coin, id)| {
                let url = |path| coin_url(settings, "https://{coin}.2miners.com", id, path);
                [
                    get("stats", &coin.id, url("/api/stats"), 120),
                    get("blocks", &coin.id, url("/api/blocks"), 900),
                ]
            })
            .collect()
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        let place = Place::of(self.name(), &request.about, catalog)?;
        match request.kind {
            "stats" => stats(&object(answer)?, &place, now),
            "blocks" => blocks(&object(answer)?, &place, now),
            other => Err(chain::no_such_kind(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{lines, parse, parse_at};
    use super::*;

    #[test]
    fn the_nodes_numbers_are_strings_and_luck_is_percent() {
        let body = r#"{"now":1700000000500,"hashrate":42e9,"minersTotal":"17","luck":"104.5",
            "nodes":[{"avgBlockTime":"61.5","difficulty":"12345.6789","height":"100",
            "lastBeat":"1699999999","networkhashps":"862200000000.25","name":"main"}],
            "stats":{"lastBlockFound":1699999000}}"#;
        assert_eq!(
            lines(&parse(&TwoMiners, "stats", "RVN", body)),
            [
                "pool RVN/kawpow PoolHashrate 42000000000 @1700000000",
                "pool RVN/kawpow PoolMiners 17 @1700000000",
                "pool RVN/kawpow PoolLastBlock 1699999000 @1700000000",
                "pool RVN/kawpow PoolEffort 1.045 @1700000000",
                "RVN/kawpow Difficulty 12345.6789 @1699999999",
                "RVN/kawpow Height 100 @1699999999",
                "RVN/kawpow NetworkHashrate 862200000000.25 @1699999999",
                "RVN/kawpow BlockTime 61.5 @1699999999",
            ]
        );
    }

    #[test]
    fn fields_that_mean_no_data_are_absent_one_by_one() {
        let body = r#"{"now":null,"hashrate":-1,"minersTotal":3,"luck":"NaN",
            "nodes":[{"avgBlockTime":"","difficulty":"5","height":"0","networkhashps":null}],
            "stats":{"lastBlockFound":0}}"#;
        assert_eq!(
            lines(&parse(&TwoMiners, "stats", "RVN", body)),
            ["pool RVN/kawpow PoolMiners 3", "RVN/kawpow Difficulty 5"]
        );
    }

    #[test]
    fn the_longest_window_counts() {
        let body = r#"{"luck":{"64":{"luck":0.5,"orphanRate":0.25},
            "1024":{"luck":1.25,"orphanRate":0.0009765625},"x":{"luck":9}}}"#;
        assert_eq!(
            lines(&parse(&TwoMiners, "blocks", "ETC", body))[0],
            "pool ETC/etchash PoolEffort 1.25"
        );
    }

    #[test]
    fn a_status_is_looked_at_first() {
        let at = ("stats", "RVN", "");
        assert_eq!(
            parse_at(&TwoMiners, at, 429, "{}"),
            Err(SourceError::RateLimited(None))
        );
        assert_eq!(
            parse_at(&TwoMiners, at, 502, "<html>"),
            Err(SourceError::Status(502))
        );
    }

    #[test]
    fn each_coin_has_its_own_host() {
        let settings = Settings {
            about: ["RVN", "NONE", "BTC"].map(str::to_owned).to_vec(),
            ..Settings::default()
        };
        let asked = TwoMiners.requests(&settings, Catalog::built_in());
        let urls: Vec<&str> = asked.iter().map(|request| request.url.as_str()).collect();
        assert_eq!(
            urls,
            [
                "https://rvn.2miners.com/api/stats",
                "https://rvn.2miners.com/api/blocks"
            ]
        );
    }
}
