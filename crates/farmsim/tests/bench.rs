//! The benchmark itself: it measures, and it notices a proxy that lies.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

/// An address that nobody else on this machine uses.
fn own_address(last: u8) -> io::Result<SocketAddr> {
    let [.., high, low] = std::process::id().to_be_bytes();
    TcpListener::bind((Ipv4Addr::new(127, high, low, last), 0))
        .and_then(|listener| listener.local_addr())
}

/// Says yes to every other share and keeps it; hands on everything else.
fn lying_relay(pool: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for miner in listener.incoming().flatten() {
            thread::spawn(move || relay(miner, pool));
        }
    });
    Ok(address)
}

fn relay(miner: TcpStream, pool: SocketAddr) -> io::Result<()> {
    let mut upstream = TcpStream::connect(pool)?;
    let (mut from_pool, mut to_miner) = (upstream.try_clone()?, miner.try_clone()?);
    thread::spawn(move || io::copy(&mut from_pool, &mut to_miner));
    let mut back = miner.try_clone()?;
    let mut shares = 0;
    for line in BufReader::new(miner).lines() {
        let line = line?;
        let submit = line.contains("mining.submit");
        shares += u32::from(submit);
        if submit && shares % 2 == 1 {
            let id = line.split([':', ',']).nth(1).unwrap_or_default();
            writeln!(back, r#"{{"id":{id},"result":true,"error":null}}"#)?;
        } else {
            writeln!(upstream, "{line}")?;
        }
    }
    upstream.shutdown(std::net::Shutdown::Both)
}

#[test]
fn false_accepts_are_counted() {
    let (a, b) = (own_address(1).unwrap(), own_address(2).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("bench.json");
    let output = Command::new(env!("CARGO_BIN_EXE_smart-mining-farmsim"))
        .args(["bench", "--miners", "30", "--proxies", "none"])
        .args(["--only", "notify,rtt,wan", "--seconds", "0.2"])
        .args(["--pool-a", &a.to_string(), "--pool-b", &b.to_string()])
        .args(["--external", &format!("liar={}", lying_relay(a).unwrap())])
        .arg("--json")
        .arg(&json)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");

    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("| 30 miners | none | liar |"), "{table}");
    let text = std::fs::read_to_string(json).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let figure = |proxy: &str, key: &str| report["proxies"][proxy][key].as_f64();
    assert_eq!(figure("none", "false_accepts"), Some(0.0), "{text}");
    assert_eq!(figure("none", "notify_missed"), Some(0.0), "{text}");
    assert_eq!(figure("none", "wan_shares"), Some(300.0), "{text}");
    assert_eq!(figure("none", "refused"), Some(0.0), "{text}");
    assert!(figure("none", "rtt_2000_p99_ms") > Some(0.0), "{text}");
    assert_eq!(figure("liar", "wan_shares"), Some(150.0), "{text}");
    // Half of the 300 shares of the WAN's scenario and of the others besides.
    assert!(figure("liar", "false_accepts") > Some(200.0), "{text}");
}
