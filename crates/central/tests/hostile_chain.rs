//! No body, however broken, stops the adapters of nodes and explorers.

use bigdecimal::num_bigint::Sign;
use proptest::prelude::*;
use smart_mining_central::source::explorer::{blockchain_info, blockchair, blockscout, mempool};
use smart_mining_central::source::rpc::{
    bitcoind, dcrdata, eth, kaspa_rest, kaspad, monero_explorer, monerod, zcashd,
};
use smart_mining_central::source::{Answer, Catalog, Request, Source};
use std::time::Duration;

const NOW: u64 = 1_700_000_000;

type Asked = (&'static dyn Source, &'static str);

const ASKED: &[Asked] = &[
    (&bitcoind::Bitcoind, "state"),
    (&bitcoind::Bitcoind, "getblockchaininfo"),
    (&bitcoind::Bitcoind, "getmininginfo"),
    (&bitcoind::Bitcoind, "getnetworkhashps"),
    (&bitcoind::Bitcoind, "getblockstats"),
    (&bitcoind::Bitcoind, "getblocktemplate"),
    (&bitcoind::Bitcoind, "fees"),
    (&zcashd::Zcashd, "getblocksubsidy"),
    (&monerod::Monerod, "get_info"),
    (&monerod::Monerod, "get_last_block_header"),
    (&monerod::Monerod, "get_block_template"),
    (&monerod::Monerod, "get_block_headers_range"),
    (&eth::Eth, "eth_getBlockByNumber"),
    (&eth::Eth, "state"),
    (&eth::Eth, "blocks"),
    (&kaspad::Kaspad, "getBlockDagInfo"),
    (&kaspad::Kaspad, "estimateNetworkHashesPerSecond"),
    (&kaspa_rest::KaspaRest, "blockdag"),
    (&kaspa_rest::KaspaRest, "hashrate"),
    (&kaspa_rest::KaspaRest, "blockreward"),
    (&dcrdata::Dcrdata, "block"),
    (&dcrdata::Dcrdata, "subsidy"),
    (&monero_explorer::MoneroExplorer, "networkinfo"),
    (&monero_explorer::MoneroExplorer, "network_stats"),
    (&mempool::Mempool, "hashrate"),
    (&mempool::Mempool, "adjustment"),
    (&mempool::Mempool, "adjustments"),
    (&mempool::Mempool, "fees"),
    (&mempool::Mempool, "rewards"),
    (&mempool::Mempool, "reward_stats"),
    (&mempool::Mempool, "block"),
    (&mempool::Mempool, "blocks"),
    (&mempool::Mempool, "pools_1w"),
    (&mempool::Mempool, "prices"),
    (&blockchain_info::BlockchainInfo, "stats"),
    (&blockchair::Blockchair, "stats"),
    (&blockscout::Blockscout, "stats"),
    (&blockscout::Blockscout, "something else"),
];

