//! Does what the operator asks for, and says in words what came of it.

use super::machine::Machine;
use super::{Action, Trouble, long};
use crate::events::{Code, Subject};
use crate::sync::News;
use crate::view::{AlgorithmStatus, Views};
use serde::Serialize;
use smart_mining_core::Algorithm;
use smart_mining_core::Duration;
use smart_mining_core::route::{Exclusion, MOST_EXCLUDED, Pin, Wishes};
use std::net::IpAddr;
use std::sync::Arc;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Done {
    /// For people.
    pub text: String,
    /// Of a question to central: `new`, `nothing-new`, `unreachable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    /// Of the snapshot in force then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
}

impl Done {
    const fn said(text: String) -> Self {
        Self {
            text,
            outcome: None,
            sequence: None,
        }
    }
}

/// `by`: where the operator sits. He has been found to be it.
pub async fn perform(action: Action, views: &Arc<Views>, by: IpAddr) -> Result<Done, Trouble> {
    let work = Work { views, by };
    match action {
        Action::Pin {
            algorithm,
            pool,
            coin,
            minutes,
        } => work.pin(algorithm, pool, coin, minutes),
        Action::Unpin { algorithm } => work.unpin(algorithm),
        Action::Exclude {
            algorithm,
            pool,
            minutes,
        } => work.exclude(algorithm, &pool, minutes),
        Action::Include { algorithm, pool } => work.include(algorithm, &pool),
        Action::Sync => work.sync().await,
        Action::Name { worker, name } => work.name(&worker, name.as_deref()),
        Action::Reboot => work.reboot().await,
        Action::Update { url } => work.update(url).await,
    }
    .map(|(code, subject, done)| {
        let text = format!("{} (from {by})", done.text);
        views.events.record(code, subject.as_subject(), text);
        done
    })
}

/// What an event is about, once everything is over.
enum About {
    Pool(String),
    Worker(String, IpAddr),
    Central,
    Operator(IpAddr),
}

impl About {
    fn as_subject(&self) -> Subject<'_> {
        match self {
            Self::Pool(pool) => Subject::Pool(pool),
            Self::Worker(worker, address) => Subject::Worker {
                worker,
                address: *address,
            },
            Self::Central => Subject::Central,
            Self::Operator(address) => Subject::Operator(*address),
        }
    }
}

type Outcome = Result<(Code, About, Done), Trouble>;

fn last_pool(algorithm: Algorithm, pool: &str) -> Trouble {
    let detail = format!(
        "{pool} is the only pool that is left for {algorithm}: its miners would have no work"
    );
    let remedy = "include another one first, or add a pool or an account to farm.toml";
    Trouble::new(409, "last-pool", detail, remedy)
}

struct Work<'v> {
    views: &'v Arc<Views>,
    by: IpAddr,
}

