//! What an event is about. From it come the word that stands in the store and on the page,
//! and the fields by which `journalctl` finds the line:
//!
//! | field | value |
//! |---|---|
//! | `POOL` | a pool's name; of a switch the old one and the new one |
//! | `MINER` | a miner's address, without its port |
//! | `WORKER` | a worker's name |
//! | `ROUTE` | an algorithm |
//! | `SNAPSHOT` | a sequence |

use smart_mining_core::Algorithm;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// The farm by its name: the appliance as a whole.
    Farm(&'a str),
    Store,
    Central,
    Snapshot(u64),
    Pool(&'a str),
    /// The route of an algorithm.
    Route(Algorithm),
    /// A change of the route, with the pools that it was and is on.
    Switch {
        algorithm: Algorithm,
        from: Option<&'a str>,
        to: Option<&'a str>,
    },
    /// `None`: whoever it was is gone before its address could be asked for.
    Miner(Option<IpAddr>),
    Worker {
        worker: &'a str,
        address: IpAddr,
    },
    /// Several miners of an algorithm; the named ones of them.
    Miners {
        algorithm: Algorithm,
        workers: &'a [(String, IpAddr)],
    },
    /// An open port of the appliance.
    Port(SocketAddr),
    /// The kind of appliance that central has releases for.
    Board(&'a str),
    Report(&'a str),
    Outbox,
    /// Whoever sits there, and knows the operator's password or tried one.
    Operator(IpAddr),
}

pub(super) type Fields<'a> = Vec<(&'static str, Cow<'a, str>)>;

impl<'a> Subject<'a> {
    /// As it stands in the store and on the page.
    pub fn text(&self) -> Cow<'a, str> {
        match *self {
            Self::Farm(name) | Self::Pool(name) | Self::Board(name) | Self::Report(name) => {
                name.into()
            }
            Self::Store => "store".into(),
            Self::Central => "central".into(),
            Self::Outbox => "outbox".into(),
            Self::Snapshot(sequence) => sequence.to_string().into(),
            Self::Route(algorithm)
            | Self::Switch { algorithm, .. }
            | Self::Miners { algorithm, .. } => algorithm.name().into(),
            Self::Miner(Some(address)) => address.to_string().into(),
            Self::Miner(None) => "?".into(),
            Self::Worker { worker, .. } => worker.into(),
            Self::Port(address) => address.to_string().into(),
            Self::Operator(address) => address.to_string().into(),
        }
    }

    pub(super) fn fields(&self) -> Fields<'a> {
        let mut fields = Fields::new();
        match *self {
            Self::Pool(name) => fields.push(("POOL", name.into())),
            Self::Snapshot(sequence) => fields.push(("SNAPSHOT", sequence.to_string().into())),
            Self::Route(algorithm) => fields.push(("ROUTE", algorithm.name().into())),
            Self::Switch {
                algorithm,
                from,
                to,
            } => {
                fields.push(("ROUTE", algorithm.name().into()));
                fields.extend([from, to].into_iter().flatten().map(pool));
            }
            Self::Miner(address) => fields.extend(address.map(miner)),
            Self::Worker { worker, address } => {
                fields.extend([("WORKER", worker.into()), miner(address)]);
            }
            Self::Miners { algorithm, workers } => {
                fields.push(("ROUTE", algorithm.name().into()));
                for (worker, address) in workers {
                    fields.extend([("WORKER", worker.as_str().into()), miner(*address)]);
                }
            }
            Self::Farm(_)
            | Self::Store
            | Self::Central
            | Self::Port(_)
            | Self::Board(_)
            | Self::Report(_)
            | Self::Outbox
            | Self::Operator(_) => {}
        }
        fields
    }

    /// What is the same thing again. Names that strangers choose count as one: their
    /// number is theirs to choose, too.
    pub(super) fn key(&self) -> Cow<'a, str> {
        match self {
            Self::Miner(_)
            | Self::Worker { .. }
            | Self::Snapshot(_)
            | Self::Report(_)
            | Self::Operator(_) => "".into(),
            Self::Farm(_)
            | Self::Store
            | Self::Central
            | Self::Pool(_)
            | Self::Route(_)
            | Self::Switch { .. }
            | Self::Miners { .. }
            | Self::Port(_)
            | Self::Board(_)
            | Self::Outbox => self.text(),
        }
    }
}

fn pool(name: &str) -> (&'static str, Cow<'_, str>) {
    ("POOL", name.into())
}

fn miner<'a>(address: IpAddr) -> (&'static str, Cow<'a, str>) {
    ("MINER", address.to_string().into())
}
