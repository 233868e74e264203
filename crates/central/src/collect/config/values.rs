//! What a value must look like, each with the remedy for when it does not.

use super::reader::{Wrong, wrong};
use crate::dataset;
use crate::profit::Scheme;
use crate::source::Catalog;
use smart_mining_wire::snapshot::is_name;
use smart_mining_wire::{Algorithm, PoolUrl};
use std::ops::RangeInclusive;
use toml::de::DeValue;

type Read<T> = Result<T, Wrong>;

const TEXT: &str = "write it between two straight quotes";

pub(super) fn text(value: &DeValue<'_>) -> Read<String> {
    match value.as_str().map(str::trim) {
        None => Err(wrong("not a text", TEXT)),
        Some("") => Err(wrong("empty", "write it, or remove the line")),
        Some(text) if text.chars().any(char::is_control) => {
            Err(wrong("has control characters", "check what was pasted"))
        }
        Some(text) => Ok(text.to_owned()),
    }
}

pub(super) fn boolean(value: &DeValue<'_>) -> Read<bool> {
    let remedy = "write true or false, without quotes";
    value
        .as_bool()
        .ok_or_else(|| wrong("not a yes or no", remedy))
}

pub(super) fn whole(value: &DeValue<'_>, range: &RangeInclusive<u32>) -> Read<u32> {
    let (first, last) = (range.start(), range.end());
    let remedy = format!("write a whole number from {first} to {last}, without quotes");
    let number = value
        .as_integer()
        .ok_or_else(|| wrong("not a whole number", remedy.clone()))?;
    u32::from_str_radix(number.as_str().trim_start_matches('+'), number.radix())
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| wrong("out of range", remedy))
}

/// A fraction below 1, or whatever `most` is.
pub(super) fn fraction(value: &DeValue<'_>, most: f64) -> Read<f64> {
    let remedy = format!("write 1 % as 0.01; it must be 0 or more and less than {most}");
    let number = value.as_float().map(|number| number.as_str());
    let number = number.or_else(|| value.as_integer().map(|number| number.as_str()));
    let number: Option<f64> = number.and_then(|text| text.replace('_', "").parse().ok());
    match number {
        None => Err(wrong("not a number", remedy)),
        Some(number) if (0.0..most).contains(&number) => Ok(number),
        Some(_) => Err(wrong("out of range", remedy)),
    }
}

pub(super) fn pool_id(value: &DeValue<'_>) -> Read<String> {
    let id = text(value)?;
    let good = is_name(&id);
    good.then_some(id)
        .ok_or_else(|| wrong("not an id", dataset::POOL_ID))
}

pub(super) fn title(value: &DeValue<'_>) -> Read<String> {
    let name = text(value)?;
    let good = dataset::is_title(&name);
    good.then_some(name)
        .ok_or_else(|| wrong("not a name", dataset::NAME))
}

/// A coin of the catalog.
pub(super) fn known_coin(id: &str) -> Read<String> {
    let catalog = Catalog::built_in();
    if catalog.coin(id).is_some() {
        return Ok(id.to_owned());
    }
    let remedy = match catalog.coin(&id.to_ascii_uppercase()) {
        Some(coin) => format!("write \"{}\"", coin.id),
        None => "write the id of a coin in the catalog, such as \"BTC\"".to_owned(),
    };
    Err(wrong("no such coin", remedy))
}

pub(super) fn coin(value: &DeValue<'_>) -> Read<String> {
    known_coin(&text(value)?)
}

pub(super) fn algorithm(value: &DeValue<'_>) -> Read<Algorithm> {
    let name = text(value)?;
    name.parse()
        .map_err(|_| wrong("not an algorithm that farms mine", dataset::ALGORITHM))
}

pub(super) fn scheme(value: &DeValue<'_>) -> Read<String> {
    let scheme = text(value)?.to_ascii_uppercase();
    let known = Scheme::parse(&scheme).is_some();
    known.then_some(scheme).ok_or_else(|| {
        let remedy = "write one of PPS, PPS+, FPPS, PPLNS, PROP, SCORE, TIDES, PPLNT, DGM, SOLO";
        wrong("not a payment scheme that is known", remedy)
    })
}

pub(super) fn pool_url(value: &DeValue<'_>) -> Read<String> {
    let url = text(value)?;
    let good = url.parse::<PoolUrl>().is_ok();
    good.then_some(url).ok_or_else(|| {
        let remedy = "write stratum+tcp://host:port or stratum+ssl://host:port";
        wrong("not a pool's address", remedy)
    })
}

/// Where a service or a node answers. Paths are put behind it, so it has no query.
pub(super) fn web_url(value: &DeValue<'_>) -> Read<String> {
    let url = text(value)?;
    // A service with a host for each coin.
    let uri = url.replace("{coin}", "coin").parse::<ureq::http::Uri>();
    let remedy = "write http://host:port or https://host";
    let Ok(uri) = uri else {
        return Err(wrong("not a web address", remedy));
    };
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    if !web || uri.host().is_none_or(str::is_empty) {
        return Err(wrong("not a web address", remedy));
    }
    if uri.query().is_some() || url.contains('#') {
        return Err(wrong(
            "has more than host and path",
            "end it before the ? or #",
        ));
    }
    Ok(url)
}
