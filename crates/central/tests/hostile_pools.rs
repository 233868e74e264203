//! Pools and markets may answer anything: no parser panics, and whatever it lets
//! through is a value that can be.

use proptest::prelude::*;
use smart_mining_central::source::pool::ALL;
use smart_mining_central::source::{Answer, Catalog, Decimal, Fact, Parsed, Request, SourceError};
use std::time::Duration;

const NOW: u64 = 1_700_000_000;

/// One sound answer of each shape: source, kind, about, body.
const SOUND: [(&str, &str, &str, &str); 27] = [
    (
        "2miners",
        "stats",
        "RVN",
        r#"{"now":1699999000500,"hashrate":42e9,"minersTotal":"17",
        "luck":104.5,"nodes":[{"avgBlockTime":"61.5","difficulty":"12345.6","height":"100",
        "lastBeat":"1699999","networkhashps":"862.25"}],"stats":{"lastBlockFound":1699999000}}"#,
    ),
    (
        "2miners",
        "blocks",
        "ETC",
        r#"{"candidates":null,"immature":[{"timestamp":1699999000}],
        "luck":{"64":{"luck":0.5,"orphanRate":0.25}},"matured":[{"timestamp":1699990000,
        "reward":2048000000000000007,"orphan":false,"uncle":true},{"orphan":true}]}"#,
    ),
    (
        "open-ethereum-pool",
        "all",
        "ETC",
        r#"{"now":1699999000,"miners":{"hashrate":5},
        "nodes":[{"height":"9"}],"blocks":{"matured":[{"reward":"7"}]}}"#,
    ),
    (
        "open-ethereum-pool",
        "stats",
        "ETC",
        r#"{"hashrate":5,"now":1699999000500}"#,
    ),
    (
        "herominers",
        "stats",
        "ERG",
        r#"{"config":{"coinUnits":1000,"fee":0.9},
        "network":{"difficulty":500,"height":7},"pool":{"hashrate":8,"miners":3,
        "stats":{"lastBlockFound":"1699999000500"},"blocks":[
        "aa:1699999000:500:400:390:nonce:unlocked:3007:addr", "7342453",
        "12:7342453:1699999100:500:600:600:ff:4:pending:3009:addr", "b:1699999100:orphaned:0"]}}"#,
    ),
    (
        "nanopool",
        "earnings",
        "RVN",
        r#"{"status":true,"data":{"day":{"coins":12.5,
        "dollars":0.05,"bitcoins":5e-7}}}"#,
    ),
    (
        "nanopool",
        "hashrate",
        "XMR",
        r#"{"status":true,"data":2500.5}"#,
    ),
    (
        "nanopool",
        "miners",
        "XMR",
        r#"{"status":false,"error":"none"}"#,
    ),
    (
        "nicehash",
        "algorithms",
        "",
        r#"{"miningAlgorithms":[{"algorithm":"SCRYPT",
        "enabled":true,"marketFactor":"1000.00"}]}"#,
    ),
    (
        "nicehash",
        "paying",
        "100000000",
        r#"{"miningAlgorithms":[{"algorithm":"SCRYPT",
        "speed":"7","paying":"0.00025"},{"algorithm":"X","paying":"0"}]}"#,
    ),
    (
        "nicehash",
        "paying_v1",
        "0",
        r#"{"result":{"simplemultialgo":[{"paying":"0.5",
        "name":"equihash","algo":24}]}}"#,
    ),
    (
        "nicehash",
        "stats",
        "1000",
        r#"{"algos":[{"a":1,"p":2e-9,"s":3e17},{"a":-1,"p":0}]}"#,
    ),
    (
        "nicehash",
        "orderbook",
        "SHA256",
        r#"{"stats":{"EU":{"updatedTs":"2023-11-14T20:13:20Z",
        "priceFactor":"1000.0","marketFactor":"100","orders":[{"price":"2.0",
        "acceptedSpeed":"3","alive":true},{"price":"4","acceptedSpeed":"1"}]}}}"#,
    ),
    (
        "zpool",
        "status",
        "",
        r#"{"scrypt":{"name":"scrypt","fees":"0.5","hashrate":9,"workers":2,
        "estimate_current":"0.004","actual_last24h":0.3,"mbtc_mh_factor":1000}}"#,
    ),
    (
        "zergpool",
        "currencies",
        "",
        r#"{"RVN":{"algo":"kawpow","height":70,"difficulty":"12.5",
        "hashrate":40,"network_hashrate":400,"estimate_current":"0.0005","mbtc_mh_factor":1,
        "lastblock":"69","timesincelast":600}}"#,
    ),
    (
        "braiins-pool",
        "stats",
        "BTC",
        r#"{"btc":{"hash_rate_unit":"Gh/s","fpps_rate":5e-7,
        "pool_60m_hash_rate":2.5,"update_ts":1699999000,"blocks":{"8":{"date_found":1699990000,
        "state":"confirmed","value":"3.25"},"9":{"state":"invalid"}}}}"#,
    ),
    (
        "miningpoolhub",
        "profits",
        "",
        r#"{"success":true,"return":[{"coin_name":"zcash",
        "algo":"Equihash","profit":2.5e-05,"pool_hash":"1.5G","net_hash":"2T","difficulty":2,
        "fee":0.9,"workers":1,"last_block":1699990000}]}"#,
    ),
    (
        "miningpoolhub",
        "switching",
        "",
        r#"{"success":true,"return":[{"algo":"X11","profit":1}]}"#,
    ),
    (
        "miningpoolhub",
        "status",
        "ETC",
        r#"{"getpoolstatus":{"data":{"hashrate":5.5,
        "workers":3,"currentnetworkblock":"9","networkdiff":"4","nethashrate":6,"lastblock":9,
        "timesincelast":50}}}"#,
    ),
    (
        "miningpoolhub",
        "blocks",
        "ETC",
        r#"{"getblockstats":{"data":{"4WeeksTotal":"99",
        "4WeeksOrphan":"1","4WeeksShares":"150","4WeeksEstimatedShares":120}}}"#,
    ),
    (
        "ckpool",
        "pool",
        "BTC",
        "{\"lastupdate\": 1699999000, \"Users\": 4}\n\
        {\"hashrate5m\": \"9T\", \"hashrate1hr\": \"1.25P\"}\n{\"diff\": 12.5}\n",
    ),
    (
        "public-pool",
        "pool",
        "BTC",
        r#"{"totalHashRate":1e12,"blockHeight":9,"totalMiners":7,
        "blocksFound":[],"fee":0}"#,
    ),
    (
        "public-pool",
        "network",
        "BTC",
        r#"{"blocks":9,"difficulty":1.5e14,"networkhashps":2}"#,
    ),
    (
        "ocean",
        "pool",
        "BTC",
        r#"{"result":{"active_users":"12","network_difficulty":"99",
        "current_estimated_block_reward":"3.25"}}"#,
    ),
    (
        "prohashing",
        "profitability",
        "",
        r#"{"1":{"algorithm_name":"Scrypt","usd":0.5,
        "btc":2e-6,"mh":10}}"#,
    ),
    (
        "f2pool",
        "account",
        "LTC",
        r#"{"hashrate":1100,"hashes_last_day":86400000,
        "value_last_day":"0.5"}"#,
    ),
    (
        "luxor",
        "hashprice",
        "",
        r#"{"data":{"getHashprice":{"nodes":[
        {"timestamp":"2023-11-14T20:13:20+00:00","usdHashprice":0.05,"btcHashprice":4e-7}]}}}"#,
    ),
];

