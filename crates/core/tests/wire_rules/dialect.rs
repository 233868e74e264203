//! What holds for every dialect, shown toward the miner.

use crate::support::bare::{MinerWire, board, job, methods, submit_line};
use crate::support::{Answer, Mode, WAITS_FOR, World, at, ms, secs};
use smart_mining_core::line::{LineBuffer, MINER_LINE, feed};
use smart_mining_core::share::Board;
use smart_mining_core::sv1::{Outcome, Step};

#[test]
fn the_id_comes_back_verbatim() {
    for id in [
        "7",
        "-1",
        "1.50",
        "null",
        r#""a\"b""#,
        "18446744073709551616",
        "[1,{\"a\":2}]",
    ] {
        for (method, params) in [
            ("mining.configure", r#"[["version-rolling"],{}]"#),
            ("mining.subscribe", "[]"),
            ("mining.authorize", r#"["acc.rig","x"]"#),
            ("mining.ping", "[]"),
            ("no.such.method", "[]"),
            ("mining.submit", "[]"),
        ] {
            let mut wire = MinerWire::new(Board::new());
            wire.step(&format!(
                r#"{{"params":{params},"method":"{method}","id":{id}}}"#
            ));
            let heard = wire.raw();
            assert!(heard.starts_with(&format!(r#"{{"id":{id},"#)), "{heard}");
        }
    }
}

#[test]
fn a_request_without_an_id_is_answered_with_null() {
    let mut wire = MinerWire::new(Board::new());
    let heard = wire.tell(r#"{"method":"mining.ping","params":[]}"#);
    assert!(heard[0]["id"].is_null());
}

#[test]
fn the_error_is_null_on_success() {
    let mut wire = MinerWire::working(board(job(1)));
    for method in [
        "mining.subscribe",
        "mining.authorize",
        "mining.configure",
        "mining.extranonce.subscribe",
        "mining.suggest_difficulty",
        "mining.suggest_target",
        "mining.multi_version",
        "mining.get_transactions",
        "mining.ping",
    ] {
        let line = format!(r#"{{"id":9,"method":"{method}","params":["acc.rig"]}}"#);
        wire.step(&line);
        let heard = wire.raw();
        let answer = heard.lines().next().expect("always answered");
        assert!(answer.ends_with(r#","error":null}"#), "{answer}");
    }
}

#[test]
fn an_unknown_method_gets_an_error_and_no_disconnect() {
    let mut wire = MinerWire::new(Board::new());
    let heard = wire.tell(r#"{"id":5,"method":"mining.capabilities","params":{"x":[]}}"#);
    assert_eq!(heard[0]["error"][0], 20);
}

#[test]
fn the_handshake_is_answered_at_once_with_every_pool_down() {
    let mut world = World::new(&["a"]);
    world.pool("a").mode = Mode::BlackHole;
    world.rank(&[("a", 1.0)], 1);
    let miner = world.miner("acc.rig");
    // No virtual time has passed.
    assert_eq!(world.miners[miner].heard.len(), 3);
    assert!(world.miners[miner].session.is_working());
    world.run(secs(600));
    assert_eq!(world.miners[miner].closed, None, "and it is kept");
    let signs_of_life = &world.miners[miner].heard[3..];
    let honest = |line: &String| line.contains("client.show_message");
    assert!(signs_of_life.iter().all(honest), "and told nothing false");
}

#[test]
fn a_switch_waits_for_the_new_pools_first_job() {
    let mut world = World::new(&["a", "b"]);
    world.pool("b").sends_jobs = false;
    world.rank(&[("a", 1.0), ("b", 0.9)], 1);
    world.run(secs(3));
    world.set_mode("a", Mode::Refusing);
    world.run(secs(5));
    assert_eq!(world.route(), None, "b is logged in but has no job");
    world.notify("b", true);
    world.run(ms(50));
    assert_eq!(world.route(), Some("b"));
}

#[test]
fn job_ids_are_ours_and_never_reused() {
    let mut world = World::running(&["a", "b"]);
    let miner = world.miner("acc.rig");
    for round in 0..4 {
        let pool = ["a", "b"][round % 2];
        world.notify(pool, round == 2);
        world.run(secs(70));
        world.cut(world.route().expect("a route").to_string().as_str());
        world.run(secs(20));
    }
    let heard = &world.miners[miner].heard;
    let ids: Vec<u32> = heard
        .iter()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|line| line["method"] == "mining.notify")
        .map(|line| u32::from_str_radix(line["params"][0].as_str().expect("id"), 16).expect("hex"))
        .collect();
    assert!(ids.len() > 10, "{ids:?}");
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
}

#[test]
fn a_board_that_changed_elsewhere_does_not_repeat_the_job() {
    let mut wire = MinerWire::working(board(job(1)));
    assert!(wire.show().is_empty());
}

#[test]
fn a_quiet_pool_is_covered_by_new_ids_every_30_s_without_clean_jobs() {
    let mut world = World::running(&["a"]);
    let miner = world.miner("acc.rig");
    world.run(secs(100));
    let jobs = &world.miners[miner].jobs;
    assert_eq!(jobs.len(), 4, "the first and one every 30 s");
    assert!(jobs.iter().skip(1).all(|job| !job.clean));
}

#[test]
fn a_job_issued_again_is_new_work_for_miners_that_start_it_from_the_beginning() {
    let mut world = World::running(&["a"]);
    let miner = world.miner("acc.rig");
    for _ in 0..4 {
        assert_eq!(world.mine_now(miner), Answer::True);
        world.run(secs(30));
    }
    world.assert_books();
}

#[test]
fn a_dead_pool_is_never_covered_by_accepts() {
    let mut world = World::running(&["a"]);
    let miner = world.miner("acc.rig");
    let id = world.mine(miner).expect("a job");
    world.set_mode("a", Mode::Refusing);
    world.run(ms(100));
    assert_eq!(world.miners[miner].answer(id), Some(&Answer::Error(20)));
    let id = world.mine(miner).expect("the old job");
    world.run(WAITS_FOR - ms(1));
    assert_eq!(world.miners[miner].answer(id), None, "a may come back");
    world.run(ms(1));
    assert_eq!(world.miners[miner].answer(id), Some(&Answer::Error(20)));
    assert_eq!(world.outcomes(Outcome::Unknown), 1, "it was under way");
    assert_eq!(world.outcomes(Outcome::Lost), 1, "it had nowhere to go");
    assert_eq!(world.pools["a"].accepted, 0);
}

#[test]
fn a_miner_that_does_not_log_in_within_15_s_is_let_go() {
    for line in [
        "",
        r#"{"id":1,"method":"mining.subscribe","params":[]}"#,
        r#"{"id":1,"method":"mining.authorize","params":["a.b","x"]}"#,
    ] {
        let mut wire = MinerWire::new(Board::new());
        if !line.is_empty() {
            wire.tell(line);
        }
        assert_eq!(wire.session.handshake_deadline(), Some(at(15_000)));
    }
    let wire = MinerWire::working(Board::new());
    assert_eq!(wire.session.handshake_deadline(), None);
}

#[test]
fn a_slow_miner_is_never_closed_for_want_of_shares() {
    let mut world = World::running(&["a"]);
    let miner = world.miner("acc.slow");
    world.notify_every("a", secs(60));
    world.run(secs(3 * 3600 + 1));
    assert_eq!(world.miners[miner].closed, None);
    assert_eq!(world.mine_now(miner), Answer::True);
}

#[test]
fn junk_from_port_scanners_ends_the_connection_and_is_bounded() {
    for junk in ["GET / HTTP/1.1", "\u{16}\u{3}\u{1}", "{", "{}}"] {
        let mut wire = MinerWire::new(Board::new());
        assert!(matches!(wire.step(junk), Step::Close(_)), "{junk:?}");
        assert!(wire.raw().is_empty());
    }
    let mut buffer = LineBuffer::<MINER_LINE>::new();
    assert!(feed(&mut buffer, &[b'x'; 100_000], |_| true).is_err());
}

#[test]
fn nothing_is_read_on_after_the_line_that_ends_a_connection() {
    let mut buffer = LineBuffer::<8>::new();
    let mut lines = 0;
    feed(&mut buffer, b"one\ntwo\nthree\nfour\n", |_| {
        lines += 1;
        false
    })
    .expect("short lines");
    assert_eq!(lines, 1);
}

#[test]
fn crlf_and_empty_lines_are_tolerated() {
    let mut buffer = LineBuffer::<64>::new();
    let mut lines = Vec::new();
    feed(
        &mut buffer,
        b"\r\n\n{\"id\":1}\r\n  \n{\"id\":2}\n",
        |line| {
            lines.push(line.to_vec());
            true
        },
    )
    .expect("short lines");
    assert_eq!(lines, [br#"{"id":1}"#, br#"{"id":2}"#]);
}

#[test]
fn a_submit_before_the_login_says_what_is_missing() {
    let mut wire = MinerWire::new(board(job(1)));
    let line = submit_line("4", "acc.rig", 1, 0);
    assert_eq!(wire.tell(&line)[0]["error"][0], 25);
    wire.tell(r#"{"id":1,"method":"mining.subscribe","params":[]}"#);
    assert_eq!(wire.tell(&line)[0]["error"][0], 24);
    let heard = wire.tell(r#"{"id":2,"method":"mining.authorize","params":["acc.rig","x"]}"#);
    assert_eq!(methods(&heard), ["mining.set_difficulty", "mining.notify"]);
}

#[test]
fn while_nothing_can_be_mined_clients_hear_something_true_every_30_s() {
    // cgminer leaves after 90 s without a line, cpuminer after 120 s.
    let mut board = board(job(1));
    let mut wire = MinerWire::working(board.clone());
    board.withdraw();
    wire.board = board.clone();
    assert!(wire.show().is_empty(), "nothing new, nothing said");
    board.still_waiting();
    wire.board = board.clone();
    let said = wire.show();
    assert_eq!(
        methods(&said),
        ["mining.set_difficulty"],
        "the one it knows"
    );
    assert!(wire.show().is_empty(), "once");
    // One that came meanwhile knows no difficulty yet, and is given no job.
    let mut late = MinerWire::working(board.clone());
    board.still_waiting();
    late.board = board;
    assert_eq!(methods(&late.show()), ["client.show_message"]);
}
