//! The OpenAPI document: made from the handlers' annotations and their types, so that
//! what is routed is what is described.
//!
//! Each problem that an operation may answer is named in its `responses(...)` by one of
//! the types here; 404 for unknown paths and 405 belong to no operation.

use super::App;
use super::problem::{MEDIA_TYPE, ProblemBody};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::{Response as Described, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Ref, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr};
use utoipa::{IntoResponses, Modify, OpenApi as _};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "smart_mining central",
        description = "Which pool pays best, the data that rests on, and the farms that act on it.\n\n\
            Times are Unix seconds. Errors are RFC 9457 problem details; their `type` tells kinds apart. \
            Unknown query parameters are refused.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(ProblemBody)),
    modifiers(&Tokens),
    tags(
        (name = "ranking", description = "What pays best, and what that rests on. No token needed."),
        (name = "farm", description = "For appliances, with their farm's token."),
        (name = "operator", description = "For the operator, with the operator's token."),
        (name = "service", description = "For load balancers, monitoring and tools. Never rate-limited."),
    )
)]
struct Base;

pub fn base() -> OpenApi {
    Base::openapi()
}

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut OpenApi) {
        let bearer = |text: &str| {
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .description(Some(text))
                    .build(),
            )
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(
            "farm",
            bearer("A farm's token, from `POST /api/v1/farms` or `smart-mining-api enrol`."),
        );
        components.add_security_scheme(
            "operator",
            bearer(
                "The operator's token, as given to the API in SMART_MINING_OPERATOR_TOKEN_FILE \
                 or SMART_MINING_OPERATOR_TOKEN.",
            ),
        );
    }
}

/// The document's bytes. HEAD stands beside each GET: the same handler answers it,
/// without a body.
pub fn finish(document: &mut OpenApi) -> serde_json::Result<Bytes> {
    for item in document.paths.paths.values_mut() {
        if let Some(get) = &item.get {
            item.head = Some(head_of(get));
        }
    }
    Ok(serde_json::to_vec(document)?.into())
}

fn head_of(get: &Operation) -> Operation {
    let mut head = get.clone();
    head.operation_id = get.operation_id.as_ref().map(|id| format!("{id}_head"));
    for response in head.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            response.content.clear();
        }
    }
    head
}

/// The OpenAPI document of this API.
#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = "service",
    responses((status = 200, description = "This document.", body = Object)))]
pub async fn get(State(app): State<App>) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, app.document).into_response()
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $status:literal $text:literal;)*) => {$(
        $(#[$doc])*
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Described>> {
                problem($status, $text)
            }
        }
    )*};
}

problems! {
    BadQuery = "400" "A parameter is not known or out of bounds, or the query is not well-formed.";
    BadBody = "400" "The body is not JSON.";
    NoToken = "401" "No token was sent, or one that is not known.";
    NoOperator = "403" "No operator's token is set up here.";
    Nothing = "404" "There is no such thing.";
    SlowBody = "408" "The body did not arrive in time.";
    Conflict = "409" "It is there already, with other content.";
    TooLarge = "413" "The body is larger than the limit.";
    LongQuery = "414" "The query is longer than the limit.";
    NotJson = "415" "The body is not sent as JSON.";
    BadContent = "422" "The body is JSON of another form, or a member is out of bounds.";
    TooMany = "429" "More requests than the limit for this token or address.";
    Away = "503" "The database is away or too slow, or nothing was published yet.";
}

fn problem(status: &str, text: &str) -> BTreeMap<String, RefOr<Described>> {
    let schema = Ref::from_schema_name("Problem");
    let mut response = ResponseBuilder::new().description(text).content(
        MEDIA_TYPE,
        ContentBuilder::new().schema(Some(schema)).build(),
    );
    let header = |kind: Type, text: &str| {
        HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(kind).build()))
            .description(Some(text))
            .build()
    };
    if status == "401" {
        let challenge = header(Type::String, "How to send a token.");
        response = response.header("WWW-Authenticate", challenge);
    }
    if status == "429" || status == "503" {
        let seconds = header(Type::Integer, "Seconds after which to ask again.");
        response = response.header("Retry-After", seconds);
    }
    BTreeMap::from([(status.to_owned(), RefOr::T(response.build()))])
}
