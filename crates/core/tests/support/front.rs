//! The miners' side of the appliance, as its shell does it: everybody may come
//! in, shares wait in one table, and a batch of lines ends with the newest job.

use smart_mining_core::Instant;
use smart_mining_core::share::{
    Board, Dedicated, Flight, Flights, LinkId, Renderings, Submit, Token, Verdict,
};
use smart_mining_core::sv1::miner::{Shown, VERDICT_WITHIN};
use smart_mining_core::sv1::{Judged, MinerSession, Share, Step, conclude};
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub struct Front {
    pub flights: Flights<usize>,
    pub renderings: Renderings,
    pub dedicated: Dedicated,
    /// When each share that was put in is given up, the first one first.
    dues: VecDeque<Instant>,
    out: Vec<u8>,
}

impl Front {
    /// One line on its own.
    pub fn line(
        &mut self,
        session: &mut MinerSession,
        line: &[u8],
        board: &Board,
        now: Instant,
    ) -> Step {
        let step = self.part(session, line, board, now);
        assert_eq!(self.show(session, board, now), Shown::Done);
        step
    }

    /// One line of a batch; the batch ends with [`Front::show`].
    pub fn part(
        &mut self,
        session: &mut MinerSession,
        line: &[u8],
        board: &Board,
        now: Instant,
    ) -> Step {
        let step = session.line(line, board, now, &mut self.out);
        if let Step::Authorize(credentials) = step {
            session.admit(&credentials, &mut self.out);
            return Step::Done;
        }
        step
    }

    pub fn show(&mut self, session: &mut MinerSession, board: &Board, now: Instant) -> Shown {
        session.show(board, &mut self.renderings, now, &mut self.out)
    }

    /// Where a connection serves one miner: which one is this miner's.
    pub fn place(&mut self, number: usize, session: &mut MinerSession, board: &Board) {
        if board.has_dedicated() {
            let held = session.spot().link;
            session.set_berth(self.dedicated.place(board, number, held));
        }
    }

    /// The share goes into the table; answers with what goes to its link.
    pub fn put(&mut self, owner: usize, share: Share, now: Instant) -> (LinkId, Submit) {
        let link = share.job.link;
        let flight = Flight {
            owner,
            id: share.id,
            link,
            difficulty: share.difficulty,
            pool_difficulty: share.job.difficulty,
            since: now,
        };
        let token = self.flights.open(flight).expect("room in the table");
        self.dues.push_back(now + VERDICT_WITHIN);
        let submit = Submit {
            token,
            worker: share.worker,
            job: share.job,
            extranonce2: share.extranonce2,
            ntime: share.ntime,
            nonce: share.nonce,
            version_bits: share.version_bits,
        };
        (link, submit)
    }

    /// Whose share it is, unless it was answered before.
    pub fn close(&mut self, token: Token) -> Option<Flight<usize>> {
        self.flights.close(token)
    }

    pub fn answer(
        &mut self,
        session: &mut MinerSession,
        flight: &Flight<usize>,
        verdict: &Verdict,
    ) -> Judged {
        session.answered();
        conclude(flight, verdict, &mut self.out)
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.dues.front().copied()
    }

    /// What no verdict has come for in time.
    pub fn overdue(&mut self, now: Instant) -> Vec<Flight<usize>> {
        let before = self.dues.len();
        while self.dues.front().is_some_and(|due| *due <= now) {
            self.dues.pop_front();
        }
        if self.dues.len() == before {
            return Vec::new();
        }
        self.flights.overdue(VERDICT_WITHIN, now)
    }

    /// What was written since it was last asked.
    pub fn heard(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.out)).expect("UTF-8")
    }
}
