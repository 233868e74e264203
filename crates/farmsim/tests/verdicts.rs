//! One field of a good share is broken at a time: each gets its own verdict.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking where it stands"
)]

use std::time::Duration;

use serde_json::{Value, json};
use smart_mining_farmsim::hex;
use smart_mining_farmsim::pool::{
    DUPLICATE, FirstJob, LOW_DIFFICULTY, Logins, NOT_SUBSCRIBED, OTHER, PerWorkerAuthorize, Pool,
    PoolConfig, STALE, UNAUTHORIZED,
};
use smart_mining_farmsim::pow::Algorithm;
use smart_mining_farmsim::raw::RawClient;
use smart_mining_farmsim::work::Notify;

const PATIENCE: Duration = Duration::from_secs(10);

struct Login {
    client: RawClient,
    job: Notify,
    extranonce1: Vec<u8>,
    next_id: u64,
}

impl Login {
    async fn new(pool: &Pool) -> Self {
        let mut client = RawClient::connect(pool.address(), PATIENCE).await.unwrap();
        let rolling = json!([["version-rolling"], {"version-rolling.mask": "1fffe000"}]);
        client.call(1, "mining.configure", rolling).await.unwrap();
        let subscribed = client.call(2, "mining.subscribe", json!(["test"])).await;
        let extranonce1 = subscribed.unwrap()["result"][1].as_str().map(hex::decode);
        let authorized = client.call(3, "mining.authorize", json!(["farm.one", "x"]));
        assert_eq!(authorized.await.unwrap()["result"], true);
        let notify = client.until_method("mining.notify").await.unwrap();
        Self {
            client,
            job: Notify::parse(&notify["params"]).unwrap(),
            extranonce1: extranonce1.flatten().unwrap(),
            next_id: 10,
        }
    }

    fn share(&self, difficulty: f64, extranonce2: u8) -> Value {
        let extranonce2 = [0, 0, 0, 0, 0, 0, 0, extranonce2];
        let algorithm = Algorithm::Sha256d;
        let solved = self
            .job
            .solve(algorithm, &self.extranonce1, &extranonce2, difficulty);
        let (solution, _) = solved.unwrap();
        solution.submit_params("farm.one", &self.job.job_id, None)
    }

    /// 0 for accepted, else the error code.
    async fn submit(&mut self, params: &Value) -> i64 {
        self.next_id += 1;
        let answer = self
            .client
            .call(self.next_id, "mining.submit", params.clone())
            .await
            .unwrap();
        if answer["result"] == true {
            assert!(answer["error"].is_null(), "{answer}");
            return 0;
        }
        answer["error"][0].as_i64().unwrap()
    }
}

#[tokio::test]
async fn each_broken_field_gets_its_verdict() {
    let pool = Pool::start(PoolConfig::default()).await.unwrap();
    let mut login = Login::new(&pool).await;
    let good = login.share(1e-7, 0);
    let late = format!("{:08x}", login.job.ntime + 8000);
    let early = format!("{:08x}", login.job.ntime - 1);
    for (at, bad, code) in [
        (0, json!("farm.two"), UNAUTHORIZED),
        (1, json!("ffff"), STALE),
        (2, json!("00000000000000"), OTHER),
        (2, json!("000000000000000000"), OTHER),
        (2, json!("000000000000zz00"), OTHER),
        (2, json!("00000000000000ff"), LOW_DIFFICULTY),
        (3, json!(late), OTHER),
        (3, json!(early), OTHER),
        (3, json!("xyz"), OTHER),
        (4, json!("000000"), OTHER),
        (4, json!(7), OTHER),
        (5, json!("00000001"), OTHER),
        (5, json!("20000000"), OTHER),
        (5, json!("00002000"), LOW_DIFFICULTY),
    ] {
        let mut share = good.clone();
        if at == 5 {
            share.as_array_mut().unwrap().push(bad.clone());
        } else {
            share[at] = bad.clone();
        }
        assert_eq!(login.submit(&share).await, code, "field {at} = {bad}");
    }
    // A nonce that is one off hashes to something else.
    let mut share = good.clone();
    let nonce = hex::decode_u32(share[4].as_str().unwrap()).unwrap();
    share[4] = json!(format!("{:08x}", nonce ^ 1));
    assert_eq!(login.submit(&share).await, LOW_DIFFICULTY);

    assert_eq!(login.submit(&good).await, 0);
    assert_eq!(login.submit(&good).await, DUPLICATE);
    assert_eq!(login.submit(&json!(["farm.one"])).await, OTHER);
    let books = pool.books();
    assert_eq!(books.total.accepted, 1);
    assert_eq!(books.total.duplicates(), 1);
    assert_eq!(books.workers["farm.two"].rejected_with(UNAUTHORIZED), 1);
}

