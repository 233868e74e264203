//! Recorded answers of markets and calculators, where they are at hand.
//!
//! The recordings are no part of this repository: without them these tests say so
//! and pass. With them every file of the folders has to be known here.

use smart_mining_central::source::calculator::{
    BraiinsInsights, F2PoolChart, HashrateNo, Minerstat, WhatToMine, WhatToMineV1,
    braiins_insights, f2pool_chart, hashrateno, minerstat, whattomine, whattomine_v1,
};
use smart_mining_central::source::market::{
    Binance, CoinGecko, CoinMarketCap, binance, coingecko, coinmarketcap,
};
use smart_mining_central::source::{
    Answer, Catalog, Decimal, Fact, Parsed, Request, Settings, Source, SourceError, Subject,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// After the newest recording.
const NOW: u64 = 1_800_000_000;

fn folder(name: &str) -> Option<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    if !all.is_dir() {
        println!("no recordings here; nothing to compare with");
        return None;
    }
    Some(all.join(name))
}

fn text(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).expect(file)
}

fn question(kind: &'static str, about: &str) -> Request {
    Request {
        kind,
        about: about.to_owned(),
        url: String::new(),
        headers: Vec::new(),
        body: None,
        every: Duration::ZERO,
        network: None,
    }
}

fn read(source: &dyn Source, request: &Request, status: u16, body: &str) -> Read {
    let answer = Answer {
        status,
        headers: &[],
        body: body.as_bytes(),
    };
    source.parse(request, &answer, Catalog::built_in(), NOW)
}

type Read = Result<Parsed, SourceError>;

/// Takes the expected values out one by one; what nobody expected is an error.
struct Expect(Parsed);

impl Expect {
    fn new(source: &dyn Source, kind: &'static str, about: &str, body: &str) -> Self {
        Self(read(source, &question(kind, about), 200, body).expect(kind))
    }

    fn has(&mut self, subject: &Subject, fact: Fact, value: &str, at: Option<u64>) -> &mut Self {
        let wanted: Decimal = value.parse().expect("a number");
        let seen = &mut self.0.observations;
        let place = seen
            .iter()
            .position(|seen| seen.subject == *subject && seen.fact == fact)
            .unwrap_or_else(|| panic!("no {fact:?} of {subject:?}"));
        let seen = seen.remove(place);
        assert_eq!((seen.value, seen.at), (wanted, at), "{fact:?} {subject:?}");
        self
    }

    fn leaves_out(&mut self, names: &[&str]) -> &mut Self {
        let left_out: Vec<_> = self.0.unmapped.iter().map(|row| &*row.name).collect();
        assert_eq!(left_out, names);
        self
    }

    fn nothing_more(&self) {
        assert_eq!(self.0.observations, []);
    }
}

fn coin(coin: &str) -> Subject {
    let coin = coin.to_owned();
    Subject::Coin { coin }
}

fn chain(coin: &str, algorithm: &str) -> Subject {
    let (coin, algorithm) = (coin.to_owned(), algorithm.to_owned());
    Subject::Chain { coin, algorithm }
}

#[test]
fn every_file_is_known() {
    for (name, known) in [
        (
            "market",
            &[
                "binance_avgprice_btcusdt",
                "binance_bookticker_btcusdt",
                "binance_ticker_price_all",
                "binance_ticker_price_btcusdt",
                "coingecko_coins_list",
                "coingecko_coins_markets_usd",
                "coingecko_simple_price_2019",
                "coingecko_simple_price_full",
                "coinmarketcap_listings_latest",
            ][..],
        ),
        (
            "calculators",
            &[
                "braiins_insights_hashrate_stats",
                "f2pool_coins_chart_btc",
                "hashrateno_v2_coins",
                "minerstat_v2_coins_docs",
                // A service that nobody reads.
                "poolnode_network_hashrate_ltc",
                "whattomine_api_v1_calculate",
                "whattomine_asic",
                "whattomine_coins_gpu",
            ],
        ),
    ] {
        let Some(folder) = folder(name) else { return };
        let files = std::fs::read_dir(folder).expect("a folder");
        let files: BTreeSet<_> = files
            .map(|file| {
                file.expect("a file")
                    .file_name()
                    .into_string()
                    .expect("a name")
            })
            .collect();
        let known: BTreeSet<_> = known.iter().map(|file| format!("{file}.json")).collect();
        assert_eq!(files, known);
    }
}

