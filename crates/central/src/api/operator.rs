//! The operator's token: given to the process, held as a hash, compared in constant time.

use super::App;
use super::problem::Problem;
use super::tokens::{bearer, unauthorized};
use anyhow::Context as _;
use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, StatusCode, request::Parts};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use subtle::ConstantTimeEq as _;

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;

/// What the operator proves himself with, if anything was set up.
#[derive(Clone, Default)]
pub struct Operator(Option<[u8; 32]>);

impl Operator {
    pub fn from_token(token: &str) -> anyhow::Result<Self> {
        let token = token.trim();
        let usable = token.bytes().all(|b| b.is_ascii_graphic());
        anyhow::ensure!(
            token.len() >= SHORTEST && usable,
            "the operator's token must have at least {SHORTEST} characters, printable ASCII \
             without spaces; make one with `openssl rand -base64 33`"
        );
        Ok(Self(Some(Sha256::digest(token).into())))
    }

    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("the operator's token cannot be read from {path:?}"))?;
        Self::from_token(&text).with_context(|| format!("{path:?} cannot be used"))
    }

    /// Whether this request carries the operator's token.
    pub fn is_meant(&self, headers: &HeaderMap) -> bool {
        bearer(headers).is_some_and(|token| self.accepts(token))
    }

    /// Whether this is the operator's token.
    pub fn accepts(&self, token: &str) -> bool {
        let Some(hash) = &self.0 else {
            return false;
        };
        let sent: [u8; 32] = Sha256::digest(token).into();
        sent.ct_eq(hash).into()
    }

    /// Under what a browser's secret is looked up: it holds for this token only.
    pub(super) fn session(&self, secret: &[u8]) -> Option<[u8; 32]> {
        let hash = self.0.as_ref()?;
        let mut digest = Sha256::new_with_prefix("smart-mining operator session");
        digest.update(hash);
        digest.update(secret);
        Some(digest.finalize().into())
    }

    pub(super) fn is_set_up(&self) -> Result<(), Problem> {
        match self.0 {
            Some(_) => Ok(()),
            None => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "no-operator",
                "no operator's token is set up here; start the API with \
                 SMART_MINING_OPERATOR_TOKEN_FILE (or SMART_MINING_OPERATOR_TOKEN), \
                 or use the command line: smart-mining-api enrol | farms | disable | enable",
            )),
        }
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        self.is_set_up()?;
        match self.is_meant(headers) {
            true => Ok(()),
            false => Err(unauthorized(
                "send the operator's token: `Authorization: Bearer ...`",
            )),
        }
    }
}

/// A request of the operator's, by its token.
pub struct ByOperator;

impl FromRequestParts<App> for ByOperator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        app.operator.check(&parts.headers).map(|()| Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderValue, header};

    fn sending(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(text))])
    }

    #[test]
    fn only_the_whole_token_opens() {
        let operator = Operator::from_token("a-long-enough-token\n").expect("usable");
        assert!(operator.is_meant(&sending("Bearer a-long-enough-token")));
        for wrong in [
            "Bearer a-long-enough-toke",
            "Bearer A-long-enough-token",
            "Basic a-long-enough-token",
            "Bearer ",
        ] {
            assert!(!operator.is_meant(&sending(wrong)), "{wrong}");
        }
        assert!(!Operator::default().is_meant(&sending("Bearer ")));
        assert!(!operator.is_meant(&HeaderMap::new()));
    }

    #[test]
    fn a_session_holds_for_one_token_and_one_secret() {
        let session = |token: &str, secret: &[u8]| {
            let operator = Operator::from_token(token).expect("usable");
            operator.session(secret)
        };
        let held = session("a-long-enough-token", &[1; 32]);
        assert!(held.is_some());
        assert_eq!(session("a-long-enough-token", &[1; 32]), held);
        assert_ne!(session("a-long-enough-token", &[2; 32]), held);
        assert_ne!(session("another-long-enough-token", &[1; 32]), held);
        assert_eq!(Operator::default().session(&[1; 32]), None);
    }

    #[test]
    fn a_token_that_can_be_guessed_is_refused_with_a_remedy() {
        let told = |token: &str| match Operator::from_token(token) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{token:?} was taken"),
        };
        assert!(told("hunter2").contains("openssl rand"));
        assert!(told("sixteen chars it is").contains("without spaces"));
        assert!(told("").contains("at least 16"));
    }
}
