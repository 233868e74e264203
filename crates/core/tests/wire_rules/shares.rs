//! Bitcoin SV1: what happens to a share.

use crate::support::bare::{MinerWire, board, job, submit_line};
use crate::support::hash::unhex;
use crate::support::{Answer, EASY, Mode, Names, World, at, ms, secs};
use smart_mining_core::share::{Reject, Seat, Verdict};
use smart_mining_core::sv1::miner::MAX_IN_FLIGHT;
use smart_mining_core::sv1::{Failure, Outcome, Step};

#[test]
fn minerds_constant_submit_ids_are_matched_by_the_order_of_the_verdicts() {
    let mut wire = MinerWire::working(board(job(1)));
    let tokens: Vec<_> = (0..3).map(|nonce| wire.submit("4", 1, nonce)).collect();
    let verdicts = [
        (1, Verdict::Accepted),
        (0, Verdict::Rejected(Reject::new(21, "Job not found"))),
        (2, Verdict::Accepted),
    ];
    for (share, verdict) in &verdicts {
        assert!(wire.verdict(tokens[*share], verdict).is_some());
        assert!(wire.verdict(tokens[*share], verdict).is_none());
    }
    let heard = wire.heard();
    assert!(heard.iter().all(|line| line["id"] == 4));
    let codes: Vec<_> = heard.iter().map(|line| line["error"][0].as_i64()).collect();
    assert_eq!(codes, [None, Some(21), None]);
}

#[test]
fn every_size_of_extranonce2_from_2_to_16_gives_the_pools_own_coinbase() {
    for size in 2..=16 {
        let mut world = World::new(&["a"]);
        world.pool("a").size = size;
        world.rank(&[("a", 1.0)], 1);
        world.run(secs(3));
        let group = if size <= 4 { 0 } else { 3 };
        world.count(4);
        let seat = Seat {
            group,
            prefix: 0xee,
        };
        let miner = world.miner_on(seat, "acc.rig", true);
        world.run(secs(31));
        assert_eq!(world.mine_now(miner), Answer::True, "size {size}");
        assert_eq!(world.mine_now(miner), Answer::True, "size {size}");
        world.assert_books();
    }
}

#[test]
fn the_miners_coinbase_is_the_pools_coinbase_byte_for_byte() {
    let mut world = World::running(&["a"]);
    let miner = world.miner("acc.rig");
    world.mine(miner).expect("a job");
    world.run(ms(50));
    let connection = world.pools["a"].connections.values().next().expect("one");
    let submit = connection
        .heard
        .iter()
        .rfind(|line| line.contains("submit"));
    let submit: serde_json::Value = serde_json::from_str(submit.expect("sent")).expect("JSON");
    let extranonce2 = submit["params"][2].as_str().expect("text");
    let rolled = &extranonce2[10..];
    let pools =
        world.pools["a"].jobs[0].coinbase(&format!("{}{extranonce2}", connection.extranonce1));
    let fake = &world.miners[miner];
    let miners = fake.jobs[0].coinbase(&format!("{}{rolled}", fake.extranonce.0));
    assert_eq!(unhex(&miners), unhex(&pools));
}

#[test]
fn a_pool_with_an_extranonce2_of_1_is_refused_with_the_figure() {
    let mut world = World::new(&["a"]);
    world.pool("a").size = 1;
    world.rank(&[("a", 1.0)], 1);
    world.run(ms(200));
    let (_, _, failure) = &world.failures[0];
    assert!(failure.to_string().contains("of 1 bytes"), "{failure}");
    assert!(
        failure.to_string().contains("usable are 2 to 16"),
        "{failure}"
    );
    let view = world.lane.view();
    assert_eq!(view[0].last_failure, Some(failure.to_string()));
}

#[test]
fn a_share_that_is_not_enough_work_is_refused_here() {
    let mut world = World::running(&["a"]);
    world.retarget("a", 1e9);
    world.run(secs(1));
    let miner = world.miner("acc.rig");
    let (id, line) = world.miners[miner].find_worth(0, EASY..1.0).expect("a job");
    world.send(miner, &line);
    assert_eq!(world.miners[miner].answer(id), Some(&Answer::Error(23)));
    assert!(
        world.pools["a"].refused.is_empty(),
        "the pool was not bothered"
    );
}

#[test]
fn a_share_sent_twice_is_refused_here_also_under_the_id_of_a_job_issued_again() {
    let mut wire = MinerWire::working(board(job(1)));
    wire.put_up(job(2), false);
    wire.submit("4", 1, 7);
    for job in [1, 2] {
        let heard = wire.tell(&submit_line("5", "acc.rig", job, 7));
        assert_eq!(heard[0]["error"][0], 22);
    }
}

