//! farm.toml in the words of the core.

use crate::config::{AccountTarget, Config, Workers};
use smart_mining_core::Duration;
use smart_mining_core::route::{Account, AccountFor, FarmRules, Policy, StaticPool};
use smart_mining_core::sv1::Login;

/// How the appliance names itself to pools.
pub const AGENT: &str = concat!("smart-mining/", env!("CARGO_PKG_VERSION"));

pub fn farm_rules(config: &Config) -> FarmRules {
    let farm = &config.farm.name;
    let accounts = config.accounts.iter().map(|account| Account {
        paid_for: match &account.target {
            AccountTarget::Coin(coin) => AccountFor::Coin(coin.clone()),
            AccountTarget::Pool(pool) => AccountFor::Pool(pool.clone()),
        },
        user: account.user.as_str().to_owned(),
        password: account.password.expose().to_owned(),
    });
    let pools = config.pools.iter().map(|pool| StaticPool {
        id: pool.id.clone(),
        algorithm: pool.algorithm,
        coin: pool.coin.clone(),
        url: pool.url.clone(),
        tls_pin: pool.tls_pin,
        login: Login {
            user: pool.user.as_str().to_owned(),
            password: pool.password.expose().to_owned(),
            farm: farm.clone(),
            agent: pool.agent.clone().unwrap_or_else(|| AGENT.to_owned()),
            per_worker: pool.workers == Workers::Each,
            extensions: pool.extensions,
        },
        fee: pool.fee,
    });
    FarmRules {
        farm: farm.clone(),
        agent: AGENT.to_owned(),
        accounts: accounts.collect(),
        pools: pools.collect(),
    }
}

pub fn policy(config: &Config) -> Policy {
    let routing = &config.routing;
    let seconds = |duration: std::time::Duration| Duration::from_secs(duration.as_secs());
    Policy {
        same_coin_percent: routing.same_coin_percent,
        other_coin_percent: routing.other_coin_percent,
        minimum_dwell: seconds(routing.minimum_dwell),
        confirmations: routing.confirmations,
        return_after: seconds(routing.return_after),
        keep_warm: seconds(routing.keep_warm),
    }
}
