//! Starts every task, in an order in which each finds what it needs, watches
//! over them, and stops them. Nothing else starts tasks but a lane its own
//! links and miners.
//!
//! ```text
//!   store -> gate with the cached snapshot -> ports -> lanes -> status page
//!         -> sync and report threads -> READY=1 -> watch: pulses, books, signals
//! ```

use crate::clock::{Clock, unix_now};
use crate::config::Config;
use crate::device::{self, Device, Probe};
use crate::events::{Code, Events, Subject};
use crate::history::History;
use crate::lane::{self, Surroundings};
use crate::ledger::{Ledger, Outside};
use crate::notify::Notifier;
use crate::operator::Operator;
use crate::operator::machine::Machine;
use crate::provision;
use crate::pulse::{Pulses, Vitals};
use crate::registry::Registry;
use crate::report::Reporter;
use crate::silence::Silence;
use crate::store::{Opened, Store};
use crate::sync::{Ranking, Sync, SyncView};
use crate::update::Updatable;
use crate::view::{LaneSource, Views};
use crate::workers::Workers;
use crate::{listener, refuge, rules, status, tls};
use anyhow::Context;
use smart_mining_core::Algorithm;
use smart_mining_page::words::{day, minute};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often the books are looked at; they are handed to the store when it is time.
const BOOKS: Duration = Duration::from_secs(5);
/// How often the signs of life are looked at, unless the watchdog wants it sooner.
const PULSE: Duration = Duration::from_secs(5);
/// Every watched loop beats at least every 2 s: asking faster would accuse them.
const BEATS: Duration = Duration::from_secs(3);

/// Run the appliance until it is told to stop.
/// `card`: what became of its farm.toml. `appliance`: one that central may update.
pub async fn run(
    config: Config,
    card: Option<provision::Report>,
    appliance: Option<Updatable>,
) -> anyhow::Result<()> {
    let clock = Clock::start();
    let (store, opened, elsewhere) = refuge::open(&config.store.path)?;
    let events = Arc::new(Events::new(store.clone()));
    tell_recovery(&events, &opened);
    tell_power_cut(&events, &opened, &config.farm.name);
    let is_elsewhere = elsewhere.is_some();
    if let Some(why) = &elsewhere {
        events.record(Code::StoreUnusable, Subject::Store, why.as_str());
    }
    let access: Arc<[_]> = config.access.clone().into();
    let mut ports = Vec::new();
    for listener in &config.listeners {
        let tls = tls::server::server_config(store_folder(&config), listener.certificate.as_ref())?;
        ports.push(listener::bind(listener, tls)?);
    }
    let page = TcpListener::bind(config.status.bind)
        .await
        .with_context(|| {
            format!(
                "cannot open {} for the status page; change status.bind",
                config.status.bind
            )
        })?;
    let (sync, ranking, sync_view) = central(&config, &opened, &store, &events, clock);
    let (workers, checker) = Workers::new(&config.admissions, events.clone(), clock)?;
    let machine = appliance
        .as_ref()
        .map(|it| Machine::new(it.wanted.with_file_name("asked")));
    let operator = Operator::new(Arc::new(config.clone()), &store, is_elsewhere, clock)?
        .with_sync(sync.as_ref().map(Sync::now))
        .with_machine(machine);
    let operator = Arc::new(operator);
    let around = Surroundings {
        rules: Arc::new(rules::farm_rules(&config)),
        policy: rules::policy(&config),
        access: access.clone(),
        registry: Arc::new(Registry::new(clock)),
        ledger: Arc::new(Ledger::new(clock)),
        events: events.clone(),
        workers: workers.clone(),
        store: store.clone(),
        clock,
    };
    let (mut pulses, mut lanes, mut tasks) = (Pulses::default(), Vec::new(), Vec::new());
    tasks.push(tokio::task::spawn_blocking(move || checker.run()));
    for (index, bound) in (0..).zip(ports) {
        let address = bound.address();
        events.record(
            Code::Listening,
            Subject::Port(address),
            format!("{} miners", bound.config.algorithm),
        );
        let wishes = operator.wishes.watch(bound.config.algorithm);
        let started = lane::start(index, bound, (ranking.clone(), wishes), around.clone())?;
        started
            .pulses
            .into_iter()
            .for_each(|pulse| pulses.watch(pulse));
        tasks.extend(started.tasks);
        lanes.push(LaneSource {
            algorithm: started.algorithm,
            address: address.to_string(),
            view: started.view,
        });
    }
    around
        .ledger
        .look_outside(outside(&lanes, &around.registry));
    let (reports_view, reports) = watch::channel(None);
    let (signs, vitals) = watch::channel(None);
    let (device, looking) = look_at_the_device(&store);
    tasks.push(looking);
    let views = Arc::new(Views {
        farm: config.farm.name.clone(),
        clock,
        started_at: unix_now(),
        lanes,
        sync: sync_view,
        reports,
        registry: around.registry.clone(),
        ledger: around.ledger.clone(),
        events: events.clone(),
        history: Arc::new(History::new(store.clone(), around.ledger.clone())),
        workers,
        operator,
        store: store.clone(),
        elsewhere,
        provisioning: card,
        device,
        vitals,
    });
    let address = page.local_addr()?;
    events.record(Code::Listening, Subject::Port(address), "status page");
    let page_views = views.clone();
    if let Some(central) = &config.central {
        // From here on the store counts shares for reports; none was written yet.
        let outcome = appliance.as_ref().and_then(|it| it.outcome.clone());
        let reporter =
            Reporter::new(central, views.clone(), reports_view, is_elsewhere).with_outcome(outcome);
        tasks.push(tokio::task::spawn_blocking(move || reporter.run()));
    }
    tasks.push(tokio::spawn(status::serve(page, views, access)));
    if let Some(sync) = sync {
        // A thread of its own, watched like every task: without it the farm
        // would stay on an old ranking and nobody would know.
        let sync = sync.for_appliance(appliance);
        tasks.push(tokio::task::spawn_blocking(move || sync.run()));
    }
    let outcome = watch_over(&around, &page_views, &mut pulses, &signs, &mut tasks).await;
    let farm = Subject::Farm(&config.farm.name);
    events.record(Code::Stopped, farm, "the appliance stops");
    events.finish();
    around.ledger.finish(&store);
    // Writes what is pending; the file is whole without its WAL afterwards.
    store.close()?;
    outcome
}

