use super::*;
use crate::collect::Heard;
use crate::merge::{Book, merge};
use crate::source::{Catalog, Decimal, Fact, Observation, Parsed};

const NOW: u64 = 1_900_000_000;
const K: f64 = 4_294_967_296.0;

/// What everybody says of a coin: price, difficulty, subsidy, fees.
#[derive(Clone, Copy)]
struct Coin(&'static str, &'static str, f64, f64, f64, f64);

const BTC: Coin = Coin("BTC", "sha256d", 60_000.0, 1e14, 3.0, 0.15);
const BCH: Coin = Coin("BCH", "sha256d", 600.0, 1e12, 3.125, 0.0);
const LTC: Coin = Coin("LTC", "scrypt", 80.0, 1e8, 6.25, 0.0);
const DOGE: Coin = Coin("DOGE", "scrypt", 0.2, 5e7, 10_000.0, 0.0);

fn said(
    source: &'static str,
    Coin(coin, algorithm, price, difficulty, subsidy, fees): Coin,
) -> Heard {
    let chain = chain_subject(coin, algorithm.parse().expect("known"));
    let price_of = Subject::Coin { coin: coin.into() };
    let observations = [
        (&price_of, Fact::PriceUsd, price),
        (&chain, Fact::Difficulty, difficulty),
        (&chain, Fact::Subsidy, subsidy),
        (&chain, Fact::FeesPerBlock, fees),
    ];
    answer(source, coin, &observations)
}

fn answer(source: &'static str, about: &str, said: &[(&Subject, Fact, f64)]) -> Heard {
    let observations = said.iter().map(|(subject, fact, value)| Observation {
        subject: (*subject).clone(),
        fact: *fact,
        value: value.to_string().parse::<Decimal>().expect("a number"),
        at: None,
    });
    Heard {
        source,
        kind: "all",
        about: about.into(),
        at: NOW,
        result: Ok(Parsed {
            observations: observations.collect(),
            unmapped: Vec::new(),
        }),
    }
}

fn offer(coin: Coin, scheme: &str, merged: &[&str]) -> OfferTerms {
    OfferTerms {
        coin: coin.0.into(),
        algorithm: coin.1.parse().expect("known"),
        url: "stratum+tcp://pool.example:3333".into(),
        fee: 0.02,
        scheme: scheme.into(),
        merged: merged.iter().map(|coin| (*coin).into()).collect(),
    }
}

fn pool(id: &str, offers: &[OfferTerms]) -> PoolTerms {
    PoolTerms {
        id: id.into(),
        name: id.into(),
        offers: offers.to_vec(),
    }
}

fn ranked(heard: &[Heard], pools: &[PoolTerms]) -> Ranking {
    let mut book = Book::default();
    for one in heard {
        assert_eq!(book.hear(one), []);
    }
    rank(&merge(&book, Catalog::built_in(), NOW), pools)
}

fn near(got: f64, expected: f64) {
    assert!(
        (got / expected - 1.0).abs() < 1e-12,
        "{got} is not {expected}"
    );
}

#[test]
fn each_scheme_is_ranked_by_what_is_left_and_the_fee_stands_beside() {
    let pools = [
        pool("fpps", &[offer(BTC, "FPPS", &[])]),
        pool("pps", &[offer(BTC, "PPS", &[])]),
    ];
    let ranking = ranked(&[said("blockchair", BTC)], &pools);
    let row = |id: &str| {
        ranking
            .rows
            .iter()
            .find(|row| row.pool == id)
            .expect("ranked")
    };
    let a_coin = 86_400.0 / (1e14 * K);
    near(row("fpps").usd, a_coin * 3.15 * 60_000.0);
    near(row("fpps").net_usd(), a_coin * 3.15 * 60_000.0 * 0.98);
    near(row("fpps").net_coins, a_coin * 3.15 * 0.98);
    // Nobody but the pool gets the fees of a block.
    near(row("pps").usd, a_coin * 3.0 * 60_000.0);
    near(row("pps").gross_usd, row("fpps").gross_usd);
}

