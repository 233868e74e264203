//! The adapters of nodes and explorers against a folder of recorded answers, where
//! such a folder stands beside the project. Without it this says so and passes.

use smart_mining_central::source::explorer::{blockchain_info, blockchair, blockscout, mempool};
use smart_mining_central::source::rpc::{
    bitcoind, dcrdata, eth, kaspa_rest, kaspad, monero_explorer, monerod, zcashd,
};
use smart_mining_central::source::{
    Answer, Catalog, Fact, Num, Parsed, Request, Source, SourceError, Subject,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// After every recording, and before its tip is old where the recording has one.
const LATE: u64 = 1_900_000_000;

/// Nobody's answer: a coin that the catalog does not have.
const NO_ADAPTER: &[&str] = &["rpc/pearl_stats.json"];

/// The end of a file's name, its kind, and what it says.
type Recorded = (&'static str, &'static str, &'static [(Fact, &'static str)]);

fn fixtures() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    if root.join("rpc").is_dir() {
        return Some(root);
    }
    println!("no recorded answers beside the project: nothing to compare with");
    None
}

fn parse(
    source: &dyn Source,
    kind: &'static str,
    about: &str,
    now: u64,
    status: u16,
    body: &str,
) -> Result<Parsed, SourceError> {
    let request = Request {
        kind,
        about: about.to_owned(),
        url: String::new(),
        headers: Vec::new(),
        body: None,
        every: Duration::ZERO,
        network: None,
    };
    let answer = Answer {
        status,
        headers: &[],
        body: body.as_bytes(),
    };
    source.parse(&request, &answer, Catalog::built_in(), now)
}

/// The folder, and which of its files were looked at.
struct Folder {
    root: PathBuf,
    seen: BTreeSet<String>,
}

