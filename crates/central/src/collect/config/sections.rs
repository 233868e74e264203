//! Each section of aggregator.toml, key by key. What is missing from a result was
//! noted as a fault.

use super::reader::{Noted, Reader, is_secret, wrong};
use super::{History, OfferTerms, PoolTerms, Publish, scope, values};
use crate::source::catalog::{Catalog, catalog_name};
use crate::source::registry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) fn publish(section: Option<Reader<'_>>) -> Result<Publish, Noted> {
    let usual = Publish::default();
    let Some(mut section) = section else {
        return Ok(usual);
    };
    let heartbeat = section.optional("heartbeat", |value| values::whole(value, &(10..=60)));
    let noise = section.optional("noise", |value| values::fraction(value, 0.5));
    section.finish();
    Ok(Publish {
        heartbeat: heartbeat?.map_or(usual.heartbeat, u64::from),
        noise: noise?.unwrap_or(usual.noise),
    })
}

pub(super) fn history(section: Option<Reader<'_>>) -> Result<History, Noted> {
    let usual = History::default();
    let Some(mut section) = section else {
        return Ok(usual);
    };
    let days = section.optional("keep_days", |value| values::whole(value, &(1..=3_650)));
    let hourly = section.optional("keep_hourly_days", |value| {
        values::whole(value, &(1..=36_500))
    });
    section.finish();
    Ok(History {
        keep_days: days?.unwrap_or(usual.keep_days),
        keep_hourly_days: hourly?.unwrap_or(usual.keep_hourly_days),
    })
}

/// Whether a source without a section of its own is asked.
pub(super) fn defaults(section: Option<Reader<'_>>) -> Result<bool, Noted> {
    let Some(mut section) = section else {
        return Ok(true);
    };
    let all = section.optional("sources", |value| match value.as_str() {
        Some("all") => Ok(true),
        Some("none") => Ok(false),
        Some(_) | None => Err(wrong(
            "not one of the known words",
            "write \"all\" or \"none\"",
        )),
    });
    section.finish();
    Ok(all?.unwrap_or(true))
}

/// `[sources.NAME]`.
#[derive(Debug, Default)]
pub(super) struct SourceSection {
    pub enabled: bool,
    pub url: Option<String>,
    pub key: Option<String>,
    pub every: Option<Duration>,
    pub about: Vec<String>,
    pub more: BTreeMap<String, String>,
}

pub(super) fn sources(
    section: Option<Reader<'_>>,
    folder: &Path,
) -> BTreeMap<String, SourceSection> {
    let mut found = BTreeMap::new();
    let Some(mut section) = section else {
        return found;
    };
    for name in section.names() {
        if registry::find(&name).is_none() {
            let known: Vec<_> = registry::all().iter().map(|one| one.name()).collect();
            let remedy = format!("use one of: {}", known.join(", "));
            section.fault_of_name(&name, wrong("no source is called so", remedy));
        } else if let Some(one) = section.section(&name)
            && let Ok(one) = source(&name, one, folder)
        {
            found.insert(name, one);
        }
    }
    found
}

fn source(name: &str, mut section: Reader<'_>, folder: &Path) -> Result<SourceSection, Noted> {
    let enabled = section.optional("enabled", values::boolean);
    let url = section.optional("url", values::web_url);
    let every = section.optional("every", |value| values::whole(value, &(1..=86_400)));
    let key = key(&mut section, folder);
    let about = section.texts("about", "[\"BTC\", \"BCH\"]", |text| {
        if scope::is_about_coins(name) {
            values::known_coin(text)
        } else {
            Ok(text.to_owned())
        }
    });
    let more = section.section("more").map_or(Ok(BTreeMap::new()), more);
    section.finish();
    Ok(SourceSection {
        enabled: enabled?.unwrap_or(true),
        url: url?,
        every: every?.map(|seconds| Duration::from_secs(u64::from(seconds))),
        key: key?,
        about: about?,
        more: more?,
    })
}

