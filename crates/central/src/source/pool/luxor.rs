//! Luxor's index of what hashrate is worth, over GraphQL.
//!
//! - Both prices are per TH/s and day; the index is often quoted per PH/s.
//! - Errors come with status 200 in `errors`.
//! - The nodes' order is not promised: the newest counts.

use super::*;
use crate::source::Budget;
use crate::source::chain::Lax;
use crate::source::rows::{self, Maybe, Rows};

pub struct Luxor;

const QUERY: &str = "query { getHashprice(inputInterval: _1_DAY, first: 100) \
    { nodes { timestamp usdHashprice btcHashprice } } }";

impl Source for Luxor {
    fn name(&self) -> &'static str {
        "luxor"
    }

    /// None was found; the index changes slowly.
    fn budget(&self) -> Budget {
        Budget {
            burst: 1,
            per_minute: 1.0,
        }
    }

    fn needs_key(&self) -> bool {
        true
    }

    fn requests(&self, settings: &Settings, _catalog: &Catalog) -> Vec<Request> {
        let url = coin_url(settings, "https://api.hashrateindex.com/graphql", "", "");
        let mut asked = get("hashprice", "", url, 1_800);
        let key = settings.key.clone().unwrap_or_default();
        asked.headers.push(("x-hi-api-key", key));
        asked.body = Some(serde_json::json!({ "query": QUERY }).to_string());
        vec![asked]
    }

    fn parse(
        &self,
        request: &Request,
        answer: &Answer<'_>,
        _catalog: &Catalog,
        now: u64,
    ) -> Result<Parsed, SourceError> {
        if request.kind != "hashprice" {
            return Err(chain::no_such_kind(request.kind));
        }
        let said: Said = object(answer)?;
        if let Some(error) = said.errors.0.first() {
            let error: Message = rows::read(error).unwrap_or_default();
            return Err(SourceError::Service(excerpt(error.message.as_str())));
        }
        let hashprice = said.data.0.and_then(|data| data.get_hashprice.0);
        let nodes = hashprice.unwrap_or_default().nodes.0;
        let time = |node: &Node| stated::believable(stated::iso8601(node.timestamp.as_str()), now);
        let nodes = nodes.iter().filter_map(|row| rows::read::<Node>(row));
        let mut parsed = Parsed::default();
        if let Some(node) = nodes.max_by_key(time) {
            let (index, at) = (market(self.name(), "sha256d"), time(&node));
            let btc = shifted(node.btc_hashprice.positive(), -12);
            let usd = shifted(node.usd_hashprice.positive(), -12);
            parsed.push(&index, Fact::OfferBtcPerHashDay, btc, at);
            parsed.push(&index, Fact::OfferUsdPerHashDay, usd, at);
        }
        not_empty(parsed)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    data: Maybe<Data>,
    errors: Lax<Rows>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    message: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Data {
    get_hashprice: Maybe<Hashprice>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Hashprice {
    nodes: Lax<Rows>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Node {
    timestamp: Text,
    usd_hashprice: Num,
    btc_hashprice: Num,
}

#[cfg(test)]
mod tests {
    use super::testing::{fails, lines, parse};
    use super::*;

    #[test]
    fn the_newest_node_counts_and_is_per_terahash() {
        let body = r#"{"data":{"getHashprice":{"nodes":[
            {"timestamp":"2023-11-14T22:13:20+00:00","usdHashprice":0.05,"btcHashprice":"4e-7"},
            {"timestamp":"2023-11-13T22:13:20+00:00","usdHashprice":9,"btcHashprice":9},
            {"timestamp":"soon","usdHashprice":8}, null]}}}"#;
        assert_eq!(
            lines(&parse(&Luxor, "hashprice", "", body)),
            [
                "market sha256d OfferBtcPerHashDay 0.0000000000000000004 @1700000000",
                "market sha256d OfferUsdPerHashDay 0.00000000000005 @1700000000",
            ]
        );
    }

    #[test]
    fn errors_come_with_status_200() {
        let body = r#"{"data":null,"errors":[{"message":"no such field"}]}"#;
        assert_eq!(
            fails(&Luxor, "hashprice", "", body),
            SourceError::Service("no such field".to_owned())
        );
        assert!(matches!(
            fails(&Luxor, "hashprice", "", r#"{"data":{}}"#),
            SourceError::Malformed(_)
        ));
    }
}
