//! Reading Stratum lines by searching bytes: what a thread can do for every line
//! of thousands of connections.

use memchr::{memchr, memmem};

/// Whether the line calls a method; answers do not.
pub fn is_call(line: &[u8]) -> bool {
    memmem::find(line, b"\"method\"").is_some()
}

/// The part of the line behind `key` and its colon.
pub fn after<'a>(line: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let start = memmem::find(line, key)? + key.len();
    let rest = line[start..].trim_ascii_start();
    Some(rest.strip_prefix(b":")?.trim_ascii_start())
}

/// The next quoted text and what follows it.
pub fn text(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let open = memchr(b'"', rest)? + 1;
    let length = memchr(b'"', &rest[open..])?;
    Some((&rest[open..open + length], &rest[open + length + 1..]))
}

/// The id as it stands in the line.
pub fn id(line: &[u8]) -> Option<&[u8]> {
    let rest = after(line, b"\"id\"")?;
    let end = rest.iter().position(|byte| matches!(byte, b',' | b'}'))?;
    Some(rest[..end].trim_ascii_end())
}

pub fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

pub fn hex_u32(digits: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// What miners and pools look at in a `mining.notify`.
#[derive(Debug, PartialEq, Eq)]
pub struct Job<'a> {
    pub id: &'a [u8],
    pub prev_hash: &'a [u8],
    pub ntime: &'a [u8],
}

pub fn job(line: &[u8]) -> Option<Job<'_>> {
    let (id, rest) = text(after(line, b"\"params\"")?)?;
    let (prev_hash, rest) = text(rest)?;
    let (_coinb1, rest) = text(rest)?;
    let (_coinb2, rest) = text(rest)?;
    let rest = &rest[memchr(b']', rest)? + 1..];
    let (_version, rest) = text(rest)?;
    let (_nbits, rest) = text(rest)?;
    let (ntime, _) = text(rest)?;
    Some(Job {
        id,
        prev_hash,
        ntime,
    })
}

/// The nonce of a `mining.submit`.
pub fn submitted_nonce(line: &[u8]) -> Option<u32> {
    let mut rest = after(line, b"\"params\"")?;
    for _ in 0..4 {
        rest = text(rest)?.1;
    }
    hex_u32(text(rest)?.0)
}

/// The number of a `mining.set_difficulty`.
pub fn difficulty(line: &[u8]) -> Option<f64> {
    let rest = after(line, b"\"params\"")?.strip_prefix(b"[")?;
    let end = memchr(b']', rest)?;
    std::str::from_utf8(rest[..end].trim_ascii())
        .ok()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_with_and_without_spaces() {
        let tight = br#"{"id":null,"method":"mining.notify","params":["1f","aabb","01","02",["cc","dd"],"20000000","1703a30c","65000001",true]}"#;
        let wide = br#"{ "params" : ["1f", "aabb", "01", "02", [ ], "20000000", "1703a30c", "65000001", false], "method": "mining.notify" }"#;
        for line in [&tight[..], &wide[..]] {
            assert!(is_call(line));
            let job = job(line).unwrap();
            assert_eq!(job.id, b"1f");
            assert_eq!(job.prev_hash, b"aabb");
            assert_eq!(hex_u32(job.ntime), Some(0x6500_0001));
        }
    }

    #[test]
    fn ids_nonces_and_difficulties() {
        let submit = br#"{"id": 17 ,"method":"mining.submit","params":["w","1","00","65000001","0000ff01"]}"#;
        assert_eq!(id(submit).and_then(number), Some(17));
        assert_eq!(submitted_nonce(submit), Some(0xff01));
        assert!(!is_call(br#"{"id":1,"result":true,"error":null}"#));
        assert_eq!(
            difficulty(br#"{"method":"mining.set_difficulty","params":[0.25]}"#),
            Some(0.25)
        );
        assert_eq!(id(b"{}"), None);
        assert_eq!(job(b"{\"params\":[\"1\"]}"), None);
    }
}
