//! How pools word their verdict on a share.
//!
//! Seen in the field: `[21,"Job not found",null]`, `{"code":22,"message":".."}`,
//! a bare `"Stale"`, and `"reject-reason":"Above target"` beside `"error":null`.
//! Where no code is given it is read off the words.

use super::message::{Message, Text};
use crate::share::{Reject, Verdict, code};
use serde_json::value::RawValue;

pub fn verdict(message: &Message<'_>) -> Verdict {
    let positive = message.result.is_some_and(|result| result.get() == "true");
    match (positive, message.error, &message.reject_reason) {
        (true, None, None) => Verdict::Accepted,
        (_, Some(error), _) => Verdict::Rejected(reject(error)),
        (_, None, Some(reason)) => Verdict::Rejected(Reject::new(code_of(&reason.0), &reason.0)),
        (false, None, None) => Verdict::Rejected(Reject::new(
            code::OTHER,
            "refused by the pool without a reason",
        )),
    }
}

fn reject(error: &RawValue) -> Reject {
    #[derive(serde::Deserialize)]
    struct Object<'a> {
        #[serde(default)]
        code: i64,
        #[serde(borrow, default)]
        message: Option<Text<'a>>,
    }
    let raw = error.get();
    if let Ok(Text(text)) = serde_json::from_str(raw) {
        return Reject::new(code_of(&text), &text);
    }
    if let Ok(Object { code, message }) = serde_json::from_str(raw) {
        return coded(code, message.as_ref().map_or("", |text| &text.0));
    }
    let mut parts = serde_json::from_str::<alloc::vec::Vec<&RawValue>>(raw)
        .unwrap_or_default()
        .into_iter();
    let code = parts.next().and_then(|part| part.get().parse().ok());
    let text: Option<Text<'_>> = parts
        .next()
        .and_then(|part| serde_json::from_str(part.get()).ok());
    coded(code.unwrap_or(0), text.as_ref().map_or("", |text| &text.0))
}

/// Keep the code if miners know it.
fn coded(code: i64, text: &str) -> Reject {
    let text = if text.is_empty() {
        "refused by the pool"
    } else {
        text
    };
    match u16::try_from(code) {
        // 20 says nothing that the words could not say better.
        Ok(known @ code::STALE..=code::NOT_SUBSCRIBED) => Reject::new(known, text),
        Ok(_) | Err(_) => Reject::new(code_of(text), text),
    }
}

fn code_of(text: &str) -> u16 {
    let lower = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["duplicate"]) {
        code::DUPLICATE
    } else if says(&[
        "above target",
        "low diff",
        "difficulty too low",
        "high-hash",
    ]) {
        code::LOW_DIFFICULTY
    } else if says(&["stale", "job", "expired", "unknown-work"]) {
        code::STALE
    } else if says(&["unauthor", "not authorized", "mismatch"]) {
        code::UNAUTHORIZED
    } else if says(&["not subscribed"]) {
        code::NOT_SUBSCRIBED
    } else {
        code::OTHER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(line: &str) -> Verdict {
        verdict(&Message::parse(line.as_bytes()).expect("JSON"))
    }

    #[test]
    fn every_wording_of_a_refusal_gets_a_code_that_miners_know() {
        for (line, code) in [
            (
                r#"{"id":4,"result":null,"error":[21,"Job not found",""]}"#,
                21,
            ),
            (r#"{"id":4,"result":false,"error":[22,"dup",null]}"#, 22),
            (
                r#"{"reject-reason":"Above target 2","result":false,"error":null,"id":8}"#,
                23,
            ),
            (r#"{"result":false,"error":"Stale","id":618}"#, 21),
            (r#"{"result":false,"error":"Worker mismatch","id":1}"#, 24),
            (
                r#"{"result":null,"error":[20,"Worker mismatch",null],"id":1}"#,
                24,
            ),
            (
                r#"{"error":{"code":22,"message":"duplicate share","data":null},"id":42}"#,
                22,
            ),
            (
                r#"{"error":{"code":-3,"message":"Invalid JobID"},"id":42}"#,
                21,
            ),
            (r#"{"id":1,"result":false,"error":null}"#, 20),
            (r#"{"id":1,"result":null,"error":null}"#, 20),
            (r#"{"id":1,"result":true,"error":[20,"no",null]}"#, 20),
            (r#"{"id":1,"result":1,"error":null}"#, 20),
        ] {
            let Verdict::Rejected(reject) = judged(line) else {
                panic!("{line} is a refusal");
            };
            assert_eq!(reject.code, code, "{line}");
        }
    }

    #[test]
    fn only_a_plain_true_is_an_accept() {
        assert_eq!(
            judged(r#"{"id":4,"result":true,"error":null}"#),
            Verdict::Accepted
        );
        assert_eq!(judged(r#"{"id":4,"result":true}"#), Verdict::Accepted);
    }
}
