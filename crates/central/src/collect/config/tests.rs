use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/nowhere"))
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn one<'a>(config: &'a Config, name: &str) -> &'a Configured {
    let found = config.sources.iter().find(|one| one.source.name() == name);
    found.unwrap_or_else(|| panic!("{name} is not asked"))
}

fn asks(config: &Config, name: &str) -> bool {
    config.sources.iter().any(|one| one.source.name() == name)
}

const POOL: &str = r#"
[[pools]]
id = "pool-a"
name = "Pool A"
[[pools.offers]]
coin = "ETC"
algorithm = "etchash"
url = "stratum+tcp://a.example:1010"
fee = 0.01
scheme = "pplns"
"#;

#[test]
fn an_empty_file_asks_everything_that_needs_neither_key_nor_address() {
    let config = good("");
    assert_eq!(config.publish, Publish::default());
    assert_eq!(config.history, History::default());
    for name in ["coingecko", "binance", "whattomine", "mempool", "zpool"] {
        assert_eq!(one(&config, name).missing, None, "{name}");
    }
    assert_eq!(one(&config, "coinmarketcap").missing, Some("a key"));
    // These have no address or must be told what to ask for.
    for name in ["bitcoind", "monerod", "2miners"] {
        assert!(!asks(&config, name), "{name}");
    }
    assert!(config.warnings.is_empty());
}

#[test]
fn sources_are_asked_about_what_the_pools_mine_and_no_more() {
    let config = good(POOL);
    assert_eq!(config.pools[0].offers[0].scheme, "PPLNS");
    assert_eq!(one(&config, "2miners").settings.about, ["ETC"]);
    assert_eq!(one(&config, "blockscout").settings.about, ["ETC"]);
    // Some markets price a coin in BTC only.
    assert_eq!(one(&config, "coingecko").settings.about, ["ETC", "BTC"]);
    for name in ["mempool", "ocean", "kaspa_rest", "ckpool"] {
        assert!(!asks(&config, name), "{name} knows nothing of ETC");
    }
    let told = good(&format!(
        "{POOL}\n[sources.coingecko]\nabout = [\"XMR\"]\n[sources.ocean]\n"
    ));
    assert_eq!(one(&told, "coingecko").settings.about, ["XMR"]);
    assert!(asks(&told, "ocean"), "its section asks for it");
}

#[test]
fn merged_coins_are_asked_about_too() {
    let pool = POOL
        .replace("etchash", "scrypt")
        .replace("ETC", "LTC")
        .replace("scheme", "merged = [\"DOGE\"]\nscheme");
    let about = &one(&good(&pool), "blockchair").settings.about.clone();
    assert_eq!(*about, ["LTC", "DOGE"]);
}

#[test]
fn an_own_address_of_an_explorer_is_asked_about_its_usual_coin() {
    let pool = POOL.replace("etchash", "sha256d").replace("ETC", "BTC");
    let more = pool.replace("pool-a", "pool-b").replace("BTC", "BCH");
    let text = format!("{pool}{more}[sources.mempool]\nurl = \"http://127.0.0.1:8999\"");
    let config = good(&text);
    let mempool = one(&config, "mempool");
    let requests = mempool
        .source
        .requests(&mempool.settings, Catalog::built_in());
    assert!(
        requests
            .iter()
            .all(|one| one.url.starts_with("http://127.0.0.1:8999/"))
    );
    assert!(!requests.is_empty());
}

#[test]
fn none_asks_only_what_stands_there() {
    let text = "defaults.sources = \"none\"\n[sources.binance]\n[sources.zpool]\nenabled = false\n\
                [[nodes]]\nkind = \"monerod\"\ncoin = \"XMR\"\nurl = \"http://127.0.0.1:18081\"";
    let names: Vec<_> = good(text)
        .sources
        .iter()
        .map(|one| one.source.name())
        .collect();
    assert_eq!(names, ["monerod", "binance"]);
}

#[test]
fn nodes_become_endpoints_of_their_source() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("pw"), "s3cret\n").expect("written");
    let text = r#"