#[tokio::test]
async fn a_share_for_a_job_before_the_clean_one_is_stale() {
    let pool = Pool::start(PoolConfig::default()).await.unwrap();
    let mut login = Login::new(&pool).await;
    let (first, second) = (login.share(1e-7, 0), login.share(1e-7, 1));
    pool.new_job();
    assert_eq!(login.submit(&first).await, 0, "still valid");
    pool.new_block();
    assert_eq!(login.submit(&second).await, STALE);
}

#[tokio::test]
async fn a_difficulty_counts_from_the_next_job() {
    let pool = Pool::start(PoolConfig::default()).await.unwrap();
    let mut login = Login::new(&pool).await;
    pool.set_difficulty(1.0);
    let share = login.share(1e-7, 0);
    assert_eq!(login.submit(&share).await, 0, "the job was issued before");
    pool.new_job();
    let notify = login.client.until_method("mining.notify").await.unwrap();
    login.job = Notify::parse(&notify["params"]).unwrap();
    let share = login.share(1e-7, 0);
    assert_eq!(login.submit(&share).await, LOW_DIFFICULTY);
}

#[tokio::test]
async fn the_same_coinbase_over_another_connection_is_a_duplicate() {
    let pool = Pool::start(PoolConfig::default()).await.unwrap();
    let mut first = Login::new(&pool).await;
    let share = first.share(1e-7, 0);
    assert_eq!(first.submit(&share).await, 0);
    drop(first);
    pool.wait_for("empty pool", PATIENCE, |books| books.connections_now == 0)
        .await
        .unwrap();
    let mut again = RawClient::connect(pool.address(), PATIENCE).await.unwrap();
    let first_session = "mining.subscribe";
    // The session of the first connection is the extranonce1 it was given.
    let answer = again.call(1, first_session, json!(["test"])).await.unwrap();
    let other = answer["result"][1].clone();
    let known = hex::decode_u32(other.as_str().unwrap()).unwrap() - 1;
    let resume = json!(["test", format!("{known:08x}")]);
    let answer = again.call(2, first_session, resume).await.unwrap();
    assert_ne!(answer["result"][1], other, "the old extranonce1 is back");
    let name = json!(["farm.one", "x"]);
    again.call(3, "mining.authorize", name).await.unwrap();
    let verdict = again.call(4, "mining.submit", share).await.unwrap();
    assert_eq!(verdict["error"][0], DUPLICATE);
    assert_eq!(pool.books().sessions_resumed, 1);
}

#[tokio::test]
async fn a_share_before_subscribe_is_refused() {
    let pool = Pool::start(PoolConfig::default()).await.unwrap();
    let mut client = RawClient::connect(pool.address(), PATIENCE).await.unwrap();
    let share = json!(["farm.one", "1", "00", "00000000", "00000000"]);
    let answer = client.call(1, "mining.submit", share).await.unwrap();
    assert_eq!(answer["error"][0], NOT_SUBSCRIBED);
}

