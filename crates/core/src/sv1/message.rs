//! Lines of JSON-RPC, read in place and written by hand.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Text that is borrowed from the line unless it holds an escape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(String::from(text))))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// One line, its parts still raw.
#[derive(Debug, serde::Deserialize)]
pub struct Message<'a> {
    /// As it was sent: a number, a string, or nothing (`null` or absent).
    #[serde(borrow, default)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub method: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "reject-reason")]
    pub reject_reason: Option<Text<'a>>,
}

impl<'a> Message<'a> {
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    pub fn params<T: Deserialize<'a>>(&self) -> Option<T> {
        serde_json::from_str(self.params?.get()).ok()
    }

    /// The first parameter as a positive number, which some write as a text.
    pub fn first_number(&self) -> Option<f64> {
        let parts: Vec<&RawValue> = self.params()?;
        positive(parts.first()?)
    }

    /// The id as a request number of ours.
    pub fn our_id(&self) -> Option<u32> {
        serde_json::from_str(self.id?.get()).ok()
    }
}

/// A positive finite number, also one that is written as a text.
pub fn positive(raw: &RawValue) -> Option<f64> {
    let number: f64 = raw.get().trim_matches('"').parse().ok()?;
    (number.is_finite() && number > 0.0).then_some(number)
}

/// Up to `N` strings at the head of an array; anything else ends the list.
/// `mining.submit` has five or six, `mining.authorize` two, `mining.subscribe` any.
#[derive(Debug, Default)]
pub struct Strings<'a, const N: usize>(pub heapless::Vec<Text<'a>, N>);

impl<const N: usize> Strings<'_, N> {
    pub fn get(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(|text| &*text.0)
    }
}

impl<'de: 'a, 'a, const N: usize> Deserialize<'de> for Strings<'a, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<const N: usize>;
        impl<'de, const N: usize> Visitor<'de> for List<N> {
            type Value = Strings<'de, N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of strings")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut list = Strings(heapless::Vec::new());
                while !list.0.is_full() {
                    let Some(raw) = seq.next_element::<&'de RawValue>()? else {
                        return Ok(list);
                    };
                    // `null` stands for "none given" in some firmware.
                    let text = serde_json::from_str(raw.get()).unwrap_or(Text(Cow::Borrowed("")));
                    if list.0.push(text).is_err() {
                        break;
                    }
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(list)
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// `{"id":ID,"result":RESULT,"error":null}` and a line end.
pub fn push_result(out: &mut Vec<u8>, id: &str, result: &str) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b",\"result\":");
    out.extend_from_slice(result.as_bytes());
    out.extend_from_slice(b",\"error\":null}\n");
}

/// `{"id":ID,"result":null,"error":[CODE,"TEXT",null]}` and a line end.
/// `text` must need no escaping; [`crate::share::Reject`] sees to that.
pub fn push_error(out: &mut Vec<u8>, id: &str, code: u16, text: &str) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b",\"result\":null,\"error\":[");
    push_display(out, code);
    out.extend_from_slice(b",\"");
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\",null]}\n");
}

/// A request of ours, up to its parameters; [`end_request`] closes it.
pub fn begin_request(out: &mut Vec<u8>, id: u32, method: &str) {
    out.extend_from_slice(b"{\"id\":");
    push_display(out, id);
    out.extend_from_slice(b",\"method\":\"");
    out.extend_from_slice(method.as_bytes());
    out.extend_from_slice(b"\",\"params\":[");
}

pub fn end_request(out: &mut Vec<u8>) {
    out.extend_from_slice(b"]}\n");
}

/// A JSON string with everything escaped that has to be.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    // Names and job ids hardly ever have something to escape.
    if text
        .bytes()
        .all(|byte| (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\')
    {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    match serde_json::to_vec(text) {
        Ok(quoted) => out.extend_from_slice(&quoted),
        // Serialising a str into memory has no way to fail.
        Err(_) => out.extend_from_slice(b"\"\""),
    }
}

pub fn push_display(out: &mut Vec<u8>, value: impl fmt::Display) {
    struct Bytes<'a>(&'a mut Vec<u8>);
    impl fmt::Write for Bytes<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    // Writing into memory does not fail.
    let _ = fmt::Write::write_fmt(&mut Bytes(out), format_args!("{value}"));
}
