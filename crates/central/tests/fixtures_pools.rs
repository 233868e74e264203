//! Recorded answers of pools and markets of hashrate, where they are at hand.
//!
//! The recordings are no part of this repository: without them these tests say so
//! and pass. With them every file of the folder has to be known here.

use smart_mining_central::source::pool::ALL;
use smart_mining_central::source::{Answer, Catalog, Parsed, Request, SourceError, Subject};
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

/// The text that a recording wraps in JSON, under `key`.
fn wrapped(text: &str, key: &str) -> String {
    let all: serde_json::Value = serde_json::from_str(text).expect("JSON");
    all[key].as_str().expect(key).to_owned()
}

/// Source, kind, what it is about, and the address if it matters.
type Question = (&'static str, &'static str, &'static str, &'static str);

fn read((name, kind, about, url): Question, body: &str) -> Result<Parsed, SourceError> {
    let source = ALL.iter().find(|source| source.name() == name).expect(name);
    let request = Request {
        kind,
        about: about.to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: None,
        every: Duration::ZERO,
        network: None,
    };
    let answer = Answer {
        status: 200,
        headers: &[],
        body: body.as_bytes(),
    };
    source.parse(&request, &answer, Catalog::built_in(), NOW)
}

/// `subject fact value`, with `@time` where it is dated.
fn lines(parsed: &Parsed) -> Vec<String> {
    let line = |o: &smart_mining_central::source::Observation| {
        let subject = match &o.subject {
            Subject::Coin { coin } => coin.clone(),
            Subject::Chain { coin, .. } => coin.clone(),
            Subject::Pool { pool, coin, .. } => format!("{pool}:{coin}"),
            Subject::Market { market, algorithm } => format!("{market}/{algorithm}"),
        };
        let value = o.value.normalized().to_plain_string();
        let at = o.at.map(|at| format!(" @{at}")).unwrap_or_default();
        format!("{subject} {:?} {value}{at}", o.fact)
    };
    parsed.observations.iter().map(line).collect()
}

fn left_out(parsed: &Parsed) -> Vec<&str> {
    parsed
        .unmapped
        .iter()
        .map(|row| row.name.as_str())
        .collect()
}

/// A file, what it answers, what is read from it and what is left out.
type Recording = (
    &'static str,
    Question,
    &'static [&'static str],
    &'static [&'static str],
);

fn compare(recordings: &[Recording]) {
    let Some(folder) = folder("pools") else {
        return;
    };
    for (file, question, expected, unmapped) in recordings {
        let parsed = read(*question, &text(&folder, file)).expect(file);
        assert_eq!(lines(&parsed), *expected, "{file}");
        assert_eq!(left_out(&parsed), *unmapped, "{file}");
    }
}

/// Of a large table: some lines that must be there, and how many there are.
fn compare_some(file: &str, question: Question, some: &[&str], read_out: (usize, usize)) {
    let Some(folder) = folder("pools") else {
        return;
    };
    let parsed = read(question, &text(&folder, file)).expect(file);
    let all = lines(&parsed);
    for line in some {
        assert!(all.iter().any(|seen| seen == line), "{file}: no {line}");
    }
    assert_eq!((all.len(), parsed.unmapped.len()), read_out, "{file}");
}

