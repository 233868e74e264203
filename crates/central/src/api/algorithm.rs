//! Names of algorithms in questions: the canonical ones and every alias of the field.

use super::problem::Problem;
use crate::source::catalog::Catalog;
use axum::http::StatusCode;
use smart_mining_wire::Algorithm;
use std::collections::BTreeSet;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The catalog tells variants apart that the wire contract has one name for.
const EQUIHASH: &str = "equihash-200-9";

/// One that farms can mine, by any of its names, in any case.
pub fn mineable(name: &str) -> Result<Algorithm, Problem> {
    parse(name).ok_or_else(|| {
        let known = Algorithm::ALL.map(Algorithm::name);
        bad(
            format!(
                "unknown algorithm {name:?}; use one of {}",
                known.join(", ")
            ),
            known,
        )
    })
}

pub fn missing() -> Problem {
    bad(
        "say which algorithm: ?algo=sha256d".into(),
        Algorithm::ALL.map(Algorithm::name),
    )
}

/// Any that the catalog knows; answers the catalog's name.
pub fn known(name: &str) -> Result<&'static str, Problem> {
    let catalog = Catalog::built_in();
    catalog.algorithm(name).ok_or_else(|| {
        let known = catalog.algorithms.keys().map(String::as_str);
        bad(format!("unknown algorithm {name:?}"), known)
    })
}

fn bad<'n>(detail: String, known: impl IntoIterator<Item = &'n str>) -> Problem {
    let known = known.into_iter().map(str::to_owned);
    Problem::new(StatusCode::BAD_REQUEST, "algorithm", detail).known(known)
}

fn parse(name: &str) -> Option<Algorithm> {
    let canonical = || match Catalog::built_in().algorithm(name)? {
        EQUIHASH => Some(Algorithm::Equihash),
        canonical => canonical.parse().ok(),
    };
    name.parse().ok().or_else(canonical)
}

/// How a pool of this algorithm is spoken to.
pub const fn dialect(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Sha256d | Algorithm::Scrypt | Algorithm::X16r => "sv1",
        Algorithm::Etchash => "ethereum",
        Algorithm::Kawpow => "kawpow",
        Algorithm::Randomx => "monero",
        Algorithm::Kheavyhash => "kaspa",
        Algorithm::Equihash => "equihash",
    }
}

/// The unit hashrates of an algorithm's miners are sold in, and its hashes per second.
pub const fn unit(algorithm: Algorithm) -> (&'static str, f64) {
    match algorithm {
        Algorithm::Sha256d => ("USD/TH/day", 1e12),
        Algorithm::Scrypt => ("USD/GH/day", 1e9),
        Algorithm::Etchash => ("USD/MH/day", 1e6),
        Algorithm::Kawpow => ("USD/MH/day", 1e6),
        Algorithm::Randomx => ("USD/kH/day", 1e3),
        Algorithm::Kheavyhash => ("USD/TH/day", 1e12),
        Algorithm::Equihash => ("USD/kSol/day", 1e3),
        Algorithm::X16r => ("USD/MH/day", 1e6),
    }
}

/// In the document: every spelling that [`mineable`] takes, in small letters.
pub struct Mineable;

impl PartialSchema for Mineable {
    fn schema() -> RefOr<Schema> {
        let catalog = Catalog::built_in();
        let aliases = catalog.algorithms.values().flat_map(|a| &a.aliases);
        let names = aliases.chain(catalog.algorithms.keys());
        let names = names.map(String::as_str);
        let canonical = Algorithm::ALL.map(Algorithm::name);
        one_of(names.filter(|name| parse(name).is_some()).chain(canonical)).into()
    }
}

impl ToSchema for Mineable {}

/// In the document: every spelling that [`known`] takes, in small letters.
pub struct Known;

impl PartialSchema for Known {
    fn schema() -> RefOr<Schema> {
        let catalog = Catalog::built_in();
        let aliases = catalog.algorithms.values().flat_map(|a| &a.aliases);
        one_of(aliases.chain(catalog.algorithms.keys()).map(String::as_str)).into()
    }
}

impl ToSchema for Known {}

/// For the document: the dialects.
pub fn dialect_schema() -> Schema {
    one_of(Algorithm::ALL.map(dialect))
}

fn one_of<'n>(names: impl IntoIterator<Item = &'n str>) -> Schema {
    let names: BTreeSet<&str> = names.into_iter().collect();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_field_are_understood() {
        for (name, algorithm) in [
            ("sha256", Algorithm::Sha256d),
            ("SHA-256", Algorithm::Sha256d),
            ("sha256asicboost", Algorithm::Sha256d),
            ("rx/0", Algorithm::Randomx),
            ("equihash-200-9", Algorithm::Equihash),
            ("equihash", Algorithm::Equihash),
            ("kaspa", Algorithm::Kheavyhash),
            ("X16Rv2", Algorithm::X16r),
            ("ETC", Algorithm::Etchash),
        ] {
            match mineable(name) {
                Ok(found) => assert_eq!(found, algorithm, "{name}"),
                Err(problem) => panic!("{name}: {problem:?}"),
            }
        }
        for stranger in ["", "sha3", "ethash", "zhash", "\u{0}"] {
            assert!(mineable(stranger).is_err(), "{stranger:?}");
        }
        assert_eq!(known("zhash").expect("known"), "equihash-144-5");
    }

    #[test]
    fn every_documented_spelling_is_taken() {
        let RefOr::T(Schema::Object(object)) = Mineable::schema() else {
            panic!("an object");
        };
        let names = object.enum_values.expect("names");
        assert!(names.len() > Algorithm::ALL.len());
        for name in names {
            assert!(mineable(name.as_str().expect("text")).is_ok(), "{name}");
        }
    }
}