#[test]
fn coingecko() {
    let Some(folder) = folder("market") else {
        return;
    };
    let parse = |kind, file| Expect::new(&CoinGecko, kind, "", &text(&folder, file));
    let at = Some(1_743_243_772);
    parse(coingecko::SIMPLE, "coingecko_simple_price_full.json")
        .has(&coin("BTC"), Fact::PriceUsd, "83476", at)
        .has(&coin("BTC"), Fact::MarketCapUsd, "1656538234098", at)
        .has(&coin("BTC"), Fact::VolumeUsdDay, "21416038166", at)
        .has(&coin("KAS"), Fact::PriceUsd, "0.029", None)
        .leaves_out(&["unknown-id"])
        .nothing_more();
    parse(coingecko::SIMPLE, "coingecko_simple_price_2019.json")
        .has(&coin("BTC"), Fact::PriceUsd, "5005.73", None)
        .leaves_out(&["ethereum"])
        .nothing_more();
    parse(coingecko::MARKETS, "coingecko_coins_markets_usd.json")
        .has(&coin("BTC"), Fact::PriceUsd, "83476", at)
        .has(&coin("BTC"), Fact::MarketCapUsd, "1656538234098", at)
        .has(&coin("BTC"), Fact::VolumeUsdDay, "21416038166", at)
        .leaves_out(&[])
        .nothing_more();
    // A list without prices: ids that are not ours, and no value.
    let list = parse(coingecko::MARKETS, "coingecko_coins_list.json");
    assert_eq!(list.0.unmapped[0].name, "01coin");
    assert!(list.0.unmapped.len() > 30);
    list.nothing_more();
}

#[test]
fn binance() {
    let Some(folder) = folder("market") else {
        return;
    };
    let parse = |kind, file| Expect::new(&Binance, kind, "BTCUSDT", &text(&folder, file));
    let btc = coin("BTC");
    parse(binance::ALL, "binance_ticker_price_all.json")
        .has(&btc, Fact::PriceUsd, "74500", None)
        .leaves_out(&["LTCBTC", "ETHBTC"])
        .nothing_more();
    parse(binance::ONE, "binance_ticker_price_btcusdt.json")
        .has(&btc, Fact::PriceUsd, "66836.69", None)
        .nothing_more();
    let at = Some(1_776_212_029);
    parse(binance::AVERAGE, "binance_avgprice_btcusdt.json")
        .has(&btc, Fact::PriceUsd, "74575.08327737", at)
        .nothing_more();
    parse(binance::BOOK, "binance_bookticker_btcusdt.json")
        .has(&btc, Fact::PriceUsd, "66836.685", None)
        .nothing_more();
}

#[test]
fn coinmarketcap() {
    let Some(folder) = folder("market") else {
        return;
    };
    let body = text(&folder, "coinmarketcap_listings_latest.json");
    let (btc, at) = (coin("BTC"), Some(1_630_167_199));
    Expect::new(&CoinMarketCap, coinmarketcap::LISTINGS, "", &body)
        .has(&btc, Fact::PriceUsd, "48827.989730634145", at)
        .has(&btc, Fact::MarketCapUsd, "917963765536.4354", at)
        .has(&btc, Fact::VolumeUsdDay, "29502617632.520878", at)
        .leaves_out(&[])
        .nothing_more();
}

#[test]
fn whattomine() {
    let Some(folder) = folder("calculators") else {
        return;
    };
    let parse = |kind, file| Expect::new(&WhatToMine, kind, "", &text(&folder, file));
    let btc = chain("BTC", "sha256d");
    let bch = chain("BCH", "sha256d");
    let dgb = chain("DGB", "sha256d");
    let (at, later) = (Some(1_790_321_885), Some(1_790_320_931));
    parse(whattomine::ASIC, "whattomine_asic.json")
        .has(&coin("BTC"), Fact::PriceUsd, "83886.68", at)
        .has(&btc, Fact::Difficulty, "132757073449487.5", at)
        .has(&btc, Fact::BlockTime, "575", at)
        .has(&btc, Fact::BlockReward, "3.13874343", at)
        .has(&coin("BCH"), Fact::PriceBtc, "0.003948660264060993", later)
        .has(&bch, Fact::Difficulty, "531625310065.6644", later)
        .has(&bch, Fact::BlockTime, "639", later)
        .has(&bch, Fact::BlockReward, "3.125", later)
        .has(&coin("DGB"), Fact::PriceBtc, "5.209408692774586e-08", later)
        .has(&dgb, Fact::Difficulty, "430030207.2203099", later)
        .has(&dgb, Fact::BlockReward, "250.72839532400695", later)
        .leaves_out(&["DGB-Scrypt", "Nicehash-SHA-AB", "eCash"])
        .nothing_more();
    // Neither Ethereum nor DigitalNote is a coin of ours.
    parse(whattomine::GPU, "whattomine_coins_gpu.json")
        .leaves_out(&["DigitalNote", "Ethereum", "Nicehash-Ethash"])
        .nothing_more();
}

