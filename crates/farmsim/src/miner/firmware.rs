//! What firmware makes of the lines a pool sends. No sockets here.
//!
//! ```text
//! Minerd, Cgminer: subscribe -> answer -> authorize -> answer -> work
//! Bitaxe:          configure + subscribe + authorize (one write) -> answers -> work
//! ```
//! Anything a real one would stumble over is noted as a violation; what it
//! would hang up for ends the connection.

use std::collections::{BTreeMap, HashSet, VecDeque};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::config::{MinerConfig, Personality};
use super::search::{ActiveJob, Found};
use super::stats::MinerStats;
use crate::hex;
use crate::pow::{self, Target};
use crate::work::Notify;

/// cpuminer gives this id to every submit.
const MINERD_SUBMIT_ID: u64 = 4;

/// What ESP-Miner asks to roll.
pub(super) const BITAXE_MASK: u32 = 0xffff_ffff;

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) enum Asked {
    Configure,
    Subscribe,
    Authorize,
    /// Any answer will do.
    Other(&'static str),
    Share(PendingShare),
}

#[derive(Debug)]
pub(super) struct PendingShare {
    pub identity: String,
    pub difficulty: f64,
}

/// Why the miner ends a connection.
#[derive(Debug)]
pub(super) struct HangUp(pub String);

/// One connection as the firmware knows it.
pub(super) struct Firmware<'a> {
    pub config: &'a MinerConfig,
    started: Instant,
    next_id: u64,
    pub asked: BTreeMap<u64, VecDeque<Asked>>,
    /// Survives the connection when the pool gave one.
    pub session: Option<String>,
    pub extranonce1: Option<Vec<u8>>,
    extranonce2_size: usize,
    pub extranonce_subscribed: bool,
    pub authorized: bool,
    pub version_mask: u32,
    difficulty: Option<f64>,
    known_jobs: HashSet<String>,
    pub early_job: Option<Notify>,
    job: Option<ActiveJob>,
    /// Lines to send.
    pub out: Vec<Value>,
}

impl<'a> Firmware<'a> {
    /// The state at the connect, with the first lines to send.
    pub(super) fn start(config: &'a MinerConfig, session: Option<String>) -> Self {
        let mut firmware = Self {
            config,
            started: Instant::now(),
            next_id: 1,
            asked: BTreeMap::new(),
            session,
            extranonce1: None,
            extranonce2_size: 0,
            extranonce_subscribed: false,
            authorized: false,
            version_mask: 0,
            difficulty: None,
            known_jobs: HashSet::new(),
            early_job: None,
            job: None,
            out: Vec::new(),
        };
        match config.personality {
            Personality::Minerd | Personality::Cgminer => firmware.subscribe(),
            Personality::Bitaxe => {
                let extensions = json!([
                    ["version-rolling"],
                    {"version-rolling.mask": format!("{BITAXE_MASK:08x}")}
                ]);
                firmware.ask("mining.configure", extensions, Asked::Configure);
                firmware.subscribe();
                firmware.authorize();
            }
        }
        firmware
    }

    /// The job to search, once the handshake is complete.
    pub(super) fn job(&self) -> Option<&ActiveJob> {
        self.job.as_ref().filter(|_| self.authorized)
    }

    pub(super) fn version_mask(&self) -> u32 {
        self.version_mask
    }

    /// Real ASICs behind cgminer roll the time.
    pub(super) fn rolls_time(&self) -> bool {
        self.config.personality == Personality::Cgminer
    }

    pub(super) fn is_working(&self) -> bool {
        self.job().is_some()
    }

    /// Subscribe and authorize are answered; a job may still be missing.
    pub(super) fn has_logged_in(&self) -> bool {
        self.authorized && self.extranonce1.is_some()
    }

    pub(super) fn in_flight(&self) -> u64 {
        let waiting = self.asked.values().flatten();
        waiting
            .filter(|asked| matches!(asked, Asked::Share(_)))
            .count() as u64
    }

    fn subscribe(&mut self) {
        let agent = match &self.config.agent {
            Some(agent) => agent.clone(),
            None => self.config.personality.agent().to_owned(),
        };
        let resumes = self.config.personality != Personality::Bitaxe;
        let params = match self.session.clone().filter(|_| resumes) {
            Some(session) => json!([agent, session]),
            None => json!([agent]),
        };
        self.ask("mining.subscribe", params, Asked::Subscribe);
    }

    pub(super) fn authorize(&mut self) {
        let params = json!([self.config.name, self.config.password]);
        self.ask("mining.authorize", params, Asked::Authorize);
    }

    pub(super) fn ask(&mut self, method: &str, params: Value, asked: Asked) {
        let id = match (&asked, self.config.personality) {
            (Asked::Share(_), Personality::Minerd) => MINERD_SUBMIT_ID,
            (_, Personality::Minerd | Personality::Bitaxe | Personality::Cgminer) => {
                self.next_id += 1;
                self.next_id - 1
            }
        };
        self.asked.entry(id).or_default().push_back(asked);
        self.out
            .push(json!({"id": id, "method": method, "params": params}));
    }

    /// Submits a share of the present job.
    pub(super) fn submit(&mut self, found: &Found, stats: &mut MinerStats) {
        let Some(job) = &self.job else { return };
        let pending = PendingShare {
            identity: pow::display(&found.hash),
            difficulty: job.difficulty,
        };
        let (name, job_id) = (&self.config.name, &job.notify.job_id);
        let params = found.solution.submit_params(name, job_id, found.bits);
        self.ask("mining.submit", params, Asked::Share(pending));
        stats.submitted += 1;
    }

