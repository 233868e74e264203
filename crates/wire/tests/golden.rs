//! The contract's bytes. A change that breaks these breaks appliances in the
//! field: a new central must write what an old appliance reads, and whatever
//! was tampered with must not get in.

use proptest::prelude::*;
use smart_mining_wire::{
    Algorithm, Entry, Envelope, EnvelopeError, PoolOffer, PublicKey, SecretKey, Snapshot,
    SnapshotError, snapshot,
};

const SNAPSHOT: &str = include_str!("golden/snapshot.json");
const ENVELOPE: &str = include_str!("golden/envelope.json");

/// A key for tests, published in this file: worth nothing.
fn test_key() -> SecretKey {
    SecretKey::from_bytes(b"TEST KEY, PUBLISHED, NEVER TRUST")
}

fn trusted() -> PublicKey {
    test_key().public()
}

fn entry(coin: &str, algorithm: Algorithm, pool: &str, usd: f64) -> Entry {
    Entry {
        coin: coin.into(),
        algorithm,
        pool: PoolOffer {
            id: pool.into(),
            url: format!("stratum+tcp://{pool}.example:3333"),
            fee: 0.02,
            scheme: "PPLNS".into(),
        },
        usd_per_hash_day: usd,
        margin: 0.05,
    }
}

fn golden() -> Snapshot {
    Snapshot {
        version: 1,
        sequence: 42,
        created_at: 1_767_225_600,
        entries: vec![
            entry("BTC", Algorithm::Sha256d, "pool-a", 4.75e-14),
            entry("LTC", Algorithm::Scrypt, "pool-b", 1.25e-9),
        ],
    }
}

fn sealed() -> Envelope {
    Envelope::from_json(ENVELOPE.trim_end().as_bytes()).expect("the golden envelope")
}

/// Signs whatever bytes: what a faulty or newer central could publish.
fn sign(payload: &str) -> Envelope {
    sign_for(b"smart-mining snapshot v1\n", payload)
}

fn sign_for(purpose: &[u8], payload: &str) -> Envelope {
    // `seal` takes only good snapshots; swap the payload and sign by its rule.
    use base64::Engine as _;
    use ed25519_dalek::Signer as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let signed = [purpose, payload.as_bytes()].concat();
    let seed = base64.decode(test_key().to_base64()).expect("base64");
    let key = ed25519_dalek::SigningKey::from_bytes(&seed.try_into().expect("32 bytes"));
    Envelope {
        key_id: trusted().id(),
        payload: base64.encode(payload),
        signature: base64.encode(key.sign(&signed).to_bytes()),
    }
}

fn refused(payload: &str) -> SnapshotError {
    match sign(payload).open(&trusted()) {
        Err(EnvelopeError::Snapshot(error)) => error,
        other => panic!("{payload}: {other:?}"),
    }
}

fn altered(from: &str, to: &str) -> SnapshotError {
    assert!(SNAPSHOT.contains(from), "{from}");
    refused(&SNAPSHOT.trim_end().replacen(from, to, 1))
}

#[test]
fn a_snapshot_is_written_as_these_bytes() {
    let written = String::from_utf8(golden().to_bytes()).expect("UTF-8");
    assert_eq!(written, SNAPSHOT.trim_end());
}

#[test]
fn an_envelope_is_written_as_these_bytes() {
    let written = Envelope::seal(&golden(), &test_key()).to_json();
    assert_eq!(written, ENVELOPE.trim_end());
}

#[test]
fn the_golden_envelope_opens_to_the_golden_snapshot() {
    assert_eq!(sealed().open(&trusted()), Ok(golden()));
}

