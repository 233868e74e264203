//! Whatever bytes come in: no panic, no growth, and for each request one answer.

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use smart_mining_core::lane::{Command, Crowd, Lane};
use smart_mining_core::line::{LineBuffer, MINER_LINE, POOL_LINE, feed};
use smart_mining_core::route::{Account, AccountFor, FarmRules, Policy, candidate::candidates};
use smart_mining_core::share::{Board, LinkId, MAX_JOBS, Split, Terms};
use smart_mining_core::sv1::message::Message;
use smart_mining_core::sv1::miner::{MAX_IN_FLIGHT, worker_name};
use smart_mining_core::sv1::{Failure, Opening, PoolEvent, PoolSession, Step};
use smart_mining_core::{Algorithm, Duration};
use smart_mining_wire::{Entry, PoolOffer, Snapshot};
use std::collections::BTreeSet;
use support::bare::{MinerWire, PoolWire, board, job};
use support::{at, candidate, login};

fn nested(depth: usize) -> Vec<u8> {
    let mut line = br#"{"id":1,"method":"mining.submit","params":"#.to_vec();
    line.extend(std::iter::repeat_n(b'[', depth));
    line.extend(std::iter::repeat_n(b']', depth));
    line.push(b'}');
    line
}

#[test]
fn deep_nesting_does_no_harm() {
    for depth in [10, 127, 128, 129, 450, POOL_LINE / 2 - 50] {
        let line = nested(depth);
        let _ = Message::parse(&line);
        let mut miner = MinerWire::working(board(job(1)));
        let _ = miner.step_bytes(&line);
        let mut pool = PoolWire::logged_in();
        pool.session.line(&line, pool.now);
        let notify = String::from_utf8(line)
            .expect("ASCII")
            .replace("mining.submit", "mining.notify");
        pool.hear(&notify);
        pool.hear(&notify.replace(r#""method":"mining.notify","params""#, r#""result""#));
    }
}

/// JSON as a careless or hostile peer might write it.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9a-f]{0,16}".prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("acc.rig")),
        Just(json!("1")),
        Just(json!("version-rolling")),
        Just(json!("6700003c")),
        Just(json!("000001")),
    ];
    leaf.prop_recursive(3, 24, 9, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..10).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn method() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(vec![
            "mining.configure", "mining.subscribe", "mining.authorize", "mining.submit",
            "mining.suggest_difficulty", "mining.extranonce.subscribe", "mining.get_transactions",
            "mining.notify", "mining.set_difficulty", "mining.set_extranonce", "mining.ping",
            "mining.set_version_mask", "client.show_message", "client.get_version",
        ]).prop_map(String::from),
        1 => any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(lines in vec(vec(any::<u8>(), 0..200), 1..8), stream in vec(any::<u8>(), 0..3000)) {
        let mut miner = MinerWire::working(board(job(1)));
        let mut pool = PoolWire::logged_in();
        for line in &lines {
            let _ = Message::parse(line);
            let _ = miner.step_bytes(line);
            pool.session.line(line, pool.now);
        }
        let mut buffer = LineBuffer::<MINER_LINE>::new();
        let mut fed = 0;
        let _ = feed(&mut buffer, &stream, |line| { fed += line.len(); true });
        prop_assert!(fed <= stream.len());
    }

    /// One bit of damage in a line that was good.
    #[test]
    fn damaged_lines_are_survived(at_byte: usize, bit in 0u8..8, cut: usize) {
        let notify = support::FakePool::new("a").make_job(true).notify();
        for good in [support::bare::submit_line("4", "acc.rig", 1, 7), notify, support::bare::SUBSCRIBED.into()] {
            let mut line = good.into_bytes();
            let index = at_byte % line.len();
            line[index] ^= 1 << bit;
            let cut = cut % line.len();
            let mut miner = MinerWire::working(board(job(1)));
            let mut pool = PoolWire::new(login());
            for part in [&line[..], &line[..cut]] {
                let _ = miner.step_bytes(part);
                pool.session.line(part, pool.now);
            }
        }
    }

    #[test]
    fn each_request_gets_exactly_one_answer_and_it_is_json(requests in vec((method(), value(), value()), 1..30)) {
        let mut wire = MinerWire::new(board(job(1)));
        let mut waiting = 0;
        for (method, params, id) in &requests {
            let line = json!({"id": id, "method": method, "params": params}).to_string();
            let step = wire.step(&line);
            prop_assert!(!matches!(step, Step::Close(_)));
            let answers = wire.heard().iter().filter(|line| line.get("method").is_none()).count();
            let mut submitted = 0;
            if let Step::Submit(share) = step {
                submitted = 1;
                wire.front.put(0, share, wire.now);
            }
            waiting += submitted;
            prop_assert_eq!(answers, 1 - submitted, "{}", line);
        }
        prop_assert!(waiting <= usize::from(MAX_IN_FLIGHT));
        wire.now = at(40_000);
        prop_assert_eq!(wire.overdue().len(), waiting);
        prop_assert_eq!(wire.heard().len(), waiting, "each has its answer");
        prop_assert!(wire.front.flights.is_empty());
    }

    #[test]
    fn a_pool_may_say_anything(lines in vec((method(), value(), 0u32..24, value(), value()), 1..40)) {
        let mut session = PoolSession::new(login(), Opening::default(), at(0));
        let mut failed = 0;
        let (mut sent, mut judged) = (0, 0);
        for (number, (method, params, id, result, error)) in (0u32..).zip(&lines) {
            let now = at(u64::from(number) * 700);
            let line = match number % 4 {
                0 => json!({"id": null, "method": method, "params": params}),
                1 => json!({"id": id, "result": result, "error": error}),
                2 => json!({"id": id, "method": method, "params": params}),
                _ => json!({"id": id, "result": true, "error": null}),
            };
            session.line(line.to_string().as_bytes(), now);
            if number == 3 {
                session.line(support::bare::SUBSCRIBED.as_bytes(), now);
                session.line(support::bare::AUTHORIZED.as_bytes(), now);
            }
            sent += u32::from(session.submit(support::bare::share("rig", u64::from(number)), now).is_ok());
            session.tick(now);
            prop_assert!(session.deadline() > now);
            while let Some(event) = session.next_event() {
                prop_assert_eq!(failed, 0, "nothing follows a failure");
                match event {
                    PoolEvent::Failed(_) => failed += 1,
                    PoolEvent::Verdict { .. } => judged += 1,
                    PoolEvent::Work(terms) => prop_assert!(terms.difficulty > 0.0),
                    PoolEvent::LoggedIn | PoolEvent::Notice(_) => {}
                }
            }
            let output = std::mem::take(session.output());
            support::bare::values(std::str::from_utf8(&output).expect("UTF-8"));
        }
        session.fail(Failure::Closed);
        while let Some(event) = session.next_event() {
            judged += u32::from(matches!(event, PoolEvent::Verdict { .. }));
        }
        prop_assert_eq!(sent, judged, "each share has one verdict");
    }

    /// The lane is told things in orders in which no link would tell them.
    #[test]
    fn a_lane_may_be_told_anything(events in vec((0u8..7, 0u32..12, any::<bool>(), 0u64..20_000), 1..120)) {
        let mut now = at(1000);
        let mut lane = Lane::new(Algorithm::Sha256d, Policy::default(), 1, now);
        let (mut open, mut known, mut gone) = (BTreeSet::<LinkId>::new(), BTreeSet::new(), BTreeSet::new());
        for (sequence, (kind, number, flag, wait)) in (0..).zip(events) {
            now += Duration::from_millis(wait);
            let terms = Terms {
                difficulty: if number == 11 { 0.0 } else { 1.0 },
                split: Split::new(&[1], if flag { 8 } else { 3 + number as usize % 2 }).expect("room"),
                ..support::bare::terms()
            };
            match kind {
                0 | 1 => lane.work(number, terms, now),
                2 => {
                    open.remove(&number);
                    lane.failed(number, &Failure::Closed, now);
                }
                3 => lane.tick(now),
                4 => {
                    let count = number as usize;
                    let crowd = Crowd {
                        groups: count * 2,
                        miners: count * 3,
                        moves: sequence,
                    };
                    lane.set_crowd(crowd, now);
                }
                5 => {
                    let own = |n: u32| (!n.is_multiple_of(3)).then(|| 1.0 / f64::from(n));
                    let list = (1..=number).map(|n| candidate(&format!("p{n}"), "BTC", own(n)));
                    lane.candidates(list.filter(|it| flag || it.score.is_some()).collect(), sequence, now);
                }
                _ => {
                    let link = lane.route_links().next();
                    if let Some(link) = link.filter(|_| flag) {
                        open.remove(&link);
                        lane.failed(link, &Failure::Silent, now);
                    }
                }
            }
            lane.tick(now);
            prop_assert!(lane.deadline().is_none_or(|due| due > now), "it spins");
            for command in lane.take_commands() {
                match command {
                    // A link may be opened again after it failed, not while it
                    // stands and not after it was closed.
                    Command::Open { link, .. } => {
                        prop_assert!(open.insert(link), "link {} is open", link);
                        prop_assert!(!gone.contains(&link), "link {} was closed", link);
                        known.insert(link);
                    }
                    Command::Close { link } => {
                        open.remove(&link);
                        prop_assert!(gone.insert(link), "link {} is closed twice", link);
                    }
                    Command::Decided(_) => {}
                    Command::Publish(board) => {
                        let links = known.iter().filter(|link| board.mentions(**link));
                        prop_assert!(board.len() <= MAX_JOBS * links.count().max(1));
                    }
                }
            }
            if lane.route().is_some() {
                prop_assert!(lane.route_links().next().is_some(), "a route without a link");
            }
        }
    }

    #[test]
    fn a_candidate_is_paid_by_the_farms_file_or_is_none(
        entries in vec((0u8..6, 0u8..4, 1u32..1000, 0u8..3), 0..20),
        accounts in vec((any::<bool>(), 0u8..6), 0..6),
    ) {
        let accounts: Vec<Account> = accounts.iter().map(|(coin, n)| Account {
            paid_for: if *coin { AccountFor::Coin(format!("C{n}")) } else { AccountFor::Pool(format!("p{n}")) },
            user: format!("user{coin}{n}"),
            password: "x".into(),
        }).collect();
        let rules = FarmRules { farm: "f".into(), agent: "a".into(), accounts, pools: Vec::new() };
        let entries: Vec<Entry> = entries.iter().map(|(pool, coin, usd, scheme)| Entry {
            coin: format!("C{coin}"),
            algorithm: Algorithm::Sha256d,
            pool: PoolOffer {
                id: format!("p{pool}"),
                url: format!("{}://h:1", ["stratum+tcp", "stratum+ssl", "x"][usize::from(*scheme)]),
                fee: 0.01,
                scheme: String::new(),
            },
            usd_per_hash_day: f64::from(*usd),
            margin: 0.0,
        }).collect();
        let count = entries.len();
        let snapshot = Snapshot { version: 1, sequence: 1, created_at: 1, entries };
        let (list, skipped) = candidates(Algorithm::Sha256d, &rules, Some(&snapshot));
        prop_assert_eq!(list.len() + skipped.len(), count, "nothing disappears");
        for candidate in &list {
            let paid = rules.accounts.iter().any(|account| account.user == candidate.login.user
                && match &account.paid_for {
                    AccountFor::Coin(coin) => *coin == candidate.coin,
                    AccountFor::Pool(pool) => *pool == candidate.pool,
                });
            prop_assert!(paid, "{:?}", candidate);
        }
        prop_assert!(list.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }

    #[test]
    fn a_worker_name_is_always_one_that_pools_can_take(user: String) {
        let name = worker_name(&user);
        prop_assert!((1..=63).contains(&name.len()));
        prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)));
        prop_assert_eq!(worker_name(&user), name);
    }
}

#[test]
fn an_empty_board_has_nothing_to_say() {
    let mut wire = MinerWire::working(Board::new());
    assert!(wire.show().is_empty());
}
