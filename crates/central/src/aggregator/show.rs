//! The ranking as a table for a person.

use super::Edition;
use std::io::Write;

/// Best first within each algorithm, then what is not ranked and why.
pub fn ranking(edition: &Edition, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "{:<12} {:<6} {:<18} {:>16} {:>7} {:>8}",
        "ALGORITHM", "COIN", "POOL", "NET USD/H/S/DAY", "FEE %", "MARGIN %"
    )?;
    for entry in edition.entries() {
        let net = entry.usd_per_hash_day * (1.0 - entry.pool.fee);
        writeln!(
            out,
            "{:<12} {:<6} {:<18} {:>16.6e} {:>7.2} {:>8.1}",
            entry.algorithm.name(),
            entry.coin,
            entry.pool.id,
            net,
            entry.pool.fee * 100.0,
            entry.margin * 100.0
        )?;
    }
    for one in &edition.ranking.unranked {
        writeln!(out, "not ranked: {} at {}: {}", one.coin, one.pool, one.why)?;
    }
    for (one, _) in &edition.rejections {
        writeln!(
            out,
            "not used: {} {} {} of {}: {} ({})",
            one.coin, one.fact, one.value, one.source, one.detail, one.rule
        )?;
    }
    Ok(())
}
