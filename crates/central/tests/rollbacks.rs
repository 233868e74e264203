//! Releases that halt themselves: what farms tell of updates, and what comes of it at every
//! replica.

mod support;

use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use support::request::ask;
use support::{Api, Central, OPERATOR, STARTER, eventually};

const NOW: u64 = 1_790_000_000;
const VERSION: &str = "1.1.0";

/// Two replicas, some farms, and one release that all of them are offered.
struct Fleet {
    central: Central,
    replicas: [Api; 2],
    tokens: Vec<String>,
}

impl Fleet {
    fn new(farms: usize) -> Self {
        let central = Central::new();
        central.import(STARTER);
        // Many farms report at once here.
        let start = || central.serve_with(&["--address-burst", "100000"]);
        let replicas = [start(), start()];
        replicas.iter().for_each(Api::wait_until_ready);
        // The operator's rate would hold up forty farms.
        let enrol = |n| central.enrol(&format!("farm-{n}"));
        let tokens = (0..farms).map(enrol).collect();
        let fleet = Self {
            central,
            replicas,
            tokens,
        };
        fleet.add(VERSION, "pi");
        fleet
    }

    fn add(&self, version: &str, board: &str) {
        let release = json!({"version": version, "board": board, "url": "https://x.example/i.img",
            "sha256": "0".repeat(64), "size": 5, "rollback_index": 1, "wave_percent": 100});
        let added = self.replicas[0].send("POST", "/api/v1/releases", OPERATOR, &release);
        assert_eq!(added.status, 201, "{added:?}");
        self.all_are_offered(true);
    }

    /// What this farm tells of the release, by a replica of its own; its status.
    fn sends(&self, farm: usize, reports: &[Value]) -> u16 {
        let body = json!({"version": 1, "reports": reports});
        let api = &self.replicas[farm % 2];
        api.send("POST", "/api/v1/reports", &self.tokens[farm], &body)
            .status
    }

    fn tells(&self, farm: usize, report: &Value) {
        assert_eq!(self.sends(farm, std::slice::from_ref(report)), 200);
    }

    fn sends_later(&self, replica: usize, farm: usize, report: &Value) -> JoinHandle<u16> {
        let address = self.replicas[replica].address.clone();
        let token = self.tokens[farm].clone();
        let body = json!({"version": 1, "reports": [report]}).to_string();
        thread::spawn(move || {
            let json = [("content-type", "application/json")];
            let (token, body) = (Some(token.as_str()), Some(body.as_bytes()));
            ask(&address, "POST", "/api/v1/reports", token, &json, body).status
        })
    }

    fn all_are_offered(&self, offered: bool) {
        for api in &self.replicas {
            for token in &self.tokens {
                eventually("the release is offered, or not any more", || {
                    let answer = api.get_as(token, "/api/v1/release?board=pi");
                    assert!([200, 204].contains(&answer.status), "{answer:?}");
                    (answer.status == 200) == offered
                });
            }
        }
    }

    fn change(&self, change: &Value) -> Value {
        let path = format!("/api/v1/releases/{VERSION}");
        let answer = self.replicas[0].send("PATCH", &path, OPERATOR, change);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["items"][0].clone()
    }

    /// As the operator sees it.
    fn release(&self) -> Value {
        let answer = self.replicas[1].ask("GET", "/api/v1/releases", Some(OPERATOR), &[], None);
        let list = answer.json();
        let items = list["items"].as_array().expect("items");
        let found = items.iter().find(|item| item["version"] == VERSION);
        found.expect("there").clone()
    }

    /// Kept, rolled back, refused.
    fn counts(&self) -> [u64; 3] {
        self.counts_on("pi")
    }

    fn counts_on(&self, board: &str) -> [u64; 3] {
        let answer = self.replicas[0].ask("GET", "/api/v1/releases", Some(OPERATOR), &[], None);
        let list = answer.json();
        let mut items = list["items"].as_array().expect("items").iter();
        let release = items.find(|item| item["version"] == VERSION && item["board"] == board);
        let release = release.expect("there");
        ["kept", "rolled_back", "refused"].map(|name| release[name].as_u64().expect("a count"))
    }