/// The key from wherever it stands; a variable that is not set is no key.
fn key(section: &mut Reader<'_>, folder: &Path) -> Result<Option<String>, Noted> {
    let here = section.optional("key", values::text);
    let file = section.optional("key_file", |value| secret_file(value, folder));
    let variable = section.optional("key_env", values::text);
    let (here, file, variable) = (here?, file?, variable?);
    let ways = [here.is_some(), file.is_some(), variable.is_some()];
    if ways.iter().filter(|way| **way).count() > 1 {
        let several = wrong(
            "the key stands in several places",
            "leave one of key_file, key_env, key",
        );
        let blamed = if here.is_some() { "key" } else { "key_env" };
        return Err(section.fault(blamed, several));
    }
    if here.is_some() {
        section.log.warn(format!(
            "{} stands in the file itself; put it into a file of its own and name that by key_file",
            section.key("key")
        ));
    }
    let of_variable = |name: String| {
        let value = std::env::var(&name)
            .ok()
            .map(|value| value.trim().to_owned());
        let value = value.filter(|value| !value.is_empty());
        if value.is_none() {
            let place = section.key("key_env");
            section
                .log
                .warn(format!("{place}: the variable {name} is not set: no key"));
        }
        value
    };
    Ok(here.or(file).or_else(|| variable.and_then(of_variable)))
}

fn secret_file(
    value: &toml::de::DeValue<'_>,
    folder: &Path,
) -> Result<String, super::reader::Wrong> {
    let path = folder.join(values::text(value)?);
    let remedy = "name a file with the secret as its only line, readable to this user";
    let text = std::fs::read_to_string(&path)
        .map_err(|error| wrong(format!("cannot be read ({error})"), remedy))?;
    let secret = text.trim();
    if secret.is_empty() || secret.contains('\n') {
        return Err(wrong("the file does not hold one line", remedy));
    }
    Ok(secret.to_owned())
}

fn more(mut section: Reader<'_>) -> Result<BTreeMap<String, String>, Noted> {
    let mut all = BTreeMap::new();
    let mut noted = None;
    for name in section.names() {
        let read = if name.starts_with("url.") || name == "proxy" {
            values::web_url
        } else {
            values::text
        };
        match section.required(&name, "\"...\"", read) {
            Ok(text) => {
                if is_secret(&name) {
                    let place = section.key(&name);
                    section
                        .log
                        .warn(format!("{place} stands in the file itself"));
                }
                all.insert(name, text);
            }
            Err(at) => noted = Some(at),
        }
    }
    noted.map_or(Ok(all), Err)
}

/// `[[nodes]]`.
#[derive(Debug)]
pub(super) struct Node {
    pub kind: String,
    pub coin: String,
    pub url: String,
    pub access: Access,
    pub network: Option<String>,
}

#[derive(Debug)]
pub(super) enum Access {
    Free,
    /// `user:password`.
    Key(String),
    Cookie(PathBuf),
}

pub(super) fn nodes(readers: Vec<Reader<'_>>, folder: &Path) -> Vec<Node> {
    let mut seen = BTreeSet::new();
    let read = |mut section: Reader<'_>| {
        let kind = section.required("kind", "\"bitcoind\"", |value| {
            let kind = values::text(value)?;
            let known = registry::nodes().map(|node| node.name());
            if known.contains(&kind.as_str()) {
                return Ok(kind);
            }
            Err(wrong(
                "no kind of node",
                format!("use one of: {}", known.join(", ")),
            ))
        });
        let coin = section.required("coin", "\"BTC\"", values::coin);
        let url = section.required("url", "\"http://127.0.0.1:8332\"", values::web_url);
        let access = access(&mut section, folder);
        let network = section.optional("network", values::text);
        if let (Ok(kind), Ok(coin)) = (&kind, &coin)
            && !seen.insert((kind.clone(), coin.clone()))
        {
            let twice = format!("a second {kind} for {coin}");
            section.fault(
                "coin",
                wrong(twice, "leave one node of a kind for each coin"),
            );
        }
        section.finish();
        let network = network?.filter(|network| network != "main");
        Ok::<_, Noted>(Node {
            kind: kind?,
            coin: coin?,
            url: url?,
            access: access?,
            network,
        })
    };
    readers
        .into_iter()
        .map(read)
        .filter_map(Result::ok)
        .collect()
}