impl Work<'_> {
    fn lane(&self, algorithm: Algorithm) -> Result<AlgorithmStatus, Trouble> {
        let status = self.views.status();
        let served: Vec<String> = (status.algorithms.iter())
            .map(|lane| lane.algorithm.to_string())
            .collect();
        let mut lanes = status.algorithms.into_iter();
        lanes
            .find(|lane| lane.algorithm == algorithm)
            .ok_or_else(|| {
                let remedy = format!("say one of: {}", served.join(", "));
                let detail = format!("this farm has no listener for {algorithm}");
                Trouble::new(404, "algorithm", detail, remedy)
            })
    }

    /// Every wish goes through here: in force at once, and written down.
    fn wish<T>(
        &self,
        algorithm: Algorithm,
        change: impl FnOnce(&mut Wishes, smart_mining_core::Instant) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let changed = self.views.operator.wishes.change(algorithm, change);
        changed.unwrap_or_else(|| {
            let detail = format!("this farm has no listener for {algorithm}");
            Err(Trouble::new(
                404,
                "algorithm",
                detail,
                "say one that it has a listener for",
            ))
        })
    }

    fn pin(
        &self,
        algorithm: Algorithm,
        pool: String,
        coin: Option<String>,
        minutes: u64,
    ) -> Outcome {
        let lane = self.lane(algorithm)?;
        let is_it =
            |name: &str, of: &str| name == pool && coin.as_deref().is_none_or(|coin| coin == of);
        let Some(candidate) = (lane.candidates.iter()).find(|it| is_it(&it.pool, &it.coin)) else {
            let excluded = lane.excluded.iter().any(|it| it.pool == pool);
            return Err(match excluded {
                true => Trouble::new(
                    409,
                    "excluded",
                    format!("{pool} is excluded"),
                    "take the exclusion back first (include)",
                ),
                false => no_such_pool(&lane, &pool, coin.as_deref()),
            });
        };
        let when = match (candidate.ready, &candidate.last_failure) {
            (true, _) => "it is ready: the miners work for it now".to_owned(),
            (false, Some(why)) => {
                format!("it is not ready ({why}): the miners go there as soon as it is")
            }
            (false, None) => {
                "it is being connected to, the miners go there as soon as it is ready".to_owned()
            }
        };
        let time = long(minutes);
        let text = format!("{pool} is pinned for {algorithm} for {time}; {when}");
        self.wish(algorithm, |wishes, now| {
            wishes.pin = Some(Pin {
                pool: pool.clone(),
                coin,
                until: now + Duration::from_secs(minutes * 60),
            });
            Ok(())
        })?;
        Ok((Code::OperatorPin, About::Pool(pool), Done::said(text)))
    }

    fn unpin(&self, algorithm: Algorithm) -> Outcome {
        self.lane(algorithm)?;
        let pin = self.wish(algorithm, |wishes, _| {
            wishes.pin.take().ok_or_else(|| {
                let detail = format!("no pool is pinned for {algorithm}");
                Trouble::new(409, "no-pin", detail, "there is nothing to take back")
            })
        })?;
        let pool = pin.pool;
        let text = format!("{pool} is not pinned for {algorithm} any more; the usual rules go on");
        Ok((Code::OperatorUnpin, About::Pool(pool), Done::said(text)))
    }

    fn exclude(&self, algorithm: Algorithm, pool: &str, minutes: Option<u64>) -> Outcome {
        let lane = self.lane(algorithm)?;
        let known = lane.candidates.iter().map(|it| &it.pool);
        let mut known = known.chain(lane.excluded.iter().map(|it| &it.pool));
        if known.all(|it| it != pool) {
            return Err(no_such_pool(&lane, pool, None));
        }
        self.wish(algorithm, |wishes, now| {
            // The lane may not have heard yet of what was excluded a moment ago.
            let stays = |it: &str| it != pool && !wishes.excludes(it);
            if !wishes.excludes(pool) && !lane.candidates.iter().any(|it| stays(&it.pool)) {
                return Err(last_pool(algorithm, pool));
            }
            wishes.excluded.retain(|excluded| excluded.pool != pool);
            if wishes.excluded.len() >= MOST_EXCLUDED {
                let detail = format!("{MOST_EXCLUDED} pools are excluded already");
                return Err(Trouble::new(409, "too-many", detail, "include one first"));
            }
            wishes.pin = wishes.pin.take().filter(|pin| pin.pool != pool);
            wishes.excluded.push(Exclusion {
                pool: pool.to_owned(),
                until: minutes.map(|minutes| now + Duration::from_secs(minutes * 60)),
            });
            Ok(())
        })?;
        let time = minutes.map_or_else(
            || "until it is included again".to_owned(),
            |minutes| format!("for {}", long(minutes)),
        );
        let text = format!("{pool} is excluded for {algorithm} {time}");
        Ok((
            Code::OperatorExclude,
            About::Pool(pool.to_owned()),
            Done::said(text),
        ))
    }

    fn include(&self, algorithm: Algorithm, pool: &str) -> Outcome {
        self.lane(algorithm)?;
        self.wish(algorithm, |wishes, _| {
            let before = wishes.excluded.len();
            wishes.excluded.retain(|excluded| excluded.pool != pool);
            if wishes.excluded.len() < before {
                return Ok(());
            }
            let detail = format!("{:?} is not excluded for {algorithm}", short(pool));
            Err(Trouble::new(
                409,
                "not-excluded",
                detail,
                "there is nothing to take back",
            ))
        })?;
        let text = format!("{pool} is a candidate for {algorithm} again");
        Ok((
            Code::OperatorInclude,
            About::Pool(pool.to_owned()),
            Done::said(text),
        ))
    }

    async fn sync(&self) -> Outcome {
        let asked = self.ask_central().await?;
        let sequence = asked.sequence;
        let has = match sequence {
            0 => "there is no snapshot yet".to_owned(),
            sequence => format!("snapshot {sequence} is in force"),
        };
        let (outcome, mut text) = match asked.outcome {
            Ok(News::Snapshot) => ("new", format!("central had a new ranking: {has}")),
            Ok(News::Nothing) => ("nothing-new", format!("central has nothing new: {has}")),
            Err(why) => (
                "unreachable",
                format!("central cannot be asked ({why}): {has}"),
            ),
        };
        if let Some(release) = asked.release {
            text.push_str("; ");
            text.push_str(&release);
        }
        let done = Done {
            text,
            outcome: Some(outcome),
            sequence: Some(sequence),
        };
        Ok((Code::OperatorSync, About::Central, done))
    }

    async fn ask_central(&self) -> Result<crate::sync::Asked, Trouble> {
        let Some(sync) = &self.views.operator.sync else {
            return Err(Trouble::new(
                409,
                "no-central",
                "this farm has no central",
                "add a section [central] to farm.toml",
            ));
        };
        sync.ask().await.ok_or_else(|| {
            let detail = "too many ask central already";
            Trouble::new(503, "busy", detail, "try again in a minute")
        })
    }

    fn name(&self, worker: &str, name: Option<&str>) -> Outcome {
        if !self.views.operator.names.set(worker, name) {
            let detail = format!("{} workers have a name already", super::names::MOST);
            return Err(Trouble::new(409, "too-many", detail, "take one back first"));
        }
        let text = match name {
            Some(name) => format!("{worker} is called {name:?} from now on"),
            None => format!("{worker} has no other name any more"),
        };
        let about = About::Worker(worker.to_owned(), self.by);
        Ok((Code::OperatorName, about, Done::said(text)))
    }

    async fn reboot(&self) -> Outcome {
        self.ask_the_machine("reboot", "restart the machine by hand")
            .await?;
        let text = "the machine restarts; the miners come back by themselves".to_owned();
        let about = About::Operator(self.by);
        Ok((Code::OperatorReboot, about, Done::said(text)))
    }

    async fn update(&self, url: Option<String>) -> Outcome {
        let elsewhere = "install another smart-mining-proxy";
        let text = match url {
            Some(url) => {
                self.ask_the_machine(&format!("update {url}"), elsewhere)
                    .await?;
                format!(
                    "the release at {url} is fetched and checked; if it is good the machine restarts with it"
                )
            }
            None => {
                self.must_be_the_image(elsewhere)?;
                let asked = self.ask_central().await?;
                if let Err(why) = asked.outcome {
                    let detail = format!("central cannot be asked ({why})");
                    return Err(Trouble::new(
                        503,
                        "central",
                        detail,
                        "try again, or name the release's address",
                    ));
                }
                self.ask_the_machine("update", elsewhere).await?;
                match asked.release {
                    Some(release) => {
                        format!("central was asked: {release}; the updater looks at it now")
                    }
                    None => "central offers no other release than the one that runs".to_owned(),
                }
            }
        };
        let about = About::Operator(self.by);
        Ok((Code::OperatorUpdate, about, Done::said(text)))
    }

    fn must_be_the_image(&self, elsewhere: &str) -> Result<&Machine, Trouble> {
        self.views.operator.machine.as_ref().ok_or_else(|| {
            let detail = "this appliance was not started from the card's image";
            Trouble::new(501, "no-image", detail, elsewhere)
        })
    }

    async fn ask_the_machine(&self, wish: &str, elsewhere: &str) -> Result<(), Trouble> {
        let machine = self.must_be_the_image(elsewhere)?;
        machine.ask(wish).await.map_err(|why| {
            let remedy =
                "look at the journal of smart-mining-asked, or switch the power off and on";
            Trouble::new(503, "machine", why, remedy)
        })
    }
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

fn no_such_pool(lane: &AlgorithmStatus, pool: &str, coin: Option<&str>) -> Trouble {
    let known: Vec<String> = (lane.candidates.iter())
        .map(|it| format!("{} ({})", it.pool, it.coin))
        .collect();
    let wanted = match coin {
        Some(coin) => format!("{:?} with the coin {:?}", short(pool), short(coin)),
        None => format!("{:?}", short(pool)),
    };
    let detail = format!("{} has no pool {wanted} that could be used", lane.algorithm);
    Trouble::new(
        404,
        "pool",
        detail,
        format!("say one of: {}", known.join(", ")),
    )
}
