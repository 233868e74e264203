//! The address of a pool: `stratum+tcp://host:port` or `stratum+ssl://host:port`,
//! which some pools write as `stratum+tls://`.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolUrl {
    pub tls: bool,
    /// A DNS name, an IPv4 address, or an IPv6 address without its brackets.
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolUrlError {
    #[error("write it as stratum+tcp://host:port (or stratum+ssl://host:port)")]
    Scheme,
    #[error("the host {0:?} is not a DNS name or an IP address")]
    Host(String),
    #[error("{0:?} is not a port from 1 to 65535; write it as stratum+tcp://host:port")]
    Port(String),
}

const MAX_HOST: usize = 253;

impl FromStr for PoolUrl {
    type Err = PoolUrlError;

    fn from_str(text: &str) -> Result<Self, PoolUrlError> {
        let (tls, rest) = if let Some(rest) = text.strip_prefix("stratum+tcp://") {
            (false, rest)
        } else if let Some(rest) =
            (text.strip_prefix("stratum+ssl://")).or_else(|| text.strip_prefix("stratum+tls://"))
        {
            (true, rest)
        } else {
            return Err(PoolUrlError::Scheme);
        };
        let (host, port) = rest
            .trim_end_matches('/')
            .rsplit_once(':')
            .ok_or_else(|| PoolUrlError::Port(String::new()))?;
        let port = match port.parse::<u16>() {
            Ok(number) if number > 0 => number,
            Ok(_) | Err(_) => return Err(PoolUrlError::Port(port.to_string())),
        };
        let bare = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .filter(|h| h.parse::<core::net::Ipv6Addr>().is_ok());
        let is_name = !host.is_empty()
            && host.len() <= MAX_HOST
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        match (bare, is_name) {
            (Some(v6), _) => Ok(v6),
            (None, true) => Ok(host),
            (None, false) => Err(PoolUrlError::Host(host.to_string())),
        }
        .map(|host| Self {
            tls,
            host: host.to_string(),
            port,
        })
    }
}

impl fmt::Display for PoolUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls {
            "stratum+ssl"
        } else {
            "stratum+tcp"
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_parses_back() {
        for text in [
            "stratum+tcp://pool.example.com:3333",
            "stratum+ssl://127.0.0.1:443",
            "stratum+tcp://[fe80::1]:3333",
        ] {
            let url: PoolUrl = text.parse().expect("valid");
            assert_eq!(url.to_string(), text);
        }
    }

    #[test]
    fn both_names_of_tls_are_one() {
        let url = |text: &str| text.parse::<PoolUrl>().expect("valid");
        assert_eq!(url("stratum+tls://pool:443"), url("stratum+ssl://pool:443"));
        assert!(url("stratum+tls://pool:443").tls);
    }

    #[test]
    fn each_mistake_is_named() {
        let fault = |text: &str| text.parse::<PoolUrl>().expect_err("invalid");
        assert_eq!(fault("http://pool:80"), PoolUrlError::Scheme);
        assert_eq!(fault("stratum+tcp://pool"), PoolUrlError::Port("".into()));
        assert_eq!(
            fault("stratum+tcp://pool:0"),
            PoolUrlError::Port("0".into())
        );
        assert_eq!(
            fault("stratum+tcp://po ol:1"),
            PoolUrlError::Host("po ol".into())
        );
        assert_eq!(fault("stratum+tcp://:1"), PoolUrlError::Host("".into()));
    }
}
