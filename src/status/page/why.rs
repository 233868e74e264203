//! Why the farm is on this pool, so that a stranger understands it: what the pools
//! pay now, what keeps the farm from another one, and the rule that chose this one.

use crate::view::{AlgorithmStatus, CandidateStatus};
use smart_mining_core::Duration;
use smart_mining_core::route::Policy;
use smart_mining_page::words::{day, duration, minute};

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// What holds now, with its numbers.
    pub now: String,
    /// What was decided then, and by which rule.
    pub then: String,
}

pub fn explain(lane: &AlgorithmStatus, policy: &Policy) -> Why {
    Why {
        now: now(lane, policy),
        then: then(lane, policy),
    }
}

fn now(lane: &AlgorithmStatus, policy: &Policy) -> String {
    let Some(route) = &lane.route else {
        return nobody(lane);
    };
    let Some(place) = lane.candidates.iter().position(|it| it.on_route) else {
        return format!(
            "{} is no longer in the ranking; another pool is being made ready.",
            route.pool
        );
    };
    let current = &lane.candidates[place];
    let (ahead, behind) = (&lane.candidates[..place], &lane.candidates[place + 1..]);
    let Some(score) = current.usd_per_hash_day else {
        return own_pool(current, ahead);
    };
    let unit = Unit::of(&lane.candidates);
    let pays = format!("{} pays {} after fees", current.pool, unit.amount(score));
    match ahead.first() {
        None => format!(
            "{pays}, the most of {}{}.",
            usable(lane),
            next(score, behind)
        ),
        Some(better) => format!("{pays}. {}", in_the_way(better, current, policy)),
    }
}

fn usable(lane: &AlgorithmStatus) -> String {
    match lane.candidates.len() {
        1 => "the only pool this farm can use".to_owned(),
        count => format!("the {count} pools this farm can use"),
    }
}

/// How far the next one is behind.
fn next(score: f64, behind: &[CandidateStatus]) -> String {
    let Some(next) = behind.first() else {
        return String::new();
    };
    match next.usd_per_hash_day {
        Some(less) if score > 0.0 => format!(
            "; the next, {}, pays {:.1} % less",
            name(next),
            (1.0 - less / score) * 100.0
        ),
        Some(_) | None => format!("; the next, {}, is the farm's own", name(next)),
    }
}

/// Why the one that ranks first is not taken.
fn in_the_way(better: &CandidateStatus, current: &CandidateStatus, policy: &Policy) -> String {
    let (Some(more), Some(score)) = (better.usd_per_hash_day, current.usd_per_hash_day) else {
        return format!("{} ranks before it and is not ready.", name(better));
    };
    let percent = better.lead_percent.unwrap_or((more / score - 1.0) * 100.0);
    let lead = format!("{} would pay {percent:.1} % more, but ", name(better));
    if !better.ready {
        let failure = better
            .last_failure
            .as_deref()
            .unwrap_or("it is not connected yet");
        return format!("{lead}it cannot be used now: {failure}.");
    }
    let (needed, change) = if better.coin == current.coin {
        (policy.same_coin_percent, "the pool")
    } else {
        (policy.other_coin_percent, "the coin")
    };
    if percent < needed {
        return format!(
            "{lead}a change of {change} asks for {needed} % or more, so that small differences do not move the farm."
        );
    }
    format!(
        "{lead}it has to stay ahead first: in {} rankings or for {}, and the farm stays {} on a pool at least.",
        policy.confirmations,
        time(policy.minimum_dwell),
        time(policy.minimum_dwell)
    )
}

fn own_pool(current: &CandidateStatus, ahead: &[CandidateStatus]) -> String {
    let own = format!(
        "{} is a pool of the farm's own, from farm.toml",
        current.pool
    );
    match ahead.first() {
        None => {
            format!("{own}; the ranking has none that this farm can use and has an account for.")
        }
        Some(first) => {
            let failure = first.last_failure.as_deref().unwrap_or("not ready yet");
            format!(
                "{own}. {} ranks before it, but cannot be used now: {failure}.",
                name(first)
            )
        }
    }
}

