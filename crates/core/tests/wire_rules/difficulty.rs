//! Each miner's own difficulty, and the shares that only it is interested in.

use crate::support::bare::{
    MinerWire, TRIVIAL, board, job, methods, nonce_worth, submit_line, terms, with_difficulty,
};
use crate::support::hash::{JobText, word};
use crate::support::{Answer, EASY, FakePool, World, at, ms, secs};
use serde_json::{Value, json};
use smart_mining_core::Algorithm;
use smart_mining_core::share::{Board, Job, Seat, Terms};
use smart_mining_core::sv1::{Judge, MinerSession, Outcome, Step};

/// A share in 4096 hashes.
const OWN: f64 = 1.0 / 1_048_576.0;
const HARD: f64 = 1e9;

fn suggest(difficulty: impl std::fmt::Display) -> String {
    format!(r#"{{"id":0,"method":"mining.suggest_difficulty","params":[{difficulty}]}}"#)
}

/// A small one that was asked `OWN` for job 1 of a pool that asks a billion.
fn on_its_own_figure() -> MinerWire {
    let mut wire = MinerWire::new(Board::new());
    wire.tell(r#"{"id":1,"method":"mining.subscribe","params":["NerdMinerV2/1.8"]}"#);
    wire.tell(&suggest(OWN));
    wire.tell(r#"{"id":2,"method":"mining.authorize","params":["acc.rig","x"]}"#);
    wire.put_up(with_difficulty(1, HARD), true);
    assert_eq!(wire.session.difficulty(), OWN);
    wire
}

fn asked(heard: &[Value]) -> Option<f64> {
    let told = heard
        .iter()
        .find(|line| line["method"] == "mining.set_difficulty");
    told.and_then(|line| line["params"][0].as_f64())
}

#[test]
fn a_share_below_the_pools_difficulty_is_answered_here_and_never_called_accepted() {
    let mut world = World::new(&["a"]);
    world.pool("a").difficulty = EASY * 16.0;
    world.rank(&[("a", 1.0)], 1);
    world.run(secs(3));
    let miner = world.miner_like("acc.rig", |miner| miner.password = format!("d={EASY}"));
    let fake = &mut world.miners[miner];
    let (id, line) = fake.find_worth(0, EASY..EASY * 16.0).expect("a job");
    let heard = world.pools["a"].connections.values().next().expect("one");
    let before = heard.heard.len();
    world.send(miner, &line);
    assert_eq!(
        world.miners[miner].answer(id),
        Some(&Answer::True),
        "in no time"
    );
    let judged = world.miners[miner].judged.last().expect("counted");
    assert_eq!(
        (judged.outcome, judged.by),
        (Outcome::Local, Judge::Appliance)
    );
    assert_eq!(
        (judged.difficulty, judged.pool_difficulty),
        (EASY, EASY * 16.0)
    );
    world.run(secs(1));
    let heard = world.pools["a"].connections.values().next().expect("one");
    assert_eq!(heard.heard.len(), before, "the pool never heard of it");
    assert_eq!(world.pools["a"].accepted, 0);
}

#[test]
fn a_share_that_the_pool_pays_for_always_goes_there() {
    let mut world = World::new(&["a"]);
    world.pool("a").difficulty = EASY * 16.0;
    world.rank(&[("a", 1.0)], 1);
    world.run(secs(3));
    let miner = world.miner_like("acc.rig", |miner| miner.password = format!("x,d={EASY}"));
    for _ in 0..400 {
        assert_eq!(world.mine_now(miner), Answer::True);
    }
    let (local, accepted) = (
        world.outcomes(Outcome::Local),
        world.outcomes(Outcome::Accepted),
    );
    assert_eq!(local + accepted, 400);
    // One in sixteen, by chance.
    assert!((8..=50).contains(&accepted), "{accepted}");
    assert_eq!(world.pools["a"].refused.len(), 0);
    world.assert_books();
    let judged = world.miners[miner].judged.iter();
    let of_pool = judged.filter(|judged| judged.by == Judge::Pool);
    assert_eq!(of_pool.count(), accepted);
}

#[test]
fn a_share_judged_here_counts_once_like_any_other() {
    let mut wire = on_its_own_figure();
    let nonce = nonce_worth(0, OWN..HARD);
    assert_eq!(wire.judged(1, nonce).outcome, Outcome::Local);
    assert_eq!(wire.heard()[0]["result"], true);
    assert_eq!(wire.judged(1, nonce).outcome, Outcome::Rejected);
    assert_eq!(wire.heard()[0]["error"][0], 22);
}

#[test]
fn a_slow_and_a_fast_miner_come_to_six_to_ten_shares_a_minute() {
    let mut world = World::new(&["a"]);
    world.pool("a").difficulty = 4e-5;
    world.rank(&[("a", 1.0)], 1);
    world.notify_every("a", secs(45));
    world.run(secs(3));
    let lottery = |miner: &mut crate::support::FakeMiner| {
        miner.rolls = false;
        miner.agent = "NerdMinerV2/1.8".into();
    };
    // Begins far too hard for one, far too easy for the other.
    let slow = world.miner_like("acc.slow", lottery);
    let fast = world.miner_like("acc.fast", lottery);
    world.send(fast, &suggest(2e-7));
    let mut late = [0; 2];
    for second in 0..28 * 60 {
        world.run(secs(1));
        for (which, (miner, hashes)) in [(slow, 100), (fast, 900)].into_iter().enumerate() {
            for line in world.miners[miner].hash(hashes) {
                world.send(miner, &line);
                late[which] += u32::from(second >= 8 * 60);
            }
        }
    }
    world.run(secs(1));
    for (which, miner) in [slow, fast].into_iter().enumerate() {
        let a_minute = f64::from(late[which]) / 20.0;
        assert!((6.0..=10.0).contains(&a_minute), "{a_minute} a minute");
        let fake = &world.miners[miner];
        // That each came with a clean job the miner saw to itself.
        assert!((1..=12).contains(&fake.changes), "{} changes", fake.changes);
        // Some met a new block under way.
        let stale = fake.count(Outcome::Stale);
        assert_eq!(fake.trues() + stale, fake.submits);
        assert!(stale <= 3, "{stale} of {}", fake.submits);
    }
    world.assert_books();
    assert!(world.pools["a"].accepted > 0);
}

#[test]
fn another_difficulty_waits_for_the_next_job_and_comes_with_a_clean_one() {
    let mut wire = on_its_own_figure();
    wire.tell(&suggest(OWN * 4.0));
    assert!(wire.show().is_empty(), "nothing changes under a job");
    let nonce = nonce_worth(0, OWN..OWN * 4.0);
    assert_eq!(wire.judged(1, nonce).outcome, Outcome::Local);
    wire.heard();
    let heard = wire.put_up(with_difficulty(2, HARD), false);
    assert_eq!(methods(&heard), ["mining.set_difficulty", "mining.notify"]);
    assert_eq!(asked(&heard), Some(OWN * 4.0));
    assert_eq!(heard[1]["params"][8], true);
    let heard = wire.put_up(with_difficulty(3, HARD), false);
    assert_eq!(methods(&heard), ["mining.notify"]);
    assert_eq!(heard[0]["params"][8], false, "told once");
}

#[test]
fn a_share_of_a_job_from_before_the_change_may_meet_the_older_difficulty() {
    for (factor, low) in [(4.0, OWN), (0.25, OWN / 4.0)] {
        let mut wire = on_its_own_figure();
        wire.tell(&suggest(OWN * factor));
        wire.put_up(with_difficulty(2, HARD), false);
        // Enough for the lower of the two figures and for no more.
        let nonce = nonce_worth(0, low..low * 4.0);
        assert_eq!(wire.judged(1, nonce).outcome, Outcome::Local, "{factor}");
        let strict = wire.judged(2, nonce_worth(nonce + 1, low / 4.0..low));
        assert_eq!(strict.outcome, Outcome::Rejected);
        wire.heard();
        let nonce = nonce_worth(0, OWN / 16.0..low);
        assert_eq!(wire.judged(1, nonce).outcome, Outcome::Rejected);
        assert_eq!(wire.heard()[0]["error"][0], 23);
    }
    // And for the newer job the older figure is not enough.
    let mut wire = on_its_own_figure();
    wire.tell(&suggest(OWN * 4.0));
    wire.put_up(with_difficulty(2, HARD), false);
    let nonce = nonce_worth(0, OWN..OWN * 4.0);
    assert_eq!(wire.judged(2, nonce).outcome, Outcome::Rejected);
}

#[test]
fn a_difficulty_in_the_password_stays_and_is_never_above_the_pools() {
    let mut world = World::new(&["a", "b"]);
    world.pool("a").difficulty = EASY * 8.0;
    world.rank(&[("a", 1.0), ("b", 0.5)], 1);
    world.run(secs(3));
    let fixed = EASY * 2.0;
    let miner = world.miner_like("acc.rig", |miner| miner.password = format!("x, d={fixed}"));
    world.mine_every(miner, ms(700));
    world.run(secs(3600));
    assert_eq!(world.miners[miner].difficulty, fixed);
    assert_eq!(world.miners[miner].changes, 0, "whatever its pace");
    world.set_mode("a", crate::support::Mode::Refusing);
    world.run(secs(60));
    assert_eq!(world.miners[miner].difficulty, EASY, "b pays for that");
    assert_eq!(world.outcomes(Outcome::Rejected), 0);
}

#[test]
fn the_usual_filler_is_no_difficulty() {
    for password in ["x", "", "123", "d=", "d=0", "d=-5", "d=NaN", "rig=7"] {
        let mut wire = MinerWire::working_as("bitaxe/1", password, Board::new());
        let heard = wire.put_up(with_difficulty(1, HARD), true);
        assert_eq!(asked(&heard), Some(512.0), "{password:?}");
    }
}

#[test]
fn a_suggested_difficulty_is_a_start_at_any_time_and_always_answered() {
    let mut wire = MinerWire::working_as("cgminer/4.12", "x", Board::new());
    for (params, expected) in [
        ("[65536]", 65536.0),
        (r#"["131072"]"#, 131_072.0),
        ("[65536.0]", 65536.0),
        // Nonsense is answered and changes nothing.
        ("[0]", 65536.0),
        ("[-3]", 65536.0),
        ("[]", 65536.0),
        ("[null]", 65536.0),
        ("{}", 65536.0),
        // Below the floor of its kind: the floor.
        ("[1]", 256.0),
        // Above what the pool asks: what the pool asks.
        ("[1e12]", HARD),
    ] {
        let line = format!(r#"{{"id":9,"method":"mining.suggest_difficulty","params":{params}}}"#);
        assert_eq!(
            wire.tell(&line),
            [json!({"id": 9, "result": true, "error": null})]
        );
        let id = wire.board.len() as u32 + 1;
        wire.put_up(with_difficulty(id, HARD), true);
        assert_eq!(wire.session.difficulty(), expected, "{params}");
    }
}

#[test]
fn a_suggested_target_is_the_difficulty_that_has_it() {
    let mut wire = MinerWire::working_as("bitaxe/1", "x", Board::new());
    let zeros = "0".repeat(44);
    for (number, target, expected) in [
        (1, format!("00000000003fffc0{}0000", &zeros), 1024.0),
        (2, format!("00000000ffff0000{}0000", &zeros), 1.0),
        (3, "00".repeat(32), 1.0),
        (4, "zz".into(), 1.0),
    ] {
        let line = format!(r#"{{"id":9,"method":"mining.suggest_target","params":["{target}"]}}"#);
        assert_eq!(wire.tell(&line)[0]["result"], true);
        wire.put_up(with_difficulty(number, HARD), true);
        assert_eq!(wire.session.difficulty(), expected, "{target}");
    }
}

#[test]
fn a_minimum_difficulty_is_kept_also_where_the_pool_asks_less() {
    let configure = |value: &str| {
        format!(
            r#"{{"id":1,"method":"mining.configure","params":[["minimum-difficulty"],{{"minimum-difficulty.value":{value}}}]}}"#
        )
    };
    let mut wire = MinerWire::new(board(with_difficulty(1, TRIVIAL)));
    let heard = wire.tell(&configure("1e-7"));
    assert_eq!(heard[0]["result"], json!({"minimum-difficulty": true}));
    wire.tell(r#"{"id":2,"method":"mining.subscribe","params":["cpuminer/2"]}"#);
    let heard = wire.tell(r#"{"id":3,"method":"mining.authorize","params":["acc.rig","x"]}"#);
    assert_eq!(asked(&heard), Some(1e-7));
    // What the pool pays for goes there all the same.
    let nonce = nonce_worth(0, TRIVIAL..1e-8);
    wire.share("4", 1, nonce);
    for nonsense in ["0", "-1", "\"x\"", "null", "{}"] {
        let heard = wire.tell(&configure(nonsense));
        assert_eq!(heard[0]["result"], json!({"minimum-difficulty": false}));
    }
}

#[test]
fn nobody_is_asked_less_than_the_floor_of_its_kind() {
    // 1 floods the line; some firmware takes the pool for dead while it tunes.
    let mut wire = MinerWire::working_as("Antminer S19j Pro", "x", Board::new());
    for minute in 1..240 {
        wire.now = at(minute * 60_000);
        wire.put_up(with_difficulty(minute as u32, HARD), false);
        assert!(wire.session.difficulty() >= 256.0);
    }
    assert_eq!(wire.session.difficulty(), 256.0, "it came down to it");
    let heard = wire.put_up(job(1000), false);
    assert_eq!(asked(&heard), Some(TRIVIAL), "what a pool pays has to come");
}

#[test]
fn where_the_appliance_cannot_hash_the_pools_difficulty_is_asked() {
    let seat = Seat {
        group: 0,
        prefix: 0x2a,
    };
    let terms = Terms {
        difficulty: HARD,
        ..terms()
    };
    let job = Job::new(1, 1, Algorithm::Kheavyhash, terms).expect("a job");
    let mut wire = MinerWire::new(board(job));
    wire.session = MinerSession::new(Algorithm::Kheavyhash, seat, 7, secs(15), wire.now);
    wire.tell(r#"{"id":1,"method":"mining.subscribe","params":["x/1"]}"#);
    let heard = wire.tell(r#"{"id":2,"method":"mining.authorize","params":["acc.rig","d=5"]}"#);
    assert_eq!(asked(&heard), Some(HARD));
}

fn scrypt_difficulty(header: &[u8]) -> f64 {
    let mut hash = [0; 32];
    let params = scrypt::Params::new(10, 1, 1).expect("the usual ones");
    scrypt::scrypt(header, header, &params, &mut hash).expect("32 bytes");
    let value = (hash.iter().rev()).fold(0.0f64, |sum, byte| sum * 256.0 + f64::from(*byte));
    65535.0 * 2f64.powi(224) / value
}

#[test]
fn scrypt_difficulty_counts_65536_times_finer_and_its_shares_are_checked() {
    let text: JobText = FakePool::new("a").make_job(true);
    let difficulty = EASY * 65536.0;
    let terms = Terms {
        difficulty,
        ..terms()
    };
    let job = Job::new(1, 1, Algorithm::Scrypt, terms).expect("a job");
    let mut wire = MinerWire::new(board(job));
    let seat = wire.session.seat();
    wire.session = MinerSession::new(Algorithm::Scrypt, seat, 7, secs(15), wire.now);
    wire.tell(r#"{"id":1,"method":"mining.subscribe","params":["cpuminer/2.5.1"]}"#);
    wire.tell(r#"{"id":2,"method":"mining.authorize","params":["acc.rig","x"]}"#);
    let mut good = 0;
    for nonce in 0..100 {
        let version = word(&text.version);
        let header = text.header("0a0b0c0d000000002a000001", version, 0x6700_003c, nonce);
        let step = wire.step(&submit_line("4", "acc.rig", 1, nonce));
        let expected = scrypt_difficulty(&header) >= difficulty;
        assert_eq!(matches!(step, Step::Submit(_)), expected, "nonce {nonce}");
        good += u32::from(expected);
    }
    assert!(good > 0);
}

#[test]
fn an_outage_says_nothing_of_what_a_miner_can_do() {
    let mut wire = on_its_own_figure();
    let told = wire.session.difficulty();
    wire.board.withdraw();
    for half_minute in 0..120 {
        wire.now = at(60_000 + half_minute * 30_000);
        wire.board.still_waiting();
        wire.show();
    }
    wire.now += secs(5);
    wire.board.put_up(with_difficulty(9, 1e9), true);
    // It found nothing for an hour, as there was nothing to find. Asked for a
    // sixteenth now, every miner of the farm would flood the line at once.
    assert_eq!(asked(&wire.show()), None);
    assert_eq!(wire.session.difficulty(), told);
}
