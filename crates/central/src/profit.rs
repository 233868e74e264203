//! What one hash per second earns in a day. Pure arithmetic, nothing else.
//!
//! ```text
//!   work     = difficulty x hashes per difficulty      hashes for one block
//!            = network hashrate x block time           the same, from one source
//!   gross    = 86400 / work x reward                   coins per hash per second and day
//!   net      = gross by the pool's scheme, fee, stale and orphan shares
//!   usd      = coins x price
//! ```
//!
//! Every figure carries a margin of error, a fraction; independent margins add as
//! squares. A forecast uses luck 1: yesterday's luck says nothing of today.

const DAY: f64 = 86_400.0;

/// A value and how far it may be off, as a fraction of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub value: f64,
    pub margin: f64,
}

impl Estimate {
    pub const fn exact(value: f64) -> Self {
        Self { value, margin: 0.0 }
    }

    /// `None` unless it is a positive number with a sensible margin.
    pub fn checked(value: f64, margin: f64) -> Option<Self> {
        let sound = value.is_finite() && value > 0.0 && (0.0..=1.0).contains(&margin);
        sound.then_some(Self { value, margin })
    }

    fn times(self, other: Self) -> Self {
        Self {
            value: self.value * other.value,
            margin: self.margin.hypot(other.margin).min(1.0),
        }
    }
}

/// How many hashes a block takes on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// Preferred: the same at any moment between two retargets.
    Difficulty {
        difficulty: f64,
        hashes_per_difficulty: f64,
    },
    /// Both from one source: its hashrate was computed with its block time.
    Network { hashrate: f64, block_time: f64 },
}

impl Work {
    /// Hashes for one block; `None` for figures that no chain has.
    pub fn hashes_per_block(self) -> Option<f64> {
        let (a, b) = match self {
            Self::Difficulty {
                difficulty,
                hashes_per_difficulty,
            } => (difficulty, hashes_per_difficulty),
            Self::Network {
                hashrate,
                block_time,
            } => (hashrate, block_time),
        };
        let hashes = a * b;
        (a > 0.0 && b > 0.0 && hashes.is_finite() && hashes > 0.0).then_some(hashes)
    }
}

/// What a block pays, in coins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reward {
    /// The miner's share of what the block creates.
    pub subsidy: f64,
    /// Averaged over many blocks, never one block's.
    pub fees: f64,
}

/// How a pool shares what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Subsidy at a fixed price; the pool keeps the fees and bears the luck.
    Pps,
    /// As PPS, the fees shared as found.
    PpsPlus,
    /// Subsidy and average fees at a fixed price.
    Fpps,
    /// As found: PPLNS, PROP, SCORE, TIDES.
    AsFound,
    /// As found, all to one: the same on average, and nothing on most days.
    Solo,
}

impl Scheme {
    /// `None`: a scheme that is not known here; nothing may be promised for it.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "PPS" => Some(Self::Pps),
            "PPS+" | "PPSPLUS" => Some(Self::PpsPlus),
            "FPPS" => Some(Self::Fpps),
            "PPLNS" | "PROP" | "SCORE" | "TIDES" | "PPLNT" | "DGM" => Some(Self::AsFound),
            "SOLO" => Some(Self::Solo),
            _ => None,
        }
    }
}

/// A pool's terms and record, all fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    pub scheme: Scheme,
    pub fee: f64,
    /// Shares that come too late or are refused.
    pub stale: f64,
    /// Blocks of the pool that the chain did not keep.
    pub orphan: f64,
}

impl Terms {
    fn are_sound(&self) -> bool {
        [self.fee, self.stale, self.orphan]
            .iter()
            .all(|part| (0.0..1.0).contains(part))
    }
}

/// Coins that one hash per second earns in a day before any pool.
pub fn gross(work: Work, reward: Reward) -> Option<f64> {
    let coins = reward.subsidy + reward.fees;
    let sound = reward.subsidy >= 0.0 && reward.fees >= 0.0 && coins > 0.0 && coins.is_finite();
    Some(DAY / work.hashes_per_block()? * coins).filter(|_| sound)
}

/// The same after the pool's scheme, fee, stale and orphan shares.
pub fn net(work: Work, reward: Reward, terms: &Terms) -> Option<f64> {
    if !terms.are_sound() {
        return None;
    }
    let per_coin = gross(work, reward)? / (reward.subsidy + reward.fees);
    let (subsidy, fees) = (per_coin * reward.subsidy, per_coin * reward.fees);
    let (kept, found) = (1.0 - terms.fee, 1.0 - terms.orphan);
    let before_stale = match terms.scheme {
        Scheme::Pps => subsidy * kept,
        Scheme::PpsPlus => subsidy * kept + fees * kept * found,
        Scheme::Fpps => (subsidy + fees) * kept,
        Scheme::AsFound | Scheme::Solo => (subsidy + fees) * kept * found,
    };
    Some(before_stale * (1.0 - terms.stale))
}

/// One chain's coins, and what a coin is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Income {
    pub coins: Estimate,
    pub price_usd: Estimate,
}

/// USD per hash per second and day: one chain, or several by merged mining.
pub fn usd(incomes: &[Income]) -> Option<Estimate> {
    let parts: Vec<Estimate> = incomes
        .iter()
        .map(|income| income.coins.times(income.price_usd))
        .collect();
    let value: f64 = parts.iter().map(|part| part.value).sum();
    let error = parts
        .iter()
        .fold(0.0_f64, |error, part| error.hypot(part.value * part.margin));
    Estimate::checked(value, (error / value).min(1.0))
}

