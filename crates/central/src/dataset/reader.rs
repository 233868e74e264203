//! Reads members out of JSON values, and notes each mistake instead of stopping at it.

use super::Fault;
use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// A value in a message is cut here; a file may hold anything.
const SHOWN: usize = 60;

#[derive(Default)]
pub(super) struct Reader {
    pub faults: Vec<Fault>,
}

impl Reader {
    pub fn fault(&mut self, place: &str, value: String, remedy: &str) {
        self.faults.push(Fault {
            place: place.into(),
            value,
            remedy: remedy.into(),
        });
    }

    /// Refuses members that are not in `keys`: a misspelt one would be ignored silently.
    pub fn object<'v>(&mut self, at: &str, value: &'v Value, keys: &[&str]) -> Option<&'v Object> {
        let Some(object) = value.as_object() else {
            self.fault(at, shown(value), "write an object: { ... }");
            return None;
        };
        for key in object.keys().filter(|key| !keys.contains(&key.as_str())) {
            let remedy = format!("not known here; use {}", keys.join(", "));
            self.fault(at, format!("member {key:?}"), &remedy);
        }
        Some(object)
    }

    /// The items of a list, each with its place.
    pub fn list<'v>(
        &mut self,
        at: &str,
        object: &'v Object,
        key: &str,
        required: bool,
    ) -> Vec<(String, &'v Value)> {
        let place = join(at, key);
        match object.get(key) {
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| (format!("{place}[{index}]"), item))
                .collect(),
            None if !required => Vec::new(),
            None => {
                self.fault(&place, "is missing".into(), "write a list: [ ... ]");
                Vec::new()
            }
            Some(other) => {
                self.fault(&place, shown(other), "write a list: [ ... ]");
                Vec::new()
            }
        }
    }

    pub fn text(
        &mut self,
        at: &str,
        object: &Object,
        key: &str,
        good: impl Fn(&str) -> bool,
        remedy: &str,
    ) -> Option<String> {
        let text = object.get(key).and_then(Value::as_str);
        match text.filter(|text| good(text)) {
            Some(text) => Some(text.into()),
            None => self.refuse(at, object, key, remedy),
        }
    }

    pub fn number(
        &mut self,
        at: &str,
        object: &Object,
        key: &str,
        good: impl Fn(f64) -> bool,
        remedy: &str,
    ) -> Option<f64> {
        let number = object.get(key).and_then(Value::as_f64);
        match number.filter(|number| good(*number)) {
            Some(number) => Some(number),
            None => self.refuse(at, object, key, remedy),
        }
    }

    pub fn optional_number(
        &mut self,
        at: &str,
        object: &Object,
        key: &str,
        good: impl Fn(f64) -> bool,
        remedy: &str,
    ) -> Option<f64> {
        object.get(key)?;
        self.number(at, object, key, good, remedy)
    }

    fn refuse<T>(&mut self, at: &str, object: &Object, key: &str, remedy: &str) -> Option<T> {
        let value = object.get(key).map_or("is missing".into(), shown);
        self.fault(&join(at, key), value, remedy);
        None
    }
}

fn join(at: &str, key: &str) -> String {
    match at {
        "" => key.into(),
        at => format!("{at}.{key}"),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