const OF_THE_SAME_SOFTWARE: &[Recording] = &[
    (
        "2miners_etc_stats.json",
        ("2miners", "stats", "ETC", ""),
        &[
            "2miners:ETC PoolHashrate 1500000000000 @1791115200",
            "2miners:ETC PoolMiners 900 @1791115200",
            "2miners:ETC PoolLastBlock 1791114900 @1791115200",
            "2miners:ETC PoolEffort 1.012 @1791115200",
            "ETC Difficulty 1964747158816436 @1791115198",
            "ETC Height 25471049 @1791115198",
            "ETC NetworkHashrate 140334070841501 @1791115198",
            "ETC BlockTime 14 @1791115198",
        ],
        &[],
    ),
    (
        "2miners_rvn_stats.json",
        ("2miners", "stats", "RVN", ""),
        &[
            "2miners:RVN PoolHashrate 21530000000 @1791115200",
            "2miners:RVN PoolMiners 1200 @1791115200",
            "2miners:RVN PoolLastBlock 1791114000 @1791115200",
            "2miners:RVN PoolEffort 0.985 @1791115200",
            "RVN Difficulty 11091.6893 @1791115195",
            "RVN Height 4566758 @1791115195",
            "RVN NetworkHashrate 771818804685.0007 @1791115195",
            "RVN BlockTime 57.57 @1791115195",
        ],
        &[],
    ),
    (
        "2miners_rvn_blocks.json",
        ("2miners", "blocks", "RVN", ""),
        &[
            "2miners:RVN PoolLastBlock 1787501000",
            "2miners:RVN PoolEffort 1",
            // (0.0029 * 1024 + 0.5) / 1025
            "2miners:RVN OrphanRate 0.003384975609756097560975609756097561",
            "RVN BlockReward 1250 @1787501000",
        ],
        &[],
    ),
    (
        "open_ethereum_pool_stats.json",
        ("open-ethereum-pool", "stats", "ETC", ""),
        &[
            "open-ethereum-pool:ETC PoolHashrate 615470228 @1524419655",
            "open-ethereum-pool:ETC PoolMiners 1 @1524419655",
            "open-ethereum-pool:ETC PoolLastBlock 1524388161 @1524419655",
            "ETC Difficulty 34030752131909 @1524419652",
            "ETC Height 447026 @1524419652",
        ],
        &[],
    ),
    // Its coin is not in the catalog; another of as many decimals stands for it.
    (
        "open_ethereum_pool_dero_api.json",
        ("open-ethereum-pool", "all", "XMR", ""),
        &[
            "open-ethereum-pool:XMR PoolHashrate 5191 @1598645392",
            "open-ethereum-pool:XMR PoolMiners 1 @1598645392",
            "XMR Difficulty 21600 @1598645392",
            "XMR Height 351 @1598645392",
            "open-ethereum-pool:XMR PoolLastBlock 1598645282",
            "open-ethereum-pool:XMR OrphanRate 0.08333333333333333333333333333333333",
            "XMR BlockReward 2.350021907914 @1598644983",
        ],
        &[],
    ),
    (
        "herominers_alph_stats.json",
        ("herominers", "stats", "ALPH", ""),
        &[
            "herominers:ALPH PoolLastBlock 1787580539",
            "ALPH BlockReward 0.143317807237549265 @1787580539",
            "ALPH Difficulty 2877482810317808",
        ],
        &[],
    ),
    (
        "herominers_beam_stats.json",
        ("herominers", "stats", "BEAM", ""),
        &[
            "herominers:BEAM PoolLastBlock 1787567965",
            "BEAM BlockReward 25 @1787567965",
            "BEAM Difficulty 3236492.75",
        ],
        &[],
    ),
    (
        "herominers_erg_stats.json",
        ("herominers", "stats", "ERG", ""),
        &[
            "herominers:ERG PoolLastBlock 1787572756",
            "ERG BlockReward 3.0078 @1787572756",
            "ERG Difficulty 75748543037440",
        ],
        &[],
    ),
];

const BITCOIN_POOLS: &[Recording] = &[
    (
        "braiins_pool_stats_btc.json",
        ("braiins-pool", "stats", "BTC", ""),
        &[
            "braiins-pool:BTC PoolHashrate 5617000000994220000 @1699938300",
            "braiins-pool:BTC PoolMiners 1 @1699938300",
            "braiins-pool:BTC OfferBtcPerHashDay 0.00000000000000000241 @1699938300",
            "braiins-pool:BTC PoolLastBlock 1542002919",
            "braiins-pool:BTC OrphanRate 0.25",
            "BTC BlockReward 12.92594863 @1542002919",
        ],
        &[],
    ),
    (
        "ckpool_pool_status.json",
        ("ckpool", "pool", "BTC", ""),
        &[
            "ckpool:BTC PoolHashrate 1480000000000 @1767000053",
            "ckpool:BTC PoolMiners 1 @1767000053",
        ],
        &[],
    ),
    (
        "ckpool_user_stats.json",
        ("ckpool", "user", "BTC", ""),
        &["ckpool:BTC AccountHashrate 4570000000"],
        &[],
    ),
    (
        "public_pool_api_pool.json",
        ("public-pool", "pool", "BTC", ""),
        &[
            "public-pool:BTC PoolHashrate 25612345678901.5",
            "public-pool:BTC PoolFee 0",
            "public-pool:BTC PoolMiners 42",
            "BTC Height 894000",
        ],
        &[],
    ),
    (
        "ocean_pool_stat.json",
        ("ocean", "pool", "BTC", ""),
        &[
            "ocean:BTC PoolMiners 6520",
            "BTC Difficulty 132716002350731",
            "BTC BlockReward 3.14437788",
        ],
        &[],
    ),
    (
        "ocean_statsnap.json",
        ("ocean", "user", "BTC", ""),
        &["ocean:BTC AccountHashrate 99500000000000 @1790000000"],
        &[],
    ),
    (
        "f2pool_v1_account_btc.json",
        ("f2pool", "account", "BTC", ""),
        &["f2pool:BTC AccountHashrate 0"],
        &[],
    ),
    (
        "viabtc_account.json",
        ("viabtc", "account", "", ""),
        &[],
        &[],
    ),
    (
        "viabtc_openapi_hashrate.json",
        ("viabtc", "hashrate", "BTC", ""),
        &["viabtc:BTC AccountHashrate 41468691881365"],
        &[],
    ),
    (
        "luxor_graphql_hashprice.json",
        ("luxor", "hashprice", "", ""),
        &[
            "luxor/sha256d OfferBtcPerHashDay 0.0000000000000000006416 @1731423600",
            "luxor/sha256d OfferUsdPerHashDay 0.00000000000005597 @1731423600",
        ],
        &[],
    ),
];