/// Hashes per second that blocks found in a time stand for.
pub fn network_hashrate(
    difficulty: f64,
    hashes_per_difficulty: f64,
    blocks: f64,
    seconds: f64,
) -> Option<f64> {
    let rate = difficulty * hashes_per_difficulty * blocks / seconds;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHA256D: f64 = 4_294_967_296.0;

    fn work(difficulty: f64) -> Work {
        Work::Difficulty {
            difficulty,
            hashes_per_difficulty: SHA256D,
        }
    }

    const REWARD: Reward = Reward {
        subsidy: 3.125,
        fees: 0.02,
    };

    fn terms(scheme: Scheme, fee: f64) -> Terms {
        Terms {
            scheme,
            fee,
            stale: 0.0,
            orphan: 0.0,
        }
    }

    fn near(a: f64, b: f64) -> bool {
        (a / b - 1.0).abs() < 1e-12
    }

    #[test]
    fn one_hash_at_difficulty_one_finds_a_block_in_2_to_32_seconds() {
        let coins = gross(
            work(1.0),
            Reward {
                subsidy: 50.0,
                fees: 0.0,
            },
        )
        .expect("sound");
        assert!(near(coins, 86_400.0 * 50.0 / SHA256D));
    }

    #[test]
    fn both_forms_of_the_work_agree_when_they_come_from_one_source() {
        let difficulty = 1.3e14;
        let hashrate = network_hashrate(difficulty, SHA256D, 144.0, 86_400.0).expect("sound");
        let network = Work::Network {
            hashrate,
            block_time: 600.0,
        };
        let (a, b) = (gross(work(difficulty), REWARD), gross(network, REWARD));
        assert!(near(a.expect("sound"), b.expect("sound")));
    }

    #[test]
    fn each_scheme_pays_what_it_says() {
        let base = gross(work(1e14), REWARD).expect("sound");
        let subsidy = base * 3.125 / 3.145;
        let orphaned = |scheme| Terms {
            orphan: 0.1,
            ..terms(scheme, 0.01)
        };
        for (scheme, expected) in [
            (Scheme::Pps, subsidy * 0.99),
            (
                Scheme::PpsPlus,
                subsidy * 0.99 + (base - subsidy) * 0.99 * 0.9,
            ),
            (Scheme::Fpps, base * 0.99),
            (Scheme::AsFound, base * 0.99 * 0.9),
            (Scheme::Solo, base * 0.99 * 0.9),
        ] {
            let paid = net(work(1e14), REWARD, &orphaned(scheme)).expect("sound");
            assert!(near(paid, expected), "{scheme:?}");
        }
    }

    #[test]
    fn merged_chains_add_and_their_errors_add_as_squares() {
        let income = |coins, margin| Income {
            coins: Estimate {
                value: coins,
                margin,
            },
            price_usd: Estimate::exact(2.0),
        };
        let both = usd(&[income(3.0, 0.1), income(4.0, 0.1)]).expect("sound");
        assert!(near(both.value, 14.0));
        assert!(near(
            both.margin,
            (0.6_f64.powi(2) + 0.8_f64.powi(2)).sqrt() / 14.0
        ));
        assert_eq!(usd(&[]), None);
    }

    #[test]
    fn nonsense_earns_nothing_instead_of_something() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(gross(work(bad), REWARD), None);
            let reward = Reward {
                subsidy: bad,
                fees: 0.0,
            };
            assert_eq!(gross(work(1.0), reward), None);
            assert_eq!(Estimate::checked(bad, 0.0), None);
        }
        assert_eq!(net(work(1.0), REWARD, &terms(Scheme::Fpps, 1.0)), None);
        assert_eq!(net(work(1.0), REWARD, &terms(Scheme::Fpps, -0.1)), None);
        assert_eq!(Scheme::parse("MYSTERY"), None);
    }

    proptest! {
        #[test]
        fn harder_earns_less_richer_earns_more_dearer_pools_pay_less(
            difficulty in 1e-3f64..1e18, factor in 1.001f64..100.0,
            subsidy in 1e-6f64..1e6, fees in 0.0f64..1e3,
            price in 1e-9f64..1e6, fee in 0.0f64..0.9, stale in 0.0f64..0.9,
        ) {
            let reward = Reward { subsidy, fees };
            let base = gross(work(difficulty), reward).expect("sound");
            let harder = gross(work(difficulty * factor), reward).expect("sound");
            prop_assert!((base / harder / factor - 1.0).abs() < 1e-9);
            let in_usd = |price| usd(&[Income {
                coins: Estimate::exact(base),
                price_usd: Estimate::exact(price),
            }]).map(|it| it.value);
            prop_assert!(in_usd(price * factor) > in_usd(price));
            for scheme in [Scheme::Pps, Scheme::PpsPlus, Scheme::Fpps, Scheme::AsFound, Scheme::Solo] {
                let with = Terms { stale, ..terms(scheme, fee) };
                let paid = net(work(difficulty), reward, &with).expect("sound");
                let cheaper = Terms { fee: fee / 2.0, ..with };
                prop_assert!(paid <= base);
                prop_assert!(net(work(difficulty), reward, &cheaper).expect("sound") >= paid);
            }
        }

        /// The unit of the hashrate does not matter: a thousand times the hashes for
        /// a unit of difficulty, at a thousandth of the difficulty, is the same work.
        #[test]
        fn units_cancel(difficulty in 1.0f64..1e15, scale in 1e-6f64..1e6) {
            let scaled = Work::Difficulty {
                difficulty: difficulty / scale,
                hashes_per_difficulty: SHA256D * scale,
            };
            let (a, b) = (gross(work(difficulty), REWARD), gross(scaled, REWARD));
            prop_assert!((a.expect("sound") / b.expect("sound") - 1.0).abs() < 1e-9);
        }
    }
}
