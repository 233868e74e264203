use super::*;
use crate::config::Worker;
use crate::store::Store;
use smart_mining_core::Duration;
use std::sync::mpsc;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

fn workers(mode: WorkersMode) -> (Arc<Workers>, Clock) {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = Store::open(&folder.path().join("farm.sqlite")).expect("a new store");
    let clock = Clock::start();
    let config = Admissions {
        mode,
        workers: vec![Worker {
            name: "rig".to_owned(),
            password: Some(StoredPassword::of("right").expect("made")),
        }],
    };
    let made = Workers::new(&config, Arc::new(Events::new(store)), clock);
    let (workers, checker) = made.expect("made");
    std::thread::spawn(move || checker.run());
    (workers, clock)
}

fn asked(workers: &Workers, password: &str, address: IpAddr) -> Result<(), &'static str> {
    let (answer, answered) = mpsc::channel();
    let answer = Box::new(move |outcome| answer.send(outcome).expect("it waits"));
    workers.ask("rig", password, address, answer);
    answered.recv().expect("an answer")
}

#[test]
fn an_open_farm_takes_all_and_a_list_only_its_own() {
    let (open, clock) = workers(WorkersMode::Open);
    let now = clock.now();
    assert_eq!(open.judge("any", "x", HERE, now), Admission::Welcome);
    let (list, _) = workers(WorkersMode::List);
    assert_eq!(list.judge("rig", "wrong", HERE, now), Admission::Welcome);
    let refused = Admission::Refused(UNLISTED);
    assert_eq!(list.judge("Rig", "right", HERE, now), refused);
    let told = list.refused();
    assert_eq!((&*told[0].worker, told[0].address), ("Rig", HERE));
}

#[test]
fn a_right_password_is_hashed_once() {
    let (workers, clock) = workers(WorkersMode::Password);
    let now = clock.now();
    assert_eq!(workers.judge("rig", "right", HERE, now), Admission::Later);
    assert_eq!(asked(&workers, "right", HERE), Ok(()));
    let begun = std::time::Instant::now();
    for _ in 0..5_000 {
        assert_eq!(
            workers.judge("rig", "right", THERE, now),
            Admission::Welcome
        );
    }
    // 5,000 argon2 hashes would be a minute at the least.
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
    assert_eq!(workers.judge("rig", "other", THERE, now), Admission::Later);
    assert!(workers.refused().is_empty());
}

#[test]
fn guessing_is_slowed_for_its_address_and_no_other() {
    let (workers, clock) = workers(WorkersMode::Password);
    assert_eq!(asked(&workers, "right", THERE), Ok(()));
    for guess in ["a", "b", "c", "d", "e"] {
        assert_eq!(asked(&workers, guess, HERE), Err(UNKNOWN));
    }
    // What is queued already is not hashed either.
    assert_eq!(asked(&workers, "f", HERE), Err(WAIT));
    let now = clock.now();
    let judge = |worker, password, address| workers.judge(worker, password, address, now);
    assert_eq!(judge("rig", "g", HERE), Admission::Refused(WAIT));
    assert_eq!(judge("none", "g", HERE), Admission::Refused(WAIT));
    assert_eq!(judge("rig", "right", HERE), Admission::Welcome);
    assert_eq!(judge("rig", "g", THERE), Admission::Later);
    let later = now + Duration::from_secs(61);
    assert_eq!(workers.judge("rig", "g", HERE, later), Admission::Later);
    let told = workers.refused();
    let rig = told.iter().find(|entry| entry.worker == "rig");
    assert!(
        rig.is_some_and(|rig| rig.count == 7 && rig.address == HERE),
        "{told:?}"
    );
}

#[test]
fn guessing_names_counts_too_and_tells_nothing() {
    let (workers, clock) = workers(WorkersMode::Password);
    let now = clock.now();
    for _ in 0..5 {
        let refused = Admission::Refused(UNKNOWN);
        assert_eq!(workers.judge("none", "x", HERE, now), refused);
    }
    assert_eq!(
        workers.judge("none", "x", HERE, now),
        Admission::Refused(WAIT)
    );
}
