//! What holds whatever happens, in whatever order.

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use smart_mining_core::lane::MAX_LINKS;
use smart_mining_core::route::{Exclusion, Pin, Wishes};
use smart_mining_core::share::MAX_JOBS;
use support::{EASY, Mode, World, ms, secs};

const POOLS: [&str; 5] = ["a", "b", "c", "d", "e"];
const COINS: [&str; 2] = ["BTC", "BCH"];

#[derive(Clone, Debug)]
enum Happening {
    Run(u64),
    Notify(usize, bool),
    Retarget(usize, u8),
    Mode(usize, Mode),
    Cut(usize),
    /// Which pools are ranked, and by what.
    Rank(Vec<(usize, u8)>),
    Arrive,
    Mine(usize),
    MineOld(usize, usize),
    Subscribe(usize),
    Authorize(usize, u8),
    Groups(usize),
    /// What the operator wants: a pool and for how many seconds; pools, some for good.
    Wish(Option<(usize, u16)>, Vec<(usize, Option<u16>)>),
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        2 => Just(Mode::Up),
        1 => Just(Mode::Refusing),
        1 => Just(Mode::BlackHole),
        1 => Just(Mode::Mute),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    let pool = || 0..POOLS.len();
    prop_oneof![
        6 => prop_oneof![Just(1), Just(30), Just(500), Just(3_000), Just(40_000), Just(400_000)].prop_map(Happening::Run),
        4 => (pool(), any::<bool>()).prop_map(|(pool, clean)| Happening::Notify(pool, clean)),
        1 => (pool(), 0u8..3).prop_map(|(pool, step)| Happening::Retarget(pool, step)),
        2 => (pool(), mode()).prop_map(|(pool, mode)| Happening::Mode(pool, mode)),
        1 => pool().prop_map(Happening::Cut),
        2 => vec((pool(), any::<u8>()), 0..6).prop_map(Happening::Rank),
        2 => Just(Happening::Arrive),
        8 => any::<usize>().prop_map(Happening::Mine),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(miner, job)| Happening::MineOld(miner, job)),
        1 => any::<usize>().prop_map(Happening::Subscribe),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(miner, name)| Happening::Authorize(miner, name)),
        1 => (1usize..5).prop_map(Happening::Groups),
        2 => (proptest::option::of((pool(), 0u16..900)), vec((pool(), proptest::option::of(0u16..900)), 0..3))
            .prop_map(|(pin, excluded)| Happening::Wish(pin, excluded)),
    ]
}

struct Farm {
    world: World,
    sequence: u64,
    groups: usize,
    ranked: Vec<String>,
}

impl Farm {
    fn new() -> Self {
        let mut world = World::new(&POOLS);
        // Every kind of pool: sizes, without rolling, early jobs, other masks.
        for (name, size) in POOLS.into_iter().zip([8, 4, 5, 16, 3]) {
            world.pool(name).size = size;
        }
        world.pool("b").mask = None;
        world.pool("c").mask = Some(0x00ff_e000);
        world.pool("d").early_job = true;
        world.pool("e").names = support::Names::Mismatch;
        Self {
            world,
            sequence: 0,
            groups: 1,
            ranked: Vec::new(),
        }
    }