fn nobody(lane: &AlgorithmStatus) -> String {
    if lane.candidates.is_empty() {
        return "There is no pool to try: the ranking has none that farm.toml has an account for, \
                and farm.toml names none of its own."
            .to_owned();
    }
    let failures = lane.candidates.iter().filter_map(|it| {
        let failure = it.last_failure.as_ref()?;
        Some(format!("{}: {failure}", it.pool))
    });
    let failures: Vec<String> = failures.take(3).collect();
    let told = match failures.is_empty() {
        true => "They are being connected".to_owned(),
        false => failures.join("; "),
    };
    format!(
        "{} be used. {told}. Each is tried again and again; miners stay connected.",
        match lane.candidates.len() {
            1 => "Its only pool cannot".to_owned(),
            count => format!("None of its {count} pools can"),
        }
    )
}

/// When, by which rule, and what the router noted.
fn then(lane: &AlgorithmStatus, policy: &Policy) -> String {
    let Some(decision) = &lane.decision else {
        return String::new();
    };
    let means = match decision.rule {
        "start" => "there was no pool, and this was the best that was ready".to_owned(),
        "failover" => {
            "the pool before could not be used, and the best that was ready took over at once"
                .to_owned()
        }
        "return" => format!(
            "a pool that ranks before the last one was ready again for {} without a break",
            time(policy.return_after)
        ),
        "profit" => format!(
            "a pool pays more by {} % with the same coin or {} % with another, and stays ahead",
            policy.same_coin_percent, policy.other_coin_percent
        ),
        "pin" => "a person asked for this pool".to_owned(),
        "exclude" => "a person asked not to use the pool before".to_owned(),
        "hold" => "no pool was usable, so the miners wait".to_owned(),
        other => other.to_owned(),
    };
    let from = match &decision.from {
        Some(from) => format!("; before it was {} ({})", from.pool, from.coin),
        None => String::new(),
    };
    format!(
        "Decided on {} at {} UTC by the rule “{}”: {means}{from}. Noted then: {}.",
        day(decision.at),
        minute(decision.at),
        decision.rule,
        decision.why
    )
}

fn time(time: Duration) -> String {
    match time.as_secs() {
        whole if whole >= 60 && whole % 60 == 0 && whole < 3600 => format!("{} min", whole / 60),
        seconds => duration(seconds),
    }
}

fn name(candidate: &CandidateStatus) -> String {
    format!("{} ({})", candidate.pool, candidate.coin)
}

/// A hashrate in which the pay of these pools is a number one can read.
pub struct Unit {
    factor: f64,
    name: &'static str,
}

impl Unit {
    pub fn of(candidates: &[CandidateStatus]) -> Self {
        let scores = candidates.iter().filter_map(|it| it.usd_per_hash_day);
        let most = scores.fold(0.0, f64::max);
        let units = [
            (1.0, "H/s"),
            (1e3, "kH/s"),
            (1e6, "MH/s"),
            (1e9, "GH/s"),
            (1e12, "TH/s"),
        ];
        let fits = units.into_iter().find(|(factor, _)| most * factor >= 0.01);
        let (factor, name) = fits.unwrap_or((1e12, "TH/s"));
        Self { factor, name }
    }

    /// `0.0432 USD per TH/s and day`.
    pub fn amount(&self, usd_per_hash_day: f64) -> String {
        format!(
            "{} per {} and day",
            self.figure(usd_per_hash_day),
            self.name
        )
    }