impl Folder {
    fn text(&mut self, file: &str) -> String {
        self.seen.insert(file.to_owned());
        let path = self.root.join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// The file's one coin has exactly these values.
    fn good(
        &mut self,
        file: &str,
        (source, kind, about, now): (&dyn Source, &'static str, &str, u64),
        expected: &[(Fact, &str)],
    ) {
        let text = self.text(file);
        self.text_good(file, &text, (source, kind, about, now), expected);
    }

    fn text_good(
        &self,
        file: &str,
        text: &str,
        (source, kind, about, now): (&dyn Source, &'static str, &str, u64),
        expected: &[(Fact, &str)],
    ) {
        let parsed = parse(source, kind, about, now, 200, text)
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut got: Vec<_> = parsed
            .observations
            .iter()
            .map(|seen| (seen.fact, seen.value.normalized().to_plain_string()))
            .collect();
        let mut wanted: Vec<_> = expected
            .iter()
            .map(|(fact, value)| {
                let value = Num::of_text(value).0.expect("a number");
                (*fact, value.normalized().to_plain_string())
            })
            .collect();
        got.sort();
        wanted.sort();
        assert_eq!(got, wanted, "{file}");
        for seen in &parsed.observations {
            let coin = match &seen.subject {
                Subject::Coin { coin } | Subject::Chain { coin, .. } => coin,
                Subject::Pool { .. } | Subject::Market { .. } => panic!("{file}: no chain"),
            };
            assert_eq!(coin, about, "{file}");
        }
    }
}

fn wrapped(result: &str) -> String {
    format!(r#"{{"result":{result},"error":null,"id":"x"}}"#)
}

fn bitcoin_nodes(folder: &mut Folder) {
    let node = &bitcoind::Bitcoind;
    folder.good(
        "rpc/bitcoind_getblockchaininfo.json",
        (node, "getblockchaininfo", "BTC", 1_783_000_600),
        &[
            (Fact::Difficulty, "133869853540305.4"),
            (Fact::Height, "956472"),
            (Fact::TipTime, "1783000000"),
        ],
    );
    let text = folder.text("rpc/bitcoind_getblockchaininfo.json");
    for (from, to) in [
        (
            "\"initialblockdownload\":false",
            "\"initialblockdownload\":true",
        ),
        ("\"headers\":956472", "\"headers\":956475"),
        ("\"time\":1783000000", "\"time\":1782980000"),
    ] {
        let text = text.replace(from, to);
        let answer = parse(node, "getblockchaininfo", "BTC", 1_783_000_600, 200, &text);
        assert!(
            matches!(answer, Err(SourceError::Syncing(_))),
            "{to}: {answer:?}"
        );
    }
    folder.good(
        "rpc/bitcoind_getmininginfo_v29.json",
        (node, "getmininginfo", "BTC", LATE),
        &[
            (Fact::Difficulty, "133869853540305.4"),
            (Fact::Height, "956472"),
            (Fact::NetworkHashrate, "922457450921050200000"),
        ],
    );
    folder.good(
        "rpc/bitcoind_getnetworkhashps.json",
        (node, "getnetworkhashps", "BTC", LATE),
        &[(Fact::NetworkHashrate, "922457450921050200000")],
    );
    folder.good(
        "rpc/bitcoind_getblockstats_840000_trimmed.json",
        (node, "getblockstats", "BTC", LATE),
        &[(Fact::Subsidy, "3.125"), (Fact::BlockFees, "0.3")],
    );
    folder.good(
        "rpc/bitcoind_getblockstats_genesis.json",
        (node, "getblockstats", "BTC", LATE),
        &[(Fact::Subsidy, "50"), (Fact::BlockFees, "0")],
    );
    folder.good(
        "rpc/bitcoind_getblocktemplate_testnet3.json",
        (node, "getblocktemplate", "BTC", LATE),
        &[(Fact::Subsidy, "0.02441406")],
    );
    let komodo = folder.text("rpc/komodod_getmininginfo.json");
    folder.text_good(
        "komodo",
        &wrapped(&komodo),
        (node, "getmininginfo", "ZEC", LATE),
        &[(Fact::NetworkHashrate, "11414148")],
    );
}

fn digibyte(folder: &mut Folder) {
    let text = folder.text("rpc/digibyted_getmininginfo.json");
    let node = &bitcoind::Bitcoind;
    let parsed = parse(node, "getmininginfo", "DGB", LATE, 200, &text).expect("good");
    for (algorithm, difficulty) in [
        ("odocrypt", "758803.473162248"),
        ("qubit", "4838516.667810841"),
        ("scrypt", "111625.4745815573"),
        ("sha256d", "1606081960.042681"),
        ("skein", "8308860.184994861"),
    ] {
        let subject = Subject::Chain {
            coin: "DGB".to_owned(),
            algorithm: algorithm.to_owned(),
        };
        for (fact, value) in [(Fact::Difficulty, difficulty), (Fact::Height, "13645716")] {
            let stated = parsed
                .observations
                .iter()
                .filter(|seen| seen.subject == subject && seen.fact == fact)
                .map(|seen| seen.value.clone());
            let expected = Num::of_text(value).0.expect("a number");
            assert_eq!(
                stated.collect::<Vec<_>>(),
                [expected],
                "{algorithm} {fact:?}"
            );
        }
    }
    assert_eq!(parsed.observations.len(), 10);
}

fn zcash(folder: &mut Folder) {
    for (file, miner) in [
        ("rpc/zebrad_getblocksubsidy_mainnet_canopy.json", "2.5"),
        ("rpc/zebrad_getblocksubsidy_nu6_testnet.json", "1.25"),
    ] {
        let text = wrapped(&folder.text(file));
        folder.text_good(
            file,
            &text,
            (&zcashd::Zcashd, "getblocksubsidy", "ZEC", LATE),
            &[(Fact::Subsidy, miner)],
        );
    }
    folder.good(
        "rpc/zebrad_getmininginfo_2025.json",
        (&zcashd::Zcashd, "getmininginfo", "ZEC", LATE),
        &[(Fact::NetworkHashrate, "20929098466")],
    );
}

fn monero(folder: &mut Folder) {
    let node = &monerod::Monerod;
    folder.good(
        "rpc/monerod_get_info.json",
        (node, "get_info", "XMR", LATE),
        &[
            (Fact::Difficulty, "225889137349"),
            (Fact::Height, "2286471"),
        ],
    );
    folder.good(
        "rpc/monerod_get_last_block_header.json",
        (node, "get_last_block_header", "XMR", 1_612_088_700),
        &[
            (Fact::Difficulty, "227026389695"),
            (Fact::Height, "2286454"),
            (Fact::TipTime, "1612088597"),
            (Fact::BlockReward, "1.181337498013"),
        ],
    );
    let text = folder.text("rpc/monerod_get_last_block_header.json");
    let answer = parse(node, "get_last_block_header", "XMR", LATE, 200, &text);
    assert!(matches!(answer, Err(SourceError::Syncing(_))));
    folder.good(
        "rpc/monerod_get_block_template.json",
        (node, "get_block_template", "XMR", LATE),
        &[
            (Fact::Difficulty, "226807339040"),
            (Fact::Height, "2286446"),
            (Fact::BlockReward, "1.182367759996"),
        ],
    );
    folder.good(
        "rpc/monerod_get_fee_estimate.json",
        (node, "get_fee_estimate", "XMR", LATE),
        &[],
    );
    folder.good(
        "rpc/monero_explorer_networkinfo.json",
        (&monero_explorer::MoneroExplorer, "networkinfo", "XMR", LATE),
        &[
            (Fact::Difficulty, "798134995218"),
            (Fact::Height, "3777039"),
            (Fact::NetworkHashrate, "6651124960"),
            (Fact::BlockTime, "120"),
        ],
    );
    folder.good(
        "rpc/supportxmr_network_stats.json",
        (
            &monero_explorer::MoneroExplorer,
            "network_stats",
            "XMR",
            LATE,
        ),
        &[
            (Fact::Difficulty, "724364281448"),
            (Fact::Height, "3746443"),
            (Fact::BlockReward, "0.6254563"),
        ],
    );
}

fn kaspa(folder: &mut Folder) {
    let rest = &kaspa_rest::KaspaRest;
    for (file, rate) in [
        ("rpc/kaspa_rest_hashrate.json", "319022770000000000"),
        (
            "rpc/kaspa_rest_hashrate_smart_mining.json",
            "413083142308401400",
        ),
    ] {
        folder.good(
            file,
            (rest, "hashrate", "KAS", LATE),
            &[(Fact::NetworkHashrate, rate), (Fact::BlockTime, "0.1")],
        );
    }
    folder.good(
        "rpc/kaspa_rest_blockreward.json",
        (rest, "blockreward", "KAS", LATE),
        &[(Fact::Subsidy, "2.31246515")],
    );
    folder.good(
        "rpc/kaspa_rest_blockdag_docs.json",
        (rest, "blockdag", "KAS", 1_656_455_700),
        &[
            (Fact::Difficulty, "3870677677777.2"),
            (Fact::Height, "19989141"),
            // As of ten blocks a second; the recording is older than those.
            (Fact::NetworkHashrate, "77413553555544"),
            (Fact::BlockTime, "0.1"),
        ],
    );
    folder.good(
        "rpc/kaspad_estimateNetworkHashesPerSecond.json",
        (
            &kaspad::Kaspad,
            "estimateNetworkHashesPerSecond",
            "KAS",
            LATE,
        ),
        &[(Fact::NetworkHashrate, "319022770000000000")],
    );
    let text = folder.text("rpc/kaspad_getBlockDagInfo_testnet10.json");
    let now = 1_779_713_010;
    let answer = parse(&kaspad::Kaspad, "getBlockDagInfo", "KAS", now, 200, &text);
    assert!(
        matches!(answer, Err(SourceError::NotFound(_))),
        "{answer:?}"
    );
    folder.text_good(
        "as if it were the main network",
        &text.replace("kaspa-testnet-10", "kaspa-mainnet"),
        (&kaspad::Kaspad, "getBlockDagInfo", "KAS", now),
        &[
            (Fact::Difficulty, "1929827.7263482325"),
            (Fact::Height, "473523535"),
            (Fact::NetworkHashrate, "38596554.52696465"),
            (Fact::BlockTime, "0.1"),
        ],
    );
}

fn ethereum_and_decred(folder: &mut Folder) {
    folder.good(
        "rpc/etc_eth_getBlockByNumber_latest.json",
        (&eth::Eth, "eth_getBlockByNumber", "ETC", 1_791_115_230),
        &[
            (Fact::Difficulty, "1964747158816436"),
            (Fact::Height, "25471049"),
            (Fact::TipTime, "1791115200"),
            (Fact::Subsidy, "1.6384"),
        ],
    );
    // Two answers in one file.
    let text = folder.text("rpc/dcrdata_block_and_subsidy.json");
    let both: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let source = &dcrdata::Dcrdata;
    folder.text_good(
        "dcrdata block",
        &both["best_block"].to_string(),
        (source, "block", "DCR", 1_791_361_900),
        &[
            (Fact::Difficulty, "421888.6"),
            (Fact::TipTime, "1791361822"),
        ],
    );
    folder.text_good(
        "dcrdata subsidy",
        &both["subsidy"].to_string(),
        (source, "subsidy", "DCR", LATE),
        &[(Fact::Subsidy, "0.05100425")],
    );
}

fn mempool_space(folder: &mut Folder) {
    let cases: &[Recorded] = &[
        (
            "hashrate_3d",
            "hashrate",
            &[
                (Fact::NetworkHashrate, "252033247355212300000"),
                (Fact::Difficulty, "31251101365711.12"),
            ],
        ),
        (
            "hashrate_3d_signet",
            "hashrate",
            &[
                (Fact::NetworkHashrate, "23490.95654668005"),
                (Fact::Difficulty, "0.00286032350920122"),
            ],
        ),
        (
            "difficulty_adjustment",
            "adjustment",
            &[(Fact::BlockTime, "302.328")],
        ),
        (
            "difficulty_adjustments_1m",
            "adjustments",
            &[(Fact::Difficulty, "72006146478567.1")],
        ),
        (
            "difficulty_adjustments_testnet",
            "adjustments",
            &[(Fact::Difficulty, "105074715.9955905")],
        ),
        // The mean of six, and of the two of the last day.
        (
            "blocks_fees_1w",
            "fees",
            &[(Fact::FeesPerBlock, "0.21375468")],
        ),
        (
            "blocks_rewards_1d",
            "rewards",
            &[(Fact::BlockReward, "6.426143545")],
        ),
        (
            "reward_stats_100",
            "reward_stats",
            &[
                (Fact::BlockReward, "6.3811748254"),
                (Fact::FeesPerBlock, "0.1311748254"),
            ],
        ),
        (
            "block_v1",
            "block",
            &[(Fact::Subsidy, "25"), (Fact::BlockFees, "0.05949764")],
        ),
        (
            "mining_pools_1w",
            "pools_1w",
            &[(Fact::NetworkHashrate, "230086716765559200000")],
        ),
        ("prices", "prices", &[(Fact::PriceUsd, "43753")]),
    ];
    for (file, kind, expected) in cases {
        let file = format!("explorers/mempool_{file}.json");
        folder.good(&file, (&mempool::Mempool, kind, "BTC", LATE), expected);
    }
}

fn other_explorers(folder: &mut Folder) {
    folder.good(
        "explorers/blockchain_info_stats_2016.json",
        (&blockchain_info::BlockchainInfo, "stats", "BTC", LATE),
        &[
            (Fact::Difficulty, "225832872179"),
            (Fact::NetworkHashrate, "1841098926629290800"),
            (Fact::BlockTime, "526.8292682926829268292682926829268"),
            (Fact::Subsidy, "12.5"),
            (Fact::FeesPerBlock, "0.3703379978658536585365853658536585"),
            (Fact::PriceUsd, "610.036975"),
        ],
    );
    let chair = &blockchair::Blockchair;
    folder.good(
        "explorers/blockchair_bitcoin_cash_stats.json",
        (chair, "stats", "BCH", 1_637_351_300),
        &[
            (Fact::Difficulty, "219997662911.22"),
            (Fact::Height, "714807"),
            (Fact::TipTime, "1637351231"),
            (Fact::NetworkHashrate, "1893552640078511339"),
            (Fact::BlockTime, "499.4219653179190751445086705202312"),
            (Fact::Subsidy, "6.25"),
            (Fact::PriceUsd, "574.95"),
            (Fact::PriceBtc, "0.0098885506423817"),
        ],
    );
    folder.good(
        "explorers/blockchair_bitcoin_stats.json",
        (chair, "stats", "BTC", 1_625_755_100),
        &[
            (Fact::Difficulty, "14363025673660"),
            (Fact::Height, "690164"),
            (Fact::TipTime, "1625755020"),
            (Fact::NetworkHashrate, "92904707138521187685"),
            (Fact::BlockTime, "664.6153846153846153846153846153846"),
            (Fact::Subsidy, "6.25"),
            (Fact::PriceUsd, "32723"),
        ],
    );
    folder.good(
        "explorers/blockchair_monero_stats.json",
        (chair, "stats", "XMR", 1_579_207_400),
        &[
            (Fact::Difficulty, "127374112357"),
            (Fact::Height, "2012710"),
            (Fact::TipTime, "1579207367"),
            (Fact::NetworkHashrate, "1061450936"),
            (Fact::PriceUsd, "79.36"),
            (Fact::PriceBtc, "0.0079091090293004"),
        ],
    );
    folder.good(
        "explorers/blockscout_v2_stats.json",
        (&blockscout::Blockscout, "stats", "ETC", LATE),
        &[(Fact::BlockTime, "0.454")],
    );
}

/// `{name: {http_status, body}}`; a body is JSON or a text as it is sent.
fn errors(folder: &mut Folder, file: &str) -> Vec<(String, u16, String)> {
    let text = folder.text(file);
    let all: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    all.as_object()
        .expect("an object")
        .iter()
        .map(|(name, error)| {
            let status = error["http_status"].as_u64().expect("a status");
            let body = &error["body"];
            let body = body
                .as_str()
                .map_or_else(|| body.to_string(), str::to_owned);
            (name.clone(), u16::try_from(status).expect("a status"), body)
        })
        .collect()
}

fn refusals(folder: &mut Folder) {
    for (name, status, body) in errors(folder, "errors/jsonrpc_errors.json") {
        for kind in ["state", "getmininginfo"] {
            let answer = parse(&bitcoind::Bitcoind, kind, "BTC", LATE, status, &body);
            let error = answer.expect_err("an error");
            let right = match name.as_str() {
                "warming_up" => matches!(error, SourceError::Syncing(_)),
                "unauthorized" => matches!(error, SourceError::Key(_)),
                "method_not_found" => {
                    error == SourceError::Service("-32601: Method not found".to_owned())
                }
                "work_queue" => error == SourceError::RateLimited(None),
                other => panic!("{other} is new"),
            };
            assert!(right, "{name}: {error}");
        }
    }
    for (name, status, body) in errors(folder, "errors/blockchair_errors.json") {
        let answer = parse(&blockchair::Blockchair, "stats", "BTC", LATE, status, &body);
        let error = answer.expect_err("an error");
        let right = match name.as_str() {
            "limit" | "blacklisted" => matches!(error, SourceError::Stop(_)),
            "rate" => error == SourceError::RateLimited(None),
            other => panic!("{other} is new"),
        };
        assert!(right, "{name}: {error}");
    }
}

#[test]
fn recorded_answers_of_nodes_and_explorers_are_read_right() {
    let Some(root) = fixtures() else { return };
    let mut folder = Folder {
        root,
        seen: BTreeSet::new(),
    };
    bitcoin_nodes(&mut folder);
    digibyte(&mut folder);
    zcash(&mut folder);
    monero(&mut folder);
    kaspa(&mut folder);
    ethereum_and_decred(&mut folder);
    mempool_space(&mut folder);
    other_explorers(&mut folder);
    refusals(&mut folder);
    for part in ["rpc", "explorers"] {
        for entry in std::fs::read_dir(folder.root.join(part)).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            let file = format!("{part}/{}", name.to_string_lossy());
            let known = folder.seen.contains(&file) || NO_ADAPTER.contains(&file.as_str());
            assert!(known, "{file} was not looked at");
        }
    }
}
