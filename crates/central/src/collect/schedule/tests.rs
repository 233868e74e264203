use super::*;
use proptest::prelude::*;
use std::collections::BinaryHeap;

const QUICK: Limits = Limits {
    budget: Budget {
        burst: 100,
        per_minute: 6_000.0,
    },
    own: false,
};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn request(about: &str, url: &str, every: u64) -> Request {
    Request {
        kind: "stats",
        about: about.to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: None,
        every: secs(every),
        network: None,
    }
}

fn asked(schedule: &mut Schedule, now: Instant) -> Question {
    match schedule.next(now) {
        Step::Ask(question) => question,
        other @ (Step::Wait(_) | Step::Listen) => panic!("{other:?} instead of a question"),
    }
}

fn waits(schedule: &mut Schedule, now: Instant) -> Duration {
    match schedule.next(now) {
        Step::Wait(until) => until - now,
        other @ (Step::Ask(_) | Step::Listen) => panic!("{other:?} instead of a wait"),
    }
}

fn failed(error: SourceError) -> FetchError {
    FetchError::Source(error)
}

#[test]
fn a_site_gets_one_question_at_a_time_and_others_do_not_wait_for_it() {
    let now = Instant::now();
    let mut schedule = Schedule::new(1);
    let two = vec![
        request("ETC", "https://etc.a.org", 60),
        request("RVN", "https://rvn.a.org", 60),
    ];
    schedule.add(0, QUICK, two, false, now);
    schedule.add(
        1,
        QUICK,
        vec![request("", "http://127.0.0.1:1", 60)],
        false,
        now,
    );
    let first = asked(&mut schedule, now);
    assert_eq!(first.request.about, "ETC");
    let other = asked(&mut schedule, now);
    assert_eq!(other.source, 1);
    assert!(matches!(schedule.next(now), Step::Listen));
    schedule.heard(&first, None, false, now);
    assert_eq!(asked(&mut schedule, now).request.about, "RVN");
}

#[test]
fn after_an_answer_and_after_a_failure() {
    let now = Instant::now();
    let every = [
        (None, 300, 300),
        (Some(FetchError::Transport(String::new())), 300, 65),
    ];
    let not_found = Some(failed(SourceError::NotFound(String::new())));
    let short = Some(failed(SourceError::Empty));
    for (error, every, due) in every
        .into_iter()
        .chain([(not_found, 300, 300), (short, 30, 35)])
    {
        let mut schedule = Schedule::new(1);
        schedule.add(
            0,
            QUICK,
            vec![request("", "http://a.org", every)],
            false,
            now,
        );
        let question = asked(&mut schedule, now);
        // The answer takes five seconds.
        schedule.heard(&question, error.as_ref(), false, now + secs(5));
        assert_eq!(
            waits(&mut schedule, now + secs(5)),
            secs(due - 5),
            "{error:?}"
        );
    }
}

#[test]
fn a_ban_ends_all_sources_of_the_site_and_a_wrong_key_only_its_own() {
    let now = Instant::now();
    let later = now + secs(1_000_000);
    for (error, others) in [
        (SourceError::Stop("banned".to_owned()), false),
        (SourceError::Key("wrong".to_owned()), true),
    ] {
        let mut schedule = Schedule::new(1);
        schedule.add(0, QUICK, vec![request("", "http://a.org", 60)], false, now);
        schedule.add(
            1,
            QUICK,
            vec![request("", "http://b.a.org", 60)],
            false,
            now,
        );
        let question = asked(&mut schedule, now);
        schedule.heard(&question, Some(&failed(error)), false, now);
        assert!(matches!(schedule.condition(0, now), Condition::Stopped(_)));
        match schedule.next(later) {
            Step::Ask(question) => assert!(others && question.source == 1),
            Step::Listen => assert!(!others),
            Step::Wait(_) => panic!("there is nothing to wait for"),
        }
    }
}

#[test]
fn a_refused_cookie_is_tried_again() {
    let now = Instant::now();
    let mut schedule = Schedule::new(1);
    schedule.add(
        0,
        QUICK,
        vec![request("", "http://127.0.0.1:1", 300)],
        false,
        now,
    );
    let question = asked(&mut schedule, now);
    let refused = failed(SourceError::Key(String::new()));
    schedule.heard(&question, Some(&refused), true, now);
    assert_eq!(waits(&mut schedule, now), secs(60));
}