    pub fn figure(&self, usd_per_hash_day: f64) -> String {
        format!("{:.4} USD", usd_per_hash_day * self.factor)
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples::lane as plain;
    use crate::view::{DecisionStatus, PoolAndCoin, RouteStatus};

    fn pool(pool: &str, coin: &str, usd: Option<f64>) -> CandidateStatus {
        CandidateStatus {
            pool: pool.to_owned(),
            coin: coin.to_owned(),
            address: String::new(),
            usd_per_hash_day: usd.map(|usd| usd * 1e-12),
            lead_percent: None,
            on_route: false,
            ready: true,
            connections: 1,
            last_failure: None,
        }
    }

    fn broken(mut pool: CandidateStatus, why: &str) -> CandidateStatus {
        pool.ready = false;
        pool.last_failure = Some(why.to_owned());
        pool
    }

    fn lane(on: Option<usize>, mut candidates: Vec<CandidateStatus>) -> AlgorithmStatus {
        let route = on.map(|place| {
            candidates[place].on_route = true;
            RouteStatus {
                pool: candidates[place].pool.clone(),
                coin: candidates[place].coin.clone(),
                seconds: 60,
            }
        });
        AlgorithmStatus {
            route,
            candidates,
            ..plain()
        }
    }

    fn now(lane: &AlgorithmStatus) -> String {
        explain(lane, &Policy::default()).now
    }

    #[test]
    fn the_best_pool_is_explained_by_what_it_pays_and_the_distance_to_the_next() {
        let pools = vec![pool("b", "BTC", Some(0.05)), pool("a", "BTC", Some(0.048))];
        let choice = |pool: &str| PoolAndCoin {
            pool: pool.to_owned(),
            coin: "BTC".to_owned(),
        };
        let decision = DecisionStatus {
            at: 1_795_370_980,
            rule: "profit",
            from: Some(choice("a")),
            to: Some(choice("b")),
            why: "b pays 4.2 % more, needed 3 %, seen in 2 snapshots".to_owned(),
        };
        let lane = AlgorithmStatus {
            decision: Some(decision),
            ..lane(Some(0), pools)
        };
        let why = explain(&lane, &Policy::default());
        assert_eq!(
            why.now,
            "b pays 0.0500 USD per TH/s and day after fees, the most of the 2 pools this farm can use; \
             the next, a (BTC), pays 4.0 % less."
        );
        assert_eq!(
            why.then,
            "Decided on 22 Nov at 18:09 UTC by the rule “profit”: a pool pays more by 3 % with the same coin \
             or 5 % with another, and stays ahead; before it was a (BTC). \
             Noted then: b pays 4.2 % more, needed 3 %, seen in 2 snapshots."
        );
    }

    #[test]
    fn whoever_wonders_why_a_better_pool_is_not_taken_is_told_what_it_lacks() {
        let better = |usd, coin| pool("a", coin, Some(usd));
        let on = || pool("b", "BTC", Some(0.05));
        let text = now(&lane(Some(1), vec![better(0.051, "BTC"), on()]));
        assert!(
            text.contains("a (BTC) would pay 2.0 % more, but a change of the pool asks for 3 %"),
            "{text}"
        );
        let text = now(&lane(Some(1), vec![better(0.052, "BCH"), on()]));
        assert!(text.contains("a change of the coin asks for 5 %"), "{text}");
        let text = now(&lane(Some(1), vec![better(0.06, "BTC"), on()]));
        assert!(
            text.contains(
                "20.0 % more, but it has to stay ahead first: in 2 rankings or for 15 min"
            ),
            "{text}"
        );
        let gone = broken(better(0.06, "BTC"), "cannot connect: refused");
        let text = now(&lane(Some(1), vec![gone, on()]));
        assert!(
            text.contains("but it cannot be used now: cannot connect: refused."),
            "{text}"
        );
    }

    #[test]
    fn a_pool_of_the_farm_s_own_says_where_it_comes_from() {
        let text = now(&lane(Some(0), vec![pool("barn", "BTC", None)]));
        assert!(
            text.starts_with("barn is a pool of the farm's own, from farm.toml"),
            "{text}"
        );
    }

    #[test]
    fn holding_says_what_became_of_each_pool() {
        let gone = broken(pool("a", "BTC", Some(0.05)), "cannot connect: refused");
        let text = now(&lane(None, vec![gone]));
        assert!(
            text.contains("Its only pool cannot be used. a: cannot connect: refused."),
            "{text}"
        );
        assert!(now(&lane(None, Vec::new())).contains("no pool to try"));
    }
}