fn access(section: &mut Reader<'_>, folder: &Path) -> Result<Access, Noted> {
    let user = section.optional("user", values::text);
    let plain = section.optional("password", values::text);
    let file = section.optional("password_file", |value| secret_file(value, folder));
    let cookie = section.optional("cookie_file", values::text);
    let (user, plain, file, cookie) = (user?, plain?, file?, cookie?);
    if plain.is_some() {
        let place = section.key("password");
        let advice = "put it into a file of its own and name that by password_file";
        section
            .log
            .warn(format!("{place} stands in the file itself; {advice}"));
    }
    if plain.is_some() && file.is_some() {
        let twice = wrong("the password stands in two places", "leave password_file");
        return Err(section.fault("password", twice));
    }
    match (user, plain.or(file), cookie) {
        (None, None, None) => Ok(Access::Free),
        (None, None, Some(cookie)) => Ok(Access::Cookie(folder.join(cookie))),
        (Some(user), Some(password), None) => Ok(Access::Key(format!("{user}:{password}"))),
        (Some(_), None, None) => {
            let lonely = wrong(
                "a user without a password",
                "add a line password_file = \"...\"",
            );
            Err(section.fault("user", lonely))
        }
        (None, Some(_), None) => {
            let lonely = wrong("a password without a user", "add a line user = \"...\"");
            Err(section.fault("user", lonely))
        }
        (_, _, Some(_)) => {
            let both = wrong(
                "a cookie and a password",
                "leave cookie_file, or user and password_file",
            );
            Err(section.fault("cookie_file", both))
        }
    }
}

pub(super) fn pools(readers: Vec<Reader<'_>>) -> Vec<PoolTerms> {
    let mut seen = BTreeSet::new();
    let read = |mut section: Reader<'_>| {
        let id = section.required("id", "\"pool-a\"", values::pool_id);
        let name = section.required("name", "\"Pool A\"", values::title);
        if let Ok(id) = &id
            && !seen.insert(id.clone())
        {
            let remedy = "put its offers into the first one, or give it another id";
            section.fault("id", wrong("this pool stands twice", remedy));
        }
        let offers = offers(section.sections("offers"));
        if offers.is_empty() && !section.has("offers") {
            let remedy = "add a section [[pools.offers]] below it";
            section.fault("offers", wrong("is missing", remedy));
        }
        section.finish();
        Ok::<_, Noted>(PoolTerms {
            id: id?,
            name: name?,
            offers,
        })
    };
    readers
        .into_iter()
        .map(read)
        .filter_map(Result::ok)
        .collect()
}

fn offers(readers: Vec<Reader<'_>>) -> Vec<OfferTerms> {
    let mut seen = BTreeSet::new();
    let read = |mut section: Reader<'_>| {
        let coin = section.required("coin", "\"BTC\"", values::coin);
        let algorithm = section.required("algorithm", "\"sha256d\"", values::algorithm);
        let url = section.required("url", "\"stratum+tcp://a.example:3333\"", values::pool_url);
        let fee = section.required("fee", "0.02", |value| values::fraction(value, 1.0));
        let scheme = section.required("scheme", "\"FPPS\"", values::scheme);
        let merged = section.texts("merged", "[\"NMC\"]", values::known_coin);
        if let (Ok(coin), Ok(algorithm)) = (&coin, algorithm) {
            agrees(
                &section,
                coin,
                algorithm,
                merged.as_deref().unwrap_or_default(),
            );
            if !seen.insert((coin.clone(), algorithm)) {
                let twice = format!("this pool offers {coin} with {algorithm} twice");
                section.fault("coin", wrong(twice, "leave one offer"));
            }
        }
        section.finish();
        Ok::<_, Noted>(OfferTerms {
            coin: coin?,
            algorithm: algorithm?,
            url: url?,
            fee: fee?,
            scheme: scheme?,
            merged: merged?,
        })
    };
    readers
        .into_iter()
        .map(read)
        .filter_map(Result::ok)
        .collect()
}

/// The coin, and what is mined along with it, must take this algorithm's blocks.
fn agrees(
    section: &Reader<'_>,
    coin: &str,
    algorithm: smart_mining_wire::Algorithm,
    merged: &[String],
) {
    let catalog = Catalog::built_in();
    let name = catalog_name(algorithm);
    let lacks = |id: &str| catalog.coin(id).filter(|coin| !coin.has(name));
    if let Some(coin) = lacks(coin) {
        let what = format!("{} is not mined with {algorithm}", coin.id);
        let remedy = format!("its algorithms are: {}", coin.algorithms.join(", "));
        section.fault("algorithm", wrong(what, remedy));
    }
    let mut seen = BTreeSet::from([coin]);
    for id in merged {
        if !seen.insert(id) {
            let what = format!("{id} stands twice in this offer");
            section.fault("merged", wrong(what, "leave it out"));
        } else if lacks(id).is_some() {
            let what = format!("{id} is not mined with {algorithm}");
            section.fault("merged", wrong(what, "leave it out"));
        }
    }
}
