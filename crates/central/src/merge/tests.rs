use super::*;
use crate::collect::Heard;
use crate::source::{Decimal, Observation, Parsed, SourceError};
use crate::transport::fetch::FetchError;
use proptest::prelude::*;

const NOW: u64 = 1_900_000_000;
const HOUR: u64 = 3600;
/// Hashes for one unit of difficulty.
const K: f64 = 4_294_967_296.0;
const DIFFICULTY: f64 = 1e14;

fn coin(id: &str) -> Subject {
    Subject::Coin { coin: id.into() }
}

fn btc() -> Subject {
    chain("BTC")
}

fn chain(id: &str) -> Subject {
    Subject::Chain {
        coin: id.into(),
        algorithm: "sha256d".into(),
    }
}

fn pool() -> Subject {
    Subject::Pool {
        pool: "2miners".into(),
        coin: "BTC".into(),
        algorithm: "sha256d".into(),
    }
}

fn answer(source: &'static str, at: u64, said: &[(Subject, Fact, f64)]) -> Heard {
    let observations = said
        .iter()
        .map(|(subject, fact, value)| Observation {
            subject: subject.clone(),
            fact: *fact,
            value: value.to_string().parse::<Decimal>().expect("a number"),
            at: None,
        })
        .collect();
    Heard {
        source,
        kind: "all",
        about: "BTC".into(),
        at,
        result: Ok(Parsed {
            observations,
            unmapped: Vec::new(),
        }),
    }
}

/// A book in which each of these was said at its time.
fn book(answers: &[Heard]) -> Book {
    let mut book = Book::default();
    for answer in answers {
        assert_eq!(book.hear(answer), []);
    }
    book
}

fn picture(answers: &[Heard]) -> Picture {
    merge(&book(answers), Catalog::built_in(), NOW)
}

/// Each rejection as `source rule`, in order.
fn rules(picture: &Picture) -> Vec<String> {
    let named = |it: &Rejection| format!("{} {}", it.source, it.rule);
    let mut rules: Vec<String> = picture.rejections.iter().map(named).collect();
    rules.sort();
    rules
}

fn work(picture: &Picture) -> &WorkEstimate {
    &picture.chains[&("BTC".to_owned(), "sha256d".to_owned())].work
}

fn says(source: &'static str, difficulty: f64) -> Heard {
    let facts = [
        (btc(), Fact::Difficulty, difficulty),
        (btc(), Fact::BlockReward, 3.15),
    ];
    answer(source, NOW, &facts)
}

fn quote(source: &'static str, at: u64, usd: f64) -> Heard {
    answer(source, at, &[(coin("BTC"), Fact::PriceUsd, usd)])
}

#[test]
fn the_own_node_goes_before_explorer_pool_and_calculator() {
    let all = [
        says("whattomine", 1.03 * DIFFICULTY),
        says("2miners", 1.02 * DIFFICULTY),
        says("blockchair", 1.01 * DIFFICULTY),
        says("bitcoind", DIFFICULTY),
    ];
    for last in 1..=4 {
        let picture = picture(&all[..last]);
        let chosen = work(&picture);
        assert_eq!(chosen.source, all[last - 1].source);
        assert_eq!(chosen.confirmed, last);
        assert!(picture.rejections.is_empty());
    }
}

#[test]
fn a_fresh_word_goes_before_an_old_one_of_higher_authority_and_age_costs_margin() {
    let mut node = says("bitcoind", DIFFICULTY);
    node.at = NOW - 2 * HOUR;
    let fresh = says("whattomine", 1.5 * DIFFICULTY);
    assert_eq!(work(&picture(&[node.clone(), fresh])).source, "whattomine");
    let alone = picture(&[node.clone()]);
    assert_eq!(work(&alone).source, "bitcoind");
    let expected = 0.005_f64.hypot(0.05 * (2.0_f64 / 24.0).sqrt());
    assert!((work(&alone).margin - expected).abs() < 1e-12);
    node.at = NOW - 25 * HOUR;
    let gone = picture(&[node]);
    assert!(gone.chains.is_empty());
    assert_eq!(gone.incomplete.len(), 1);
}