    fn happen(&mut self, happening: &Happening) {
        let world = &mut self.world;
        let miners = world.miners.len();
        let some_miner = |number: usize| (miners > 0).then(|| number % miners);
        match *happening {
            Happening::Run(millis) => world.run(ms(millis)),
            Happening::Notify(pool, clean) => drop(world.notify(POOLS[pool], clean)),
            Happening::Retarget(pool, step) => {
                world.retarget(POOLS[pool], EASY / f64::from(1 << step));
            }
            Happening::Mode(pool, mode) => world.set_mode(POOLS[pool], mode),
            Happening::Cut(pool) => world.cut(POOLS[pool]),
            Happening::Rank(ref ranking) => self.rank(ranking),
            Happening::Arrive if miners < 8 => {
                world.miner_like(&format!("acc.rig{miners}"), |miner| {
                    miner.hears_extranonce = miners.is_multiple_of(2);
                });
            }
            Happening::Arrive => {}
            Happening::Mine(number) => {
                if let Some(miner) = some_miner(number) {
                    world.mine(miner);
                }
            }
            Happening::MineOld(number, job) => {
                if let Some(miner) = some_miner(number) {
                    let jobs = world.miners[miner].jobs.len().max(1);
                    if let Some((_, line)) = world.miners[miner].find_on(job % jobs) {
                        world.send(miner, &line);
                    }
                }
            }
            Happening::Subscribe(number) => {
                if let Some(miner) = some_miner(number) {
                    world.send(miner, r#"{"id":2,"method":"mining.subscribe","params":[]}"#);
                }
            }
            Happening::Authorize(number, name) => {
                if let Some(miner) = some_miner(number) {
                    let name = name % 3;
                    let line = format!(
                        r#"{{"id":3,"method":"mining.authorize","params":["acc.other{name}"]}}"#
                    );
                    world.send(miner, &line);
                }
            }
            Happening::Wish(pin, ref excluded) => {
                let (now, after) = (world.now, |seconds: u16| secs(u64::from(seconds)));
                world.wish(Wishes {
                    pin: pin.map(|(pool, seconds)| Pin {
                        pool: POOLS[pool].into(),
                        coin: None,
                        until: now + after(seconds),
                    }),
                    excluded: (excluded.iter())
                        .map(|(pool, seconds)| Exclusion {
                            pool: POOLS[*pool].into(),
                            until: seconds.map(|seconds| now + after(seconds)),
                        })
                        .collect(),
                });
            }
            Happening::Groups(groups) => {
                self.groups = self.groups.max(groups);
                world.count(groups);
                world.run(ms(0));
            }
        }
    }

    fn rank(&mut self, ranking: &[(usize, u8)]) {
        let mut list: Vec<_> = ranking
            .iter()
            .map(|(pool, score)| {
                // Some are the farm's own.
                let score = (*score >= 40).then(|| f64::from(*score));
                support::candidate(POOLS[*pool], COINS[pool % 2], score)
            })
            .collect();
        list.sort_by(|a, b| a.pool.cmp(&b.pool));
        list.dedup_by(|a, b| a.pool == b.pool);
        list.sort_by(|a, b| b.score.partial_cmp(&a.score).expect("numbers"));
        self.ranked = list
            .iter()
            .map(|candidate| candidate.pool.clone())
            .collect();
        self.sequence += 1;
        self.world.candidates(list, self.sequence);
    }

    /// What is excluded is never worked for, nor connected to; what is pinned and
    /// ready is the route.
    fn check_wishes(&self) {
        let world = &self.world;
        let (wishes, view) = (world.lane.wishes(), world.lane.view());
        assert!(wishes.deadline().is_none_or(|until| until > world.now));
        for excluded in &wishes.excluded {
            assert_ne!(world.route(), Some(&*excluded.pool), "{wishes:?}");
            assert!(view.iter().all(|row| row.choice.pool != excluded.pool));
        }
        if let Some(pin) = &wishes.pin
            && view
                .iter()
                .any(|row| row.choice.pool == pin.pool && row.ready)
        {
            assert_eq!(world.route(), Some(&*pin.pool), "{wishes:?}");
        }
    }

    fn check(&self) {
        let world = &self.world;
        self.check_wishes();
        if let Some(route) = world.route() {
            assert!(
                self.ranked.iter().any(|pool| pool == route),
                "{route} is no candidate"
            );
            let view = world.lane.view();
            let row = view
                .iter()
                .find(|row| row.choice.pool == route)
                .expect("listed");
            assert!(row.ready, "{route} is the route and not ready");
        } else {
            assert_eq!(world.board.currents().count(), 0, "work without a route");
        }
        let mentioned = |link: &&u32| world.board.mentions(**link);
        let links = world.links.keys().filter(mentioned).count();
        // While holding, jobs of links that were let go are known on.
        let most = self.groups.max(world.miners.len() + 1);
        assert!(world.board.len() <= MAX_JOBS * links.max(MAX_LINKS * most));
        let connected = world.lane.view().iter().filter(|row| row.ready).count();
        assert!(connected <= MAX_LINKS, "{connected} pools are held ready");
        // Six at work, and those that are let go within 10 s.
        // The narrow pools have a connection for each group of miners, or each miner.
        let (narrow, wide): (Vec<_>, Vec<_>) = world
            .live_links()
            .into_iter()
            .partition(|pool| ["b", "e"].contains(pool));
        assert!(wide.len() <= 4 * MAX_LINKS + 20);
        let most = self.groups.max(world.miners.len() + 1);
        assert!(narrow.len() <= 2 * most * (4 * MAX_LINKS + 20));
        let paid: u64 = world.pools.values().map(|pool| pool.accepted).sum();
        let told: usize = world.miners.iter().map(support::FakeMiner::accepted).sum();
        assert!(told as u64 <= paid, "{told} accepts told, {paid} given");
        for miner in &world.miners {
            // Only a pool without room leaves one no choice.
            let asked = miner.closed == Some("asked to come again") && !miner.hears_extranonce;
            assert!(miner.closed.is_none() || asked, "{:?}", miner.closed);
            assert!(miner.answers.len() + miner.missed <= miner.submits);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Also: no panic, no machine that spins, job ids only grow (the virtual
    /// wire and the fake miners see to that).
    #[test]
    fn a_farm_stays_honest_and_bounded(happenings in vec(happening(), 1..150)) {
        let mut farm = Farm::new();
        farm.rank(&[(0, 200), (1, 190), (2, 180), (3, 170), (4, 20)]);
        for happening in &happenings {
            farm.happen(happening);
            farm.check();
        }
        farm.world.run(secs(60));
        farm.check();
        for miner in &farm.world.miners {
            let answers = miner.answers.len() + miner.missed;
            prop_assert_eq!(answers, miner.submits, "every submit has one answer");
            prop_assert_eq!(miner.judged.len(), miner.submits, "and is counted once");
        }
    }
}
