//! Who asks, and from where.

use crate::events::{Code, Subject};
use crate::operator::password::Denied;
use crate::operator::sessions::Id;
use crate::operator::{Operator, Trouble};
use crate::view::Views;
use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::net::IpAddr;

/// The cookie of whoever is logged in.
pub const SESSION: &str = "operator";
/// The cookie of whoever only looks at the form to log in.
pub const VISIT: &str = "visit";

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// It is asked by one of our names, and no other site's page has a browser ask it.
pub fn from_here(headers: &HeaderMap, operator: &Operator) -> Result<(), Trouble> {
    let host = header(headers, &header::HOST).unwrap_or_default();
    if !operator.answers_to(host) {
        let remedy =
            "open the appliance by its address, its name with .local behind it, or the farm's name";
        let detail = "the appliance is not known by the name that it was asked by";
        return Err(Trouble::new(403, "host", detail, remedy));
    }
    let own = |origin: &str| {
        let rest = origin.strip_prefix("http://");
        let rest = rest.or_else(|| origin.strip_prefix("https://"));
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host))
    };
    // Whatever cannot be read as text is no name of ours.
    let foreign = match headers.get(header::ORIGIN) {
        Some(origin) => !origin.to_str().is_ok_and(own),
        None => false,
    };
    let site = header(headers, &FETCH_SITE).unwrap_or("none");
    if foreign || !matches!(site, "same-origin" | "none") {
        return Err(Trouble::new(
            403,
            "foreign-page",
            "the page of another site asked for this",
            "open the appliance's own page, and do it there",
        ));
    }
    Ok(())
}

/// The cookie of this name, if it can be one of ours.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<Id> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let mut cookies = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    cookies.find_map(|cookie| {
        let (key, value) = cookie.trim().split_once('=')?;
        (key == name).then(|| Id::parse(value)).flatten()
    })
}

/// The session whose cookie came along.
pub fn session(headers: &HeaderMap, operator: &Operator) -> Option<Id> {
    cookie(headers, SESSION).filter(|id| operator.is_logged_in(id))
}

/// A form is ours if it brings the token that was made for the cookie.
pub fn is_our_form(operator: &Operator, cookie: &Id, token: Option<&str>) -> Result<(), Trouble> {
    let is_ours = token.is_some_and(|token| operator.sessions().is_token(cookie, token));
    is_ours.then_some(()).ok_or_else(|| {
        let remedy = "open /operator again, and do it there";
        Trouble::new(
            403,
            "form",
            "this form is not, or not any more, one of this page",
            remedy,
        )
    })
}

pub fn not_logged_in() -> Trouble {
    let remedy = "log in with the operator's password; a session lasts 12 h, and ends when the appliance restarts";
    Trouble::new(401, "session", "nobody is logged in here", remedy)
}

pub fn denied(why: &Denied) -> Trouble {
    let (detail, remedy) = why.words();
    let (status, kind) = match why {
        Denied::Wrong => (401, "password"),
        Denied::Unset => (403, "password-unset"),
        Denied::Locked => (503, "password-locked"),
        Denied::Set => (409, "password-set"),
        Denied::Wait(_) => (429, "wait"),
        Denied::Busy => (503, "busy"),
        Denied::Unusable(_) => (400, "password-unusable"),
    };
    let mut trouble = Trouble::new(status, kind, detail, remedy);
    trouble.retry_after = match why {
        Denied::Wait(seconds) => Some(*seconds),
        Denied::Busy => Some(60),
        Denied::Wrong | Denied::Unset | Denied::Locked | Denied::Set | Denied::Unusable(_) => None,
    };
    trouble
}

/// For people: somebody tried what he may not.
pub fn tell(views: &Views, by: IpAddr, trouble: Trouble) -> Trouble {
    if matches!(
        trouble.kind,
        "host" | "foreign-page" | "form" | "password" | "wait"
    ) {
        let address = Subject::Operator(by);
        views
            .events
            .record(Code::OperatorRefused, address, &*trouble.detail);
    }
    trouble
}

/// A program that says the password, or has a session.
pub async fn authorised(headers: &HeaderMap, views: &Views, by: IpAddr) -> Result<(), Trouble> {
    from_here(headers, &views.operator)?;
    let given = header(headers, &header::AUTHORIZATION).unwrap_or_default();
    let (scheme, rest) = given.split_once(' ').unwrap_or(("", ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        let id = Id::parse(rest.trim()).filter(|id| views.operator.is_logged_in(id));
        return id.map(drop).ok_or_else(not_logged_in);
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let password = basic(rest.trim()).ok_or_else(not_logged_in)?;
        let checked = views.operator.password.check(password, by).await;
        return checked.map_err(|why| denied(&why));
    }
    if views.operator.password.is_unset() {
        return Err(denied(&Denied::Unset));
    }
    Err(not_logged_in())
}

/// The id of a session that a program brings.
pub fn bearer(headers: &HeaderMap) -> Option<Id> {
    let (scheme, rest) = header(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    let id = scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| Id::parse(rest.trim()));
    id.flatten()
}

/// Whatever stands before the colon: there is one operator.
fn basic(encoded: &str) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    Some(text.split_once(':')?.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::store::Store;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().expect("a name");
            headers.append(name, value.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn only_our_own_page_or_a_program_may_ask() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, _) = Store::open(&folder.path().join("farm.sqlite")).expect("a new store");
        let operator = Operator::of_a_test(&store, Clock::start());
        let host = ("host", "10.0.0.5:8080");
        let kind = |pairs: &[(&str, &str)]| {
            let refused = from_here(&headers(pairs), &operator).err();
            refused.map(|trouble| trouble.kind)
        };
        assert_eq!(kind(&[host]), None);
        assert_eq!(kind(&[host, ("origin", "http://10.0.0.5:8080")]), None);
        assert_eq!(kind(&[host, ("sec-fetch-site", "same-origin")]), None);
        assert_eq!(kind(&[]), Some("host"));
        assert_eq!(kind(&[("host", "evil.example")]), Some("host"));
        let foreign = Some("foreign-page");
        assert_eq!(kind(&[host, ("origin", "http://evil.example")]), foreign);
        assert_eq!(kind(&[host, ("origin", "http://10.0.0.5:80")]), foreign);
        assert_eq!(kind(&[host, ("origin", "null")]), foreign);
        assert_eq!(kind(&[host, ("sec-fetch-site", "cross-site")]), foreign);
        assert_eq!(kind(&[host, ("sec-fetch-site", "same-site")]), foreign);
    }

    #[test]
    fn cookies_and_passwords_are_read_from_where_they_stand() {
        let id = Id::random().expect("random numbers");
        let line = format!("a=b; {SESSION}={}; c", id.expose());
        let found = cookie(&headers(&[("cookie", "x"), ("cookie", &line)]), SESSION);
        assert!(found.is_some_and(|found| found == id));
        assert!(cookie(&headers(&[("cookie", &line)]), VISIT).is_none());
        assert_eq!(
            basic("OmNvcnJlY3Q6aG9yc2U=").as_deref(),
            Some("correct:horse")
        );
        assert_eq!(basic("%%"), None);
    }
}