#[test]
fn a_hashrate_is_seen_through_the_block_time_of_its_own_answer() {
    let rate = DIFFICULTY * K / 512.0;
    let whole = answer(
        "whattomine",
        NOW,
        &[
            (btc(), Fact::NetworkHashrate, rate),
            (btc(), Fact::BlockTime, 512.0),
            (btc(), Fact::BlockReward, 3.15),
        ],
    );
    let picture = picture(&[whole]);
    assert!((work(&picture).hashes_per_block / (DIFFICULTY * K) - 1.0).abs() < 1e-12);
    assert_eq!(work(&picture).margin, 0.09);
    // The display is by the time that the chain aims at.
    let shown = picture
        .chains
        .values()
        .next()
        .expect("one")
        .network_hashrate;
    assert!((shown / (DIFFICULTY * K / 600.0) - 1.0).abs() < 1e-12);
}

#[test]
fn a_bare_hashrate_is_the_last_resort() {
    let bare = answer(
        "zcashd",
        NOW,
        &[
            (btc(), Fact::NetworkHashrate, 1e21),
            (btc(), Fact::BlockReward, 3.0),
        ],
    );
    let alone = picture(std::slice::from_ref(&bare));
    assert_eq!(
        (work(&alone).source.as_str(), work(&alone).margin),
        ("zcashd", 0.2)
    );
    let with = picture(&[bare, says("whattomine", 1.4e14)]);
    assert_eq!(work(&with).source, "whattomine");
}

#[test]
fn a_unit_slip_within_an_answer_is_refused_but_a_node_keeps_what_it_validated() {
    let slipped = |source| {
        answer(
            source,
            NOW,
            &[
                (btc(), Fact::Difficulty, DIFFICULTY),
                (
                    btc(),
                    Fact::NetworkHashrate,
                    DIFFICULTY * K / 600.0 / 1000.0,
                ),
                (btc(), Fact::BlockTime, 600.0),
                (btc(), Fact::BlockReward, 3.15),
            ],
        )
    };
    let explorer = picture(&[slipped("blockchair")]);
    let refused = "blockchair difficulty-and-hashrate-disagree";
    assert_eq!(rules(&explorer), [refused, refused]);
    assert!(explorer.chains.is_empty());
    let node = picture(&[slipped("bitcoind")]);
    assert_eq!(rules(&node), ["bitcoind difficulty-and-hashrate-disagree"]);
    let rate = DIFFICULTY * K / 600.0 / 1000.0;
    assert_eq!(node.rejections[0].value, rate.to_string());
    assert_eq!(work(&node).difficulty, Some(DIFFICULTY));
}

#[test]
fn the_odd_one_of_three_is_refused_even_if_it_is_the_node() {
    let picture = picture(&[
        says("bitcoind", DIFFICULTY / 1000.0),
        says("blockchair", DIFFICULTY),
        says("whattomine", 1.1 * DIFFICULTY),
    ]);
    assert_eq!(rules(&picture), ["bitcoind off-the-median"]);
    assert_eq!(work(&picture).source, "blockchair");
}

#[test]
fn of_two_that_contradict_each_other_the_higher_authority_stays_or_the_one_that_promises_less() {
    let node = picture(&[
        says("bitcoind", DIFFICULTY),
        says("whattomine", DIFFICULTY / 3.0),
    ]);
    assert_eq!(rules(&node), ["whattomine contradicts-better-source"]);
    assert_eq!(work(&node).source, "bitcoind");
    for low_first in [true, false] {
        let (a, b) = match low_first {
            true => (DIFFICULTY / 3.0, DIFFICULTY),
            false => (DIFFICULTY, DIFFICULTY / 3.0),
        };
        let picture = picture(&[says("blockchair", a), says("mempool", b)]);
        assert_eq!(work(&picture).difficulty, Some(DIFFICULTY));
        assert_eq!(rules(&picture).len(), 1);
    }
}

