//! Bitcoin SV1, toward the miner: handshake, version rolling, difficulty.

use crate::support::bare::{
    MinerWire, board, job, job_of, methods, submit_line, terms, with_difficulty, work,
};
use crate::support::hash::difficulty;
use crate::support::{Answer, EASY, FakePool, World, secs};
use serde_json::json;
use smart_mining_core::share::{Board, Manner, Renderings, Split, Terms};
use smart_mining_core::sv1::Step;
use std::sync::Arc;

const CONFIGURE: &str = r#"{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}"#;
const SUBSCRIBE: &str =
    r#"{"id":2,"method":"mining.subscribe","params":["bitaxe/BM1370/v2.9","00000007"]}"#;
const AUTHORIZE: &str = r#"{"id":3,"method":"mining.authorize","params":["acc.rig","x"]}"#;

#[test]
fn configure_subscribe_and_authorize_come_in_any_order() {
    for order in [
        [CONFIGURE, SUBSCRIBE, AUTHORIZE],
        [CONFIGURE, AUTHORIZE, SUBSCRIBE],
        [SUBSCRIBE, CONFIGURE, AUTHORIZE],
        [SUBSCRIBE, AUTHORIZE, CONFIGURE],
        [AUTHORIZE, CONFIGURE, SUBSCRIBE],
        [AUTHORIZE, SUBSCRIBE, CONFIGURE],
    ] {
        let mut wire = MinerWire::new(board(job(1)));
        let heard: Vec<_> = order.iter().flat_map(|line| wire.tell(line)).collect();
        let answered = heard.iter().filter(|line| !line["id"].is_null()).count();
        assert_eq!(answered, 3);
        let work = methods(&heard);
        assert_eq!(
            work,
            ["mining.set_difficulty", "mining.notify"],
            "{order:?}"
        );
        assert!(heard.iter().all(|line| line["error"].is_null()));
    }
}

#[test]
fn esp_miners_burst_is_answered_in_order_and_then_comes_the_job() {
    let mut wire = MinerWire::new(board(with_difficulty(1, 1e6)));
    let heard = wire.burst(&[
        CONFIGURE,
        SUBSCRIBE,
        AUTHORIZE,
        r#"{"id":4,"method":"mining.suggest_difficulty","params":[1024]}"#,
        r#"{"id":5,"method":"mining.extranonce.subscribe","params":[]}"#,
    ]);
    let order: Vec<_> = heard.iter().map(|line| line["id"].as_u64()).collect();
    let answers = [Some(1), Some(2), Some(3), Some(4), Some(5), None, None];
    assert_eq!(order, answers);
    // What came in the same packet counts for the first job already.
    assert_eq!(heard[5]["params"], json!([1024]));
    assert_eq!(wire.session.agent(), "bitaxe/BM1370/v2.9");
}

#[test]
fn configure_answers_every_extension_that_was_asked_for() {
    let mut wire = MinerWire::new(Board::new());
    let heard = wire.tell(
        r#"{"id":1,"method":"mining.configure","params":[["minimum-difficulty","version-rolling","subscribe-extranonce","info","x"],{"minimum-difficulty.value":2048,"version-rolling.mask":"00c00000","version-rolling.min-bit-count":2}]}"#,
    );
    let answer = json!({
        "minimum-difficulty": true, "version-rolling": true,
        "version-rolling.mask": "00c00000", "subscribe-extranonce": true,
        "info": true, "x": false,
    });
    assert_eq!(heard[0]["result"], answer);
}

