//! Every event there is. A code stays the same over releases: people search for it, and
//! docs/events.md says what each means and what to do (a test holds that to this table).

use log::Level;
use std::fmt;

macro_rules! codes {
    ($($variant:ident = $name:literal, $level:ident;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($variant,)*
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// A warning is what somebody should look at some time.
            pub const fn level(self) -> Level {
                match self {
                    $(Self::$variant => Level::$level,)*
                }
            }
        }
    };
}

codes! {
    Listening = "listening", Info;
    Started = "started", Info;
    Stopped = "stopped", Info;
    PowerCut = "power-cut", Warn;
    StoreRecovered = "store-recovered", Warn;
    StoreUnusable = "store-unusable", Warn;
    RouteChanged = "route-changed", Info;
    PoolFailed = "pool-failed", Warn;
    PoolReady = "pool-ready", Info;
    PoolNotice = "pool-notice", Info;
    SessionResumed = "session-resumed", Info;
    SessionLost = "session-lost", Warn;
    MinerRefused = "miner-refused", Warn;
    WorkerRefused = "worker-refused", Warn;
    MinerReconnects = "miner-reconnects", Info;
    NotAMiner = "not-a-miner", Info;
    MinerSilent = "miner-silent", Warn;
    MinerBack = "miner-back", Info;
    SnapshotAccepted = "snapshot-accepted", Info;
    SnapshotRefused = "snapshot-refused", Warn;
    CentralUnreachable = "central-unreachable", Warn;
    CentralBack = "central-back", Info;
    Update = "update", Info;
    ReportsNotTaken = "reports-not-taken", Warn;
    ReportsTaken = "reports-taken", Info;
    ReportRefused = "report-refused", Warn;
    ReportsDropped = "reports-dropped", Warn;
    OperatorPassword = "operator-password", Warn;
    OperatorLogin = "operator-login", Info;
    OperatorRefused = "operator-refused", Warn;
    OperatorPin = "operator-pin", Info;
    OperatorUnpin = "operator-unpin", Info;
    OperatorExclude = "operator-exclude", Info;
    OperatorInclude = "operator-include", Info;
    OperatorSync = "operator-sync", Info;
    OperatorName = "operator-name", Info;
    OperatorReboot = "operator-reboot", Info;
    OperatorUpdate = "operator-update", Info;
    OperatorBundle = "operator-bundle", Info;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const GUIDE: &str = include_str!("../../docs/events.md");

    /// Code, and the cells after it, of each row of the tables of codes.
    fn explained() -> BTreeMap<&'static str, Vec<Vec<&'static str>>> {
        let mut rows: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut is_table_of_codes = false;
        for line in GUIDE.lines() {
            if line.starts_with("| code |") {
                is_table_of_codes = true;
            } else if !line.starts_with('|') {
                is_table_of_codes = false;
            } else if is_table_of_codes && let Some(row) = line.strip_prefix("| `") {
                let (code, rest) = row.split_once("` |").expect("a code in its cell");
                let cells = rest.trim_end_matches('|').split(" | ").map(str::trim);
                rows.entry(code).or_default().push(cells.collect());
            }
        }
        rows
    }

    #[test]
    fn the_guide_explains_each_code_and_no_other() {
        let explained = explained();
        for code in Code::ALL {
            let rows = explained.get(code.name());
            let rows = rows.unwrap_or_else(|| panic!("docs/events.md says nothing of `{code}`"));
            for cells in rows {
                assert_eq!(cells.len(), 3, "`{code}`: subject, meaning, what to do");
                let is_empty = cells.iter().any(|cell| cell.is_empty());
                assert!(!is_empty, "`{code}`: {cells:?}");
                let is_trouble = code.level() <= Level::Warn;
                let says_what_to_do = cells[2] != "-";
                assert!(
                    says_what_to_do || !is_trouble,
                    "`{code}` is a warning, and nobody says what to do about it"
                );
            }
        }
        for code in explained.keys() {
            let known = Code::ALL.iter().any(|known| known.name() == *code);
            assert!(
                known,
                "docs/events.md explains `{code}`, which never happens"
            );
        }
    }

    #[test]
    fn codes_are_told_apart_and_can_be_typed() {
        let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        let plain = |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(names.iter().all(plain), "{names:?}");
    }
}
