//! The pages of `/operator`: plain forms, which work without script.

use crate::operator::{Trouble, long};
use crate::view::{AlgorithmStatus, Views};
use smart_mining_page::STYLE;
use smart_mining_page::words::{duration, escape};
use std::fmt::Write;

/// Names that the page lists.
const NAMES: usize = 200;
/// Minutes to choose from.
const TIMES: [u64; 6] = [30, 60, 4 * 60, 24 * 60, 3 * 24 * 60, 7 * 24 * 60];

/// What came of a request.
pub struct Message(Said);

enum Said {
    Done(String),
    Trouble(Trouble),
    /// Something that cannot be undone, and where a release lies.
    Question(String, Option<String>),
}

impl Message {
    pub const fn done(text: String) -> Self {
        Self(Said::Done(text))
    }

    pub const fn trouble(trouble: Trouble) -> Self {
        Self(Said::Trouble(trouble))
    }

    pub fn question(what: &str, url: Option<String>) -> Self {
        Self(Said::Question(what.to_owned(), url))
    }

    pub const fn status(&self) -> u16 {
        match &self.0 {
            Said::Done(_) | Said::Question(..) => 200,
            Said::Trouble(trouble) => trouble.status,
        }
    }

    pub const fn retry_after(&self) -> Option<u64> {
        match &self.0 {
            Said::Done(_) | Said::Question(..) => None,
            Said::Trouble(trouble) => trouble.retry_after,
        }
    }
}

fn head(farm: &str) -> String {
    let farm = escape(farm);
    format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <title>{farm}: operator</title><style>{STYLE}</style></head><body><main>\
         <h1>{farm}: operator</h1><p><a href=\"/\">Back to the status page</a></p>"
    )
}

const FOOT: &str = "</main></body></html>";

pub fn refused(trouble: &Trouble) -> String {
    let mut out = head("smart_mining");
    said(&mut out, trouble);
    out.push_str(FOOT);
    out
}

// Writing to a String does not fail: its outcome is not looked at in this file.

fn said(out: &mut String, trouble: &Trouble) {
    let _ = write!(
        out,
        "<section class=card role=alert><h2 class=bad>{}</h2><p>{}.</p><p>What to do: {}.</p></section>",
        trouble.title,
        escape(&trouble.detail),
        escape(&trouble.remedy)
    );
}

fn message(out: &mut String, token: &str, message: Option<&Message>) {
    match message.map(|message| &message.0) {
        None => {}
        Some(Said::Done(text)) => {
            let text = escape(text);
            let _ = write!(
                out,
                "<section class=card role=status><p class=good>{text}</p></section>"
            );
        }
        Some(Said::Trouble(trouble)) => said(out, trouble),
        Some(Said::Question(what, url)) => question(out, token, what, url.as_deref()),
    }
}

fn question(out: &mut String, token: &str, what: &str, url: Option<&str>) {
    let (ask, button) = match what {
        "reboot" => (
            "Restart the machine? Miners lose their connection for a minute or two.",
            "Yes, restart now",
        ),
        _ => (
            "Install a release? If it passes its checks the machine restarts with it; if it does not \
             prove itself the machine goes back to the one that runs now.",
            "Yes, update now",
        ),
    };
    let _ = write!(
        out,
        "<section class=card role=alert><h2>Are you sure?</h2><p>{ask}</p>"
    );
    form(out, token, what);
    out.push_str("<input type=hidden name=sure value=yes>");
    if let Some(url) = url {
        let url = escape(url);
        let _ = write!(
            out,
            "<input type=hidden name=url value=\"{url}\"><p>From: {url}</p>"
        );
    }
    let _ = write!(
        out,
        "<button>{button}</button></form><p><a href=\"/operator\">No, go back</a></p></section>"
    );
}

fn form(out: &mut String, token: &str, what: &str) {
    let _ = write!(
        out,
        "<form method=post action=\"/operator/{}\"><input type=hidden name=token value=\"{token}\">",
        escape(what)
    );
}

