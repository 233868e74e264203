//! The real central beside the appliance: PostgreSQL, the API, the signed snapshots.

use super::{Appliance, Farm, PATIENCE, free_address};
use serde_json::Value;
use smart_mining_central::testing::PrivatePostgres;
use smart_mining_central::{api, db::Database, farms, import};
use smart_mining_farmsim::miner::{Miner, MinerConfig, Personality};
use smart_mining_farmsim::pool::{Pool, PoolConfig};
use smart_mining_farmsim::pow::Algorithm;
use smart_mining_farmsim::wan::Relay;
use smart_mining_wire::SecretKey;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const OPERATOR: &str = "the-operator-of-this-test";

/// Central with a database of its own, behind a relay that can be cut.
pub struct Central {
    pub postgres: Arc<PrivatePostgres>,
    name: String,
    pub database: Database,
    pub key: SecretKey,
    pub token: String,
    pub relay: Relay,
    pub address: SocketAddr,
    serving: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Central {
    pub async fn start(name: &str) -> Self {
        let postgres = tokio::task::block_in_place(PrivatePostgres::shared);
        let url = tokio::task::block_in_place(|| postgres.create_db(name));
        let database = Database::ready(&url).await.expect("the database answers");
        // A key for this test alone.
        let key = SecretKey::from_bytes(&[7; 32]);
        let token = farms::enrol(&database.pool, "barn")
            .await
            .expect("enrolled");
        let address = free_address();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut central = Self {
            postgres,
            name: name.to_owned(),
            database,
            key,
            token: token.reveal().to_owned(),
            relay: Relay::start(any, address).await.expect("a relay"),
            address,
            serving: None,
        };
        central.serve().await;
        central
    }

    pub async fn serve(&mut self) {
        let listener = TcpListener::bind(self.address)
            .await
            .expect("the port is free");
        let (stop, stopped) = oneshot::channel::<()>();
        let database = self.database.clone();
        let task = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            let options = api::Options {
                operator: api::Operator::from_token(OPERATOR).expect("long enough"),
                ..api::Options::default()
            };
            api::serve(listener, database, options, stop)
                .await
                .expect("the API serves");
        });
        self.serving = Some((stop, task));
    }

    pub async fn stop(&mut self) {
        let (stop, task) = self.serving.take().expect("it serves");
        stop.send(()).expect("it listens for that");
        task.await.expect("it stopped in order");
    }

    /// Publish what two pools pay for BTC.
    pub async fn publish(&self, pools: &[(&Pool, f64)]) -> u64 {
        let offers: Vec<String> = pools
            .iter()
            .map(|(pool, _)| {
                format!(
                    r#"{{"id":"{0}","name":"{0}","offers":[{{"coin":"BTC","algorithm":"sha256d","url":"stratum+tcp://{1}","fee":0.01,"scheme":"FPPS"}}]}}"#,
                    pool.name(),
                    pool.address()
                )
            })
            .collect();
        let rows: Vec<String> = pools
            .iter()
            .map(|(pool, usd)| {
                format!(
                    r#"{{"coin":"BTC","pool":"{}","algorithm":"sha256d","usd_per_hash_day":{usd:e},"margin":0.01}}"#,
                    pool.name()
                )
            })
            .collect();
        let text = format!(
            r#"{{"coins":[{{"id":"BTC","name":"Bitcoin"}}],"pools":[{}],"profitability":[{}]}}"#,
            offers.join(","),
            rows.join(",")
        );
        let published = import::import(&self.database.pool, &text, true, &self.key).await;
        published.expect("the data is good").sequence
    }

    /// What psql answers, columns separated by `|`.
    pub fn sql(&self, statement: &str) -> String {
        let rows = tokio::task::block_in_place(|| self.postgres.sql(&self.name, statement));
        rows.trim().to_owned()
    }

    /// The farm as the operator sees it.
    pub fn fleet_row(&self) -> Value {
        let ask = || -> Result<String, ureq::Error> {
            let url = format!("http://{}/api/v1/farms/barn", self.address);
            let operator = format!("Bearer {OPERATOR}");
            let request = ureq::get(url).header("Authorization", operator);
            request.call()?.body_mut().read_to_string()
        };
        let text = tokio::task::block_in_place(ask).expect("the API answers");
        serde_json::from_str(&text).expect("JSON")
    }

    pub fn farm(&self) -> Farm {
        self.farm_at(self.relay.address(), "")
    }

    /// A farm that reaches this central at an address, with more keys in `[central]`.
    pub fn farm_at(&self, address: SocketAddr, more: &str) -> Farm {
        Farm::new().text(&format!(
            "[central]\nurl = \"http://{address}\"\ntoken = \"{}\"\npublic_key = \"{}\"\n{more}\n\
             [[account]]\ncoin = \"BTC\"\nuser = \"farmer.{{worker}}\"\n\
             [routing]\nminimum_dwell_seconds = 1\nconfirmations = 1\nreturn_after_seconds = 1\n",
            self.token,
            self.key.public()
        ))
    }
}

pub async fn pool(name: &str, seed: u64) -> Pool {
    Pool::start(PoolConfig::new(name, Algorithm::Sha256d, seed))
        .await
        .expect("a pool on loopback")
}

pub fn miners(appliance: &Appliance) -> Vec<Miner> {
    [
        Personality::Minerd,
        Personality::Bitaxe,
        Personality::Cgminer,
    ]
    .into_iter()
    .enumerate()
    .map(|(n, kind)| {
        let name = format!("someone.rig{n}");
        Miner::start(MinerConfig::new(
            appliance.farm.sha256d,
            &name,
            kind,
            Algorithm::Sha256d,
        ))
    })
    .collect()
}

pub async fn all_work(miners: &[Miner]) {
    for miner in miners {
        miner
            .next_accepted(PATIENCE)
            .await
            .expect("an accepted share");
    }
}
