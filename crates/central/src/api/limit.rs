//! How often somebody may ask: a token bucket for each token that is known, and one for
//! each address where there is no such token.
//!
//! Trying the operator's token at the fleet page has a bucket of its own for each address,
//! a small one.
//!
//! A made-up token does not escape the address's bucket, and a farm behind a shared
//! address does not suffer from its neighbours. Probes and metrics are never limited.
//! Memory is bounded: beyond [`MAX_CALLERS`], new callers share one bucket until old
//! ones are forgotten, which is when their buckets are full again.

use super::App;
use super::problem::Problem;
use super::server::Peer;
use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, MonotonicClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

const MAX_CALLERS: usize = 100_000;
const FREE: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// So many a second for long, so many at once.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub per_second: NonZeroU32,
    pub burst: NonZeroU32,
}

/// A person who mistypes; between two more tries lies [`SIGN_IN_EVERY`].
const SIGN_INS: NonZeroU32 = rate(1, 5).burst;
const SIGN_IN_EVERY: Duration = Duration::from_secs(10);

impl Rate {
    fn quota(self) -> Quota {
        Quota::per_second(self.per_second).allow_burst(self.burst)
    }
}

#[derive(Clone, Debug)]
pub struct Rates {
    pub token: Rate,
    pub address: Rate,
    /// A header in which a proxy in front writes the client's address, last in its list.
    pub forwarded: Option<HeaderName>,
}

const fn rate(per_second: u32, burst: u32) -> Rate {
    match (NonZeroU32::new(per_second), NonZeroU32::new(burst)) {
        (Some(per_second), Some(burst)) => Rate { per_second, burst },
        (None, _) | (_, None) => panic!("a rate of nothing"),
    }
}

/// A farm asks once in 25 s, and once more for each publication and report.
pub const TOKEN_RATE: Rate = rate(5, 60);
/// A person with a browser, or several behind one address.
pub const ADDRESS_RATE: Rate = rate(20, 200);

impl Default for Rates {
    fn default() -> Self {
        Self {
            token: TOKEN_RATE,
            address: ADDRESS_RATE,
            forwarded: None,
        }
    }
}

type Store<K> = HashMapStateStore<K>;

struct Buckets<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, Store<K>, MonotonicClock>,
    /// The bucket of those who came when there was no room.
    shared: K,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(quota: Quota, shared: K) -> Self {
        Self {
            limiter: RateLimiter::hashmap_with_clock(quota, MonotonicClock),
            shared,
        }
    }

    /// Seconds to wait, if it is too early.
    fn check(&self, key: K) -> Result<(), u64> {
        let key = match self.limiter.len() < MAX_CALLERS {
            true => key,
            false => self.shared.clone(),
        };
        self.limiter.check_key(&key).map_err(|early| {
            let wait = early.wait_time_from(MonotonicClock.now());
            wait.as_secs() + 1
        })
    }

    fn forget(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

pub struct Limits {
    tokens: Buckets<[u8; 32]>,
    addresses: Buckets<IpAddr>,
    sign_ins: Buckets<IpAddr>,
    rates: Rates,
}

impl Limits {
    pub fn new(rates: Rates) -> Self {
        let nobody = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        // A quota of no time at all does not exist.
        let sign_in = Quota::with_period(SIGN_IN_EVERY).unwrap_or(rates.address.quota());
        Self {
            tokens: Buckets::new(rates.token.quota(), [0; 32]),
            addresses: Buckets::new(rates.address.quota(), nobody),
            sign_ins: Buckets::new(sign_in.allow_burst(SIGN_INS), nobody),
            rates,
        }
    }

    /// Drop the buckets that are full: they say nothing.
    pub fn forget(&self) {
        self.tokens.forget();
        self.addresses.forget();
        self.sign_ins.forget();
    }

    /// Seconds to wait before the operator's token may be tried from there.
    pub fn sign_in(&self, request: &Request) -> Result<(), u64> {
        self.sign_ins.check(self.address(request))
    }

    fn address(&self, request: &Request) -> IpAddr {
        let peer = request.extensions().get::<Peer>();
        let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.0);
        let told = self.rates.forwarded.as_ref().and_then(|name| {
            // What stands before the last one was written by whoever asked.
            let value = request.headers().get_all(name).iter().next_back()?;
            let last = value.to_str().ok()?.rsplit(',').next()?;
            last.trim().parse().ok()
        });
        network(told.unwrap_or(peer))
    }

    fn check(&self, app: &App, request: &Request) -> Result<(), Problem> {
        let headers = request.headers();
        let operator = app.operator.is_meant(headers).then_some([0xff; 32]);
        let token = operator.or_else(|| app.tokens.is_known(headers));
        let (caller, result, rate) = match token {
            Some(token) => ("token", self.tokens.check(token), self.rates.token),
            None => {
                let address = self.address(request);
                let checked = self.addresses.check(address);
                ("address", checked, self.rates.address)
            }
        };
        result.map_err(|seconds| {
            app.metrics.limited(caller);
            let Rate { per_second, burst } = rate;
            let limit = format!(
                "this {caller} may ask {per_second} times a second, and {burst} times at once"
            );
            Problem::too_many(seconds, limit)
        })
    }
}