    fn is_halted(&self) -> bool {
        self.release()["halted"] == true
    }
}

/// With an id of its own, later than those before.
fn report(outcome: &str) -> Value {
    report_of(VERSION, outcome)
}

fn report_of(release: &str, outcome: &str) -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    json!({"id": format!("r{n}"), "created_at": NOW + n, "appliance": "0.1.0", "uptime": 60,
           "sequence": 5, "state": "mining", "algorithms": {},
           "update": {"release": release, "outcome": outcome, "reason": "a test"}})
}

#[test]
fn two_of_forty_farms_roll_back_and_the_release_is_halted_until_the_operator_takes_it_up() {
    let fleet = Fleet::new(40);
    let mut sent: Vec<(usize, Value)> = (0..38).map(|farm| (farm, report("kept"))).collect();
    sent.push((38, report("rolled-back")));
    for (farm, report) in &sent {
        fleet.tells(*farm, report);
    }
    let release = fleet.release();
    assert_eq!(
        (&release["halted"], fleet.counts()),
        (&json!(false), [38, 1, 0])
    );
    assert_eq!(release["halted_reason"], Value::Null);

    // The second one.
    sent.push((39, report("rolled-back")));
    fleet.tells(39, &sent[39].1);
    fleet.all_are_offered(false);
    let halted = fleet.release();
    assert_eq!(
        (&halted["halted"], fleet.counts()),
        (&json!(true), [38, 2, 0])
    );
    assert_eq!(
        halted["halted_reason"],
        "rolled back by 2 of 40 farms that tried it on pi; 2 farms and 5 % are enough"
    );
    assert!(halted["halted_at"].as_u64().is_some(), "{halted}");
    let line = fleet.replicas[1].wait_for_log("is halted");
    assert!(
        line.contains("release 1.1.0 is halted: rolled back by 2"),
        "{line}"
    );

    let again = || {
        for (farm, report) in &sent {
            fleet.tells(*farm, report);
        }
    };
    again();
    assert_eq!(fleet.release(), halted, "reports that are sent again");

    let taken_up = fleet.change(&json!({"halted": false}));
    for (member, value) in [
        ("halted", json!(false)),
        ("halted_at", Value::Null),
        ("halted_reason", Value::Null),
        ("rolled_back", json!(2)),
    ] {
        assert_eq!(taken_up[member], value, "{member}");
    }
    fleet.all_are_offered(true);
    // Neither the same reports nor later ones of the same farms are new rollbacks.
    again();
    for farm in [38, 39] {
        fleet.tells(farm, &report("rolled-back"));
    }
    fleet.tells(3, &report("kept"));
    assert_eq!(fleet.release(), taken_up);

    // The third one is.
    fleet.tells(3, &report("rolled-back"));
    fleet.all_are_offered(false);
    let halted = fleet.release();
    assert_eq!(fleet.counts(), [37, 3, 0]);
    assert_eq!(
        halted["halted_reason"],
        "rolled back by 3 of 40 farms that tried it on pi; 2 farms and 5 % are enough"
    );
}

#[test]
fn the_first_rollback_halts_what_nobody_has_kept_and_refusals_halt_nothing() {
    let fleet = Fleet::new(4);
    for farm in 0..3 {
        fleet.tells(farm, &report("refused"));
    }
    assert!(!fleet.is_halted());
    fleet.tells(3, &report("rolled-back"));
    fleet.all_are_offered(false);
    assert_eq!(fleet.counts(), [0, 1, 3]);
    assert_eq!(
        fleet.release()["halted_reason"],
        "rolled back by 1 of 1 farms that tried it on pi, and kept by none; 1 of these is enough"
    );

    // One that was kept elsewhere can have one farm at fault.
    fleet.change(&json!({"halted": false}));
    fleet.tells(3, &report("kept"));
    fleet.tells(0, &report("rolled-back"));
    assert_eq!((fleet.is_halted(), fleet.counts()), (false, [1, 1, 2]));
}

