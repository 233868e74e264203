//! Secrets of a farm.toml: taken off the card once the appliance has them, and put
//! back into a later file from what was kept.
//!
//! A card is lent, lost and thrown away. On it stands [`KEPT`] in place of a secret,
//! and means: what you had before. Sections are told apart by what they are for, not
//! by their order.

use crate::config::Problem;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::de::DeTable;

/// What stands on the card where a secret stood.
pub const KEPT: &str = "kept-on-the-appliance";
/// A password that pools ask for and nobody reads.
const FILLER: &str = "x";

#[derive(Debug)]
struct Found {
    /// `account[coin = BTC].password`: it had the same name in the file before.
    name: String,
    value: String,
    /// With its quotes.
    span: Range<usize>,
}

/// Where secrets stand: section, the keys that say whom the secret is for, the
/// secret. One that is kept must not be told to anybody else.
const SECRETS: [(&str, &[&str], &str); 4] = [
    ("central", &["url"], "token"),
    ("account", &["pool", "coin"], "password"),
    ("pool", &["id", "url"], "password"),
    ("network", &["wifi_ssid"], "wifi_password"),
];

/// Empty for what is no TOML: then there is nothing to be saved either.
fn find(text: &str) -> Vec<Found> {
    let Ok(root) = DeTable::parse(text) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (section, told_by, key) in SECRETS {
        let Some(value) = root.get_ref().get(section) else {
            continue;
        };
        let value = value.get_ref();
        let several = value.as_array().into_iter().flat_map(|list| list.iter());
        let tables = several.filter_map(|entry| entry.get_ref().as_table());
        let tables = value.as_table().into_iter().chain(tables);
        found.extend(tables.filter_map(|table| one(section, table, told_by, key)));
    }
    found.sort_by_key(|found| found.span.start);
    found
}

fn one(section: &str, table: &DeTable<'_>, told_by: &[&str], key: &str) -> Option<Found> {
    let string = |key: &str| {
        let value = table.get(key)?;
        Some((value.get_ref().as_str()?.to_owned(), value.span()))
    };
    let (value, span) = string(key)?;
    let whom = told_by
        .iter()
        .filter_map(|by| Some(format!("{by} = {}", string(by)?.0)));
    let whom: Vec<String> = whom.collect();
    let name = format!("{section}[{}].{key}", whom.join(", "));
    Some(Found { name, value, span })
}

/// The text with [`KEPT`] in place of its secrets.
pub fn hide(text: &str) -> String {
    exchange(text, |found| {
        (found.value != FILLER).then(|| KEPT.to_owned())
    })
}

/// The text with the secrets that `before` has, where it says [`KEPT`].
pub fn fill_in(text: &str, before: Option<&str>) -> Result<String, Vec<Problem>> {
    let kept: BTreeMap<String, String> = find(before.unwrap_or(""))
        .into_iter()
        .filter(|found| found.value != KEPT)
        .map(|found| (found.name, found.value))
        .collect();
    let lost = find(text)
        .into_iter()
        .filter(|found| found.value == KEPT && !kept.contains_key(&found.name));
    let problems: Vec<Problem> = lost.map(|found| problem(text, &found)).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(exchange(text, |found| {
        let is_hidden = found.value == KEPT;
        is_hidden.then(|| kept[&found.name].clone())
    }))
}

fn problem(text: &str, found: &Found) -> Problem {
    let before = &text[..found.span.start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Problem {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        key: found.name.clone(),
        value: Some(format!("\"{KEPT}\"")),
        what: "this appliance keeps nothing under that name".to_owned(),
        remedy: "write the secret itself".to_owned(),
    }
}

fn exchange(text: &str, with: impl Fn(&Found) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for found in find(text) {
        if let Some(value) = with(&found) {
            out.push_str(&text[done..found.span.start]);
            out.push_str(&toml::Value::String(value).to_string());
            done = found.span.end;
        }
    }
    out.push_str(&text[done..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const FARM: &str = "\u{feff}[farm]\r\nname = \"barn\"\r\n\
        [central]\r\nurl = \"http://c\"\r\ntoken = \"t0ken\" # from the portal\r\n\
        [[account]]\r\ncoin = \"BTC\"\r\nuser = \"u\"\r\npassword = 'pa\"ss'\r\n\
        [[account]]\r\npool = \"solo\"\r\nuser = \"u\"\r\npassword = \"x\"\r\n\
        [[pool]]\r\nid = \"solo\"\r\npassword = \"\"\"long\none\"\"\"\r\n";

    #[test]
    fn what_was_hidden_is_filled_in_again() {
        let hidden = hide(FARM);
        for secret in ["t0ken", "pa\"ss", "long"] {
            assert!(!hidden.contains(secret), "{hidden}");
        }
        assert_eq!(hidden.matches(KEPT).count(), 3, "x is no secret");
        assert!(hidden.contains("# from the portal\r\n"), "{hidden}");
        let filled = fill_in(&hidden, Some(FARM)).expect("all kept");
        let values = |text: &str| -> Vec<_> {
            let found = find(text).into_iter();
            found.map(|found| (found.name, found.value)).collect()
        };
        assert_eq!(values(&filled), values(FARM));
        assert_eq!(hide(&hidden), hidden);
    }

    #[test]
    fn sections_may_change_their_order_and_a_new_secret_goes_before_a_kept_one() {
        let later = "[central]\nurl = \"http://c\"\ntoken = \"new\"\n\
            [[account]]\npool = \"solo\"\npassword = \"kept-on-the-appliance\"\n\
            [[account]]\ncoin = \"BTC\"\npassword = \"kept-on-the-appliance\"\n";
        let filled = fill_in(later, Some(FARM)).expect("both kept");
        assert!(filled.contains("token = \"new\""), "{filled}");
        let solo = filled.find("\"x\"").expect("filled in");
        assert!(solo < filled.find("pa\"ss").expect("filled in"));
    }

    #[test]
    fn what_nobody_kept_is_named_with_its_line() {
        let text = "[central]\ntoken = \"kept-on-the-appliance\"\n";
        for before in [None, Some("[farm]\n"), Some(text), Some("no [toml")] {
            let problems = fill_in(text, before).expect_err("nothing kept");
            assert_eq!((problems[0].line, problems[0].column), (2, 9));
            assert_eq!(
                problems[0].to_string(),
                "central[].token = \"kept-on-the-appliance\" — this appliance keeps nothing under \
                 that name; write the secret itself"
            );
        }
    }

    #[test]
    fn what_is_no_toml_is_left_alone() {
        assert_eq!(hide("[central\ntoken = \"a\""), "[central\ntoken = \"a\"");
        assert_eq!(fill_in("= =", None).as_deref(), Ok("= ="));
    }
}