/// For whoever is not logged in.
pub fn door(views: &Views, token: &str, said: Option<&Message>) -> String {
    let mut out = head(&views.farm);
    message(&mut out, token, said);
    let password = &views.operator.password;
    if password.is_locked() {
        out.push_str(
            "<section class=card><h2>Nobody can log in</h2><p>The store cannot be read, so nobody knows \
             whether a password was set. What to do: mend the store (the events on the status page say \
             what is wrong), or write password_hash in [operator] of farm.toml and restart.</p></section>",
        );
    } else if password.is_unset() {
        out.push_str(
            "<section class=card><h2>Set the operator's password</h2><p>Nobody has set one yet. Whoever \
             knows it can pin and exclude pools, restart and update this appliance. It travels over this \
             network as it is: use one that you use nowhere else.</p>",
        );
        form(&mut out, token, "password");
        out.push_str(
            "<p><label>New password, 8 characters or more<br>\
             <input type=password name=password minlength=8 maxlength=120 required autocomplete=new-password></label></p>\
             <p><label>The same again<br>\
             <input type=password name=again minlength=8 maxlength=120 required autocomplete=new-password></label></p>\
             <button>Set it and log in</button></form></section>",
        );
    } else {
        out.push_str("<section class=card><h2>Log in</h2>");
        form(&mut out, token, "login");
        out.push_str(
            "<p><label>Operator's password<br>\
             <input type=password name=password maxlength=120 required autocomplete=current-password></label></p>\
             <button>Log in</button></form><p class=soft>Forgotten? Write another password_hash in [operator] of \
             farm.toml (smart-mining-proxy hash-password makes it) and restart.</p></section>",
        );
    }
    out.push_str(FOOT);
    out
}

/// For whoever is logged in.
pub fn actions(views: &Views, token: &str, said: Option<&Message>) -> String {
    let mut out = head(&views.farm);
    message(&mut out, token, said);
    for lane in &views.status().algorithms {
        algorithm(&mut out, token, lane);
    }
    out.push_str("<section class=card><h2>Ranking</h2>");
    match views.operator.sync {
        Some(_) => {
            form(&mut out, token, "sync");
            out.push_str("<button>Ask central now</button></form>");
        }
        None => out.push_str("<p>This farm has no central to ask.</p>"),
    }
    out.push_str("</section>");
    names(&mut out, token, views);
    support(&mut out, token);
    machine(&mut out, token, views);
    out.push_str("<section class=card>");
    form(&mut out, token, "logout");
    out.push_str("<button>Log out</button></form></section>");
    out.push_str(FOOT);
    out
}

fn algorithm(out: &mut String, token: &str, lane: &AlgorithmStatus) {
    let algorithm = lane.algorithm;
    let now = lane.route.as_ref().map_or_else(
        || "no pool can be used".to_owned(),
        |route| format!("on {} ({})", escape(&route.pool), escape(&route.coin)),
    );
    let _ = write!(
        out,
        "<section class=card><h2>{algorithm}</h2><p>Now {now}. {}</p>",
        escape(&lane.why)
    );
    if let Some(pin) = &lane.pin {
        let _ = write!(
            out,
            "<p><b>{}</b> is pinned for another {}.</p>",
            escape(&pin.pool),
            duration(pin.seconds_left)
        );
        of_lane(out, token, "unpin", lane);
        let _ = write!(out, "<button>Unpin {}</button></form>", escape(&pin.pool));
    }
    of_lane(out, token, "pin", lane);
    pools(out, lane, true);
    times(out, false);
    out.push_str("<button>Pin</button></form>");
    of_lane(out, token, "exclude", lane);
    pools(out, lane, false);
    times(out, true);
    out.push_str("<button>Exclude</button></form>");
    for excluded in &lane.excluded {
        let pool = escape(&excluded.pool);
        let left = excluded.seconds_left.map_or_else(
            || "until it is included again".to_owned(),
            |left| format!("for another {}", duration(left)),
        );
        let _ = write!(out, "<p><b>{pool}</b> is excluded {left}.</p>");
        of_lane(out, token, "include", lane);
        let _ = write!(
            out,
            "<input type=hidden name=pool value=\"{pool}\"><button>Include {pool}</button></form>"
        );
    }
    out.push_str("</section>");
}