#[test]
fn a_job_that_is_not_on_the_board_is_stale() {
    let mut wire = MinerWire::working(board(job(1)));
    for name in ["9", "zz", "", "123456789"] {
        let line = submit_line("4", "acc.rig", 1, 1).replace(r#""1","#, &format!(r#""{name}","#));
        let Step::Judged(judged) = wire.step(&line) else {
            panic!("refused here");
        };
        assert_eq!(judged.outcome, Outcome::Stale);
        assert_eq!(wire.heard()[0]["error"][0], 21);
    }
}

#[test]
fn a_clean_job_of_the_pool_makes_its_older_jobs_stale() {
    let mut world = World::running(&["a"]);
    let miner = world.miner("acc.rig");
    world.notify("a", false);
    world.run(secs(1));
    let (id, old) = world.miners[miner].find_on(0).expect("the older job");
    world.send(miner, &old);
    world.run(ms(50));
    assert_eq!(world.miners[miner].answer(id), Some(&Answer::True));
    let (id, old) = world.miners[miner].find_on(0).expect("the older job");
    world.notify("a", true);
    world.run(secs(1));
    world.send(miner, &old);
    assert_eq!(world.miners[miner].answer(id), Some(&Answer::Error(21)));
}

#[test]
fn a_verdict_that_does_not_come_within_30_s_is_unknown_and_no_accept() {
    let mut wire = MinerWire::working(board(job(1)));
    let token = wire.submit("4", 1, 7);
    wire.now = at(29_999);
    assert!(wire.overdue().is_empty());
    wire.now = at(30_000);
    let outcomes: Vec<_> = wire.overdue().iter().map(|judged| judged.outcome).collect();
    assert_eq!(outcomes, [Outcome::Unknown]);
    assert_eq!(wire.heard()[0]["error"][0], 20);
    // It comes too late: the miner had its answer.
    assert!(wire.verdict(token, &Verdict::Accepted).is_none());
    assert!(wire.raw().is_empty());
}

#[test]
fn shares_beyond_the_bound_are_refused_at_once_and_said_so() {
    let mut wire = MinerWire::working(board(job(1)));
    for nonce in 0..u32::from(MAX_IN_FLIGHT) {
        wire.submit("4", 1, nonce);
    }
    // No pool saw it, so it is lost, and not a share that a pool refused.
    let Step::Judged(judged) = wire.step(&submit_line("5", "acc.rig", 1, 999)) else {
        panic!("answered here");
    };
    assert_eq!(judged.outcome, Outcome::Lost);
    let heard = wire.heard();
    assert_eq!(heard[0]["error"][0], 20);
    assert!(
        heard[0]["error"][1]
            .as_str()
            .expect("text")
            .contains("too many")
    );
}

#[test]
fn an_id_too_long_to_keep_is_refused_in_those_words() {
    let mut wire = MinerWire::working(board(job(1)));
    let id = format!("\"{}\"", "i".repeat(60));
    let heard = wire.tell(&submit_line(&id, "acc.rig", 1, 1));
    assert_eq!(heard[0]["id"], "i".repeat(60));
    assert!(heard[0]["error"][1].as_str().expect("text").contains("id"));
}

#[test]
fn the_pools_reject_reaches_the_miner_with_its_code() {
    let mut world = World::running(&["a"]);
    let miner = world.miner("acc.rig");
    // The pool forgets its jobs, and we cannot know.
    world.pool("a").jobs.clear();
    assert_eq!(world.mine_now(miner), Answer::Error(21));
    assert_eq!(world.outcomes(Outcome::Stale), 1);
    assert_eq!(world.pools["a"].refused[&21], 1);
}

#[test]
fn each_worker_is_paid_under_its_own_name_where_the_pool_accepts_it() {
    let mut world = World::running(&["a"]);
    let miners = [world.miner("acc.one"), world.miner("acc.two")];
    for miner in miners.into_iter().cycle().take(6) {
        assert_eq!(world.mine_now(miner), Answer::True);
    }
    let paid = &world.pools["a"].paid;
    assert_eq!(paid["account.one"], 2);
    assert_eq!(paid["account.two"], 2);
    assert_eq!(
        paid["account.barn"], 2,
        "the first of each, before the pool said yes"
    );
}

#[test]
fn where_the_pool_refuses_or_ignores_a_second_name_shares_go_under_the_login() {
    for names in [Names::Refused, Names::Unanswered] {
        let mut world = World::running(&["a"]);
        world.pool("a").names = names;
        let miner = world.miner("acc.one");
        for _ in 0..3 {
            assert_eq!(world.mine_now(miner), Answer::True, "{names:?}");
        }
        assert_eq!(world.pools["a"].paid["account.barn"], 3);
    }
}

#[test]
fn a_worker_mismatch_is_sent_once_more_under_the_login_and_accepted() {
    let mut world = World::running(&["a"]);
    world.pool("a").names = Names::Mismatch;
    let miner = world.miner("acc.one");
    for _ in 0..2 {
        world.mine(miner);
        world.run(ms(200));
    }
    assert_eq!(world.miners[miner].accepted(), 2, "no share was lost");
    assert_eq!(world.pools["a"].refused[&24], 1);
    assert_eq!(
        world.notices,
        ["takes shares under the connection's login only"]
    );
    assert_eq!(world.mine_now(miner), Answer::True);
    assert_eq!(world.pools["a"].refused[&24], 1, "it is not tried again");
}

#[test]
fn a_mute_pool_is_left_after_20_s_and_its_shares_are_not_called_accepted() {
    let mut world = World::running(&["a", "b"]);
    let miner = world.miner("acc.one");
    assert_eq!(world.mine_now(miner), Answer::True);
    world.set_mode("a", Mode::Mute);
    let ids = [(); 3].map(|()| world.mine(miner).expect("a job"));
    world.run(secs(20) - ms(1));
    assert_eq!(world.route(), Some("a"), "its lines still come");
    world.run(ms(1));
    assert_eq!(world.route(), Some("b"));
    for id in ids {
        assert_eq!(world.miners[miner].answer(id), Some(&Answer::Error(20)));
    }
    assert!(matches!(world.failures[0].2, Failure::Mute));
    assert_eq!(world.mine_now(miner), Answer::True);
    world.assert_books();
}