/// Every field of every shape, so that a change of one hits something; `N` stands
/// where a value can be.
const BODIES: &[&str] = &[
    r#"{"result":{"chain":"main","blocks":N,"headers":N,"difficulty":N,"time":N,"mediantime":N,
        "networkhashps":N,"networksolps":N,"difficulty_scrypt":N,"difficulties":{"odo":N},
        "networkhashesps":{"skein":N},"subsidy":N,"totalfee":N,"coinbasevalue":N,"curtime":N,
        "transactions":[{"fee":N},{"fee":N}],"miner":N,"estimatedheight":N},"error":null}"#,
    r#"[{"id":"getblockchaininfo","result":{"blocks":N,"difficulty":N,"time":N}},
        {"id":"getmininginfo","result":{"blocks":N,"difficulty":N,"networkhashps":N}},
        {"id":N,"error":{"code":N,"message":N}}]"#,
    r#"[{"id":1,"result":{"height":N,"time":N,"subsidy":N,"totalfee":N}},
        {"id":2,"result":{"height":N,"time":N,"subsidy":N,"totalfee":N}},{"id":3,"error":{"code":N}}]"#,
    r#"{"result":{"status":"OK","headers":[{"height":N,"timestamp":N,"difficulty":N,"reward":N},
        {"height":N,"timestamp":N,"wide_difficulty":"0xN","reward":N},N]}}"#,
    r#"[{"id":"eth_chainId","result":"0x3d"},{"id":"eth_syncing","result":false},
        {"id":"eth_getBlockByNumber","result":{"number":"0xN","difficulty":"0xN","timestamp":"0xN"}},
        {"id":"eth_getBlockByNumber","result":{"number":"0x1","difficulty":"0xN","timestamp":"0x1"}}]"#,
    r#"{"result":N,"error":null,"id":1}"#,
    r#"{"result":null,"error":{"code":N,"message":"x"}}"#,
    r#"{"result":{"status":"OK","difficulty":N,"difficulty_top64":N,"wide_difficulty":N,"height":N,
        "target_height":N,"expected_reward":N,"block_header":{"difficulty":N,"height":N,
        "timestamp":N,"reward":N,"wide_difficulty":"0xN"}}}"#,
    r#"{"result":{"number":"0xN","difficulty":"0xN","timestamp":N}}"#,
    r#"{"getBlockDagInfoResponse":{"difficulty":N,"pastMedianTime":N,"virtualDaaScore":N},
        "estimateNetworkHashesPerSecondResponse":{"networkHashesPerSecond":N,"error":N}}"#,
    r#"{"difficulty":N,"pastMedianTime":N,"virtualDaaScore":N,"hashrate":N,"blockreward":N,
        "diff":N,"time":N,"height":N,"work_reward":N,"total":N,"value":N,"ts":N}"#,
    r#"{"status":"success","data":{"difficulty":N,"hash_rate":N,"target":N,"height":N}}"#,
    r#"{"currentHashrate":N,"currentDifficulty":N,"timeAvg":N,"startBlock":N,"endBlock":N,
        "totalReward":N,"totalFee":N,"height":N,"timestamp":N,"difficulty":N,"time":N,"USD":N,
        "extras":{"reward":N,"totalFees":N},"blockCount":N,"lastEstimatedHashrate":N}"#,
    r#"[[N,N,N,N],[N,N,N,N]]"#,
    r#"[{"timestamp":N,"avgFees":N,"avgRewards":N,"height":N,"difficulty":N,
        "extras":{"reward":N,"totalFees":N}},{"timestamp":N,"avgFees":N,"avgRewards":N}]"#,
    r#"{"market_price_usd":N,"hash_rate":N,"difficulty":N,"n_blocks_mined":N,"n_btc_mined":N,
        "total_fees_btc":N,"timestamp":N,"average_block_time":N,"coin_price":N}"#,
    r#"{"data":{"difficulty":N,"hashrate_24h":N,"blocks_24h":N,"inflation_24h":N,
        "best_block_height":N,"best_block_time":"2023-11-14 22:11:2N","market_price_usd":N},
        "context":{"code":N,"error":N}}"#,
];

fn some_value() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        Just("1700000000".to_owned()),
        Just("1699999990000".to_owned()),
        Just("200".to_owned()),
        Just("null".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"NaN\"".to_owned()),
        Just("18446744073709551615".to_owned()),
        Just("1e120".to_owned()),
        Just("-1e-120".to_owned()),
        Just("1e-120".to_owned()),
        Just("{}".to_owned()),
        Just("[]".to_owned()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<u64>().prop_map(|value| format!("\"{value}\"")),
        (0_u64..100).prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| format!("{value:e}")),
        "\\PC{0,6}".prop_map(|text| format!("{text:?}")),
    ]
}

fn some_body() -> impl Strategy<Value = Vec<u8>> {
    let body = (
        prop::sample::select(BODIES),
        prop::collection::vec(some_value(), 40),
    );
    let filled = body.prop_map(|(body, values)| {
        let parts: Vec<&str> = body.split('N').collect();
        let mut filled = String::new();
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                filled.push_str(&values[place % values.len()]);
            }
            filled.push_str(part);
        }
        filled.into_bytes()
    });
    let harm = (any::<prop::sample::Index>(), any::<u8>(), 0_u8..4);
    prop_oneof![
        3 => filled.clone(),
        2 => (filled, harm).prop_map(|(mut body, (place, byte, how))| {
            let place = place.index(body.len());
            match how {
                0 => body.truncate(place),
                1 => body[place] = byte,
                2 => { body.remove(place); }
                _ => body.insert(place, byte),
            }
            body
        }),
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ]
}

proptest! {
    #[test]
    fn no_answer_stops_a_parser(
        body in some_body(),
        status in prop_oneof![4 => Just(200_u16), 1 => any::<u16>()],
        about in prop::sample::select(&["BTC", "DGB", "ZEC", "XMR", "ETC", "KAS", "DCR", "XEC", "?"][..]),
        network in prop::sample::select(&[None, Some("regtest"), Some("61")][..]),
        now in prop_oneof![Just(NOW), any::<u64>()],
    ) {
        let headers = [("retry-after".to_owned(), "9".to_owned())];
        let answer = Answer { status, headers: &headers, body: &body };
        for (source, kind) in ASKED {
            let request = Request {
                kind,
                about: about.to_owned(),
                url: String::new(),
                headers: Vec::new(),
                body: None,
                every: Duration::ZERO,
                network: network.map(str::to_owned),
            };
            let read = || source.parse(&request, &answer, Catalog::built_in(), now);
            let first = read();
            prop_assert_eq!(&first, &read());
            for seen in first.map(|parsed| parsed.observations).unwrap_or_default() {
                prop_assert!(seen.value.sign() != Sign::Minus, "{:?}", seen);
            }
        }
    }
}