/// Not watched for a sign of life: it may wait for a sick disk, and nothing waits for it.
fn look_at_the_device(
    store: &Store,
) -> (watch::Receiver<Option<Device>>, tokio::task::JoinHandle<()>) {
    let (seen, view) = watch::channel(None);
    let probe = Probe::here(store.path());
    let looking = tokio::task::spawn_blocking(move || device::run(&probe, &seen));
    (view, looking)
}

/// What the books are priced by, and how many miners are there.
fn outside(lanes: &[LaneSource], registry: &Arc<Registry>) -> Outside {
    let served: Vec<_> = lanes
        .iter()
        .map(|lane| (lane.algorithm, lane.view.clone()))
        .collect();
    let serves = served.iter().map(|(algorithm, _)| *algorithm);
    let (serves, registry): (Vec<Algorithm>, _) = (serves.collect(), registry.clone());
    Outside {
        price: Box::new(move |algorithm, pool| {
            let mut lanes = served.iter().filter(|lane| lane.0 == algorithm);
            lanes.find_map(|(_, view)| view.borrow().price(pool))
        }),
        miners: Box::new(move |algorithm| {
            let count = || registry.count(algorithm) as u64;
            serves.contains(&algorithm).then(count)
        }),
    }
}

/// Where what was made here is kept.
fn store_folder(config: &Config) -> &Path {
    config.store.path.parent().unwrap_or(Path::new("."))
}

fn tell_recovery(events: &Events, opened: &Opened) {
    if let Some(recovered) = &opened.recovered {
        let text = format!(
            "{}; moved to {}",
            recovered.reason,
            recovered.moved_to.display()
        );
        events.tell(Code::StoreRecovered, Subject::Store, text);
    }
}

fn tell_power_cut(events: &Events, opened: &Opened, farm: &str) {
    if let Some(seen) = opened.power_cuts.last_seen {
        let (day, seen, all) = (day(seen), minute(seen), opened.power_cuts.all);
        let text = format!(
            "the machine lost its power or was reset some time after {day}, {seen} UTC; {all} times since the store was made"
        );
        events.record(Code::PowerCut, Subject::Farm(farm), text);
    }
}

type Sources = (
    Option<Sync>,
    watch::Receiver<Ranking>,
    watch::Receiver<SyncView>,
);

fn central(
    config: &Config,
    opened: &Opened,
    store: &Store,
    events: &Arc<Events>,
    clock: Clock,
) -> Sources {
    let Some(central) = config.central.clone() else {
        // The senders may go: the farm's own pools never change.
        return (
            None,
            watch::channel(Ranking::default()).1,
            watch::channel(SyncView::default()).1,
        );
    };
    let (sync, ranking, view) = Sync::new(
        central,
        &opened.candidates,
        store.clone(),
        events.clone(),
        clock,
    );
    (Some(sync), ranking, view)
}

/// Feed the watchdog, keep the books, and wait for the signal to stop.
async fn watch_over(
    around: &Surroundings,
    views: &Views,
    pulses: &mut Pulses,
    signs: &watch::Sender<Option<Vitals>>,
    tasks: &mut [tokio::task::JoinHandle<()>],
) -> anyhow::Result<()> {
    let notifier = Notifier::from_env();
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    notifier.ready();
    around.events.record(
        Code::Started,
        Subject::Farm(&around.rules.farm),
        format!("version {}", env!("CARGO_PKG_VERSION")),
    );
    let fed_within = notifier
        .watchdog_interval()
        .map_or(PULSE, |interval| interval / 2);
    let period = PULSE.min(fed_within).max(BEATS);
    let mut look = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    let mut books = tokio::time::interval(BOOKS);
    let mut store_progress = None;
    let mut silence = Silence::new(around.registry.clone(), around.events.clone());
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = books.tick() => around.ledger.tick(&around.store),
            _ = look.tick() => {
                let mut silent = pulses.silent();
                let progress = around.store.progress();
                if store_progress.replace(progress) == Some(progress) {
                    silent.push("store".to_owned());
                }
                for (algorithm, has_route) in views.routes() {
                    let (now, moment) = (around.clock.now(), std::time::Instant::now());
                    silence.look(algorithm, has_route, now, moment);
                }
                around.events.settle();
                notifier.status(&views.line());
                if silent.is_empty() {
                    notifier.watchdog();
                } else {
                    log::warn!("no sign of life from: {}", silent.join(", "));
                }
                let at = around.clock.now();
                signs.send_replace(Some(Vitals { at, silent }));
            }
        }
        if let Some(ended) = tasks.iter_mut().find(|task| task.is_finished()) {
            // A task ends only by a fault of ours: better to start afresh.
            let why = ended
                .await
                .err()
                .map_or_else(|| "it returned".to_owned(), |e| e.to_string());
            anyhow::bail!("a task that must not end has ended: {why}");
        }
    }
    notifier.stopping();
    Ok(())
}
