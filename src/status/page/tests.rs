//! The page as a visitor gets it.

use super::{Press, Query, Section, printed, shell};
use crate::status::tests::{Farm, full_farm};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The farm's folder goes with it.
fn press(farm: Farm) -> (Arc<Press>, impl Sized) {
    let (views, folder) = farm.apart();
    (Arc::new(Press::new(Arc::new(views))), folder)
}

#[tokio::test]
async fn visitors_at_the_same_time_get_the_same_print() {
    let (press, _folder) = press(full_farm());
    let query = Query::default();
    let next_page = query.at_page(1);
    let (one, two, other) = tokio::join!(
        press.sheet(Section::Miners, &query),
        press.sheet(Section::Miners, &query),
        press.sheet(Section::Miners, &next_page),
    );
    assert!(Arc::ptr_eq(&one, &two));
    assert!(!Arc::ptr_eq(&one, &other), "another view is another print");
}

#[tokio::test]
async fn a_page_allows_its_own_script_and_style_and_nothing_else() {
    let (press, _folder) = press(full_farm());
    let page = printed(&press, &Query::default()).await;
    let headers: axum::http::HeaderMap = shell::headers().collect();
    let policy = headers["content-security-policy"].to_str().expect("text");
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let start = page.find(&format!("<{tag}>")).expect("it is inline") + tag.len() + 2;
        let end = page.find(&format!("</{tag}>")).expect("it ends");
        let hash = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            <sha2::Sha256 as sha2::Digest>::digest(&page.as_bytes()[start..end]),
        );
        let rule = format!("{directive} 'sha256-{hash}';");
        assert!(policy.contains(&rule), "{rule} is not in {policy}");
    }
    assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"));
    for foreign in ["http://", "https://", " style=", " onclick="] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.len() < 100 * 1024, "{} bytes", page.len());
}

#[tokio::test]
async fn a_live_stream_tells_of_the_build_first_and_then_of_every_part() {
    let (press, _folder) = press(full_farm());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("bound");
    let app = crate::status::live::routes(press);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut visitor = tokio::net::TcpStream::connect(address)
        .await
        .expect("reached");
    let ask = b"GET /live HTTP/1.1\r\nHost: barn\r\n\r\n";
    visitor.write_all(ask).await.expect("sent");
    let (mut got, patience) = (String::new(), std::time::Duration::from_secs(20));
    while !Section::ALL
        .iter()
        .all(|it| got.contains(&format!("{{\"id\":\"{}\"", it.id())))
    {
        let mut chunk = [0; 4096];
        let read = tokio::time::timeout(patience, visitor.read(&mut chunk)).await;
        let read = read.expect("in time").expect("it goes on");
        assert!(read > 0, "it ended after {got}");
        got.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
    let first = got.find("event: ").map(|at| &got[at..at + 12]);
    assert_eq!(first, Some("event: build"), "{got}");
}