#[test]
fn a_source_that_lags_behind_the_others_tells_of_the_past() {
    let at_height = |source, height| {
        let mut heard = says(source, DIFFICULTY);
        let parsed = heard.result.as_mut().expect("good");
        parsed.push(&btc(), Fact::Height, Some(Decimal::from(height)), None);
        heard
    };
    let picture = picture(&[
        at_height("bitcoind", 899_979),
        at_height("blockchair", 900_000),
        at_height("whattomine", 900_001),
    ]);
    assert_eq!(rules(&picture), ["bitcoind height-behind"]);
    assert_eq!(work(&picture).source, "blockchair");
}

#[test]
fn a_height_that_goes_back_leaves_the_former_answer_standing() {
    let at = |height: f64, difficulty: f64, at| {
        let facts = [
            (btc(), Fact::Difficulty, difficulty),
            (btc(), Fact::Height, height),
            (btc(), Fact::BlockReward, 3.0),
        ];
        answer("bitcoind", at, &facts)
    };
    let mut book = book(&[at(900_000.0, DIFFICULTY, NOW - 60)]);
    let refused = book.hear(&at(899_990.0, 5.0, NOW));
    assert_eq!(refused[0].rule, "height-went-back");
    let picture = merge(&book, Catalog::built_in(), NOW);
    assert_eq!(work(&picture).difficulty, Some(DIFFICULTY));
    // A chain that began anew is believed once the former answer is of no use.
    assert_eq!(book.hear(&at(7.0, 5.0, NOW + 25 * HOUR)), []);
}

#[test]
fn a_node_that_catches_up_takes_back_all_it_said() {
    let mut book = book(&[says("bitcoind", DIFFICULTY)]);
    let mut syncing = says("bitcoind", DIFFICULTY);
    syncing.kind = "state";
    syncing.result = Err(FetchError::Source(SourceError::Syncing(
        "12 blocks to go".into(),
    )));
    assert_eq!(book.hear(&syncing)[0].rule, "syncing");
    assert!(book.chains().next().is_none());
}

#[test]
fn what_fails_or_is_missing_keeps_its_last_good_value() {
    let mut book = book(&[says("bitcoind", DIFFICULTY)]);
    let mut failed = says("bitcoind", 0.0);
    failed.result = Err(FetchError::Transport("connection refused".into()));
    assert_eq!(book.hear(&failed), []);
    let less = answer(
        "bitcoind",
        NOW,
        &[(btc(), Fact::Difficulty, 2.0 * DIFFICULTY)],
    );
    assert_eq!(book.hear(&less), []);
    let picture = merge(&book, Catalog::built_in(), NOW);
    assert_eq!(work(&picture).difficulty, Some(2.0 * DIFFICULTY));
    let reward = &picture.chains.values().next().expect("one").reward;
    assert_eq!(reward.total(), 3.15);
}

#[test]
fn a_price_is_the_median_and_one_far_off_is_refused() {
    let picture = picture(&[
        quote("coingecko", NOW, 60_000.0),
        quote("binance", NOW, 60_100.0),
        quote("coinpaprika", NOW, 75_000.0),
    ]);
    assert_eq!(rules(&picture), ["coinpaprika off-the-median"]);
    let price = &picture.prices["BTC"];
    assert_eq!(price.usd, 60_050.0);
    assert_eq!(price.sources, ["binance", "coingecko"]);
}

#[test]
fn of_two_prices_that_disagree_the_lower_counts_with_a_margin_that_says_so() {
    let picture = picture(&[
        quote("coingecko", NOW, 60_000.0),
        quote("binance", NOW, 80_000.0),
    ]);
    assert_eq!(rules(&picture), ["binance two-disagree"]);
    let price = &picture.prices["BTC"];
    assert_eq!((price.usd, price.margin), (60_000.0, 0.25));
}