    /// Handles one line.
    pub(super) fn line(&mut self, line: &str, stats: &mut MinerStats) -> Result<(), HangUp> {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            let start: String = line.chars().take(80).collect();
            stats.violation(format!("not JSON: {start}"));
            return Ok(());
        };
        match message["method"].as_str() {
            Some(method) => self.notification(method, &message, stats),
            None => self.answer(&message, stats),
        }
    }

    fn notification(
        &mut self,
        method: &str,
        message: &Value,
        stats: &mut MinerStats,
    ) -> Result<(), HangUp> {
        let params = &message["params"];
        if self.config.personality == Personality::Minerd && self.extranonce1.is_none() {
            // It takes the first line it reads for the answer.
            stats.violation(format!("{method} before the answer to mining.subscribe"));
            return Err(HangUp("cpuminer: JSON-RPC call failed".to_owned()));
        }
        match method {
            "mining.notify" => self.notify(params, stats),
            "mining.set_difficulty" => match params[0].as_f64() {
                Some(difficulty) if difficulty > 0.0 => self.difficulty = Some(difficulty),
                _ => stats.violation(format!("mining.set_difficulty {params}")),
            },
            "mining.set_extranonce" => self.set_extranonce(params, stats)?,
            "mining.set_version_mask" => self.set_version_mask(params, stats),
            "mining.ping" => self.reply(message, json!("pong")),
            "client.get_version" => self.reply(message, json!(self.config.personality.agent())),
            "client.show_message" => {}
            "client.reconnect" => return Err(HangUp("client.reconnect".to_owned())),
            // Unknown notifications are tolerated.
            _ => {}
        }
        Ok(())
    }

    fn reply(&mut self, message: &Value, result: Value) {
        let id = &message["id"];
        self.out
            .push(json!({"id": id, "result": result, "error": null}));
    }

    fn notify(&mut self, params: &Value, stats: &mut MinerStats) {
        let notify = match Notify::parse(params) {
            Ok(notify) => notify,
            Err(problem) => {
                stats.violation(format!("mining.notify: {problem}"));
                return;
            }
        };
        stats.jobs += 1;
        stats.clean_jobs += u64::from(notify.clean);
        if self.difficulty.is_none() {
            stats.violation("mining.notify before any mining.set_difficulty");
        }
        if !self.known_jobs.insert(notify.job_id.clone()) {
            stats.violation(format!("job id {} used again", notify.job_id));
            let repeated = self
                .job
                .as_ref()
                .is_some_and(|j| j.notify.job_id == notify.job_id);
            let ignores = match self.config.personality {
                Personality::Bitaxe => !notify.clean,
                Personality::Minerd => repeated && !notify.clean,
                Personality::Cgminer => false,
            };
            if ignores {
                return;
            }
        }
        if let Some(job) = &self.job
            && job.notify.prev_hash != notify.prev_hash
            && !notify.clean
        {
            stats.violation("a new previous hash without clean_jobs");
        }
        match self.extranonce1 {
            Some(_) => self.take_job(notify, stats),
            None => self.early_job = Some(notify),
        }
    }

    /// Difficulty and extranonce count from here on.
    pub(super) fn take_job(&mut self, notify: Notify, stats: &mut MinerStats) {
        let difficulty = self.difficulty.unwrap_or(1.0);
        stats.difficulty = difficulty;
        self.job = Some(ActiveJob {
            notify,
            extranonce1: self.extranonce1.clone().unwrap_or_default(),
            extranonce2_size: self.extranonce2_size,
            difficulty,
            target: Target::from_difficulty(self.config.algorithm, difficulty),
            since: Instant::now(),
        });
        self.note_working(stats);
    }

    pub(super) fn note_working(&mut self, stats: &mut MinerStats) {
        if self.is_working() && !stats.working {
            stats.working = true;
            stats.handshake = Some(self.started.elapsed());
        }
    }

    fn set_extranonce(&mut self, params: &Value, stats: &mut MinerStats) -> Result<(), HangUp> {
        match self.config.personality {
            Personality::Minerd | Personality::Cgminer => {
                stats.violation("mining.set_extranonce to firmware that does not know it");
                return Ok(());
            }
            Personality::Bitaxe if !self.extranonce_subscribed => {
                stats.violation("mining.set_extranonce without mining.extranonce.subscribe");
            }
            Personality::Bitaxe => {}
        }
        self.take_extranonce(&params[0], &params[1], stats)
    }

    fn set_version_mask(&mut self, params: &Value, stats: &mut MinerStats) {
        match params[0].as_str().and_then(hex::decode_u32) {
            Some(mask) if self.config.personality == Personality::Bitaxe => {
                self.version_mask = mask;
            }
            Some(_) => stats.violation("mining.set_version_mask without version rolling"),
            None => stats.violation(format!("mining.set_version_mask {params}")),
        }
    }

    pub(super) fn take_extranonce(
        &mut self,
        extranonce1: &Value,
        size: &Value,
        stats: &mut MinerStats,
    ) -> Result<(), HangUp> {
        let bytes = extranonce1.as_str().and_then(hex::decode);
        let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
        let (Some(bytes), Some(size)) = (bytes, size) else {
            stats.violation("an extranonce that is not [hex, number]");
            return Err(HangUp("unusable extranonce".to_owned()));
        };
        if !(2..=8).contains(&size) {
            stats.violation(format!("extranonce2_size {size} is not 2 to 8"));
            let refuses = match self.config.personality {
                Personality::Cgminer => size > 8,
                Personality::Minerd => size == 0 || size > 16,
                Personality::Bitaxe => size == 0,
            };
            if refuses {
                return Err(HangUp(format!("extranonce2_size {size} refused")));
            }
        }
        self.extranonce1 = Some(bytes);
        self.extranonce2_size = size;
        Ok(())
    }
}