#[test]
fn chains_mined_along_add_and_one_that_is_unknown_takes_nothing_away() {
    let pools = [pool("both", &[offer(LTC, "PPLNS", &["DOGE"])])];
    let alone = ranked(&[said("blockchair", LTC)], &pools);
    let both = ranked(&[said("blockchair", LTC), said("blockchair", DOGE)], &pools);
    let of = |coin: Coin| 86_400.0 / (coin.3 * K) * coin.4 * coin.2;
    near(alone.rows[0].usd, of(LTC));
    near(both.rows[0].usd, of(LTC) + of(DOGE));
}

#[test]
fn a_pools_own_fee_and_orphans_go_before_the_configured_terms() {
    let own = Subject::Pool {
        pool: "2miners".into(),
        coin: "LTC".into(),
        algorithm: "scrypt".into(),
    };
    let facts = [(&own, Fact::PoolFee, 0.01), (&own, Fact::OrphanRate, 0.05)];
    let pools = [pool("2miners", &[offer(LTC, "PPLNS", &[])])];
    let ranking = ranked(
        &[said("blockchair", LTC), answer("2miners", "", &facts)],
        &pools,
    );
    let row = &ranking.rows[0];
    assert_eq!(row.fee, 0.01);
    near(row.usd, row.gross_usd * 0.95);
}

#[test]
fn what_is_missing_is_said() {
    let pools = [pool(
        "a",
        &[
            offer(BTC, "FPPS", &[]),
            offer(BCH, "FPPS", &[]),
            offer(LTC, "MYSTERY", &[]),
        ],
    )];
    let chain = chain_subject("BCH", Algorithm::Sha256d);
    let half = answer("blockchair", "BCH", &[(&chain, Fact::Difficulty, 1e12)]);
    let ranking = ranked(&[half, said("blockchair", LTC)], &pools);
    let why: Vec<&str> = ranking
        .unranked
        .iter()
        .map(|one| one.why.as_str())
        .collect();
    assert_eq!(
        why,
        [
            "BTC: no source told of this chain",
            "BCH: no reward of a block",
            "LTC: the payment scheme \"MYSTERY\" is not known",
        ]
    );
    assert!(ranking.rows.is_empty());
}

#[test]
fn a_coin_that_pays_a_hundred_times_its_siblings_needs_two_witnesses() {
    let wild = Coin("XEC", "sha256d", 0.006, 1e12, 1_812_500.0, 0.0);
    let all = [BTC, BCH, wild];
    let pools = [pool("p", &all.map(|coin| offer(coin, "FPPS", &[])))];
    let once = all.map(|coin| said("blockchair", coin));
    let ranking = ranked(&once, &pools);
    assert_eq!(ranking.rejections.len(), 1);
    assert_eq!(ranking.rejections[0].rule, "far-above-its-siblings");
    assert_eq!((ranking.rows.len(), ranking.unranked.len()), (2, 1));
    let twice = [&once[..], &all.map(|coin| said("whattomine", coin))].concat();
    let ranking = ranked(&twice, &pools);
    assert_eq!((ranking.rows.len(), ranking.rejections.len()), (3, 0));
}

#[test]
fn of_two_siblings_the_better_attested_one_is_believed() {
    let wild = Coin("BCH", "sha256d", 60_000.0, 1e12, 3.125, 0.0);
    let pools = [pool(
        "p",
        &[offer(BTC, "FPPS", &[]), offer(wild, "FPPS", &[])],
    )];
    let unattested = [said("blockchair", BTC), said("blockchair", wild)];
    assert_eq!(ranked(&unattested, &pools).rows.len(), 2);
    let attested = [&unattested[..], &[said("whattomine", BTC)]].concat();
    let ranking = ranked(&attested, &pools);
    assert_eq!(ranking.rows.len(), 1);
    assert_eq!(ranking.rows[0].coin, "BTC");
}

#[test]
fn farms_read_the_best_first() {
    let pools = [
        pool(
            "dear",
            &[OfferTerms {
                fee: 0.04,
                ..offer(BTC, "FPPS", &[])
            }],
        ),
        pool("cheap", &[offer(BTC, "FPPS", &[])]),
        pool("x", &[offer(LTC, "FPPS", &[])]),
    ];
    let ranking = ranked(&[said("blockchair", BTC), said("blockchair", LTC)], &pools);
    let entries = in_order(ranking.rows.iter().map(Row::entry).collect());
    let order: Vec<&str> = entries.iter().map(|entry| entry.pool.id.as_str()).collect();
    assert_eq!(order, ["x", "cheap", "dear"]);
}
