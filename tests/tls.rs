//! TLS on both sides of the appliance: to pools, and from miners on the port
//! where others mine without.

mod support;

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, ServerConfig, SignatureScheme};
use serde_json::json;
use smart_mining_farmsim::miner::{Miner, MinerConfig, Personality};
use smart_mining_farmsim::pool::{Pool, PoolConfig};
use smart_mining_farmsim::pow::Algorithm;
use smart_mining_farmsim::raw::RawClient;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use support::{Appliance, Farm, PATIENCE};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

type Versions = &'static [&'static rustls::SupportedProtocolVersion];
static NEWEST: Versions = &[&rustls::version::TLS13];
static OLDEST: Versions = &[&rustls::version::TLS12];

async fn pool(name: &str, seed: u64) -> Pool {
    Pool::start(PoolConfig::new(name, Algorithm::Sha256d, seed))
        .await
        .expect("a pool on loopback")
}

fn miner(address: SocketAddr, worker: &str, personality: Personality) -> Miner {
    let name = format!("someone.{worker}");
    Miner::start(MinerConfig::new(
        address,
        &name,
        personality,
        Algorithm::Sha256d,
    ))
}

/// As firmware does: any certificate will do.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// A port whose connections go on to `to` over TLS: what a miner does inside.
async fn into_tls(to: SocketAddr, versions: Versions) -> SocketAddr {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut plain, _)) = listener.accept().await {
            let connector = connector.clone();
            tokio::spawn(async move {
                let tcp = TcpStream::connect(to).await.expect("it listens");
                let name = ServerName::try_from("proxy.local").expect("a name");
                let mut sealed = connector.connect(name, tcp).await.expect("a handshake");
                let _ = copy_bidirectional(&mut plain, &mut sealed).await;
            });
        }
    });
    address
}

/// A port that speaks TLS and hands on to `to`; and the pin of its certificate.
async fn out_of_tls(to: SocketAddr) -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(vec!["pool.example".to_owned()]);
    let made = made.expect("a certificate");
    let certificate = made.cert.der().clone();
    let pin = smart_mining_proxy::tls::fingerprint(&certificate);
    let pin = smart_mining_proxy::tls::colons(&pin);
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they fit");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut sealed) = acceptor.accept(tcp).await else {
                    return;
                };
                let mut plain = TcpStream::connect(to).await.expect("it listens");
                let _ = copy_bidirectional(&mut sealed, &mut plain).await;
            });
        }
    });
    (address, pin)
}

fn pool_over_tls(address: SocketAddr, more: &str) -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        "[[pool]]\nid = \"sealed\"\nalgorithm = \"sha256d\"\ncoin = \"BTC\"\n\
         url = \"stratum+ssl://{address}\"\nuser = \"farmer.{{worker}}\"\n{more}\n"
    );
    text
}

fn failure(status: &serde_json::Value) -> &str {
    let candidates = &status["algorithms"][0]["candidates"];
    candidates[0]["last_failure"].as_str().unwrap_or("")
}

#[tokio::test(flavor = "multi_thread")]
async fn miners_mine_over_tls_beside_those_without_on_one_port() {
    let a = pool("a", 1).await;
    let appliance = Farm::new().pool("a", a.address(), "").start();
    appliance.on_pool("a").await;
    let address = appliance.farm.sha256d;
    let new = into_tls(address, NEWEST).await;
    let old = into_tls(address, OLDEST).await;
    let miners = [
        miner(new, "new", Personality::Bitaxe),
        miner(old, "old", Personality::Minerd),
        miner(address, "plain", Personality::Cgminer),
    ];
    for _ in 0..2 {
        for miner in &miners {
            let accepted = miner.next_accepted(PATIENCE).await;
            accepted.expect("an accepted share");
        }
        a.new_block();
    }
    for miner in &miners {
        assert_eq!(miner.stats().disconnects, 0, "{}", miner.name());
        assert_eq!(miner.stats().violations, Vec::<String>::new());
    }
    let books = a.books();
    assert_eq!(books.connections_opened, 1);
    for worker in ["farmer.new", "farmer.old", "farmer.plain"] {
        assert!(books.workers[worker].accepted > 0, "{worker}");
    }
}

async fn greets(address: SocketAddr) {
    let mut client = RawClient::connect(address, PATIENCE).await.expect("open");
    let subscribed = client.call(1, "mining.subscribe", json!(["x/1"])).await;
    assert!(subscribed.expect("an answer")["result"].is_array());
    let admitted = client
        .call(2, "mining.authorize", json!(["a.b", "x"]))
        .await;
    assert_eq!(admitted.expect("an answer")["result"], true);
    client.until_method("mining.notify").await.expect("a job");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_like_tls_is_closed_and_troubles_nobody() {
    let a = pool("a", 1).await;
    let appliance = Farm::new().pool("a", a.address(), "").start();
    appliance.on_pool("a").await;
    let address = appliance.farm.sha256d;
    for noise in [&b"\x16\x03\x01\xff\xff no handshake"[..], &[0x16; 3000]] {
        let mut client = RawClient::connect(address, PATIENCE).await.expect("open");
        client.send_bytes(noise).await.expect("sent");
        client.closed().await.expect("it is closed");
    }
    // Later on the byte is what it is in a line: nothing that belongs there.
    let mut client = RawClient::connect(address, PATIENCE).await.expect("open");
    let _ = client.call(1, "mining.ping", json!([])).await;
    client.send_bytes(b"\x16\x03\x01\n").await.expect("sent");
    client.closed().await.expect("it is closed");
    greets(address).await;
    greets(into_tls(address, rustls::ALL_VERSIONS).await).await;
    let events = appliance.get("/api/events").expect("it answers");
    assert!(events.contains("not-a-miner") && events.contains("TLS failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_was_made_stays_over_a_restart() {
    let a = pool("a", 1).await;
    let mut appliance = Farm::new().pool("a", a.address(), "").start();
    appliance.on_pool("a").await;
    let path = appliance.farm.folder.path().join("listener-tls.pem");
    let first = std::fs::read(&path).expect("made at the start");
    appliance.kill();
    appliance.start_again();
    appliance.on_pool("a").await;
    assert_eq!(std::fs::read(&path).expect("still there"), first);
}

async fn mines(appliance: &Appliance) {
    let miner = miner(appliance.farm.sha256d, "shed", Personality::Minerd);
    let accepted = miner.next_accepted(PATIENCE).await;
    accepted.expect("an accepted share");
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_go_to_a_pinned_pool_over_tls() {
    let a = pool("a", 1).await;
    let (address, pin) = out_of_tls(a.address()).await;
    let text = pool_over_tls(address, &format!("tls_pin = \"{pin}\""));
    let appliance = Farm::new().text(&text).start();
    appliance.on_pool("sealed").await;
    mines(&appliance).await;
    assert!(a.books().total.accepted > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_nobody_vouches_for_is_shown_with_its_fingerprint() {
    let a = pool("a", 1).await;
    let (address, pin) = out_of_tls(a.address()).await;
    let text = pool_over_tls(address, "");
    let appliance = Farm::new().text(&text).start();
    let what = "the fingerprint is shown";
    let shows_pin = |status: &serde_json::Value| failure(status).contains(&pin);
    appliance.until(what, shows_pin).await;
}
