//! The clock of the virtual wire.

use super::{Event, Mode, World, secs};
use smart_mining_core::share::Verdict;
use smart_mining_core::sv1::Failure;
use smart_mining_core::{Duration, Instant};

impl World {
    pub(super) fn later(&mut self, wait: Duration, event: Event) {
        self.serial += 1;
        self.events.insert((self.now + wait, self.serial), event);
    }

    pub fn run(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    pub fn run_until(&mut self, end: Instant) {
        let mut steps = 0;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            while let Some(entry) = self.events.first_entry().filter(|e| e.key().0 <= self.now) {
                let event = entry.remove();
                self.happen(event);
            }
            self.tick();
            steps += 1;
            assert!(steps < 2_000_000, "the machines never rest");
        }
        self.now = end;
    }

    fn next(&self) -> Option<Instant> {
        let event = self.events.keys().next().map(|(when, _)| *when);
        let greeting = self.greeting.iter().map(|number| &self.miners[*number]);
        event
            .into_iter()
            .chain(self.lane.deadline())
            .chain(self.links.values().filter_map(super::Link::deadline))
            .chain(self.hesitating().map(|(_, until)| until))
            .chain(greeting.filter_map(|miner| miner.session.handshake_deadline()))
            .chain(self.front.deadline())
            .min()
    }

    /// Miners that may yet ask for `mining.set_extranonce`, and until when.
    fn hesitating(&self) -> impl Iterator<Item = (usize, Instant)> {
        let there = |(_, miner): &(usize, &super::FakeMiner)| miner.closed.is_none() && miner.reads;
        let miners = self.miners.iter().enumerate().filter(there);
        miners.filter_map(|(number, miner)| Some((number, miner.session.hesitates_until()?)))
    }

    /// Ask whoever wanted to be asked; afterwards nobody may want it at once again.
    fn tick(&mut self) {
        let now = self.now;
        if self.lane.deadline().is_some_and(|due| due <= now) {
            self.lane.tick(now);
            assert!(
                self.lane.deadline().is_none_or(|due| due > now),
                "the lane spins"
            );
            self.carry_out();
        }
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            if self
                .links
                .get(&id)
                .and_then(super::Link::deadline)
                .is_some_and(|due| due <= now)
            {
                self.tick_link(id);
            }
        }
        let due = self.hesitating().filter(|(_, until)| *until <= now);
        for (number, _) in due.collect::<Vec<_>>() {
            self.show(number);
        }
        let (miners, greeting) = (&mut self.miners, &mut self.greeting);
        greeting.retain(|number| {
            let miner = &mut miners[*number];
            let due = miner.session.handshake_deadline();
            if due.is_some_and(|due| due <= now) {
                miner.closed = Some("no login in time");
            }
            due.is_some() && miner.closed.is_none()
        });
        let unknown = Verdict::Unknown("the pool did not answer in time");
        for flight in self.front.overdue(now) {
            let miner = &mut self.miners[flight.owner];
            let judged = self.front.answer(&mut miner.session, &flight, &unknown);
            miner.judged.push(judged);
            self.flush_miner(flight.owner);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Connected(id, wire) => self.connected(id, wire),
            Event::CannotConnect(id, wire) => {
                self.end(id, wire, Failure::Connect("refused".into()));
            }
            Event::Closed(id, wire) => self.end(id, wire, Failure::Closed),
            Event::ToPool(id, wire, line) => {
                let Some(link) = self.links.get(&id) else {
                    return;
                };
                let pool = self.pools.get_mut(&link.pool).expect("pool");
                if pool.mode == Mode::BlackHole {
                    return;
                }
                for answer in pool.line(wire, &line) {
                    self.later(self.latency, Event::FromPool(id, wire, answer));
                }
            }
            Event::FromPool(id, wire, line) => {
                let now = self.now;
                let link = self.on_wire(id, wire);
                if let Some(session) = link.and_then(|link| link.session.as_mut()) {
                    session.line(line.as_bytes(), now);
                    self.link_moved(id);
                }
            }
            Event::Mine { miner, every } => {
                if self.miners[miner].closed.is_none() {
                    self.mine(miner);
                    self.mine_every(miner, every);
                }
            }
            Event::ComesAgain(miner) => self.comes_again(miner),
            Event::Heartbeat => {
                for pool in self.pools.keys().cloned().collect::<Vec<_>>() {
                    self.say(
                        &pool,
                        r#"{"id":null,"method":"client.heartbeat","params":[]}"#,
                    );
                }
                self.later(secs(50), Event::Heartbeat);
            }
            Event::Notify { pool, every } => {
                self.notify(&pool, true);
                self.notify_every(&pool, every);
            }
        }
    }
}
