//! From figures to places, and round numbers to label them.

/// Columns of a picture: more than a phone can show apart.
const COLUMNS: usize = 120;

/// A number that one can read off: 1, 2 or 5 times a power of ten, at least `wanted`.
pub(super) fn round_up(wanted: f64) -> f64 {
    if !wanted.is_finite() || wanted <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(wanted.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let fits = steps.iter().map(|step| step * power);
    fits.into_iter()
        .find(|value| *value >= wanted * 0.999_999)
        .unwrap_or(wanted)
}

/// Times to label: whole hours or days, four to six of them.
pub(super) fn ticks(from: u64, to: u64) -> Vec<u64> {
    let whole = [
        60, 300, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 432_000, 604_800,
        864_000, 2_592_000,
    ];
    let span = to.saturating_sub(from);
    let step = whole.into_iter().find(|step| span / step <= 6);
    let step = step.unwrap_or(31_536_000);
    let first = from.div_ceil(step) * step;
    (first..=to)
        .step_by(usize::try_from(step).unwrap_or(usize::MAX))
        .collect()
}

/// Points that are drawn: neighbours are put together where there are too many.
pub(super) fn thin(points: &[super::Point], step: u64) -> (Vec<super::Point>, u64) {
    let together = points.len().div_ceil(COLUMNS).max(1);
    if together == 1 {
        return (points.to_vec(), step);
    }
    let wide = step * together as u64;
    let mut out: Vec<super::Point> = Vec::with_capacity(COLUMNS + 1);
    let mut rest = points;
    while let Some(first) = rest.first() {
        let end = first.at - first.at % wide + wide;
        let count = rest.iter().take_while(|it| it.at < end).count().max(1);
        let (group, others) = rest.split_at(count.min(rest.len()));
        out.push(mean(first.at - first.at % wide, group));
        rest = others;
    }
    (out, wide)
}

pub(super) fn mean(at: u64, group: &[super::Point]) -> super::Point {
    let refused: Vec<f64> = group.iter().filter_map(|it| it.refused).collect();
    super::Point {
        at,
        hashrate: group.iter().map(|it| it.hashrate).sum::<f64>() / group.len().max(1) as f64,
        refused: (!refused.is_empty()).then(|| refused.iter().sum::<f64>() / refused.len() as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_at_round_numbers() {
        assert_eq!(round_up(1.37e12), 1.5e12);
        assert_eq!(round_up(9.1), 10.0);
        assert_eq!(round_up(0.0), 1.0);
        assert_eq!(round_up(f64::NAN), 1.0);
    }

    #[test]
    fn days_and_months_get_a_handful_of_labels() {
        let day = ticks(1000, 87_400);
        assert!((4..=7).contains(&day.len()) && day.iter().all(|at| at % 14_400 == 0));
        let month = ticks(0, 30 * 86_400);
        assert!((4..=7).contains(&month.len()), "{month:?}");
    }
}