const THAT_OFFER: &[Recording] = &[
    (
        "nanopool_approximated_earnings_rvn.json",
        (
            "nanopool",
            "earnings",
            "RVN",
            "https://h/v1/rvn/approximated_earnings/10",
        ),
        &[
            "nanopool:RVN OfferCoinPerHashDay 0.000001743",
            "nanopool:RVN OfferBtcPerHashDay 0.000000000000069",
            "nanopool:RVN OfferUsdPerHashDay 0.00000000575",
        ],
        &[],
    ),
    (
        "nicehash_mining_algorithms_2019.json",
        ("nicehash", "algorithms", "", ""),
        &[
            "nicehash/randomx MarketUnit 1000000000",
            "nicehash/scrypt MarketUnit 1000000000000",
        ],
        &[],
    ),
    (
        "nicehash_simplemultialgo_old_v1.json",
        ("nicehash", "paying_v1", "1000000000", ""),
        &[
            "nicehash/equihash-200-9 OfferBtcPerHashDay 0.00000000981508791",
            "nicehash/ethash OfferBtcPerHashDay 0.00000000000192647",
            "nicehash/scrypt OfferBtcPerHashDay 0.00000000000029919",
            "nicehash/sha256d OfferBtcPerHashDay 0.00000000000000003",
            "nicehash/x11 OfferBtcPerHashDay 0.00000000000000281",
        ],
        &["scryptnf", "decred", "grincuckatoo31"],
    ),
    (
        "prohashing_profitability.json",
        ("prohashing", "profitability", "", ""),
        &[
            "prohashing/scrypt OfferBtcPerHashDay 0.000000000000015",
            "prohashing/scrypt OfferUsdPerHashDay 0.0000000012",
        ],
        &[],
    ),
    (
        "zergpool_status.json",
        ("zergpool", "status", "", ""),
        &[
            "zergpool/lyra2rev2 PoolHashrate 115385162",
            "zergpool/lyra2rev2 PoolMiners 14",
            "zergpool/lyra2rev2 OfferBtcPerHashDay 0.00000000000346",
            "zergpool/lyra2rev2 PaidBtcPerHashDay 0.00000000000358",
            "zergpool/lyra2rev2 PoolFee 0.005",
        ],
        &[],
    ),
    // No factor, so no price.
    (
        "zpool_status_legacy.json",
        ("zpool", "status", "", ""),
        &[
            "zpool/x11 PoolHashrate 269473938",
            "zpool/x11 PoolMiners 5",
            "zpool/x11 PoolFee 0.01",
        ],
        &["x11"],
    ),
    // Coins that the catalog does not have, or not under these keys.
    (
        "zergpool_currencies.json",
        ("zergpool", "currencies", "", ""),
        &[],
        &["ABS"],
    ),
    (
        "yiimp_currencies.json",
        ("zpool", "currencies", "", ""),
        &[],
        &["BTX", "DGB-SHA256"],
    ),
    (
        "miningpoolhub_getblockstats.json",
        ("miningpoolhub", "blocks", "ETC", ""),
        &[
            "miningpoolhub:ETC PoolEffort 1.013701181973165287333661983101812",
            // 0.5 / 4766
            "miningpoolhub:ETC OrphanRate 0.0001049097775912715065044062106588334",
        ],
        &[],
    ),
    (
        "miningpoolhub_getpoolstatus.json",
        ("miningpoolhub", "status", "ETC", ""),
        &[
            "miningpoolhub:ETC PoolHashrate 21318913068661",
            "miningpoolhub:ETC PoolMiners 190390",
            "miningpoolhub:ETC PoolLastBlock 1799998856",
            "ETC Difficulty 10203656293040327",
            "ETC NetworkHashrate 728832592360020",
            "ETC Height 13514852",
        ],
        &[],
    ),
];

/// Recordings that other tests here read.
const OTHERS: [&str; 5] = [
    "ckpool_pool_status_raw_lines.json",
    "miningpoolhub_getautoswitchingandprofitsstatistics.json",
    "miningpoolhub_getminingandprofitsstatistics.json",
    "nicehash_simplemultialgo_info_v2_2019.json",
    "nicehash_stats_global_5m_2019.json",
];

