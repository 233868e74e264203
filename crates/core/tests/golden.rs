//! A whole session, byte by byte, as `tests/golden/session.txt` tells it.
//!
//! ```text
//!   T+ms          the moment; timers that are due until then fire
//!   M> line       the miner says             M< line   the miner hears
//!   P<a line      pool a says                P>a line  pool a hears
//!   P<a (closed)  pool a hangs up            R> ..     the route changes
//! ```
//!
//! `M>`, `P<` and `T+` are the script, the rest is what has to follow. After a
//! change that is meant, run with `REWRITE_GOLDEN=1` and read the difference.

mod support;

use smart_mining_core::lane::{Command, Lane};
use smart_mining_core::route::Policy;
use smart_mining_core::share::{Board, LinkId, Seat, Token, Verdict};
use smart_mining_core::sv1::miner::Shown;
use smart_mining_core::sv1::{Failure, MinerSession, Opening, PoolEvent, PoolSession, Step};
use smart_mining_core::{Algorithm, Instant};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use support::front::Front;
use support::{at, candidate, secs};

struct Replay {
    now: Instant,
    lane: Lane,
    board: Arc<Board>,
    links: BTreeMap<LinkId, (String, PoolSession)>,
    miner: MinerSession,
    front: Front,
    text: String,
}

impl Replay {
    fn new() -> Self {
        let now = at(0);
        let seat = Seat {
            group: 0,
            prefix: 0x2a,
        };
        Self {
            now,
            lane: Lane::new(Algorithm::Sha256d, Policy::default(), 1, now),
            board: Arc::default(),
            links: BTreeMap::new(),
            miner: MinerSession::new(Algorithm::Sha256d, seat, 0xc0ffee, secs(15), now),
            front: Front::default(),
            text: String::new(),
        }
    }

    /// One line of the script.
    fn play(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        if let Some(moment) = line.strip_prefix("T+") {
            self.run_until(at(moment.parse().expect("milliseconds")));
        } else if let Some(said) = line.strip_prefix("M> ") {
            let (miner, board) = (&mut self.miner, &self.board);
            let step = self.front.line(miner, said.as_bytes(), board, self.now);
            self.act(step);
        } else if let Some(said) = line.strip_prefix("P<") {
            let (pool, said) = said.split_once(' ').expect("P<pool line");
            let found = self.links.iter_mut().find(|(_, (name, _))| name == pool);
            let (link, (_, session)) = found.expect("a connected pool");
            match said {
                "(closed)" => session.fail(Failure::Closed),
                _ => session.line(said.as_bytes(), self.now),
            }
            let link = *link;
            self.pass(link);
        }
        self.flush();
    }

    fn run_until(&mut self, end: Instant) {
        loop {
            let sessions = self.links.values().map(|(_, session)| session.deadline());
            let due = sessions
                .chain(self.lane.deadline())
                .chain(self.miner.handshake_deadline())
                .chain(self.front.deadline())
                .min()
                .filter(|due| *due <= end);
            let Some(due) = due else { break };
            self.now = due;
            self.lane.tick(due);
            self.carry_out();
            for link in self.links.keys().copied().collect::<Vec<_>>() {
                if let Some((_, session)) = self.links.get_mut(&link) {
                    session.tick(due);
                }
                self.pass(link);
            }
            for flight in self.front.overdue(due) {
                let unknown = Verdict::Unknown("the pool did not answer in time");
                self.front.answer(&mut self.miner, &flight, &unknown);
            }
        }
        self.now = end;
    }

    fn act(&mut self, step: Step) {
        match step {
            Step::Done | Step::Authorize(_) | Step::Judged(_) => {}
            Step::Close(why) => writeln!(self.text, "M< (closed: {why})").expect("memory"),
            Step::Submit(share) => {
                let (link, submit) = self.front.put(0, share, self.now);
                let token = submit.token;
                let sent = match self.links.get_mut(&link) {
                    Some((_, session)) => session.submit(submit, self.now),
                    None => Err("the connection to its pool is not up"),
                };
                if let Err(why) = sent {
                    self.verdict(token, &Verdict::Unsent(why));
                }
            }
        }
    }

    fn verdict(&mut self, token: Token, verdict: &Verdict) {
        if let Some(flight) = self.front.close(token) {
            self.front.answer(&mut self.miner, &flight, verdict);
        }
    }

    fn pass(&mut self, link: LinkId) {
        while let Some((_, session)) = self.links.get_mut(&link)
            && let Some(event) = session.next_event()
        {
            match event {
                PoolEvent::LoggedIn | PoolEvent::Notice(_) => {}
                PoolEvent::Work(terms) => self.lane.work(link, terms, self.now),
                PoolEvent::Verdict { token, verdict } => self.verdict(token, &verdict),
                PoolEvent::Failed(failure) => {
                    self.links.remove(&link);
                    self.lane.failed(link, &failure, self.now);
                }
            }
            self.flush();
        }
        self.carry_out();
    }

    fn carry_out(&mut self) {
        for command in self.lane.take_commands() {
            match command {
                Command::Open { link, candidate } => {
                    let session = PoolSession::new(candidate.login, Opening::default(), self.now);
                    self.links.insert(link, (candidate.pool, session));
                }
                Command::Close { link } => drop(self.links.remove(&link)),
                Command::Decided(decision) => {
                    let to = decision.to.map_or("nowhere".into(), |to| to.pool);
                    let rule = decision.rule.name();
                    writeln!(self.text, "R> {rule} to {to}: {}", decision.why).expect("memory");
                }
                Command::Publish(board) => {
                    let shown = self.front.show(&mut self.miner, &board, self.now);
                    assert_eq!(shown, Shown::Done);
                    self.board = board;
                }
            }
            self.flush();
        }
    }

    /// Write down what was said to the miner and to the pools.
    fn flush(&mut self) {
        for line in self.front.heard().lines() {
            writeln!(self.text, "M< {line}").expect("memory");
        }
        for (pool, session) in self.links.values_mut() {
            let heard = std::mem::take(session.output());
            for line in String::from_utf8(heard).expect("UTF-8").lines() {
                writeln!(self.text, "P>{pool} {line}").expect("memory");
            }
        }
    }
}

#[test]
fn a_session_from_connect_to_the_second_pool_is_these_bytes() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/session.txt");
    let golden = std::fs::read_to_string(&path).expect("the golden session");
    let mut replay = Replay::new();
    for line in golden.lines() {
        let follows = ["M< ", "P>", "R> "];
        if follows.iter().any(|prefix| line.starts_with(prefix)) {
            continue;
        }
        replay.play(line);
        if line == "T+0" {
            let list = vec![candidate("a", "BTC", 1.0), candidate("b", "BTC", 0.98)];
            replay.lane.candidates(list, 1, replay.now);
            replay.carry_out();
        }
    }
    if std::env::var_os("REWRITE_GOLDEN").is_some() {
        std::fs::write(&path, &replay.text).expect("written");
    }
    for (number, (line, expected)) in replay.text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(line, expected, "line {}", number + 1);
    }
    assert_eq!(replay.text, golden);
}