[[nodes]]
kind = "bitcoind"
coin = "BTC"
url = "http://127.0.0.1:8332/"
user = "u"
password_file = "pw"
network = "regtest"
[[nodes]]
kind = "bitcoind"
coin = "LTC"
url = "http://127.0.0.1:9332"
cookie_file = "ltc/.cookie"
network = "main"
"#;
    let config = Config::parse(text, folder.path()).unwrap_or_else(|error| panic!("{error}"));
    let node = one(&config, "bitcoind");
    assert_eq!(node.settings.about, ["BTC", "LTC"]);
    let more: Vec<_> = node
        .settings
        .more
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(
        more,
        [
            "key.BTC=u:s3cret",
            "network.BTC=regtest",
            "url.BTC=http://127.0.0.1:8332/",
            "url.LTC=http://127.0.0.1:9332"
        ]
    );
    assert_eq!(node.cookies["LTC"], folder.path().join("ltc/.cookie"));
    let requests = node.source.requests(&node.settings, Catalog::built_in());
    assert!(
        requests
            .iter()
            .any(|request| request.network.as_deref() == Some("regtest"))
    );
    assert!(
        !format!("{config:?}").contains("s3cret"),
        "no key is printed"
    );
}

#[test]
fn a_key_in_the_file_works_and_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("k"), " from-file \n").expect("written");
    let text = "[sources.coinmarketcap]\nkey = \"abc123\"\n[sources.coingecko]\nkey_file = \"k\"\n\
                [sources.minerstat]\nkey_env = \"SMART_MINING_TEST_UNSET\"";
    let config = Config::parse(text, folder.path()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        one(&config, "coinmarketcap").settings.key.as_deref(),
        Some("abc123")
    );
    assert_eq!(one(&config, "coinmarketcap").missing, None);
    assert_eq!(
        one(&config, "coingecko").settings.key.as_deref(),
        Some("from-file")
    );
    assert_eq!(one(&config, "minerstat").missing, Some("a key"));
    let warnings = config.warnings.join("\n");
    assert!(
        warnings.contains("sources.coinmarketcap.key stands in the file"),
        "{warnings}"
    );
    assert!(
        warnings.contains("SMART_MINING_TEST_UNSET is not set"),
        "{warnings}"
    );
    assert!(!warnings.contains("abc123"));
}

