//! Which pool, why, and what the others lost by. Pure: a snapshot and a wish in, an answer out.

use super::algorithm::{dialect, dialect_schema, unit};
use serde::Serialize;
use smart_mining_wire::{Algorithm, Entry, PoolUrl, Snapshot};

/// Names match in any case; an empty list of coins means every coin.
pub struct Wish {
    pub algorithm: Algorithm,
    pub coins: Vec<String>,
    pub exclude: Vec<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Decision {
    pub algorithm: Algorithm,
    #[serde(flatten)]
    pub best: Offer,
    /// Of the gross figure, as a fraction.
    #[schema(minimum = 0, maximum = 1)]
    pub margin: f64,
    /// Unix seconds on central's clock.
    pub computed_at: u64,
    pub sequence: u64,
    /// All others for this algorithm, best first.
    pub alternatives: Vec<Alternative>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Offer {
    pub coin: String,
    pub pool: Pool,
    /// After the pool's fee; what ranks.
    pub usd_per_hash_day: f64,
    /// Before the pool's fee.
    pub gross_usd_per_hash_day: f64,
    pub display: Display,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Pool {
    pub id: String,
    pub url: String,
    pub host: String,
    #[schema(minimum = 1, maximum = 65535)]
    pub port: u16,
    pub tls: bool,
    /// How the pool is spoken to; by the algorithm.
    #[schema(schema_with = dialect_schema)]
    pub dialect: &'static str,
    /// As a fraction.
    #[schema(minimum = 0, exclusive_maximum = 1)]
    pub fee: f64,
    pub scheme: String,
}

/// The net figure in the unit that people compare this algorithm in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Display {
    pub value: f64,
    pub unit: &'static str,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Alternative {
    #[serde(flatten)]
    pub offer: Offer,
    pub reason: &'static str,
    /// How much less than the best it pays after fees; negative when it would pay more.
    pub behind_percent: f64,
}

/// `None` when nothing in the snapshot meets the wish.
pub fn decide(snapshot: &Snapshot, wish: &Wish) -> Option<Decision> {
    let mut entries: Vec<&Entry> = snapshot
        .entries
        .iter()
        .filter(|entry| entry.algorithm == wish.algorithm)
        .collect();
    // Names break a tie, so that every replica answers alike.
    entries.sort_by(|a, b| {
        let names = || (&a.pool.id, &a.coin).cmp(&(&b.pool.id, &b.coin));
        net(b).total_cmp(&net(a)).then_with(names)
    });
    let position = entries
        .iter()
        .position(|entry| wish.objection(entry).is_none())?;
    let best = entries.remove(position);
    let alternative = |entry: &Entry| {
        let behind = behind(net(entry), net(best));
        let lost = if behind > 0.0 {
            "pays less after fees"
        } else {
            "pays the same; the order of names decided"
        };
        Some(Alternative {
            offer: offer(entry)?,
            reason: wish.objection(entry).unwrap_or(lost),
            behind_percent: rounded(behind * 100.0),
        })
    };
    Some(Decision {
        algorithm: wish.algorithm,
        best: offer(best)?,
        margin: best.margin,
        computed_at: snapshot.created_at,
        sequence: snapshot.sequence,
        alternatives: entries.into_iter().filter_map(alternative).collect(),
    })
}

impl Wish {
    /// Why an entry may not be chosen, whatever it pays.
    fn objection(&self, entry: &Entry) -> Option<&'static str> {
        let among = |names: &[String], name: &str| {
            names.iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        if among(&self.exclude, &entry.pool.id) {
            Some("excluded by the request")
        } else if !self.coins.is_empty() && !among(&self.coins, &entry.coin) {
            Some("not one of the coins asked for")
        } else {
            None
        }
    }
}

fn net(entry: &Entry) -> f64 {
    entry.usd_per_hash_day * (1.0 - entry.pool.fee)
}

/// `None` cannot happen: a parsed snapshot holds valid addresses only.
fn offer(entry: &Entry) -> Option<Offer> {
    let PoolUrl { tls, host, port } = entry.pool.url.parse().ok()?;
    let (unit, hashes) = unit(entry.algorithm);
    Some(Offer {
        coin: entry.coin.clone(),
        pool: Pool {
            id: entry.pool.id.clone(),
            url: entry.pool.url.clone(),
            host,
            port,
            tls,
            dialect: dialect(entry.algorithm),
            fee: entry.pool.fee,
            scheme: entry.pool.scheme.clone(),
        },
        usd_per_hash_day: net(entry),
        gross_usd_per_hash_day: entry.usd_per_hash_day,
        display: Display {
            value: rounded(net(entry) * hashes),
            unit,
        },
    })
}

/// As a fraction of the best; figures too small to divide by are taken as equal.
fn behind(net: f64, best: f64) -> f64 {
    let fraction = 1.0 - net / best;
    if fraction.is_finite() { fraction } else { 0.0 }
}

/// For eyes: six digits behind the point hide what binary fractions add. JSON has no
/// word for what is beyond all numbers, so that becomes the greatest one.
pub fn rounded(value: f64) -> f64 {
    let whole = (value * 1e6).round();
    if whole.is_finite() {
        whole / 1e6
    } else {
        value.clamp(f64::MIN, f64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smart_mining_wire::PoolOffer;

    fn entry(coin: &str, pool: &str, usd: f64, fee: f64) -> Entry {
        Entry {
            coin: coin.into(),
            algorithm: Algorithm::Sha256d,
            pool: PoolOffer {
                id: pool.into(),
                url: "stratum+ssl://pool.example:4444".into(),
                fee,
                scheme: "FPPS".into(),
            },
            usd_per_hash_day: usd,
            margin: 0.02,
        }
    }

    fn ask(coins: &[&str], exclude: &[&str]) -> Option<Decision> {
        let snapshot = Snapshot {
            version: 1,
            sequence: 9,
            created_at: 1_790_000_000,
            entries: vec![
                entry("BTC", "dear", 4.1e-14, 0.05),
                entry("BTC", "cheap", 4.0e-14, 0.0),
                entry("BCH", "twin", 4.0e-14, 0.0),
            ],
        };
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let wish = Wish {
            algorithm: Algorithm::Sha256d,
            coins: owned(coins),
            exclude: owned(exclude),
        };
        decide(&snapshot, &wish)
    }

    fn reasons(decision: &Decision) -> Vec<(&str, &str, f64)> {
        let row = |a: &'_ Alternative| (a.reason, a.behind_percent);
        decision
            .alternatives
            .iter()
            .map(|a| (a.offer.pool.id.as_str(), row(a).0, row(a).1))
            .collect()
    }

    #[test]
    fn the_fee_decides_and_names_break_a_tie() {
        let decision = ask(&[], &[]).expect("a best pool");
        assert_eq!(decision.best.pool.id, "cheap");
        assert_eq!(
            (decision.best.pool.port, decision.best.pool.tls),
            (4444, true)
        );
        assert_eq!(decision.best.display.value, 0.04);
        assert_eq!(decision.best.pool.dialect, "sv1");
        assert_eq!(decision.best.display.unit, "USD/TH/day");
        assert_eq!(
            reasons(&decision),
            [
                ("twin", "pays the same; the order of names decided", 0.0),
                ("dear", "pays less after fees", 2.625),
            ]
        );
    }

    #[test]
    fn a_wish_is_kept_and_told_as_the_reason() {
        let decision = ask(&["btc"], &["CHEAP"]).expect("a best pool");
        assert_eq!(decision.best.pool.id, "dear");
        let told = reasons(&decision);
        assert_eq!(told[0].1, "excluded by the request");
        assert_eq!(told[1].1, "not one of the coins asked for");
        assert!(told[0].2 < 0.0, "it would have paid more");
        assert!(ask(&["LTC"], &[]).is_none());
    }
}
