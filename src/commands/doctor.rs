//! `smart-mining-proxy doctor`: finds the usual mistakes and says what to do.

use super::print::{BAD, BOLD, DIM, GOOD, WARN, clean, painted, show, width, wrapped};
use serde_json::json;
use smart_mining_proxy::doctor::{Finding, Verdict, examine};
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// Told apart from a failure of the doctor itself.
const FOUND_SOMETHING: u8 = 3;
const BAR: usize = 24;

pub fn run(config: &Path, json: bool, quiet: bool) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut bar = Bar::new();
    let mut progress = |done, all, what: &str| bar.draw(done, all, what);
    let found = runtime.block_on(examine(config, &mut progress));
    bar.clear();
    runtime.shutdown_background();
    let problems = found
        .iter()
        .filter(|it| it.verdict == Verdict::Problem)
        .count();
    match json {
        true => show(&format!(
            "{}\n",
            json!({ "problems": problems, "findings": found })
        )),
        false => show(&report(&found, problems, quiet, width())),
    }
    match problems {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(FOUND_SOMETHING),
    }
}

fn report(found: &[Finding], problems: usize, quiet: bool, width: Option<usize>) -> String {
    let mut out = String::new();
    for finding in found {
        if quiet && finding.verdict == Verdict::Ok {
            continue;
        }
        let (style, word) = match finding.verdict {
            Verdict::Ok => (GOOD, "ok     "),
            Verdict::Hint => (WARN, "hint   "),
            Verdict::Problem => (BAD, "PROBLEM"),
        };
        let subject = match &*finding.subject {
            "" => String::new(),
            subject => format!(" {}", clean(subject)),
        };
        let what = painted(BOLD, &format!("{}{subject}", finding.check.name()));
        let text = wrapped(&clean(&finding.text), width, 10);
        let _ = writeln!(out, "{} {what}: {text}", painted(style, word));
        if !finding.remedy.is_empty() {
            let remedy = wrapped(&clean(&finding.remedy), width, 10);
            let _ = writeln!(out, "        {} {remedy}", painted(DIM, "->"));
        }
    }
    let sum = match problems {
        0 => painted(GOOD, "no mistake was found"),
        1 => painted(BAD, "1 problem was found"),
        count => painted(BAD, &format!("{count} problems were found")),
    };
    let _ = writeln!(out, "{sum}");
    out
}

/// On a terminal's standard error alone, and gone when the report comes.
struct Bar {
    is_terminal: bool,
}

impl Bar {
    fn new() -> Self {
        Self {
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    fn draw(&mut self, done: usize, all: usize, what: &str) {
        if !self.is_terminal {
            return;
        }
        let full = (BAR * done).checked_div(all).unwrap_or(BAR).min(BAR);
        let (full, rest) = ("#".repeat(full), "-".repeat(BAR - full));
        let mut err = std::io::stderr().lock();
        // A picture that cannot be drawn is no fault.
        let _ = write!(err, "\r\x1b[K[{full}{rest}] {done}/{all} {what}");
        let _ = err.flush();
    }

    fn clear(&mut self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}