#[test]
fn a_frozen_quote_has_no_vote_beside_fresh_ones() {
    let mut frozen = quote("coinpaprika", NOW, 50_000.0);
    frozen.result.as_mut().expect("good").observations[0].at = Some(NOW - HOUR);
    let picture = picture(&[
        frozen,
        quote("coingecko", NOW, 60_000.0),
        quote("binance", NOW, 60_000.0),
    ]);
    assert_eq!(picture.prices["BTC"].sources, ["binance", "coingecko"]);
    assert!(picture.rejections.is_empty());
}

#[test]
fn calculators_vote_only_where_markets_are_few_and_in_btc_by_the_price_of_btc() {
    let bch = |source, fact, value| answer(source, NOW, &[(coin("BCH"), fact, value)]);
    let of = |answers: &[Heard]| picture(answers).prices["BCH"].clone();
    let base = [
        quote("coingecko", NOW, 60_000.0),
        quote("binance", NOW, 60_000.0),
        bch("whattomine", Fact::PriceBtc, 0.01),
    ];
    assert_eq!((of(&base).usd, of(&base).margin), (600.0, 0.05));
    let three = [&base[..], &[bch("minerstat", Fact::PriceUsd, 602.0)]].concat();
    assert_eq!(of(&three).usd, 601.0);
}

#[test]
fn a_whole_reward_is_split_by_a_known_subsidy() {
    let picture = picture(&[answer(
        "blockchair",
        NOW,
        &[
            (btc(), Fact::Difficulty, DIFFICULTY),
            (btc(), Fact::BlockReward, 3.25),
            (btc(), Fact::Subsidy, 3.125),
        ],
    )]);
    let reward = &picture.chains.values().next().expect("one").reward;
    assert_eq!((reward.subsidy, reward.fees), (3.125, 0.125));
}

#[test]
fn a_reward_of_another_unit_is_refused() {
    let picture = picture(&[
        says("blockchair", DIFFICULTY),
        says("mempool", DIFFICULTY),
        answer(
            "whattomine",
            NOW,
            &[(btc(), Fact::BlockReward, 315_000_000.0)],
        ),
    ]);
    assert_eq!(rules(&picture), ["whattomine off-the-median"]);
    let reward = &picture.chains.values().next().expect("one").reward;
    assert_eq!((reward.total(), reward.confirmed), (3.15, 2));
}

#[test]
fn emission_and_hashrate_of_one_answer_stand_for_a_chain_of_unknown_difficulty() {
    let facts = [
        (btc(), Fact::CoinsPerDay, 450.0),
        (btc(), Fact::NetworkHashrate, 9e20),
    ];
    let picture = picture(&[answer("hashrateno", NOW, &facts)]);
    let coins = picture
        .chains
        .values()
        .next()
        .expect("one")
        .coins_per_hash_day;
    assert!((coins / (450.0 / 9e20) - 1.0).abs() < 1e-12);
}

#[test]
fn a_promised_payout_is_shown_and_never_becomes_revenue() {
    let honest = picture(&[says("bitcoind", DIFFICULTY), quote("binance", NOW, 6e4)]);
    let promise = answer("2miners", NOW, &[(pool(), Fact::OfferBtcPerHashDay, 1.0)]);
    let with = picture(&[
        says("bitcoind", DIFFICULTY),
        quote("binance", NOW, 6e4),
        promise,
    ]);
    assert_eq!(with.chains, honest.chains);
    assert_eq!(with.prices, honest.prices);
    assert_eq!(with.advertised.len(), 1);
    assert_eq!(with.advertised[0].place, "2miners");
}