const VIABTC: (&str, &str, &str, &str) = (
    "viabtc",
    "hashrate",
    "BTC",
    r#"{"code":0,"data":{"coin":"BTC","hashrate_1hour":"41"},"message":"OK"}"#,
);

/// What services and their proxies put where a number or a table belongs.
const ODD: [&str; 20] = [
    "null",
    "\"\"",
    "\"NaN\"",
    "NaN",
    "-1",
    "\"-\"",
    "[]",
    "{}",
    "true",
    "0",
    "1e999999999",
    "1e120",
    "1e-120",
    "-0.0",
    "18446744073709551616",
    "9999999999",
    "\"1E\"",
    "\"0x10\"",
    "\"\\u0000\"",
    "[[1]]",
];

fn read(
    (name, kind, about, _): (&'static str, &'static str, &'static str, &str),
    status: u16,
    body: &[u8],
) -> Result<Parsed, SourceError> {
    let source = ALL.iter().find(|source| source.name() == name).expect(name);
    let request = Request {
        kind,
        about: about.to_owned(),
        url: "https://h/10".to_owned(),
        headers: Vec::new(),
        body: None,
        every: Duration::ZERO,
        network: None,
    };
    let answer = Answer {
        status,
        headers: &[],
        body,
    };
    source.parse(&request, &answer, Catalog::built_in(), NOW)
}

fn can_be(read: &Result<Parsed, SourceError>) -> bool {
    let (zero, one) = (Decimal::from(0), Decimal::from(1));
    let may_be_zero = [
        Fact::PoolHashrate,
        Fact::AccountHashrate,
        Fact::PoolMiners,
        Fact::PoolFee,
        Fact::OrphanRate,
    ];
    read.iter()
        .flat_map(|parsed| &parsed.observations)
        .all(|o| {
            let share = matches!(o.fact, Fact::PoolFee | Fact::OrphanRate);
            let time = o.fact != Fact::PoolLastBlock || o.value <= NOW + 3600;
            let undated = o.at.is_none_or(|at| at <= NOW + 3600);
            let positive = o.value > zero || may_be_zero.contains(&o.fact) && o.value == zero;
            positive && (!share || o.value <= one) && time && undated
        })
}

fn all_sound() -> impl Strategy<Value = (&'static str, &'static str, &'static str, &'static str)> {
    let mut all = SOUND.to_vec();
    all.push(VIABTC);
    prop::sample::select(all)
}

#[test]
fn what_is_sound_is_read() {
    for sound in SOUND.into_iter().chain([VIABTC]) {
        let parsed = read(sound, 200, sound.3.as_bytes());
        assert!(can_be(&parsed), "{sound:?}: {parsed:?}");
        // Without a scale there is no price, and an error is an error.
        let nothing = matches!(sound.1, "paying_v1" | "miners");
        let some = parsed.is_ok_and(|parsed| !parsed.observations.is_empty());
        assert_eq!(some, !nothing, "{sound:?}");
    }
}

#[test]
fn odd_values_in_every_place_spoil_nothing() {
    for sound in SOUND.into_iter().chain([VIABTC]) {
        let body = sound.3;
        let starts = body.match_indices([':', '[', ',']).map(|(at, _)| at + 1);
        for start in starts {
            let rest = &body[start..];
            let end = rest.find([',', '}', ']']).unwrap_or(rest.len());
            for odd in ODD {
                let changed = format!("{}{odd}{}", &body[..start], &rest[end..]);
                let parsed = read(sound, 200, changed.as_bytes());
                assert!(can_be(&parsed), "{changed}: {parsed:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn cut_and_changed_answers_are_let_be(
        sound in all_sound(),
        status in prop_oneof![4 => Just(200u16), 1 => any::<u16>()],
        cut in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        whole in any::<bool>(),
    ) {
        let mut body = sound.3.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if !whole {
            body.truncate(cut.index(body.len() + 1));
        }
        let parsed = read(sound, status, &body);
        prop_assert!(can_be(&parsed), "{parsed:?}");
        prop_assert!((200..300).contains(&status) || parsed.is_err());
    }

    #[test]
    fn anything_at_all_is_let_be(
        sound in all_sound(),
        status in any::<u16>(),
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[\\[\\]{}:,\"0-9a-z.eE+-]{0,80}".prop_map(String::into_bytes),
        ],
    ) {
        prop_assert!(can_be(&read(sound, status, &body)));
    }
}