#[test]
fn members_of_a_newer_central_are_tolerated_and_missing_options_have_defaults() {
    let newer = SNAPSHOT
        .trim_end()
        .replacen("{", r#"{"region":"eu","advice":{"x":[1,null]},"#, 1)
        .replacen(r#""pool":{"#, r#""note":"n","pool":{"tls_port":443,"#, 1);
    assert_eq!(sign(&newer).open(&trusted()), Ok(golden()));
    let mut bare = golden();
    bare.entries.truncate(1);
    bare.entries[0].margin = 0.0;
    bare.entries[0].pool.fee = 0.0;
    bare.entries[0].pool.scheme.clear();
    let text = r#"{"version":1,"sequence":42,"created_at":1767225600,"entries":[{"coin":"BTC","algorithm":"sha256d","pool":{"id":"pool-a","url":"stratum+tcp://pool-a.example:3333"},"usd_per_hash_day":4.75e-14}]}"#;
    assert_eq!(sign(text).open(&trusted()), Ok(bare));
    let with_more = ENVELOPE.trim_end().replacen('{', r#"{"issued_by":"b","#, 1);
    let envelope = Envelope::from_json(with_more.as_bytes()).expect("tolerated");
    assert!(envelope.open(&trusted()).is_ok());
}

#[test]
fn another_version_is_named_as_such_whatever_else_changed() {
    assert_eq!(
        refused(r#"{"version":2,"rows":"elsewhere"}"#),
        SnapshotError::Version(2)
    );
    assert_eq!(refused(r#"{"version":0}"#), SnapshotError::Version(0));
}

#[test]
fn each_fault_of_a_snapshot_is_named_with_its_place() {
    assert!(matches!(refused("{"), SnapshotError::Malformed(_)));
    assert!(matches!(refused("[]"), SnapshotError::Malformed(_)));
    assert!(matches!(
        altered("\"scrypt\"", "\"sha3\""),
        SnapshotError::Malformed(_)
    ));
    assert!(matches!(
        altered("4.75e-14", "null"),
        SnapshotError::Malformed(_)
    ));
    assert!(matches!(
        altered("\"sequence\":42", "\"sequence\":-1"),
        SnapshotError::Malformed(_)
    ));
    let empty = r#"{"version":1,"sequence":1,"created_at":1,"entries":[]}"#;
    assert_eq!(refused(empty), SnapshotError::Empty);
    let mut many = golden();
    many.entries = (0..=snapshot::MAX_ENTRIES)
        .map(|n| entry("BTC", Algorithm::Sha256d, &format!("p{n}"), 1.0))
        .collect();
    let many = String::from_utf8(many.to_bytes()).expect("UTF-8");
    assert_eq!(refused(&many), SnapshotError::TooMany(513));
    for (from, to, index, words) in [
        ("\"BTC\"", "\"B T\"", 0, "coin id"),
        ("\"BTC\"", "\"\"", 0, "coin id"),
        ("\"pool-a\"", "\"../a\"", 0, "pool id"),
        ("stratum+tcp://pool-b", "http://pool-b", 1, "pool url"),
        ("pool-b.example:3333", "pool-b.example:0", 1, "pool url"),
        ("4.75e-14", "0.0", 0, "usd_per_hash_day"),
        ("4.75e-14", "-1.0", 0, "usd_per_hash_day"),
        ("\"fee\":0.02", "\"fee\":1.0", 0, "fee"),
        ("\"fee\":0.02", "\"fee\":-0.1", 0, "fee"),
        ("\"margin\":0.05", "\"margin\":1.5", 0, "margin"),
    ] {
        let error = altered(from, to);
        let SnapshotError::Entry {
            index: found, what, ..
        } = &error
        else {
            panic!("{to}: {error:?}");
        };
        assert_eq!(*found, index, "{error}");
        assert!(what.contains(words), "{error}");
    }
    let mut twice = golden();
    twice.entries.push(twice.entries[0].clone());
    let twice = String::from_utf8(twice.to_bytes()).expect("UTF-8");
    assert!(
        refused(&twice)
            .to_string()
            .contains("entry 2 (BTC on pool-a): stands twice")
    );
}

#[test]
fn a_number_that_json_cannot_hold_does_not_pass() {
    let mut broken = golden();
    broken.entries[0].usd_per_hash_day = f64::NAN;
    assert!(
        Envelope::seal(&broken, &test_key())
            .open(&trusted())
            .is_err()
    );
    assert!(matches!(
        altered("4.75e-14", "1e999"),
        SnapshotError::Malformed(_)
    ));
}

#[test]
fn another_key_is_refused_and_both_are_named() {
    let stranger = SecretKey::from_bytes(&[7; 32]);
    let envelope = Envelope::seal(&golden(), &stranger);
    let error = envelope.open(&trusted()).expect_err("not ours");
    assert_eq!(
        error,
        EnvelopeError::Signature {
            got: stranger.public().id(),
            trusted: trusted().id()
        }
    );
    // Who claims our key's name does not become us.
    let claims = Envelope {
        key_id: trusted().id(),
        ..envelope
    };
    assert!(matches!(
        claims.open(&trusted()),
        Err(EnvelopeError::Signature { .. })
    ));
}

#[test]
fn a_signature_made_for_another_purpose_is_refused() {
    for purpose in ["", "smart-mining release v1\n", "smart-mining snapshot v1"] {
        let envelope = sign_for(purpose.as_bytes(), SNAPSHOT.trim_end());
        let error = envelope.open(&trusted()).expect_err("another purpose");
        assert!(matches!(error, EnvelopeError::Signature { .. }));
    }
}

#[test]
fn each_member_of_an_envelope_is_needed_and_readable() {
    for member in ["key_id", "payload", "signature"] {
        let without = ENVELOPE.replacen(member, "other", 1);
        let error = Envelope::from_json(without.as_bytes()).expect_err("needed");
        assert!(matches!(error, EnvelopeError::Malformed(_)), "{error}");
    }
    let envelope = Envelope {
        payload: "!".into(),
        ..sealed()
    };
    assert_eq!(
        envelope.open(&trusted()),
        Err(EnvelopeError::NotBase64("payload"))
    );
    for signature in ["", "!", "AAAA"] {
        let envelope = Envelope {
            signature: signature.into(),
            ..sealed()
        };
        assert_eq!(
            envelope.open(&trusted()),
            Err(EnvelopeError::NotBase64("signature"))
        );
    }
}

#[test]
fn a_payload_beyond_the_limit_is_refused_before_it_is_read() {
    let text = " ".repeat(snapshot::MAX_PAYLOAD + 1);
    let error = sign(&text).open(&trusted()).expect_err("too large");
    assert_eq!(error, EnvelopeError::TooLarge(snapshot::MAX_PAYLOAD + 1));
}

#[test]
fn every_single_bit_of_payload_and_signature_counts() {
    let whole = sealed();
    for (member, text) in [("payload", &whole.payload), ("signature", &whole.signature)] {
        for index in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let mut envelope = whole.clone();
            let changed = String::from_utf8(bytes).expect("ASCII");
            match member {
                "payload" => envelope.payload = changed,
                _ => envelope.signature = changed,
            }
            assert!(
                envelope.open(&trusted()).is_err(),
                "{member}, character {index}"
            );
        }
    }
}

#[test]
fn keys_survive_their_text_and_faulty_ones_are_told_apart() {
    use smart_mining_wire::KeyError;
    let key: SecretKey = test_key().to_base64().parse().expect("its own text");
    assert_eq!(key.public(), trusted());
    assert_eq!(trusted().to_string().parse(), Ok(trusted()));
    assert_eq!("?".parse::<PublicKey>(), Err(KeyError::NotBase64));
    assert_eq!("AAAA".parse::<PublicKey>(), Err(KeyError::Length(3)));
    let zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(
        zero.parse::<PublicKey>(),
        Err(KeyError::NotAKey),
        "a weak key"
    );
    assert_eq!(
        format!("{:?}", test_key()),
        "SecretKey(..)",
        "never in a log"
    );
}

proptest! {
    #[test]
    fn reading_never_panics(bytes: Vec<u8>, at in 0usize..400, byte: u8) {
        let _ = Snapshot::parse(&bytes);
        let _ = Envelope::from_json(&bytes);
        let mut near = SNAPSHOT.trim_end().as_bytes().to_vec();
        let at = at % near.len();
        near[at] = byte;
        let _ = Snapshot::parse(&near);
        near.truncate(at);
        prop_assert!(Snapshot::parse(&near).is_err());
    }

    /// Whatever is done to an envelope: it opens only to what was signed.
    #[test]
    fn a_changed_envelope_never_opens_to_anything_else(edits in proptest::collection::vec((0usize..2000, any::<u8>(), 0u8..3), 1..4)) {
        let mut bytes = ENVELOPE.trim_end().as_bytes().to_vec();
        for (at, byte, kind) in edits {
            let at = at % bytes.len();
            match kind {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                _ => bytes.insert(at, byte),
            }
        }
        if let Ok(envelope) = Envelope::from_json(&bytes)
            && let Ok(opened) = envelope.open(&trusted())
        {
            prop_assert_eq!(&envelope.payload, &sealed().payload);
            prop_assert_eq!(&envelope.signature, &sealed().signature);
            prop_assert_eq!(opened, golden());
        }
    }
}
