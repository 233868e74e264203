//! Which addresses belong to one service.

use std::net::IpAddr;
use ureq::http::Uri;

/// All host names of a pool or an API end in the same two labels, and whoever bans
/// one bans all. An address or a name within a network says nothing of its
/// neighbours: there each port is a service of its own.
pub fn site(url: &str) -> String {
    let Some(uri) = url.parse::<Uri>().ok().filter(|uri| uri.host().is_some()) else {
        return url.to_owned();
    };
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let mut labels = host.rsplit('.');
    match (labels.next(), labels.next()) {
        (Some(last), Some(second)) if !is_address && last != "localhost" => {
            format!("{second}.{last}")
        }
        _ => {
            let usual = if uri.scheme_str() == Some("https") {
                443
            } else {
                80
            };
            format!("{host}:{}", uri.port_u16().unwrap_or(usual))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subdomains_are_one_service_and_ports_of_an_address_are_several() {
        for (url, wanted) in [
            ("https://etc.2miners.com/api/stats", "2miners.com"),
            ("https://API.2Miners.com:8443/x", "2miners.com"),
            ("https://mempool.space", "mempool.space"),
            ("http://127.0.0.1:8332/", "127.0.0.1:8332"),
            ("http://127.0.0.1", "127.0.0.1:80"),
            ("http://[::1]:8332", "[::1]:8332"),
            ("https://localhost/x", "localhost:443"),
            ("http://bitcoind:8332", "bitcoind:8332"),
            ("http://node.localhost:1", "node.localhost:1"),
            ("no address", "no address"),
        ] {
            assert_eq!(site(url), wanted, "{url}");
        }
    }
}