#[test]
fn the_version_mask_is_what_miner_and_pool_have_in_common() {
    let mut narrow = job(1);
    narrow.version_mask = 0x0000_e000;
    let mut wire = MinerWire::new(board(narrow));
    assert_eq!(
        wire.tell(CONFIGURE)[0]["result"]["version-rolling.mask"],
        "0000e000"
    );
    wire.tell(SUBSCRIBE);
    assert_eq!(methods(&wire.tell(AUTHORIZE)).len(), 2, "it knows the mask");
    let submit =
        |bits: &str| submit_line("4", "acc.rig", 1, 1).replace("]}", &format!(r#","{bits}"]}}"#));
    assert_eq!(wire.tell(&submit("00010000"))[0]["error"][0], 20, "outside");
    let Step::Submit(share) = wire.step(&submit("00004000")) else {
        panic!("inside the mask");
    };
    assert_eq!(share.version_bits, Some(0x4000));
}

#[test]
fn a_miner_that_did_not_ask_to_roll_may_not() {
    let mut wire = MinerWire::working(board(job(1)));
    let line = submit_line("4", "acc.rig", 1, 1).replace("]}", r#","00004000"]}"#);
    assert_eq!(wire.tell(&line)[0]["error"][0], 20);
}

#[test]
fn a_submit_without_version_bits_is_hashed_with_the_jobs_own_version() {
    // The pool's version has bits inside the mask.
    let mut text = FakePool::new("a").jobs.remove(0);
    text.version = "20006000".into();
    let terms = Terms {
        work: Arc::new(work(&text)),
        difficulty: EASY,
        ..terms()
    };
    let job = job_of(1, terms);
    let meets = |version: u32, nonce: u32| {
        let header = text.header("0a0b0c0d000000002a000001", version, 0x6700_003c, nonce);
        difficulty(&header) >= EASY
    };
    let nonce = (0..).find(|nonce| meets(0x2000_6000, *nonce) && !meets(0x2000_0000, *nonce));
    let mut wire = MinerWire::new(board(job));
    for line in [CONFIGURE, SUBSCRIBE, AUTHORIZE] {
        wire.tell(line);
    }
    let share = wire.share("4", 1, nonce.expect("some nonce"));
    assert_eq!(share.version_bits, None);
}

#[test]
fn a_new_version_mask_is_told_before_the_clean_job_of_the_switch() {
    let mut world = World::new(&["a", "b"]);
    world.pool("b").mask = Some(0x0fff_e000);
    world.rank(&[("a", 1.0), ("b", 0.9)], 1);
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    let before = world.miners[miner].heard.len();
    world.cut("a");
    world.run(secs(1));
    let heard = world.miners[miner].heard[before..].join("\n");
    let heard = crate::support::bare::values(&heard);
    assert_eq!(
        methods(&heard),
        ["mining.set_version_mask", "mining.notify"]
    );
    assert_eq!(heard[0]["params"], json!(["0fffe000"]));
    assert_eq!(heard[1]["params"][8], true);
    assert_eq!(world.mine_now(miner), Answer::True);
}

#[test]
fn a_pool_without_version_rolling_turns_it_off() {
    let mut world = World::new(&["a"]);
    world.pool("a").mask = None;
    let miner = world.miner("acc.rig");
    assert_eq!(
        world.miners[miner].mask, 0x1fff_e000,
        "no pool has said otherwise"
    );
    world.rank(&[("a", 1.0)], 1);
    world.run(secs(3));
    assert_eq!(world.miners[miner].mask, 0);
    assert_eq!(world.mine_now(miner), Answer::True);
}

#[test]
fn the_difficulty_precedes_the_job_and_is_told_only_when_it_changed() {
    let mut wire = MinerWire::working(board(job(1)));
    assert_eq!(methods(&wire.put_up(job(2), true)), ["mining.notify"]);
    let heard = wire.put_up(with_difficulty(3, 0.5), true);
    assert_eq!(methods(&heard), ["mining.set_difficulty", "mining.notify"]);
    assert_eq!(heard[0]["params"], json!([0.5]));
}

#[test]
fn a_changed_difficulty_comes_with_a_clean_job() {
    let mut wire = MinerWire::working(board(job(1)));
    wire.board.put_up(job(2), false);
    assert_eq!(wire.show()[0]["params"][8], false);
    wire.board.put_up(with_difficulty(3, 0.5), false);
    assert_eq!(wire.show()[1]["params"][8], true);
}

#[test]
fn shares_of_a_job_are_judged_by_the_difficulty_it_was_given_with() {
    let mut wire = MinerWire::working(board(job(1)));
    wire.put_up(with_difficulty(2, 1e9), false);
    wire.submit("4", 1, 1);
    let heard = wire.tell(&submit_line("5", "acc.rig", 2, 2));
    assert_eq!(heard[0]["error"][0], 23);
}

#[test]
fn a_clean_job_that_a_slow_miner_skipped_still_counts() {
    let mut wire = MinerWire::working(board(job(1)));
    wire.board.put_up(job(2), true);
    let heard = wire.put_up(job(3), false);
    assert_eq!(heard.len(), 1, "only the newest");
    assert_eq!(heard[0]["params"][0], "3");
    assert_eq!(heard[0]["params"][8], true);
    wire.board.put_up(job(4), false);
    assert_eq!(wire.show()[0]["params"][8], false, "told once");
}

#[test]
fn the_first_job_after_a_subscribe_is_clean() {
    let mut wire = MinerWire::working(board(job(1)));
    let heard = wire.tell(SUBSCRIBE);
    assert_eq!(methods(&heard), ["mining.set_difficulty", "mining.notify"]);
    assert_eq!(heard[2]["params"][8], true);
}

#[test]
fn extranonce1_is_one_constant_byte_and_extranonce2_has_three() {
    let mut wire = MinerWire::new(board(job(1)));
    for _ in 0..2 {
        let heard = wire.tell(SUBSCRIBE);
        assert_eq!(heard[0]["result"][1], "2a");
        assert_eq!(heard[0]["result"][2], 3);
    }
    wire.tell(AUTHORIZE);
    for short in ["", "0001", "00000001", "00000g"] {
        let line = submit_line("4", "acc.rig", 1, 1).replace("000001", short);
        assert_eq!(wire.tell(&line)[0]["error"][0], 20, "{short:?}");
    }
}

#[test]
fn several_workers_may_be_authorized_on_one_connection() {
    let mut wire = MinerWire::working(board(job(1)));
    let authorize = |name: &str| {
        format!(r#"{{"id":7,"method":"mining.authorize","params":["acc.{name}","x"]}}"#)
    };
    for name in ["two", "three", "four", "two"] {
        assert_eq!(wire.tell(&authorize(name))[0]["result"], true);
    }
    assert_eq!(wire.tell(&authorize("five"))[0]["error"][0], 24, "bounded");
    for (nonce, name) in (0..).zip(["rig", "two", "three", "four"]) {
        let step = wire.step(&submit_line("4", &format!("acc.{name}"), 1, nonce));
        let Step::Submit(share) = step else {
            panic!("{name}: {step:?}");
        };
        assert_eq!(share.worker, name);
    }
    let heard = wire.tell(&submit_line("4", "acc.five", 1, 9));
    assert_eq!(heard[0]["error"][0], 24);
}

#[test]
fn percent_encoded_worker_names_reach_the_pool_decoded() {
    let mut world = World::running(&["a"]);
    let miner = world.miner("acc%2Ebarn-1%20rig");
    world.mine_now(miner);
    world.mine_now(miner);
    assert_eq!(world.pools["a"].paid["account.barn-1_rig"], 1);
}

#[test]
fn a_job_of_the_board_without_room_for_the_miners_group_is_not_sent() {
    let crowded = job_of(
        1,
        Terms {
            split: Split::new(&[1], 4).expect("room"),
            ..terms()
        },
    );
    let mut renderings = Renderings::new();
    assert!(renderings.line(&crowded, 0, Manner::Constant).is_some());
    assert_eq!(renderings.line(&crowded, 1, Manner::Constant), None);
}

#[test]
fn a_switch_is_difficulty_mask_and_a_clean_job_whatever_the_extranonces() {
    // cgminer and cpuminer know no set_extranonce, and reconnect is not reliable.
    let mut world = World::new(&["a", "b", "c"]);
    for (pool, size) in [("a", 8), ("b", 4), ("c", 16)] {
        world.pool(pool).size = size;
    }
    world.pool("b").difficulty = EASY * 2.0;
    world.pool("c").mask = Some(0x0fff_e000);
    world.rank(&[("a", 1.0), ("b", 0.9), ("c", 0.8)], 1);
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    let greeted = world.miners[miner].heard.len();
    for pool in ["a", "b", "c", "a", "b"] {
        world.cut(pool);
        world.run(secs(5));
        assert_eq!(world.mine_now(miner), Answer::True);
    }
    let heard = world.miners[miner].heard[greeted..].join("\n");
    let heard = crate::support::bare::values(&heard);
    for method in methods(&heard) {
        let plain = [
            "mining.set_difficulty",
            "mining.set_version_mask",
            "mining.notify",
        ];
        assert!(plain.contains(&method), "{method}");
    }
    let told = ("00".to_string(), 3);
    assert_eq!(world.miners[miner].extranonce, told, "told once");
    assert_eq!(world.miners[miner].closed, None);
    world.assert_books();
}

#[test]
fn an_old_session_id_in_subscribe_is_no_promise() {
    // minerd brings its last one along, whoever it was from.
    let subscribe = |session: &str| {
        format!(r#"{{"id":1,"method":"mining.subscribe","params":["cpuminer/2.5.1"{session}]}}"#)
    };
    let mut fresh = MinerWire::new(Board::new());
    let expected = fresh.tell(&subscribe(""));
    for session in [
        r#","6b0309a8""#,
        ",null",
        ",17",
        r#","","pool.example",3333"#,
    ] {
        let mut wire = MinerWire::new(Board::new());
        assert_eq!(wire.tell(&subscribe(session)), expected, "{session}");
    }
}

#[test]
fn names_are_cut_at_63_characters_before_they_reach_a_pool() {
    let mut world = World::running(&["a"]);
    let miner = world.miner(&format!("acc.{}", "w".repeat(130)));
    world.mine_now(miner);
    assert_eq!(world.mine_now(miner), Answer::True);
    assert_eq!(
        world.pools["a"].paid[&format!("account.{}", "w".repeat(63))],
        1
    );
}