/// One household or machine may have a whole IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> 64 << 64;
            Ipv6Addr::from_bits(bits).into()
        }
    }
}

/// Before every request but probes.
pub async fn enforce(State(app): State<App>, request: Request, next: Next) -> Response {
    if !FREE.contains(&request.uri().path()) {
        // Else farms that are not known yet would use up the bucket of their address.
        app.tokens.settle(request.headers()).await;
        if let Err(problem) = app.limits.check(&app, &request) {
            return problem.into_response();
        }
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use std::time::Instant;

    fn limits(forwarded: Option<&'static str>) -> Limits {
        Limits::new(Rates {
            token: rate(1, 2),
            address: rate(1, 2),
            forwarded: forwarded.map(HeaderName::from_static),
        })
    }

    fn from(peer: &str, forwarded: &[&str]) -> Request {
        let mut request = Request::new(Body::empty());
        let peer = peer.parse().expect("an address");
        request.extensions_mut().insert(Peer(peer));
        for value in forwarded {
            let value = value.parse().expect("a value");
            request.headers_mut().append("x-forwarded-for", value);
        }
        request
    }

    fn address(limits: &Limits, request: &Request) -> String {
        limits.address(request).to_string()
    }

    #[test]
    fn a_bucket_runs_out_and_says_for_how_long() {
        let limits = limits(None);
        assert_eq!(limits.tokens.check([1; 32]), Ok(()));
        assert_eq!(limits.tokens.check([1; 32]), Ok(()));
        assert_eq!(limits.tokens.check([1; 32]), Err(1));
        assert_eq!(limits.tokens.check([2; 32]), Ok(()), "another's is full");
    }

    #[test]
    fn the_operators_token_can_be_tried_a_few_times() {
        let limits = limits(None);
        let stranger = from("192.0.2.1", &[]);
        for _ in 0..SIGN_INS.get() {
            assert_eq!(limits.sign_in(&stranger), Ok(()));
        }
        let wait = limits.sign_in(&stranger).expect_err("too often");
        assert!((1..=SIGN_IN_EVERY.as_secs() + 1).contains(&wait));
        assert_eq!(limits.sign_in(&from("192.0.2.2", &[])), Ok(()));
    }

    #[test]
    fn a_header_is_believed_only_when_it_is_trusted() {
        let request = from("192.0.2.1", &["10.0.0.1, 198.51.100.7"]);
        assert_eq!(address(&limits(None), &request), "192.0.2.1");
        let trusting = limits(Some("x-forwarded-for"));
        assert_eq!(address(&trusting, &request), "198.51.100.7");
        let twice = from("192.0.2.1", &["10.0.0.1", "10.0.0.2, 198.51.100.8"]);
        assert_eq!(address(&trusting, &twice), "198.51.100.8");
        let garbled = from("192.0.2.1", &["198.51.100.7, unknown"]);
        assert_eq!(address(&trusting, &garbled), "192.0.2.1");
        assert_eq!(address(&trusting, &from("192.0.2.1", &[])), "192.0.2.1");
    }

    #[test]
    fn a_network_of_ipv6_is_one_caller() {
        let limits = limits(None);
        let near = from("2001:db8::1:2:3:4", &[]);
        assert_eq!(address(&limits, &near), "2001:db8::");
        let mapped = from("::ffff:192.0.2.1", &[]);
        assert_eq!(address(&limits, &mapped), "192.0.2.1");
    }

    #[test]
    fn callers_that_rest_are_forgotten() {
        let quick = Buckets::new(rate(1000, 1).quota(), 0);
        let slow = Buckets::new(rate(1, 1).quota(), 0);
        for caller in 1..=100 {
            assert_eq!(quick.check(caller), Ok(()));
            assert_eq!(slow.check(caller), Ok(()));
        }
        assert_eq!(slow.limiter.len(), 100);
        let end = Instant::now() + Duration::from_secs(10);
        while !quick.limiter.is_empty() {
            assert!(Instant::now() < end, "a full bucket is still there");
            quick.forget();
        }
        slow.forget();
        assert!(!slow.limiter.is_empty(), "one that waits is not forgotten");
    }
}