#[tokio::test]
async fn the_small_requests_are_answered() {
    let pool = Pool::start(PoolConfig::default()).await.unwrap();
    let mut client = RawClient::connect(pool.address(), PATIENCE).await.unwrap();
    for (method, result) in [
        ("mining.ping", json!("pong")),
        ("mining.extranonce.subscribe", json!(true)),
        ("mining.suggest_difficulty", json!(true)),
        ("mining.get_transactions", json!([])),
    ] {
        let answer = client.call(1, method, json!([])).await.unwrap();
        assert_eq!(answer["result"], result, "{method}");
    }
    let answer = client.call(2, "mining.dance", json!([])).await.unwrap();
    assert_eq!(answer["error"][0], OTHER);
    let asked =
        json!([["version-rolling", "minimum-difficulty"], {"version-rolling.mask": "00ffffff"}]);
    let answer = client.call(3, "mining.configure", asked).await.unwrap();
    assert_eq!(
        answer["result"],
        json!({"version-rolling": true, "version-rolling.mask": "00ffe000", "minimum-difficulty": false})
    );
    assert_eq!(pool.books().unknown_methods["mining.dance"], 1);
}

#[tokio::test]
async fn each_rule_for_a_second_worker_name() {
    use PerWorkerAuthorize::{Accept, AcceptButShareMustCarryFirst, Refuse, Silent};
    for (rule, authorized, share_code) in [
        (Accept, Some(true), 0),
        (AcceptButShareMustCarryFirst, Some(true), OTHER),
        (Refuse, Some(false), UNAUTHORIZED),
        (Silent, None, UNAUTHORIZED),
    ] {
        let pool = Pool::start(PoolConfig {
            per_worker_authorize: rule,
            reject_with_false: true,
            ..PoolConfig::default()
        })
        .await
        .unwrap();
        let mut login = Login::new(&pool).await;
        let second = json!(["farm.two", "x"]);
        login
            .client
            .request(5, "mining.authorize", second)
            .await
            .unwrap();
        login
            .client
            .request(6, "mining.ping", json!([]))
            .await
            .unwrap();
        let first_answer = login
            .client
            .until("answer", |m| m["id"].is_u64())
            .await
            .unwrap();
        match authorized {
            Some(expected) => assert_eq!(first_answer["result"], expected, "{rule:?}"),
            None => assert_eq!(first_answer["id"], 6, "{rule:?}"),
        }
        let mut share = login.share(1e-7, 0);
        share[0] = json!("farm.two");
        assert_eq!(login.submit(&share).await, share_code, "{rule:?}");
    }
}

#[tokio::test]
async fn an_unknown_account_is_refused() {
    let pool = Pool::start(PoolConfig {
        logins: Logins::Account("farm".to_owned()),
        ..PoolConfig::default()
    })
    .await
    .unwrap();
    let mut client = RawClient::connect(pool.address(), PATIENCE).await.unwrap();
    for (id, name, result) in [
        (1, "farm.one", json!(true)),
        (2, "thief.one", Value::Null),
        (3, "", Value::Null),
    ] {
        let login = json!([name, "x"]);
        let answer = client.call(id, "mining.authorize", login).await.unwrap();
        assert_eq!(answer["result"], result, "{name}");
    }
    assert_eq!(pool.books().logins_refused, 2);
}

#[tokio::test]
async fn the_first_job_comes_when_the_pool_is_told_to_send_it() {
    for (first_job, methods) in [
        (
            FirstJob::BeforeSubscribeAnswer,
            ["mining.set_difficulty", "mining.notify", "2"],
        ),
        (
            FirstJob::AfterSubscribe,
            ["2", "mining.set_difficulty", "mining.notify"],
        ),
        (
            FirstJob::AfterAuthorize,
            ["2", "3", "mining.set_difficulty"],
        ),
    ] {
        let pool = Pool::start(PoolConfig {
            first_job,
            ..PoolConfig::default()
        })
        .await
        .unwrap();
        let mut client = RawClient::connect(pool.address(), PATIENCE).await.unwrap();
        client
            .request(2, "mining.subscribe", json!(["t"]))
            .await
            .unwrap();
        client
            .request(3, "mining.authorize", json!(["farm.one", "x"]))
            .await
            .unwrap();
        for expected in methods {
            let message = client.json().await.unwrap();
            let got = match message["method"].as_str() {
                Some(method) => method.to_owned(),
                None => message["id"].to_string(),
            };
            assert_eq!(got, expected, "{first_job:?}");
        }
    }
}