#[test]
fn neither_another_board_nor_a_refusal_speaks_for_a_release() {
    let fleet = Fleet::new(4);
    fleet.add(VERSION, "other");
    // A hundred farms of another board keep it, a hundred of this one never started it.
    fleet.central.sql(&format!(
        "INSERT INTO farms (name, token_sha256)
             SELECT 'more-' || n, sha256(n::text::bytea) FROM generate_series(1, 200) n;
         INSERT INTO farm_state (farm, board)
             SELECT id, CASE WHEN id % 2 = 0 THEN 'other' ELSE 'pi' END FROM farms WHERE name LIKE 'more-%';
         INSERT INTO release_outcomes (version, farm, outcome, reason, reported_at)
             SELECT '{VERSION}', farm, CASE board WHEN 'other' THEN 'kept' ELSE 'refused' END, '', now()
             FROM farm_state WHERE farm IN (SELECT id FROM farms WHERE name LIKE 'more-%');
         INSERT INTO farm_state (farm, board) SELECT id, 'pi' FROM farms WHERE name LIKE 'farm-%'
             ON CONFLICT (farm) DO UPDATE SET board = 'pi'"
    ));
    fleet.tells(0, &report("kept"));
    fleet.tells(1, &report("kept"));
    fleet.tells(2, &report("rolled-back"));
    assert!(!fleet.is_halted(), "one may be its own fault");
    fleet.tells(3, &report("rolled-back"));
    fleet.all_are_offered(false);
    assert_eq!(fleet.counts(), [2, 2, 100]);
    assert_eq!(fleet.counts_on("other"), [100, 0, 0]);
    // The halt is on both.
    let sql = "SELECT string_agg(halted_reason, '|') FROM releases WHERE halted";
    let reason = "rolled back by 2 of 4 farms that tried it on pi; 2 farms and 5 % are enough";
    assert_eq!(fleet.central.sql(sql), format!("{reason}|{reason}"));
}

#[test]
fn a_farm_counts_once_by_the_newest_that_it_told() {
    let fleet = Fleet::new(3);
    let older = report("rolled-back");
    // One body, in whatever order: it rolled back, was tried once more and is kept.
    let (back, kept) = (report("rolled-back"), report("kept"));
    assert_eq!(fleet.sends(0, &[kept, back]), 200);
    assert_eq!((fleet.is_halted(), fleet.counts()), (false, [1, 0, 0]));
    // An outbox that is drained late does not take that back.
    fleet.tells(0, &older);
    assert_eq!((fleet.is_halted(), fleet.counts()), (false, [1, 0, 0]));

    // A body of which a part is new: the part that is old has been told, and of two at the
    // same second the one that came last stays.
    let (first, mut second, mut third) = (report("rolled-back"), report("kept"), report("kept"));
    second["created_at"] = first["created_at"].clone();
    fleet.tells(1, &first);
    fleet.tells(1, &second);
    third["update"] = Value::Null;
    assert_eq!(fleet.sends(1, &[first, third.clone()]), 200);
    assert_eq!((fleet.is_halted(), fleet.counts()), (false, [2, 0, 0]));
    third["id"] = json!("newest");
    third["update"] = report("kept")["update"].clone();
    fleet.tells(1, &third);
    let farm = fleet.replicas[0].ask("GET", "/api/v1/farms/farm-1", Some(OPERATOR), &[], None);
    assert_eq!(
        farm.json()["update"],
        json!({"release": VERSION, "outcome": "kept", "reason": "a test"})
    );
}

