//! The snapshot gate: what is refused changes nothing, and is counted.

use smart_mining_core::Algorithm;
use smart_mining_core::route::{Gate, Refusal};
use smart_mining_wire::{Entry, Envelope, EnvelopeError, PoolOffer, SecretKey, Snapshot, snapshot};

/// A key for tests, published in this file: worth nothing.
fn test_key() -> SecretKey {
    SecretKey::from_bytes(b"TEST KEY, PUBLISHED, NEVER TRUST")
}

fn ranking(sequence: u64, created_at: u64) -> Snapshot {
    Snapshot {
        version: 1,
        sequence,
        created_at,
        entries: vec![Entry {
            coin: "BTC".into(),
            algorithm: Algorithm::Sha256d,
            pool: PoolOffer {
                id: "a".into(),
                url: "stratum+tcp://a.example:3333".into(),
                fee: 0.0,
                scheme: "FPPS".into(),
            },
            usd_per_hash_day: 1e-14,
            margin: 0.0,
        }],
    }
}

fn sealed(sequence: u64, created_at: u64) -> String {
    Envelope::seal(&ranking(sequence, created_at), &test_key()).to_json()
}

fn gate() -> Gate {
    Gate::new(test_key().public())
}

/// A gate with sequence 10, created at 1000, in force.
fn gate_at_ten() -> Gate {
    let mut gate = gate();
    let snapshot = gate.judge(sealed(10, 1000).as_bytes()).expect("good");
    gate.commit(&snapshot);
    gate
}

fn refusal(gate: &mut Gate, envelope: &str) -> Refusal {
    let refused = gate.refused;
    let refusal = gate.judge(envelope.as_bytes()).expect_err("refused");
    assert_eq!(gate.refused, refused + 1, "it is counted");
    assert_eq!(gate.last_refusal, Some(refusal.to_string()), "and shown");
    assert_eq!(gate.sequence(), 10, "the last good one stays in force");
    assert_eq!(gate.accepted, 1);
    refusal
}

#[test]
fn a_new_gate_takes_any_good_snapshot() {
    let mut gate = gate();
    assert_eq!(gate.sequence(), 0);
    let snapshot = gate.judge(sealed(7, 1000).as_bytes()).expect("good");
    assert_eq!(snapshot, ranking(7, 1000));
    assert_eq!(gate.sequence(), 0, "not in force before it is stored");
    gate.commit(&snapshot);
    assert_eq!((gate.sequence(), gate.accepted, gate.refused), (7, 1, 0));
}

#[test]
fn a_snapshot_that_could_not_be_stored_may_come_again() {
    let mut gate = gate_at_ten();
    for _ in 0..2 {
        assert!(gate.judge(sealed(11, 1001).as_bytes()).is_ok());
    }
}

#[test]
fn an_old_or_repeated_sequence_is_refused_with_both_numbers() {
    let mut gate = gate_at_ten();
    for old in [0, 9, 10] {
        let refused = refusal(&mut gate, &sealed(old, 2000));
        assert_eq!(refused, Refusal::Old { got: old, have: 10 });
    }
}

#[test]
fn a_clock_of_central_that_once_stood_in_the_future_does_not_shut_the_gate() {
    let mut gate = gate_at_ten();
    let ahead = gate
        .judge(sealed(11, 4_000_000_000).as_bytes())
        .expect("newer");
    gate.commit(&ahead);
    assert!(gate.judge(sealed(12, 1001).as_bytes()).is_ok());
}

#[test]
fn unsigned_wrongly_signed_and_tampered_ones_are_refused() {
    let mut gate = gate_at_ten();
    let unsigned = r#"{"key_id":"","payload":"e30=","signature":""}"#;
    let refused = refusal(&mut gate, unsigned);
    assert_eq!(
        refused,
        Refusal::Envelope(EnvelopeError::NotBase64("signature"))
    );
    let stranger = SecretKey::from_bytes(&[1; 32]);
    let foreign = Envelope::seal(&ranking(11, 1001), &stranger).to_json();
    let refused = refusal(&mut gate, &foreign);
    assert!(matches!(
        refused,
        Refusal::Envelope(EnvelopeError::Signature { .. })
    ));
    let mut mixed = Envelope::seal(&ranking(11, 1001), &test_key());
    mixed.payload = Envelope::seal(&ranking(12, 1001), &test_key()).payload;
    let refused = refusal(&mut gate, &mixed.to_json());
    assert!(matches!(
        refused,
        Refusal::Envelope(EnvelopeError::Signature { .. })
    ));
}

#[test]
fn malformed_implausible_and_oversized_ones_are_refused() {
    let mut gate = gate_at_ten();
    for junk in ["", "null", "<html>", "{}", "[1,2,3]", "{\"key_id\":1}"] {
        let refused = refusal(&mut gate, junk);
        assert!(
            matches!(refused, Refusal::Envelope(EnvelopeError::Malformed(_))),
            "{junk}"
        );
    }
    let mut free = ranking(11, 1001);
    free.entries[0].pool.fee = 2.0;
    let mut nothing = ranking(11, 1001);
    nothing.entries.clear();
    let mut newer = ranking(11, 1001);
    newer.version = 2;
    for bad in [free, nothing, newer] {
        let refused = refusal(&mut gate, &Envelope::seal(&bad, &test_key()).to_json());
        assert!(matches!(
            refused,
            Refusal::Envelope(EnvelopeError::Snapshot(_))
        ));
    }
    let mut large = ranking(11, 1001);
    large.entries[0].pool.scheme = "x".repeat(snapshot::MAX_PAYLOAD);
    let refused = refusal(&mut gate, &Envelope::seal(&large, &test_key()).to_json());
    assert!(matches!(
        refused,
        Refusal::Envelope(EnvelopeError::TooLarge(_))
    ));
    // After all of that a good one passes.
    assert!(gate.judge(sealed(11, 1001).as_bytes()).is_ok());
}
