//! Keep-warm: the last job is kept up for a while in which no pool can be
//! reached. Off unless the farm asks for it, limited in time, never paid.

use crate::support::{Answer, EASY, Mode, WAITS_FOR, World, ms, secs};
use smart_mining_core::route::Policy;
use smart_mining_core::sv1::Outcome;

/// On pool a alone, which asks for 16 times as much as the miner.
fn farm(keep_warm: u64) -> (World, usize) {
    let policy = Policy {
        keep_warm: secs(keep_warm),
        ..Policy::default()
    };
    let mut world = World::with(policy, &["a"]);
    world.pool("a").difficulty = EASY * 16.0;
    world.rank(&[("a", 1.0)], 1);
    world.run(secs(3));
    let miner = world.miner_like("acc.rig", |miner| miner.password = format!("d={EASY}"));
    world.run(secs(1));
    (world, miner)
}

fn jobs(world: &World, miner: usize) -> usize {
    let heard = world.miners[miner].heard.iter();
    heard.filter(|line| line.contains("mining.notify")).count()
}

#[test]
fn off_by_default_no_job_is_kept_up() {
    assert_eq!(Policy::default().keep_warm, secs(0));
    let (mut world, miner) = farm(0);
    let before = jobs(&world, miner);
    world.set_mode("a", Mode::Refusing);
    world.run(secs(600));
    assert!(!world.lane.keeps_warm());
    assert_eq!(jobs(&world, miner), before);
}

#[test]
fn while_kept_warm_miners_have_work_every_30_s_and_then_no_more() {
    let (mut world, miner) = farm(600);
    let before = jobs(&world, miner);
    world.set_mode("a", Mode::Refusing);
    world.run(secs(300));
    assert!(world.lane.keeps_warm(), "and the page says so");
    assert_eq!(world.route(), None);
    let late = world.miner("acc.late");
    assert_eq!(world.miners[late].jobs.len(), 1, "a new one has work too");
    world.run(secs(299));
    let kept = jobs(&world, miner) - before;
    assert!((19..=20).contains(&kept), "{kept} in ten minutes");
    let newest = world.miners[miner].jobs.last().expect("one");
    assert!(!newest.clean);
    world.run(secs(2));
    assert!(!world.lane.keeps_warm());
    let told = world.miners[miner].heard.len();
    world.run(secs(600));
    let heard = &world.miners[miner].heard[told..];
    assert!(heard.len() >= 19, "signs of life");
    assert!(
        heard
            .iter()
            .all(|line| line.contains("mining.set_difficulty")),
        "and no job"
    );
}

#[test]
fn what_would_need_the_pool_is_lost_meanwhile_and_never_called_true() {
    let (mut world, miner) = farm(600);
    world.set_mode("a", Mode::Refusing);
    world.run(secs(60));
    let newest = world.miners[miner].jobs.len() - 1;
    let fake = &mut world.miners[miner];
    let (id, line) = fake
        .find_worth(newest, EASY * 16.0..f64::INFINITY)
        .expect("a job");
    world.send(miner, &line);
    world.run(WAITS_FOR - ms(1));
    assert_eq!(
        world.miners[miner].answer(id),
        None,
        "it could still be paid"
    );
    world.run(ms(1));
    assert_eq!(world.miners[miner].answer(id), Some(&Answer::Error(20)));
    assert_eq!(world.outcomes(Outcome::Lost), 1);
    // One for the miner's own figure is counted as such, as always.
    let (id, line) = world.miners[miner]
        .find_worth(newest, EASY..EASY * 16.0)
        .expect("a job");
    world.send(miner, &line);
    assert_eq!(world.miners[miner].answer(id), Some(&Answer::True));
    assert_eq!(world.outcomes(Outcome::Local), 1);
    assert_eq!(world.outcomes(Outcome::Accepted), 0);
    world.assert_books();
}

#[test]
fn the_first_pool_that_is_back_ends_it_with_a_clean_job() {
    let (mut world, miner) = farm(600);
    for _ in 0..2 {
        world.set_mode("a", Mode::Refusing);
        world.run(secs(120));
        assert!(world.lane.keeps_warm());
        world.set_mode("a", Mode::Up);
        world.run(secs(2));
        assert!(!world.lane.keeps_warm());
        let jobs = &world.miners[miner].jobs;
        assert!(jobs.len() == 1 && jobs[0].clean);
        let (id, line) = world.miners[miner]
            .find_worth(0, EASY * 16.0..1.0)
            .expect("a job");
        world.send(miner, &line);
        world.run(ms(50));
        assert_eq!(world.miners[miner].answer(id), Some(&Answer::True));
    }
    world.run(secs(700));
    assert!(world.miners[miner].jobs.len() > 10, "nothing ends it late");
    world.assert_books();
}

#[test]
fn where_another_pool_is_ready_nothing_is_kept_warm() {
    let policy = Policy {
        keep_warm: secs(600),
        ..Policy::default()
    };
    let mut world = World::with(policy, &["a", "b"]);
    world.rank(&[("a", 1.0), ("b", 0.9)], 1);
    world.run(secs(3));
    let miner = world.miner("acc.rig");
    world.set_mode("a", Mode::Refusing);
    world.run(ms(2));
    assert_eq!(world.route(), Some("b"));
    assert!(!world.lane.keeps_warm());
    assert_eq!(world.mine_now(miner), Answer::True);
}