fn of_lane(out: &mut String, token: &str, what: &str, lane: &AlgorithmStatus) {
    form(out, token, what);
    let _ = write!(
        out,
        "<input type=hidden name=algorithm value={}>",
        lane.algorithm
    );
}

/// A pool with several coins is listed with each, if that matters.
fn pools(out: &mut String, lane: &AlgorithmStatus, with_coins: bool) {
    out.push_str(match with_coins {
        true => "<p><label>Work for <select name=pool>",
        false => "<p><label>Never work for <select name=pool>",
    });
    let mut listed: Vec<&str> = Vec::new();
    for candidate in &lane.candidates {
        if !with_coins && listed.contains(&&*candidate.pool) {
            continue;
        }
        listed.push(&candidate.pool);
        let (pool, coin) = (escape(&candidate.pool), escape(&candidate.coin));
        let ready = if candidate.ready { "" } else { ", not ready" };
        let _ = match with_coins {
            true => write!(
                out,
                "<option value=\"{pool} {coin}\">{pool} ({coin}){ready}</option>"
            ),
            false => write!(out, "<option value=\"{pool}\">{pool}{ready}</option>"),
        };
    }
    out.push_str("</select></label> ");
}

fn times(out: &mut String, or_for_good: bool) {
    out.push_str("<label>for <select name=minutes>");
    for minutes in TIMES {
        let _ = write!(out, "<option value={minutes}>{}</option>", long(minutes));
    }
    if or_for_good {
        out.push_str("<option value=\"\">good</option>");
    }
    out.push_str("</select></label> ");
}

fn names(out: &mut String, token: &str, views: &Views) {
    out.push_str("<section class=card><h2>Names of miners</h2>");
    form(out, token, "name");
    out.push_str(
        "<p><label>Worker <input name=worker required maxlength=63></label> \
         <label>is called <input name=name maxlength=40></label> <button>Name it</button></p>\
         <p class=soft>Leave the name empty to take it back.</p></form>",
    );
    let all = views.operator.names.all();
    if !all.is_empty() {
        out.push_str("<div class=wide tabindex=0 role=region aria-label=\"Names\"><table><tr><th>Worker<th>Name</tr>");
        for (worker, name) in all.iter().take(NAMES) {
            let _ = write!(out, "<tr><td>{}<td>{}</tr>", escape(worker), escape(name));
        }
        out.push_str("</table></div>");
        if let Some(more @ 1..) = all.len().checked_sub(NAMES) {
            let _ = write!(out, "<p>{more} more are in /api/miners.</p>");
        }
    }
    out.push_str("</section>");
}

fn support(out: &mut String, token: &str) {
    out.push_str(
        "<section class=card><h2>Support bundle</h2><p>Configuration without secrets, state, the newest events \
         and decisions, and the log: for whoever helps you. Read it before you give it away.</p>",
    );
    form(out, token, "support-bundle");
    out.push_str("<button>Download</button></form></section>");
}

fn machine(out: &mut String, token: &str, views: &Views) {
    out.push_str("<section class=card><h2>This machine</h2>");
    if views.operator.machine.is_none() {
        out.push_str(
            "<p>It was not started from the card's image: restart and update it with its own system's tools.</p>\
             </section>",
        );
        return;
    }
    form(out, token, "update");
    out.push_str(
        "<p><label>Release to install; empty: the one that central wants<br>\
         <input type=url name=url maxlength=500 placeholder=\"https://\"></label></p>\
         <button>Update ...</button></form>",
    );
    form(out, token, "reboot");
    out.push_str("<p><button>Restart ...</button></p></form></section>");
}