#[test]
fn a_wait_that_was_asked_for_holds_for_the_whole_site() {
    let now = Instant::now();
    let mut schedule = Schedule::new(1);
    schedule.add(0, QUICK, vec![request("", "http://a.org", 60)], false, now);
    schedule.add(
        1,
        QUICK,
        vec![request("", "http://b.a.org", 60)],
        false,
        now,
    );
    let question = asked(&mut schedule, now);
    let limited = failed(SourceError::RateLimited(Some(secs(500))));
    schedule.heard(&question, Some(&limited), false, now);
    assert_eq!(
        waits(&mut schedule, now),
        secs(60),
        "when it is due, but then"
    );
    assert_eq!(waits(&mut schedule, now + secs(60)), secs(440));
    assert_eq!(
        schedule.condition(1, now),
        Condition::Waiting(now + secs(500))
    );
    asked(&mut schedule, now + secs(500));
}

#[test]
fn a_follow_up_is_asked_at_once_and_renewed_without_being_asked_sooner() {
    let now = Instant::now();
    let mut schedule = Schedule::new(1);
    let url = "http://127.0.0.1:1";
    schedule.add(0, QUICK, vec![request("", url, 60)], false, now);
    let parent = asked(&mut schedule, now);
    schedule.heard(&parent, None, false, now);
    assert!(!parent.follow_up);
    assert_eq!(schedule.outlook(now).next, None);
    let blocks = |body: &str| {
        let mut request = request("blocks", url, 600);
        request.body = Some(body.to_owned());
        vec![request]
    };
    schedule.add(0, QUICK, blocks("1"), true, now);
    assert_eq!(schedule.outlook(now).next, Some(now), "the round goes on");
    let child = asked(&mut schedule, now);
    assert!(child.follow_up);
    assert_eq!(child.request.body.as_deref(), Some("1"));
    schedule.heard(&child, None, false, now);
    schedule.add(0, QUICK, blocks("2"), true, now + secs(60));
    let parent = asked(&mut schedule, now + secs(60));
    assert!(!parent.follow_up);
    schedule.heard(&parent, None, false, now + secs(590));
    assert_eq!(asked(&mut schedule, now + secs(591)).request.about, "");
    let mut later = Schedule::new(1);
    later.add(0, QUICK, blocks("1"), true, now);
    let child = asked(&mut later, now);
    later.heard(&child, None, false, now);
    later.add(0, QUICK, blocks("2"), true, now + secs(60));
    assert_eq!(waits(&mut later, now + secs(60)), secs(540));
    assert_eq!(
        asked(&mut later, now + secs(600)).request.body.as_deref(),
        Some("2")
    );
}

#[test]
fn what_was_answered_before_the_start_is_not_asked_at_once() {
    let now = Instant::now();
    let mut schedule = Schedule::new(1);
    let both = vec![
        request("old", "http://a.org", 600),
        request("new", "http://a.org", 600),
    ];
    schedule.add(0, QUICK, both, false, now + secs(100));
    schedule.asked_before(0, "stats", "old", now);
    schedule.asked_before(0, "stats", "gone", now);
    let first = asked(&mut schedule, now + secs(100));
    assert_eq!(first.request.about, "new");
    schedule.heard(&first, None, false, now + secs(100));
    assert_eq!(waits(&mut schedule, now + secs(100)), secs(500));
}

#[derive(Clone, Debug)]
struct Plan {
    burst: u32,
    per_minute: u32,
    site: usize,
    /// `every` of each question.
    questions: Vec<u64>,
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let one = (
        1u32..4,
        1u32..30,
        0usize..4,
        prop::collection::vec(30u64..600, 1..6),
    );
    let plan = |(burst, per_minute, site, questions)| Plan {
        burst,
        per_minute,
        site,
        questions,
    };
    prop::collection::vec(one.prop_map(plan), 1..5)
}

/// What happens to each question in turn: seconds that it takes, and an outcome.
fn fates() -> impl Strategy<Value = Vec<(u64, u8)>> {
    prop::collection::vec((0u64..40, 0u8..12), 1..40)
}

struct Asked {
    at: Instant,
    question: Question,
    site: String,
    stopped: bool,
}

