//! What a node says of one block: mined, or to be mined.

use super::Context;
use crate::source::chain::{self, Lax};
use crate::source::number::shifted;
use crate::source::{Decimal, Fact, Num, Parsed, SourceError};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BlockStats {
    time: Num,
    subsidy: Num,
    totalfee: Num,
}

/// A block of the past: its own time, and no tip.
pub(super) fn stats(
    raw: &RawValue,
    context: &Context<'_>,
    parsed: &mut Parsed,
) -> Result<(), SourceError> {
    let stats: BlockStats = chain::shape(raw)?;
    let subject = chain::only(context.coin)?;
    let (at, coin) = (stats.time.whole(), context.coin);
    let subsidy = chain::miners_part(stats.subsidy.positive(), coin);
    let fees = stats.totalfee.not_negative();
    parsed.push(
        &subject,
        Fact::Subsidy,
        shifted(subsidy, -coin.decimals),
        at,
    );
    parsed.push(&subject, Fact::BlockFees, shifted(fees, -coin.decimals), at);
    Ok(())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Template {
    coinbasevalue: Num,
    curtime: Num,
    transactions: Lax<Option<Vec<Payer>>>,
    /// Dash: payments of the treasury, inside `coinbasevalue`.
    superblock: Lax<Vec<IgnoredAny>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Payer {
    fee: Num,
}

/// The subsidy is what remains of the value without the fees. The fees of a
/// template are one moment's, not a day's, and are not told.
pub(super) fn template(
    raw: &RawValue,
    context: &Context<'_>,
    parsed: &mut Parsed,
) -> Result<(), SourceError> {
    let template: Template = chain::shape(raw)?;
    let subject = chain::only(context.coin)?;
    let coin = context.coin;
    // One payer without a fee, and the sum is not known.
    let fees = template.transactions.0.and_then(|payers| {
        let fees = payers.iter().map(|payer| payer.fee.not_negative());
        fees.sum::<Option<Decimal>>()
    });
    let whole = template.coinbasevalue.positive();
    let (Some(whole), Some(fees), true) = (whole, fees, template.superblock.0.is_empty()) else {
        parsed.leave_out("coinbasevalue", "its fees or other payments are not known");
        return Ok(());
    };
    let rest = Num(Some(whole - fees)).positive();
    let subsidy = chain::miners_part(rest, coin);
    let at = template.curtime.whole();
    parsed.push(
        &subject,
        Fact::Subsidy,
        shifted(subsidy, -coin.decimals),
        at,
    );
    Ok(())
}
