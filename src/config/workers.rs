//! `[workers]` and `[[worker]]`: who may mine here, and what they must get right together.

use super::problem::{Log, Place, fault};
use super::reader::Reader;
use super::{Admissions, Worker, WorkersMode, values};
use crate::workers::hash::StoredPassword;
use toml::de::DeValue;

pub(super) struct WorkersDraft {
    mode: Option<WorkersMode>,
    mode_at: Place,
    list: Option<Vec<WorkerDraft>>,
}

struct WorkerDraft {
    here: Place,
    name: Option<String>,
    name_at: Place,
    /// The inner `None`: not written.
    password: Option<Option<StoredPassword>>,
}

pub(super) fn read(root: &mut Reader<'_>) -> WorkersDraft {
    let words = [
        ("open", WorkersMode::Open),
        ("list", WorkersMode::List),
        ("password", WorkersMode::Password),
    ];
    let (mut mode, mut mode_at) = (Some(WorkersMode::Open), root.place("workers"));
    if let Some(mut section) = root.section("workers") {
        let read = section.take("mode", |value| values::choice(value, &words));
        (mode, mode_at) = (read.or(WorkersMode::Open), section.place("mode"));
        section.finish();
    } else if root.has("workers") {
        mode = None;
    }
    let list = root.sections("worker");
    WorkersDraft {
        mode,
        mode_at,
        list: list.map(|readers| readers.into_iter().map(worker).collect()),
    }
}

fn worker(mut section: Reader<'_>) -> WorkerDraft {
    let draft = WorkerDraft {
        name: section.required("name", "\"rig07\"", values::name),
        password: section.take("password_hash", password_hash).optional(),
        here: section.here(),
        name_at: section.place("name"),
    };
    section.finish();
    draft
}

pub(super) fn password_hash(value: &DeValue<'_>) -> Result<StoredPassword, super::problem::Fault> {
    let remedy = "write what smart-mining-proxy hash-password prints";
    let text = (value.as_str()).ok_or_else(|| values::wrong_type(value, "a text", remedy))?;
    StoredPassword::parse(text).map_err(|what| fault(what, remedy))
}

pub(super) fn check(log: &Log<'_>, draft: &WorkersDraft) {
    let (Some(mode), Some(list)) = (draft.mode, &draft.list) else {
        return;
    };
    one_worker_a_name(log, list);
    match (mode, list.first()) {
        (WorkersMode::Open, None) => {}
        (WorkersMode::Open, Some(first)) => {
            let remedy =
                "add a section [workers] with mode = \"list\" or \"password\", or remove it";
            let what = "nobody looks at it while every worker may mine";
            log.report(first.here.clone(), fault(what, remedy));
        }
        (WorkersMode::List | WorkersMode::Password, None) => {
            let remedy = "add a section [[worker]] for each, or write mode = \"open\"";
            let what = "no worker could mine: there is no [[worker]]";
            log.report(draft.mode_at.clone(), fault(what, remedy));
        }
        (WorkersMode::List, Some(_)) => {}
        (WorkersMode::Password, Some(_)) => each_has_a_password(log, list),
    }
}

fn each_has_a_password(log: &Log<'_>, list: &[WorkerDraft]) {
    for worker in list.iter().filter(|worker| worker.password == Some(None)) {
        let place = Place {
            key: format!("{}.password_hash", worker.here.key),
            ..worker.here.clone()
        };
        let remedy = "add a line password_hash = \"...\" from smart-mining-proxy hash-password";
        log.report_missing(
            place,
            "password_hash",
            fault("missing in mode \"password\"", remedy),
        );
    }
}

fn one_worker_a_name(log: &Log<'_>, list: &[WorkerDraft]) {
    let mut names = std::collections::BTreeMap::new();
    for worker in list {
        let Some(name) = &worker.name else { continue };
        if let Some(line) = names.get(name) {
            let what = format!("this worker is there already (line {line})");
            log.report(worker.name_at.clone(), fault(what, "remove one of the two"));
        } else {
            names.insert(name, worker.name_at.line);
        }
    }
}

impl WorkersDraft {
    pub fn build(self) -> Option<Admissions> {
        let list = self.list?.into_iter().map(|draft| {
            Some(Worker {
                name: draft.name?,
                password: draft.password?,
            })
        });
        Some(Admissions {
            mode: self.mode?,
            workers: list.collect::<Option<_>>()?,
        })
    }
}