/// Each mistake: the text, the line, and words of the message.
#[test]
fn mistakes_say_where_they_are_what_stands_there_and_what_to_write() {
    let pool = |from: &str, to: &str| POOL.replace(from, to);
    let node = "[[nodes]]\nkind = \"bitcoind\"\ncoin = \"BTC\"\nurl = \"http://127.0.0.1:1\"\n";
    let table: Vec<(String, usize, &[&str])> = vec![
        ("[publsh]\n".into(), 1, &["publsh: unknown key", "publish"]),
        (
            "[publish]\nheartbeat = 61".into(),
            2,
            &["publish.heartbeat = 61: out of range", "10 to 60"],
        ),
        (
            "[publish]\nheartbeat = \"60\"".into(),
            2,
            &["not a whole number"],
        ),
        (
            "[publish]\nnoise = 5".into(),
            2,
            &["publish.noise = 5", "0.01"],
        ),
        ("[publish]\nnoise = nan".into(), 2, &["out of range"]),
        ("[history]\nkeep_days = 0".into(), 2, &["out of range"]),
        (
            "[defaults]\nsources = \"some\"".into(),
            2,
            &["\"all\" or \"none\""],
        ),
        ("publish = 3".into(), 1, &["[publish]"]),
        (
            "[sources.coingeko]\n".into(),
            1,
            &["sources.coingeko: no source is called so", "coingecko"],
        ),
        (
            "[sources.binance]\nabout = [\"BTC\", \"btc\"]".into(),
            2,
            &["\"btc\"", "write \"BTC\""],
        ),
        (
            "[sources.binance]\nabout = \"BTC\"".into(),
            2,
            &["about = [\"BTC\""],
        ),
        (
            "[sources.binance]\nurl = \"127.0.0.1\"".into(),
            2,
            &["not a web address", "http://"],
        ),
        (
            "[sources.binance]\nurl = \"http://h/?key=1\"".into(),
            2,
            &["host and path"],
        ),
        (
            "[sources.binance]\nenabled = 1".into(),
            2,
            &["true or false"],
        ),
        (
            "[sources.coingecko]\nkey_file = \"absent\"".into(),
            2,
            &["cannot be read", "key_file = \"absent\""],
        ),
        (
            "[sources.coingecko]\nkey = \"topsecret\"\nkey_env = \"A\"".into(),
            2,
            &["several places"],
        ),
        (
            "[sources.coingecko]\nkey = 12345".into(),
            2,
            &["not a text"],
        ),
        (
            "[sources.coingecko]\napi_key = \"topsecret\"".into(),
            2,
            &["api_key: unknown key"],
        ),
        (
            "[sources.monerod.more]\n\"wallet.XMR\" = 4".into(),
            2,
            &["wallet.XMR = 4"],
        ),
        (
            node.replace("bitcoind", "mempool"),
            2,
            &["no kind of node", "bitcoind, zcashd"],
        ),
        (node.replace("BTC", "BTX"), 3, &["no such coin"]),
        (
            node.replace("url", "# url"),
            1,
            &["nodes[1].url: is missing", "add a line url"],
        ),
        (
            format!("{node}user = \"u\""),
            5,
            &["a user without a password"],
        ),
        (
            format!("{node}password = \"topsecret\""),
            1,
            &["a password without a user"],
        ),
        (
            format!("{node}cookie_file = \"a\"\nuser = \"u\""),
            5,
            &["a cookie and a password"],
        ),
        (
            format!("{node}{node}"),
            7,
            &["nodes[2].coin = \"BTC\": a second bitcoind for BTC"],
        ),
        ("[nodes]\nkind = \"eth\"".into(), 1, &["[[nodes]]"]),
        (
            pool("pool-a", "pool a"),
            3,
            &["pools[1].id = \"pool a\"", "A-Z a-z"],
        ),
        (pool("Pool A", ""), 4, &["empty"]),
        (format!("{POOL}{POOL}"), 13, &["this pool stands twice"]),
        (
            pool("\"ETC\"", "\"FOO\""),
            6,
            &["pools[1].offers[1].coin = \"FOO\": no such coin"],
        ),
        (
            pool("etchash", "sha512"),
            7,
            &["not an algorithm", "sha256d, scrypt"],
        ),
        (
            pool("etchash", "sha256d"),
            7,
            &["ETC is not mined with sha256d", "etchash"],
        ),
        (pool("stratum+tcp", "http"), 8, &["stratum+tcp://host:port"]),
        (
            pool("fee = 0.01", "fee = 1"),
            9,
            &["fee = 1: out of range", "0.01"],
        ),
        (pool("fee = 0.01", "fee = \"1 %\""), 9, &["not a number"]),
        (pool("pplns", "weekly"), 10, &["\"weekly\"", "FPPS"]),
        (
            pool("scheme", "merged = [\"BTC\"]\nscheme"),
            10,
            &["BTC is not mined with etchash"],
        ),
        (
            pool("scheme", "merged = [\"ETC\"]\nscheme"),
            10,
            &["ETC stands twice"],
        ),
        (
            format!("{POOL}{}", &POOL[POOL.find("[[pools.o").expect("there")..]),
            12,
            &["offers ETC with etchash twice"],
        ),
        (
            "[[pools]]\nid = \"a\"\nname = \"A\"".into(),
            1,
            &["[[pools.offers]]"],
        ),
        ("[publish\nheartbeat = 20".into(), 1, &["not TOML"]),
        ("[publish]\nheartbeat = = 20".into(), 2, &["not TOML"]),
    ];
    for (text, line, words) in table {
        let error = parse(&text).expect_err(&text);
        let shown = error.to_string();
        assert_eq!(error.faults.len(), 1, "{text}\n{shown}");
        assert_eq!(error.faults[0].line, line, "{text}\n{shown}");
        for word in words {
            assert!(shown.contains(word), "{word:?} is not in {shown}");
        }
        assert!(
            !shown.contains("topsecret") && !shown.contains("12345"),
            "{shown}"
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_lines() {
    let text = "[publish]\nheartbeat = 5\n[sources.nobody]\n[[pools]]\nid = \"a\"\n\
                [[pools.offers]]\ncoin = \"BTC\"\nfee = 2\n";
    let error = parse(text).expect_err("mistakes");
    let lines: Vec<_> = error.faults.iter().map(|fault| fault.line).collect();
    // The pool lacks a name; its offer an algorithm, an address and a scheme.
    assert_eq!(lines, [2, 3, 4, 6, 6, 6, 8], "{error}");
}

#[test]
fn what_is_no_toml_does_not_hide_what_stands_above() {
    let text = "[publish]\nheartbeat = 5\nnoise 0.1\n[history]\nkeep_days = 0\n";
    let error = parse(text).expect_err("mistakes");
    let lines: Vec<_> = error.faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [2, 3], "{error}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::read(Path::new("/nowhere/aggregator.toml")).expect_err("absent");
    assert!(
        error
            .to_string()
            .starts_with("/nowhere/aggregator.toml: cannot be read")
    );
}