#[test]
fn pools_of_the_same_software() {
    compare(OF_THE_SAME_SOFTWARE);
}

#[test]
fn pools_of_bitcoin() {
    compare(BITCOIN_POOLS);
}

#[test]
fn pools_and_markets_that_offer() {
    compare(THAT_OFFER);
}

#[test]
fn every_recording_is_read() {
    let Some(folder) = folder("pools") else {
        return;
    };
    let entries = std::fs::read_dir(folder).expect("a folder");
    let there: BTreeSet<String> = entries
        .map(|entry| {
            entry
                .expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let tables = [OF_THE_SAME_SOFTWARE, BITCOIN_POOLS, THAT_OFFER];
    let known = tables.into_iter().flatten().map(|recording| recording.0);
    let known: BTreeSet<String> = known.chain(OTHERS).map(str::to_owned).collect();
    assert_eq!(there, known);
}

#[test]
fn raw_lines_are_three_objects() {
    let Some(folder) = folder("pools") else {
        return;
    };
    let body = wrapped(&text(&folder, OTHERS[0]), "body");
    let parsed = read(("ckpool", "pool", "BTC", ""), &body).expect("three objects");
    assert_eq!(
        lines(&parsed),
        [
            "ckpool:BTC PoolHashrate 468000000000000 @1785500438",
            "ckpool:BTC PoolMiners 1 @1785500438",
        ]
    );
}

#[test]
fn the_large_tables_of_miningpoolhub() {
    let some = [
        "miningpoolhub/equihash-144-5 OfferBtcPerHashDay 0.0000003827927836",
        "miningpoolhub/scrypt OfferBtcPerHashDay 0.00000000000006198",
    ];
    compare_some(
        OTHERS[1],
        ("miningpoolhub", "switching", "", ""),
        &some,
        (15, 3),
    );
    let some = [
        "miningpoolhub:XMR PoolHashrate 12550000",
        "miningpoolhub:LTC PoolLastBlock 1628942871",
        "miningpoolhub:LTC PoolFee 0.009",
        "LTC NetworkHashrate 310820000000000",
        "RVN Difficulty 92935.079413165",
        // 117.678548883 * 2^19
        "ZEC Difficulty 61697451.036770304",
        "BTC NetworkHashrate 163917640000000000000",
        "miningpoolhub:DGB OfferBtcPerHashDay 0.00000000000000117",
        "miningpoolhub:DGB OfferBtcPerHashDay 0.00000000000000044",
    ];
    compare_some(
        OTHERS[2],
        ("miningpoolhub", "profits", "", ""),
        &some,
        (68, 16),
    );
}

#[test]
fn the_large_tables_of_nicehash() {
    // What is printed as "0" is no price; bitcoin's is one of them.
    let some = [
        "nicehash/equihash-200-9 OfferBtcPerHashDay 0.00000000052896534",
        "nicehash/scrypt OfferBtcPerHashDay 0.00000000000001542",
    ];
    let question = |kind| ("nicehash", kind, "1000000000", "");
    compare_some(OTHERS[3], question("paying"), &some, (11, 18));
    let some = [
        "nicehash/sha256d OfferBtcPerHashDay 0.0000000000000000023006956863594774",
        "nicehash/equihash-200-9 PoolHashrate 92562376.93262306",
    ];
    compare_some(OTHERS[4], question("stats"), &some, (24, 19));
}

#[test]
fn errors_have_their_kinds() {
    let Some(folder) = folder("errors") else {
        return;
    };
    let page = wrapped(
        &text(&folder, "miningpoolhub_rate_limited_html.json"),
        "body_prefix",
    );
    let failed = text(&folder, "miningpoolhub_autoswitching_fail.json");
    for kind in ["switching", "profits"] {
        let question = ("miningpoolhub", kind, "", "");
        assert_eq!(read(question, &page), Err(SourceError::RateLimited(None)));
        let failure = read(question, &failed);
        assert!(matches!(failure, Err(SourceError::Service(_))));
    }
    let errors = text(&folder, "nanopool_errors.json");
    let errors: serde_json::Value = serde_json::from_str(&errors).expect("JSON");
    let errors = errors.as_object().expect("an object");
    assert_eq!(errors.len(), 2);
    for error in errors.values() {
        for kind in ["earnings", "hashrate"] {
            let body = error["body"].to_string();
            let words = error["body"]["error"].as_str().expect("words").to_owned();
            let question = ("nanopool", kind, "RVN", "https://h/10");
            assert_eq!(read(question, &body), Err(SourceError::Service(words)));
        }
    }
}