#[test]
fn whattomine_v1() {
    let Some(folder) = folder("calculators") else {
        return;
    };
    let body = text(&folder, "whattomine_api_v1_calculate.json");
    let catalog = Catalog::built_in();
    let mut asked = WhatToMineV1.requests(&Settings::default(), catalog);
    let request = asked.remove(0);
    assert_eq!(
        (request.kind, &*request.about),
        (whattomine_v1::CALCULATE, "sha256d")
    );
    let parsed = read(&WhatToMineV1, &request, 200, &body).expect("a table");
    let btc = chain("BTC", "sha256d");
    Expect(parsed)
        .has(&btc, Fact::OfferCoinPerHashDay, "0.03116e-18", None)
        .has(&btc, Fact::OfferBtcPerHashDay, "0.03115865e-18", None)
        .has(&btc, Fact::OfferUsdPerHashDay, "121.18e-18", None)
        .leaves_out(&[])
        .nothing_more();
}

#[test]
fn minerstat() {
    let Some(folder) = folder("calculators") else {
        return;
    };
    let body = text(&folder, "minerstat_v2_coins_docs.json");
    let (btc, at) = (chain("BTC", "sha256d"), Some(1_586_762_742));
    Expect::new(&Minerstat, minerstat::COINS, "", &body)
        .has(&coin("BTC"), Fact::PriceUsd, "6735.0239848", at)
        .has(&coin("BTC"), Fact::VolumeUsdDay, "29276871265.114", at)
        .has(&btc, Fact::NetworkHashrate, "98375431254214117725", at)
        .has(&btc, Fact::Difficulty, "14715214060656", at)
        .has(&btc, Fact::Subsidy, "6.25", at)
        // 24 times the published hour.
        .has(
            &btc,
            Fact::OfferCoinPerHashDay,
            "1.7088239023209360e-17",
            at,
        )
        .leaves_out(&[])
        .nothing_more();
}

#[test]
fn hashrateno() {
    let Some(folder) = folder("calculators") else {
        return;
    };
    let body = text(&folder, "hashrateno_v2_coins.json");
    let (rvn, kas) = (chain("RVN", "kawpow"), chain("KAS", "kheavyhash"));
    Expect::new(&HashrateNo, hashrateno::COINS, "", &body)
        .has(&coin("RVN"), Fact::PriceUsd, "0.0033", None)
        .has(&coin("RVN"), Fact::VolumeUsdDay, "4200000", None)
        .has(&rvn, Fact::NetworkHashrate, "844045822054.9", None)
        .has(&rvn, Fact::Difficulty, "11991.5", None)
        .has(&rvn, Fact::CoinsPerDay, "1769041", None)
        .has(&coin("KAS"), Fact::PriceUsd, "0.029", None)
        .has(&kas, Fact::NetworkHashrate, "319022770000000000", None)
        .has(&kas, Fact::CoinsPerDay, "1997970", None)
        .leaves_out(&["NICEHASH-KAWPOW"])
        .nothing_more();
}

#[test]
fn braiins_insights() {
    let Some(folder) = folder("calculators") else {
        return;
    };
    let body = text(&folder, "braiins_insights_hashrate_stats.json");
    let btc = chain("BTC", "sha256d");
    Expect::new(&BraiinsInsights, braiins_insights::STATS, "BTC", &body)
        .has(&btc, Fact::NetworkHashrate, "1001230000000000000000", None)
        .has(&btc, Fact::OfferUsdPerHashDay, "0.000000000000039", None)
        .has(&btc, Fact::FeesPerBlock, "0.016", None)
        .nothing_more();
}