/// Runs two hours and returns all that was asked.
fn run(plans: &[Plan], fates: &[(u64, u8)], start: Instant) -> Vec<Asked> {
    let mut schedule = Schedule::new(7);
    for (source, plan) in plans.iter().enumerate() {
        let budget = Budget {
            burst: plan.burst,
            per_minute: f64::from(plan.per_minute),
        };
        let url = format!("https://h{source}.site{}.org", plan.site);
        let of = |(index, every): (usize, &u64)| request(&index.to_string(), &url, *every);
        let requests = plan.questions.iter().enumerate().map(of).collect();
        let limits = Limits { budget, own: false };
        schedule.add(source, limits, requests, false, start);
    }
    let mut now = start;
    let mut log: Vec<Asked> = Vec::new();
    let mut flying: BinaryHeap<std::cmp::Reverse<(Instant, usize)>> = BinaryHeap::new();
    while now < start + secs(7_200) {
        let wake = match schedule.next(now) {
            Step::Ask(question) => {
                let (takes, _) = fates[log.len() % fates.len()];
                flying.push(std::cmp::Reverse((now + secs(takes), log.len())));
                let site = site(&question.request.url);
                log.push(Asked {
                    at: now,
                    question,
                    site,
                    stopped: false,
                });
                continue;
            }
            Step::Wait(until) => {
                assert!(until > now, "a wait must be one");
                Some(until)
            }
            Step::Listen => None,
        };
        match flying.peek().map(|next| next.0) {
            Some((done, index)) if wake.is_none_or(|wake| done <= wake) => {
                flying.pop();
                now = now.max(done);
                let (_, outcome) = fates[index % fates.len()];
                let error = match outcome {
                    0 => Some(FetchError::Transport(String::new())),
                    1 => Some(failed(SourceError::RateLimited(None))),
                    2 => Some(failed(SourceError::NotFound(String::new()))),
                    3 => Some(failed(SourceError::Html(String::new()))),
                    4 if index % 7 == 0 => Some(failed(SourceError::Stop(String::new()))),
                    _ => None,
                };
                log[index].stopped =
                    matches!(&error, Some(FetchError::Source(SourceError::Stop(_))));
                schedule.heard(&log[index].question, error.as_ref(), false, now);
            }
            _ => match wake {
                Some(wake) => now = wake,
                None => break,
            },
        }
    }
    log
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn budgets_hold_sites_are_asked_one_by_one_and_a_stop_is_one(plans in plans(), fates in fates()) {
        let log = run(&plans, &fates, Instant::now());
        let took = |index: usize| secs(fates[index % fates.len()].0);
        for (index, asked) in log.iter().enumerate() {
            let plan = &plans[asked.question.source];
            let within = log[index..]
                .iter()
                .filter(|one| one.question.source == asked.question.source)
                .filter(|one| one.at < asked.at + secs(60))
                .count();
            prop_assert!(within <= (plan.burst + plan.per_minute) as usize, "{within} in a minute");
            let end = asked.at + took(index);
            for later in log[index + 1..].iter().filter(|later| later.site == asked.site) {
                prop_assert!(later.at >= end, "two at a time");
                prop_assert!(!asked.stopped, "asked after a stop");
            }
        }
    }

    #[test]
    fn no_question_starves(plans in plans(), seconds in 0u64..20) {
        let start = Instant::now();
        let log = run(&plans, &[(seconds, 11)], start);
        for (source, plan) in plans.iter().enumerate() {
            // Whoever shares the site may be in front, each with its own limit.
            let neighbours = plans.iter().filter(|other| other.site == plan.site);
            let queue: f64 = neighbours
                .map(|other| other.questions.len() as f64)
                .sum::<f64>() * (seconds as f64 + 60.0 / f64::from(plan.per_minute) + 1.0);
            for (index, every) in plan.questions.iter().enumerate() {
                let bound = *every as f64 + 2.0 * queue + 1.0;
                let mine = log.iter().filter(|one| {
                    one.question.source == source && one.question.request.about == index.to_string()
                });
                let mut last = start;
                for asked in mine {
                    let gap = (asked.at - last).as_secs_f64();
                    prop_assert!(gap <= bound, "{gap} s without a question, {bound} allowed");
                    last = asked.at;
                }
                let rest = (start + secs(7_200) - last).as_secs_f64();
                prop_assert!(rest <= bound, "not asked for the last {rest} s");
            }
        }
    }
}
