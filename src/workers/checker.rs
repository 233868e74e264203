//! The thread that hashes passwords, one at a time, so that one core at most is
//! busy with it.

use super::{Answer, Shared, UNKNOWN};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

pub(super) struct Question {
    pub worker: String,
    pub password: String,
    pub address: IpAddr,
    pub answer: Answer,
}

pub struct Checker {
    shared: Arc<Shared>,
    questions: Receiver<Question>,
}

impl Checker {
    pub(super) const fn new(shared: Arc<Shared>, questions: Receiver<Question>) -> Self {
        Self { shared, questions }
    }

    /// Until nobody can ask any more.
    pub fn run(self) {
        for question in self.questions {
            let outcome = self.shared.check(&question);
            (question.answer)(outcome);
        }
    }
}

impl Shared {
    fn check(&self, question: &Question) -> Result<(), &'static str> {
        let (worker, address) = (&*question.worker, question.address);
        let Some(known) = self.known.get(worker) else {
            return Err(UNKNOWN);
        };
        // It may have been answered since it was asked: a miner that came again.
        if self.is_proven(known, worker, &question.password) {
            return Ok(());
        }
        // Guesses that were queued together count one by one.
        if let Some(why) = self.must_wait(worker, address, self.clock.now()) {
            return Err(why);
        }
        let right = known.password.as_ref();
        if right.is_some_and(|right| right.is(&question.password)) {
            // Only the right password comes here: one that was there is the same.
            let _ = known.proven.set(self.proof(worker, &question.password));
            return Ok(());
        }
        self.attempts().failed(address, self.clock.now());
        self.refused.add(worker, address, "wrong password");
        Err(UNKNOWN)
    }
}