#[test]
fn f2pool_chart() {
    let Some(folder) = folder("calculators") else {
        return;
    };
    let body = text(&folder, "f2pool_coins_chart_btc.json");
    let (btc, at) = (chain("BTC", "sha256d"), Some(1_585_765_935));
    let pool = Subject::Pool {
        pool: "f2pool".to_owned(),
        coin: "BTC".to_owned(),
        algorithm: "sha256d".to_owned(),
    };
    Expect::new(&F2PoolChart, f2pool_chart::CHART, "btc", &body)
        .has(&coin("BTC"), Fact::PriceUsd, "6362.80019461", at)
        .has(&coin("BTC"), Fact::MarketCapUsd, "116430971921.11002", at)
        .has(&coin("BTC"), Fact::VolumeUsdDay, "33382482911.7742", at)
        .has(&btc, Fact::Difficulty, "13912524048945.908", at)
        .has(&btc, Fact::NetworkHashrate, "105319737670056980000", at)
        .has(&btc, Fact::Subsidy, "12.5", at)
        .has(&btc, Fact::Height, "623898", at)
        .has(&btc, Fact::OfferCoinPerHashDay, "1.788e-17", at)
        .has(&btc, Fact::OfferUsdPerHashDay, "1.1376686747962682e-13", at)
        .has(&pool, Fact::PoolMiners, "106172", at)
        .leaves_out(&[])
        .nothing_more();
}

/// The recorded errors: name, status, body.
fn errors(file: &str) -> Option<Vec<(String, u16, String)>> {
    let all: serde_json::Value =
        serde_json::from_str(&text(&folder("errors")?, file)).expect("JSON");
    let all = all.as_object().expect("an object").iter();
    Some(
        all.map(|(name, error)| {
            let status = error["http_status"].as_u64().expect("a status");
            let status = u16::try_from(status).expect("a status");
            (name.clone(), status, error["body"].to_string())
        })
        .collect(),
    )
}

#[test]
fn binance_errors() {
    let Some(errors) = errors("binance_errors.json") else {
        return;
    };
    assert_eq!(errors.len(), 4);
    for (name, status, body) in errors {
        let error = read(&Binance, &question(binance::ALL, ""), status, &body);
        let error = error.expect_err("an error");
        let right = match name.as_str() {
            "invalid_symbol" => matches!(error, SourceError::Service(_)),
            "rate_limited" => matches!(error, SourceError::RateLimited(_)),
            "ip_banned" | "geo_blocked" => matches!(error, SourceError::Stop(_)),
            _ => false,
        };
        assert!(right, "{name}: {error:?}");
    }
}

#[test]
fn hashrateno_errors() {
    let Some(errors) = errors("hashrateno_errors.json") else {
        return;
    };
    assert_eq!(errors.len(), 2);
    for (name, status, body) in errors {
        let error = read(&HashrateNo, &question(hashrateno::COINS, ""), status, &body);
        let error = error.expect_err("an error");
        let right = match name.as_str() {
            "no_usage_left" => matches!(error, SourceError::Stop(_)),
            "bad_key" => matches!(error, SourceError::Key(_)),
            _ => false,
        };
        assert!(right, "{name}: {error:?}");
    }
}

#[test]
fn coingecko_errors() {
    let Some(folder) = folder("errors") else {
        return;
    };
    let listed = text(&folder, "coingecko_errors.json");
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let numbers = |of: &str| -> Vec<u16> {
        let of = listed[of].as_object().expect("an object").keys();
        of.map(|number| number.parse().expect("a number")).collect()
    };
    let ask = |status, body: &str| read(&CoinGecko, &question(coingecko::SIMPLE, ""), status, body);
    for code in numbers("codes") {
        let body = format!("{{\"status\":{{\"error_code\":{code}}}}}");
        for status in [200, 400, 401, 403] {
            assert!(
                matches!(ask(status, &body), Err(SourceError::Key(_))),
                "{code}"
            );
        }
    }
    for status in numbers("http") {
        let body = format!("{{\"status\":{{\"error_code\":{status}}}}}");
        let error = ask(status, &body).expect_err("an error");
        let right = match status {
            401 | 403 => matches!(error, SourceError::Key(_)),
            429 => matches!(error, SourceError::RateLimited(_)),
            1020 => matches!(error, SourceError::Stop(_)),
            _ => error == SourceError::Status(status),
        };
        assert!(right, "{status}: {error:?}");
    }
}
