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
    height: Num,
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
    let subject = chain::only(context.coin)?;
    let paid = Paid::read(raw, context)?;
    parsed.push(&subject, Fact::Subsidy, paid.subsidy, paid.at);
    parsed.push(&subject, Fact::BlockFees, paid.fees, paid.at);
    Ok(())
}

/// What one block paid its miner, in whole coins.
#[derive(Debug)]
pub(super) struct Paid {
    pub height: Option<u64>,
    pub at: Option<u64>,
    pub subsidy: Option<Decimal>,
    pub fees: Option<Decimal>,
}

impl Paid {
    pub fn read(raw: &RawValue, context: &Context<'_>) -> Result<Self, SourceError> {
        let stats: BlockStats = chain::shape(raw)?;
        let coin = context.coin;
        let subsidy = chain::miners_part(stats.subsidy.positive(), coin);
        Ok(Self {
            height: stats.height.whole(),
            at: stats.time.whole(),
            subsidy: shifted(subsidy, -coin.decimals),
            fees: shifted(stats.totalfee.not_negative(), -coin.decimals),
        })
    }
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
