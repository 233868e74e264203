//! Hexadecimal text, decoded into fixed buffers and encoded into growing ones.

use alloc::vec::Vec;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Decode exactly `N` bytes.
pub fn array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    into_slice(text, &mut out).then_some(out)
}

/// Decode exactly `out.len()` bytes; `false` leaves `out` unspecified.
pub fn into_slice(text: &str, out: &mut [u8]) -> bool {
    let text = text.as_bytes();
    text.len() == out.len() * 2
        && out
            .iter_mut()
            .zip(text.chunks_exact(2))
            .all(|(byte, pair)| match (digit(pair[0]), digit(pair[1])) {
                (Some(high), Some(low)) => {
                    *byte = high << 4 | low;
                    true
                }
                (None, _) | (_, None) => false,
            })
}

/// Decode up to `limit` bytes.
pub fn bounded(text: &str, limit: usize) -> Option<Vec<u8>> {
    if text.len() > limit * 2 || !text.len().is_multiple_of(2) {
        return None;
    }
    let mut out = alloc::vec![0; text.len() / 2];
    into_slice(text, &mut out).then_some(out)
}

/// A 32-bit number as Stratum writes it: 1 to 8 digits, most significant first.
/// An optional `0x` is tolerated, as some firmware sends it for version bits.
pub fn number(text: &str) -> Option<u32> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let plain = (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

pub fn push(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

pub fn push_number(out: &mut Vec<u8>, number: u32) {
    push(out, &number.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn encoded_bytes_decode_to_themselves(bytes: Vec<u8>) {
            let mut text = Vec::new();
            push(&mut text, &bytes);
            let text = core::str::from_utf8(&text).expect("hex is ASCII");
            prop_assert_eq!(bounded(text, bytes.len()), Some(bytes));
        }
    }

    #[test]
    fn what_is_not_hex_is_refused() {
        assert_eq!(array::<2>("12g4"), None);
        assert_eq!(array::<2>("123"), None);
        assert_eq!(bounded("1234", 1), None);
        assert_eq!(number(""), None);
        assert_eq!(number("+1"), None);
        assert_eq!(number("123456789"), None);
        assert_eq!(number("0x1fffe000"), Some(0x1fff_e000));
    }
}
