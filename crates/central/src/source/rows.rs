//! Rows that survive a bad neighbour.
//!
//! A table is split into rows first and each row is read on its own; within a
//! row each field is. What cannot be read is absent or reported, and the rest
//! still counts.

use super::Num;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// An array, its rows not yet read.
pub type Rows = Vec<Box<RawValue>>;
/// An object that is a table: the key names the row.
pub type NamedRows = BTreeMap<String, Box<RawValue>>;

/// Reasons to leave a row out.
pub const NOT_IN_CATALOG: &str = "not in the catalog";
pub const NOT_READABLE: &str = "not of the expected form";
pub const OTHER_ALGORITHM: &str = "its algorithm is not one of the coin's";
pub const PSEUDO_COIN: &str = "a market's pseudo row, not a coin";

/// One row, if it is an object of this shape.
pub fn read<T: DeserializeOwned>(row: &RawValue) -> Option<T> {
    // An array would be taken for the fields in their order.
    let object = row.get().trim_start().starts_with('{');
    object
        .then(|| serde_json::from_str(row.get()).ok())
        .flatten()
}

/// A text, or a number or truth value as it is written; else absent. Use with
/// `#[serde(default)]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Box<RawValue> = Deserialize::deserialize(deserializer)?;
        Ok(Self(match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw.get()).ok(),
            Some(b'n' | b'[' | b'{') | None => None,
            Some(_) => Some(raw.get().to_owned()),
        }))
    }
}

impl Text {
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// The number in `$1,234.56`, or one written plainly.
    pub fn grouped_number(&self) -> Num {
        let text = self.as_str().trim();
        let digits = text.strip_prefix('$').unwrap_or(text).replace(',', "");
        Num::of_text(&digits)
    }
}

/// A part of a row that may be missing or of another shape. Use with
/// `#[serde(default)]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maybe<T>(pub Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Box<RawValue> = Deserialize::deserialize(deserializer)?;
        Ok(Self(read(&raw)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Row {
        #[serde(default)]
        id: Text,
        #[serde(default)]
        price: Num,
        #[serde(default)]
        part: Maybe<Part>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Part {
        #[serde(default)]
        deep: Num,
    }

    #[test]
    fn a_bad_field_or_row_spoils_nothing_else() {
        let text = r#"[{"id":7,"price":"x","part":{"deep":"1.5"}},
            {"id":"a","price":2,"part":[3]}, 5, ["b",2], {"id":null,"part":null}]"#;
        let rows: Rows = serde_json::from_str(text).expect("an array");
        let read: Vec<Option<Row>> = rows.iter().map(|row| super::read(row)).collect();
        let row = |n: usize| read[n].as_ref().expect("a row");
        assert_eq!(row(0).id.as_str(), "7");
        assert_eq!(row(0).price, Num(None));
        let deep = row(0).part.0.as_ref().and_then(|part| part.deep.positive());
        assert_eq!(deep, "1.5".parse().ok());
        assert_eq!(row(1).id.as_str(), "a");
        assert_eq!(row(1).part.0, None);
        assert!(read[2].is_none() && read[3].is_none());
        assert_eq!(row(4).id.as_str(), "");
    }

    #[test]
    fn grouped_numbers_lose_their_commas() {
        let number = |text: &str| Text(Some(text.to_owned())).grouped_number().positive();
        assert_eq!(number("12,345"), Some(12345.into()));
        assert_eq!(number("$9,876,543.21"), "9876543.21".parse().ok());
        assert_eq!(number("$0.00"), None);
        assert_eq!(number("n/a"), None);
    }
}
