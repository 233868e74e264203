//! Is the pool still there?
//!
//! ```text
//!            quiet for a while              no line
//!   Heard ----------------------> Asked ---------------> gone: Deaf
//!    ^ |                            |
//!    | |  a share, and no line      |
//!    | '----------------------------+------------------> gone: Deaf
//!    '---------- any line ----------'
//! ```
//!
//! TCP cannot tell: the kernel of a pool that hangs still acknowledges, and a
//! farm behind one connection may have no share to send for a minute. So a pool
//! that is quiet is asked again what it has answered before on this very
//! connection; what it never answered is no question to ask.

use crate::{Duration, Instant};

/// No line at all for so long, whatever was asked: the pool is down.
pub const SILENT_AFTER: Duration = Duration::from_secs(120);
/// Shares sent, and not one line since: the pool is down.
pub const DEAF_AFTER: Duration = Duration::from_secs(5);
/// Lines come, but no share has been answered for so long.
pub const MUTE_AFTER: Duration = Duration::from_secs(20);
/// The pool that miners work for is asked after so much silence, ...
const QUIET: Duration = Duration::from_secs(4);
/// ... a stand-by more rarely.
const QUIET_STANDBY: Duration = Duration::from_secs(30);

/// A request that a pool has answered before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Configure,
    Extranonce,
}

/// What time has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Fine,
    /// Ask this now.
    Ask(Question),
    Deaf,
    Silent,
}

#[derive(Debug)]
pub(super) struct Pulse {
    last_line: Instant,
    /// The first share since the last line.
    unheard: Option<Instant>,
    asked: Option<Instant>,
    question: Option<Question>,
    /// Miners work for this pool.
    active: bool,
}

impl Pulse {
    pub const fn new(now: Instant) -> Self {
        Self {
            last_line: now,
            unheard: None,
            asked: None,
            question: None,
            active: false,
        }
    }

    pub const fn heard(&mut self, now: Instant) {
        self.last_line = now;
        self.unheard = None;
        self.asked = None;
    }

    pub fn share_sent(&mut self, now: Instant) {
        self.unheard.get_or_insert(now);
    }

    /// It answered this; so it will again.
    pub const fn answers(&mut self, question: Question) {
        self.question = Some(question);
    }

    /// From now on miners work for it, or no longer. The silence of a stand-by
    /// is not held against it.
    pub const fn set_active(&mut self, active: bool) {
        self.active = active;
    }

    const fn quiet(&self) -> Duration {
        if self.active { QUIET } else { QUIET_STANDBY }
    }

    fn ask_at(&self) -> Option<Instant> {
        (self.question.is_some() && self.asked.is_none()).then_some(self.last_line + self.quiet())
    }

    fn deaf_at(&self) -> Option<Instant> {
        let since = self.unheard.into_iter().chain(self.asked).min();
        since.map(|since| since + DEAF_AFTER)
    }

    pub fn deadline(&self) -> Instant {
        let silent = self.last_line + SILENT_AFTER;
        (self.ask_at().into_iter().chain(self.deaf_at())).fold(silent, Instant::min)
    }

    pub fn tick(&mut self, now: Instant) -> Beat {
        if self.deaf_at().is_some_and(|at| now >= at) {
            return Beat::Deaf;
        }
        if now >= self.last_line + SILENT_AFTER {
            return Beat::Silent;
        }
        match self.question {
            Some(question) if self.ask_at().is_some_and(|at| now >= at) => {
                self.asked = Some(now);
                Beat::Ask(question)
            }
            Some(_) | None => Beat::Fine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_secs(1000 + seconds)
    }

    #[test]
    fn a_route_that_falls_silent_is_noticed_within_10_s_without_a_share() {
        let mut pulse = Pulse::new(at(0));
        pulse.answers(Question::Configure);
        pulse.set_active(true);
        assert_eq!(pulse.tick(at(3)), Beat::Fine);
        assert_eq!(pulse.tick(at(4)), Beat::Ask(Question::Configure));
        assert_eq!(pulse.tick(at(8)), Beat::Fine, "asked once");
        assert_eq!(pulse.tick(at(9)), Beat::Deaf);
    }

    #[test]
    fn an_answer_to_the_question_is_a_line_like_any_other() {
        let mut pulse = Pulse::new(at(0));
        pulse.answers(Question::Extranonce);
        pulse.set_active(true);
        for round in 0..100 {
            let asked = at(4 + round * 5);
            assert_eq!(pulse.deadline(), asked);
            assert_eq!(pulse.tick(asked), Beat::Ask(Question::Extranonce));
            pulse.heard(asked + Duration::from_secs(1));
        }
    }

    #[test]
    fn a_pool_that_answers_no_question_is_judged_by_shares_and_two_minutes_of_silence() {
        let mut pulse = Pulse::new(at(0));
        pulse.set_active(true);
        assert_eq!(pulse.tick(at(119)), Beat::Fine);
        assert_eq!(pulse.tick(at(120)), Beat::Silent);
        pulse.heard(at(121));
        pulse.share_sent(at(122));
        pulse.share_sent(at(124));
        assert_eq!(pulse.deadline(), at(127), "the first share counts");
        assert_eq!(pulse.tick(at(127)), Beat::Deaf);
    }

    #[test]
    fn a_stand_by_is_asked_rarely() {
        let mut pulse = Pulse::new(at(0));
        pulse.answers(Question::Configure);
        assert_eq!(pulse.tick(at(29)), Beat::Fine);
        assert_eq!(pulse.tick(at(30)), Beat::Ask(Question::Configure));
    }
}
