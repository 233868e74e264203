//! The table, and the same numbers as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    Number(f64),
    Never,
}

pub struct Column {
    pub name: String,
    figures: BTreeMap<&'static str, Figure>,
}

struct Row {
    key: &'static str,
    label: &'static str,
    /// Whether the appliance's share of the direct figure says something.
    ratio: bool,
}

const fn row(key: &'static str, label: &'static str, ratio: bool) -> Row {
    Row { key, label, ratio }
}

const ROWS: &[Row] = &[
    row(
        "connect_ms",
        "connect: all have a job, median of 3, ms",
        true,
    ),
    row("notify_p50_ms", "notify p50, ms", true),
    row("notify_p99_ms", "notify p99, ms", true),
    row("notify_max_ms", "notify max, ms", true),
    row("notify_missed", "notify: jobs that did not arrive", false),
    row("rtt_200_p50_ms", "share answer at 200/s p50, ms", true),
    row("rtt_200_p99_ms", "share answer at 200/s p99, ms", true),
    row("rtt_2000_p50_ms", "share answer at 2,000/s p50, ms", true),
    row("rtt_2000_p99_ms", "share answer at 2,000/s p99, ms", true),
    row("max_shares", "sustained shares/s", true),
    row("rss_idle_kib", "memory idle, KiB", false),
    row("rss_connected_kib", "memory with all miners, KiB", false),
    row("rss_storms_kib", "memory after 3 storms, KiB", false),
    row("kib_per_miner", "memory a miner, KiB", false),
    row(
        "rss_growth_kib",
        "memory growth over the storms, KiB",
        false,
    ),
    row(
        "storm_ms",
        "storm: all have a job again, worst of 3, ms",
        true,
    ),
    row("cpu_idle_ms", "CPU a second with idle miners, ms", false),
    row("cpu_shares_ms", "CPU per 1,000 shares, ms", false),
    row("cpu_notify_ms", "CPU per 1,000 notifies, ms", false),
    row("wan_mined", "WAN: shares mined", false),
    row("wan_connections", "WAN: connections", true),
    row("wan_from_farm", "WAN: bytes to the pool", true),
    row("wan_to_farm", "WAN: bytes from the pool", true),
    row("wan_shares", "WAN: shares sent up", true),
    row("kill_ms", "pool killed: all work for B, ms", false),
    row("kill_dropped", "pool killed: miners dropped", false),
    row("kill_failed", "pool killed: shares refused or lost", false),
    row("blackhole_ms", "pool silent: all work for B, ms", false),
    row("blackhole_dropped", "pool silent: miners dropped", false),
    row(
        "blackhole_failed",
        "pool silent: shares refused or lost",
        false,
    ),
    row("refused", "shares refused while the pool is well", false),
    row("strays", "answers to the wrong miner", false),
    row("false_accepts", "false accepts", false),
];

impl Column {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            figures: BTreeMap::new(),
        }
    }

    pub fn set(&mut self, key: &'static str, figure: Figure) {
        self.figures.insert(key, figure);
    }

    pub fn number(&mut self, key: &'static str, number: impl Into<Option<f64>>) {
        if let Some(number) = number.into() {
            self.set(key, Figure::Number(number));
        }
    }

    pub fn count(&mut self, key: &'static str, count: usize) {
        self.number(key, count as f64);
    }

    /// Adds to a figure that several scenarios share.
    pub fn add(&mut self, key: &'static str, count: usize) {
        let before = self.plain(key).unwrap_or(0.0);
        self.number(key, before + count as f64);
    }

    fn plain(&self, key: &str) -> Option<f64> {
        match self.figures.get(key)? {
            Figure::Number(number) => Some(*number),
            Figure::Never => None,
        }
    }

    fn cell(&self, row: &Row, direct: Option<&Self>) -> String {
        let number = match self.figures.get(row.key) {
            None => return "–".to_owned(),
            Some(Figure::Never) => return "never".to_owned(),
            Some(Figure::Number(number)) => *number,
        };
        let base = direct.and_then(|column| column.plain(row.key));
        match base {
            Some(base) if row.ratio && base > 0.0 => {
                format!("{} (×{})", human(number), human(number / base))
            }
            Some(_) | None => human(number),
        }
    }
}

/// Three digits that count, thousands apart.
fn human(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if size < 10.0 {
        return format!("{number:.*}", if size < 0.1 { 4 } else { 2 });
    }
    if size < 100.0 {
        return format!("{number:.1}");
    }
    let digits = format!("{:.0}", size);
    let mut text = if number < 0.0 { "-" } else { "" }.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub fn markdown(miners: u32, columns: &[Column]) -> String {
    let direct = columns.iter().find(|column| column.name == "none");
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    let mut text = format!("| {miners} miners | {} |\n", names.join(" | "));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "|---|{}", "---:|".repeat(columns.len()));
    for row in ROWS {
        if columns
            .iter()
            .all(|column| !column.figures.contains_key(row.key))
        {
            continue;
        }
        let cells: Vec<String> = columns
            .iter()
            .map(|column| column.cell(row, direct.filter(|_| column.name == "appliance")))
            .collect();
        let _ = writeln!(text, "| {} | {} |", row.label, cells.join(" | "));
    }
    text
}

pub fn json(miners: u32, columns: &[Column]) -> Value {
    let figures = |column: &Column| -> Map<String, Value> {
        let value = |figure: &Figure| match figure {
            Figure::Number(number) => json!(number),
            Figure::Never => json!("never"),
        };
        let pairs = column.figures.iter();
        pairs
            .map(|(key, figure)| ((*key).to_owned(), value(figure)))
            .collect()
    };
    let proxies: Map<String, Value> = columns
        .iter()
        .map(|column| (column.name.clone(), figures(column).into()))
        .collect();
    json!({ "miners": miners, "proxies": proxies })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (0.0, "0"),
            (0.01234, "0.0123"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (1234.5, "1,234"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(human(number), text);
        }
    }

    #[test]
    fn the_appliance_is_set_in_relation_to_none() {
        let mut none = Column::new("none");
        none.number("connect_ms", 100.0);
        let mut appliance = Column::new("appliance");
        appliance.number("connect_ms", 150.0);
        appliance.set("kill_ms", Figure::Never);
        let text = markdown(7, &[none, appliance]);
        assert!(text.contains("| 7 miners | none | appliance |"), "{text}");
        assert!(text.contains("ms | 100 | 150 (×1.50) |"), "{text}");
        assert!(text.contains("| – | never |"), "{text}");
    }
}
