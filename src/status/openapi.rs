//! `/openapi.json`: what programs may ask, and what they get.
//!
//! The document stands in docs/status-api.json, so that the appliance carries a text and
//! not what makes it. A test makes it anew from the handlers' annotations and compares,
//! and holds real answers to its schemas. To write it after a change:
//!
//! ```text
//!   SMART_MINING_WRITE=1 cargo test -p smart-mining-proxy --lib openapi
//! ```

use axum::http::header;
use axum::response::{IntoResponse, Response};

const DOCUMENT: &str = include_str!("../../docs/status-api.json");

/// The document of this API.
#[cfg_attr(test, utoipa::path(get, path = "/openapi.json", operation_id = "openapi",
    responses((status = 200, description = "This document.", body = Object))))]
pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

#[cfg(test)]
pub use described::AlgorithmName;
#[cfg(test)]
pub(super) use described::{EventsParameters, HistoryParameters, MinersParameters};

#[cfg(test)]
mod described {
    use super::super::actions::api as actions;
    use super::super::{api, history};
    use smart_mining_core::Algorithm;
    use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
    use utoipa::openapi::{OpenApi, RefOr};
    use utoipa::{IntoParams, OpenApi as _, PartialSchema, ToSchema};

    /// What miners hash with.
    pub struct AlgorithmName;

    impl PartialSchema for AlgorithmName {
        fn schema() -> RefOr<Schema> {
            let names = Algorithm::ALL.map(Algorithm::name);
            let object = ObjectBuilder::new().schema_type(Type::String);
            object.enum_values(Some(names)).into()
        }
    }

