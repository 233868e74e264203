//! Requests beyond a plain GET, and all that an answer says.

use super::Api;
use serde_json::Value;
use std::io::Read as _;
use std::time::Duration;

/// An answer with its headers; the body is as it came, not decompressed.
#[derive(Debug)]
pub struct Full {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub bytes: Vec<u8>,
}

impl Full {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("JSON")
    }

    /// Check the form of a problem; answers its kind.
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let body = self.json();
        assert_eq!(body["status"], status);
        assert!(body["title"].is_string() && body["detail"].is_string());
        let kind = body["type"].as_str().expect("a type");
        let kind = kind.strip_prefix("urn:smart-mining:problem:");
        kind.expect("our URN").to_owned()
    }
}

impl Api {
    /// `headers` beside the token; `body` with a length, if there is one.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Full {
        ask(&self.address, method, path, token, headers, body)
    }

    pub fn send(&self, method: &str, path: &str, token: &str, body: &Value) -> Full {
        let body = body.to_string();
        let json = [("content-type", "application/json")];
        self.ask(method, path, Some(token), &json, Some(body.as_bytes()))
    }
}

/// For threads that outlive a borrow of the API.
pub fn ask(
    address: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> Full {
    // ureq would add Accept-Encoding and decompress, so this speaks HTTP itself.
    use std::io::Write as _;
    let host = address.strip_prefix("http://").expect("http");
    let mut stream = std::net::TcpStream::connect(host).expect("connected");
    let patience = Some(Duration::from_secs(70));
    stream.set_read_timeout(patience).expect("set");
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    if let Some(token) = token {
        request += &format!("authorization: Bearer {token}\r\n");
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    if let Some(body) = body {
        request += &format!("content-length: {}\r\n", body.len());
    }
    request += "\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    // A body that is too large is not read to its end.
    let _ = stream.write_all(body.unwrap_or_default());
    let mut answer = Vec::new();
    // The connection of one that is not read ends with a reset, after the answer.
    let ended = stream.read_to_end(&mut answer);
    assert!(ended.is_ok() || !answer.is_empty(), "{ended:?}");
    parse(&answer)
}

fn parse(answer: &[u8]) -> Full {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.expect("a header");
    let head = std::str::from_utf8(&answer[..end]).expect("text");
    let mut lines = head.split("\r\n");
    let status = lines.next().expect("a status").split(' ').nth(1);
    let header = |line: &str| {
        let (name, value) = line.split_once(':').expect("a header");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    Full {
        status: status.expect("a status").parse().expect("a number"),
        headers: lines.map(header).collect(),
        bytes: answer[end + 4..].to_vec(),
    }
}