#[test]
fn a_pool_as_large_as_its_network_is_the_sign_of_a_dead_coin() {
    let network = DIFFICULTY * K / 600.0;
    for (share, refused) in [
        (0.4, None),
        (1.0, Some("whole-network")),
        (1.1, None),
        (1.5, Some("more-than-the-network")),
    ] {
        let size = answer(
            "2miners",
            NOW,
            &[(pool(), Fact::PoolHashrate, share * network)],
        );
        let picture = picture(&[says("bitcoind", DIFFICULTY), size]);
        let facts = picture.pools.values().next().expect("the pool");
        assert_eq!(facts.refused, refused);
        assert_eq!(picture.rejections.len(), usize::from(refused.is_some()));
    }
}

#[test]
fn a_stored_book_gives_the_same_picture() {
    let mut book = book(&[
        says("bitcoind", DIFFICULTY),
        quote("coingecko", NOW - 700, 60_000.123_456_789),
        quote("binance", NOW, 60_001.0),
    ]);
    let mut again = Book::default();
    for (question, rows) in book.take_changed() {
        let text = serde_json::to_string(&rows).expect("written");
        again.restore(question, serde_json::from_str(&text).expect("read"));
    }
    assert_eq!(book.take_changed().len(), 0);
    let catalog = Catalog::built_in();
    assert_eq!(merge(&again, catalog, NOW), merge(&book, catalog, NOW));
}

#[test]
fn what_was_heard_since_is_not_overwritten_by_what_was_stored() {
    let mut former = book(&[quote("binance", NOW - 60, 50_000.0)]);
    let stored = former.take_changed();
    let mut book = book(&[quote("binance", NOW, 60_000.0)]);
    for (question, rows) in stored {
        book.restore(question, rows);
    }
    let picture = merge(&book, Catalog::built_in(), NOW);
    assert_eq!(picture.prices["BTC"].usd, 60_000.0);
}

#[test]
fn old_readings_are_forgotten_and_stored_as_gone() {
    let mut book = book(&[says("bitcoind", DIFFICULTY)]);
    book.take_changed();
    book.forget_old(NOW + 31 * 24 * HOUR);
    assert!(book.is_empty());
    let changed = book.take_changed();
    assert_eq!((changed.len(), changed[0].1.len()), (1, 0));
}

proptest! {
    /// Whatever is said, in whatever order, nothing unsound comes out, and every
    /// value that was used is one that somebody said.
    #[test]
    fn no_nonsense_comes_out(
        said in proptest::collection::vec(
            (0usize..6, 0usize..8, 0usize..3, -3i32..25, 0u64..200_000), 0..40),
    ) {
        let sources = ["bitcoind", "blockchair", "2miners", "whattomine", "coingecko", "binance"];
        let facts = [
            Fact::Difficulty, Fact::NetworkHashrate, Fact::BlockTime, Fact::BlockReward,
            Fact::Subsidy, Fact::FeesPerBlock, Fact::PriceUsd, Fact::Height,
        ];
        let mut book = Book::default();
        for (source, fact, which, power, age) in said {
            let subject = match (facts[fact], which) {
                (Fact::PriceUsd, 0) => coin("BTC"),
                (Fact::PriceUsd, _) => coin("BCH"),
                (_, 0) => chain("BTC"),
                (_, _) => chain("BCH"),
            };
            let value = 10f64.powi(power);
            book.hear(&answer(sources[source], NOW - age, &[(subject, facts[fact], value)]));
        }
        let picture = merge(&book, Catalog::built_in(), NOW);
        for chain in picture.chains.values() {
            prop_assert!(chain.coins_per_hash_day > 0.0 && chain.coins_per_hash_day.is_finite());
            prop_assert!((0.0..=1.0).contains(&chain.margin));
            prop_assert!(chain.work.confirmed >= 1 && chain.reward.confirmed >= 1);
        }
        for price in picture.prices.values() {
            prop_assert!(price.usd > 0.0 && (0.0..=1.0).contains(&price.margin));
            prop_assert!(!price.sources.is_empty());
        }
        prop_assert_eq!(&merge(&book, Catalog::built_in(), NOW), &picture);
    }
}