    impl ToSchema for AlgorithmName {
        fn name() -> std::borrow::Cow<'static, str> {
            "Algorithm".into()
        }
    }

    #[derive(IntoParams)]
    #[into_params(parameter_in = Query)]
    #[allow(dead_code)] // Described, and read by hand.
    pub struct MinersParameters {
        /// Only its miners.
        #[param(value_type = Option<AlgorithmName>)]
        algorithm: Option<String>,
        /// Only those in this state.
        #[param(value_type = Option<crate::registry::MinerState>)]
        state: Option<String>,
        /// Part of the worker, its name, the address or the firmware, in small letters or large ones.
        #[param(max_length = 100)]
        text: Option<String>,
        /// A field of the rows, with `-` before it for the largest first.
        #[param(
            pattern = "^-?(worker|address|agent|algorithm|state|difficulty|accepted|reject_rate|last_share_seconds|last_seen_seconds|hashrate_1m|hashrate_10m|hashrate_1h|hashrate_24h)$"
        )]
        sort: Option<String>,
        /// So many rows at most.
        #[param(minimum = 0, maximum = 100_000)]
        limit: Option<u32>,
        /// Without so many at the beginning.
        #[param(minimum = 0, maximum = 100_000)]
        offset: Option<u32>,
    }

    #[derive(IntoParams)]
    #[into_params(parameter_in = Query)]
    #[allow(dead_code)]
    pub struct EventsParameters {
        /// Only those of this code; docs/events.md lists them.
        #[param(pattern = "^[a-z-]+$", max_length = 100)]
        code: Option<String>,
        /// So many at most.
        #[param(minimum = 0, maximum = 200)]
        limit: Option<u32>,
    }

    #[derive(IntoParams)]
    #[into_params(parameter_in = Query)]
    #[allow(dead_code)]
    pub struct HistoryParameters {
        /// A day in steps of 10 min, a month in steps of 4 h, or a year in steps of a day.
        #[param(value_type = Option<crate::history::Range>)]
        range: Option<String>,
        /// Only this one.
        #[param(value_type = Option<AlgorithmName>)]
        algorithm: Option<String>,
    }

    #[derive(utoipa::OpenApi)]
    #[openapi(
        info(
            title = "smart_mining appliance",
            description = "What an appliance says of itself, to its farm's own network. Times are Unix seconds. \
                Errors are RFC 9457 problem details. Unknown query parameters are refused.",
            license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        ),
        paths(
            api::status,
            api::routes_of,
            api::miners,
            api::events,
            api::device,
            api::metrics_text,
            api::alive,
            history::history,
            actions::log_in,
            actions::log_out,
            actions::act,
            super::document,
        )
    )]
    struct Described;

    pub fn document() -> OpenApi {
        Described::openapi()
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::super::tests::{farm, full_farm};
    use super::*;
    use serde_json::{Value, json};

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/status-api.json");

    fn described() -> Value {
        let mut document = serde_json::to_value(described::document()).expect("JSON");
        // The contract's, not the program's: it does not change with each release.
        document["info"]["version"] = json!("1");
        document
    }

    #[test]
    fn the_document_is_the_one_that_the_handlers_make() {
        let made = serde_json::to_string_pretty(&described()).expect("JSON") + "\n";
        if std::env::var_os("SMART_MINING_WRITE").is_some() {
            std::fs::write(FILE, &made).expect("the document");
        }
        let kept = std::fs::read_to_string(FILE).expect("the document");
        let remedy =
            "write it: SMART_MINING_WRITE=1 cargo test -p smart-mining-proxy --lib openapi";
        assert!(
            kept == made,
            "docs/status-api.json is not of this code; {remedy}"
        );
    }

    /// What of an answer is not as the document says for this path and status.
    fn mistakes(
        document: &Value,
        path: &str,
        status: u16,
        media: &str,
        body: &Value,
    ) -> Vec<String> {
        let responses = &document["paths"][path]["get"]["responses"];
        let schema = &responses[status.to_string()]["content"][media]["schema"];
        let mut found = schema::mistakes(document, schema, body);
        let item = body.get(0).map(|first| (&schema["items"], first));
        let (schema, object) = item.unwrap_or((schema, body));
        if path != "/openapi.json" {
            found.extend(schema::unnamed(document, schema, object));
        }
        found
    }

    #[tokio::test]
    async fn real_answers_are_what_the_document_says() {
        let document = described();
        for farm in [farm(), full_farm()] {
            let base = farm.serve().await;
            for (question, path, status) in [
                ("/api/status", "/api/status", 200),
                ("/api/routes", "/api/routes", 200),
                ("/api/miners?sort=-hashrate_1m&limit=5", "/api/miners", 200),
                ("/api/miners?state=away", "/api/miners", 400),
                ("/api/events?limit=3", "/api/events", 200),
                ("/api/events?code=none-such", "/api/events", 400),
                ("/api/history?range=month", "/api/history", 200),
                ("/api/history?range=decade", "/api/history", 400),
                ("/openapi.json", "/openapi.json", 200),
            ] {
                let answer = base.get(question).await;
                assert_eq!(answer.status, status, "{question}: {}", answer.body);
                let body = serde_json::from_str(&answer.body).expect("JSON");
                let found = mistakes(&document, path, status, &answer.media, &body);
                assert!(found.is_empty(), "{question}: {found:#?}\n{body:#}");
            }
            let device = base.get("/api/device").await;
            let body = serde_json::from_str(&device.body).expect("JSON");
            let path = "/api/device";
            let found = mistakes(&document, path, device.status, &device.media, &body);
            assert!(found.is_empty(), "{found:#?}\n{body:#}");
        }
    }

    #[test]
    fn a_wrong_answer_would_be_seen() {
        let document = described();
        let of = |row: Value| {
            let rows = json!([row]);
            mistakes(&document, "/api/events", 200, "application/json", &rows)
        };
        let event = json!({ "at": 5, "code": "started", "subject": "barn", "text": "version 1" });
        assert_eq!(of(event.clone()), [""; 0]);
        for (name, value) in [
            ("at", json!("now")),
            ("text", Value::Null),
            ("more", json!(1)),
        ] {
            let mut wrong = event.clone();
            wrong[name] = value;
            assert_eq!(of(wrong).len(), 1, "{name}");
        }
        let mut less = event;
        less.as_object_mut().expect("an object").remove("code");
        assert_eq!(of(less), ["$[0]: code is missing"]);
    }
}