#[test]
fn farms_and_releases_that_are_not_known_change_nothing() {
    let fleet = Fleet::new(2);
    for release in ["1.1", "9.9.9", "1.1.0-rc"] {
        fleet.tells(0, &report_of(release, "rolled-back"));
        fleet.tells(1, &report_of(release, "rolled-back"));
    }
    let disabled = json!({"disabled": true});
    let path = "/api/v1/farms/farm-1";
    let answer = fleet.replicas[0].send("PATCH", path, OPERATOR, &disabled);
    assert_eq!(answer.status, 200);
    eventually("a disabled farm is refused", || {
        fleet.sends(1, &[report("rolled-back")]) == 401
    });
    let body = json!({"version": 1, "reports": [report("rolled-back")]});
    let stranger = format!("smf_{}", "x".repeat(43));
    let refused = fleet.replicas[0].send("POST", "/api/v1/reports", &stranger, &body);
    assert_eq!(refused.problem(401), "token");
    // A body that is refused tells nothing either.
    let odd = json!({"release": VERSION, "outcome": "rolled-back", "reason": "two\nlines"});
    let mut bad = report("rolled-back");
    bad["update"] = odd;
    assert_eq!(fleet.sends(0, &[report("rolled-back"), bad]), 422);
    let known = report("kept");
    fleet.tells(0, &known);
    let mut other = known;
    other["uptime"] = json!(61);
    assert_eq!(fleet.sends(0, &[report("rolled-back"), other]), 409);
    assert_eq!((fleet.is_halted(), fleet.counts()), (false, [1, 0, 0]));
    let stored = fleet.central.sql("SELECT count(*) FROM release_outcomes");
    assert_eq!(stored, "1");
}

#[test]
fn what_the_operator_halted_is_his_and_the_rule_halts_all_boards() {
    let fleet = Fleet::new(6);
    fleet.add(VERSION, "other");
    let halted = fleet.change(&json!({"halted": true}));
    assert_eq!(halted["halted_reason"], Value::Null);
    assert!(halted["halted_at"].as_u64().is_some());
    for farm in 0..3 {
        fleet.tells(farm, &report("rolled-back"));
    }
    let told = fleet.release();
    assert_eq!(told["halted_reason"], Value::Null, "it was halted already");
    assert_eq!(told["halted_at"], halted["halted_at"]);
    // He saw them when he took it up again.
    fleet.change(&json!({"halted": false, "wave_percent": 50}));
    assert!(!fleet.is_halted());
    fleet.tells(3, &report("rolled-back"));
    let sql = "SELECT count(*) FROM releases WHERE halted AND halted_reason LIKE '%by 4 of 4%'";
    assert_eq!(fleet.central.sql(sql), "2");
    // Halting it once more, and widening it, leaves the reason.
    let again = fleet.change(&json!({"halted": true, "wave_percent": 60}));
    assert!(
        again["halted_reason"]
            .as_str()
            .expect("kept")
            .contains("4 of 4")
    );
}

#[test]
fn rollbacks_at_the_same_moment_are_each_counted_once_and_none_is_missed() {
    let fleet = Fleet::new(24);
    for farm in 0..4 {
        fleet.tells(farm, &report("kept"));
    }
    // Four reports of each of twenty farms, at both replicas at once.
    let senders: Vec<_> = (4..24)
        .flat_map(|farm| [farm; 4])
        .enumerate()
        .map(|(n, farm)| fleet.sends_later(n % 2, farm, &report("rolled-back")))
        .collect();
    for sender in senders {
        assert_eq!(sender.join().expect("sent"), 200);
    }
    fleet.all_are_offered(false);
    assert_eq!(fleet.counts(), [4, 20, 0]);
    // Two halt it. Those that came later found it halted.
    let reason = fleet.release()["halted_reason"].to_string();
    let figures: Vec<u64> = reason
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!(figures[0] >= 2 && figures[1] == figures[0] + 4, "{reason}");
}

#[test]
fn of_two_rollbacks_at_the_same_moment_the_second_sees_both() {
    let fleet = Fleet::new(3);
    for n in 0..30 {
        let version = format!("2.0.{n}");
        fleet.central.sql(&format!(
            "INSERT INTO releases (version, board, url, sha256, size, rollback_index, wave_percent)
             VALUES ('{version}', 'pi', 'https://x.example/i', repeat('0', 64), 5, 1, 100)"
        ));
        fleet.tells(0, &report_of(&version, "kept"));
        let back = || report_of(&version, "rolled-back");
        let senders = [1, 2].map(|farm| fleet.sends_later(farm % 2, farm, &back()));
        for sender in senders {
            assert_eq!(sender.join().expect("sent"), 200);
        }
    }
    let sql = "SELECT count(*) FROM releases WHERE halted AND halted_reason LIKE '%2 of 3 farms that tried it on pi;%'";
    assert_eq!(fleet.central.sql(sql), "30");
}
