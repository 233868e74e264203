//! One farm's connection to central, with the habits of the appliance's sync.
//!
//! ```text
//!   first poll, or after a failure: wait=0    else: wait=25
//!   200, 204 --> asks again; after 204 not before a second has passed
//!   a kept connection broke --> asks once more on a new one, at once
//!   anything else --> waits 1 s, 2 s, 4 s .. 30 s
//! ```

use super::Place;
use super::book::{Book, Fault};
use anyhow::Result;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Beyond what the API was asked to wait.
const GRACE: Duration = Duration::from_secs(10);
const AGENT: &str = concat!("smart-mining-farmsim/", env!("CARGO_PKG_VERSION"));

enum Answer {
    New,
    Nothing,
}

pub struct Farm {
    place: Place,
    authorization: HeaderValue,
    host: HeaderValue,
    wait: u64,
    book: Arc<Book>,
    connection: Option<SendRequest<Empty<Bytes>>>,
    sequence: u64,
    reachable: bool,
    /// Since when it has had no answer, if it had one before.
    lost: Option<Instant>,
}

impl Farm {
    pub fn new(place: Place, token: &str, wait: u64, book: Arc<Book>) -> Result<Self> {
        Ok(Self {
            authorization: HeaderValue::from_str(&format!("Bearer {token}"))?,
            host: HeaderValue::from_str(&place.authority)?,
            place,
            wait,
            book,
            connection: None,
            sequence: 0,
            reachable: false,
            lost: None,
        })
    }

    pub async fn run(mut self) {
        let mut wait = FIRST_WAIT;
        loop {
            let asked = Instant::now();
            match self.poll_twice().await {
                Ok(answer) => {
                    self.reached();
                    wait = FIRST_WAIT;
                    match answer {
                        Answer::New => {}
                        Answer::Nothing => sleep(FIRST_WAIT.saturating_sub(asked.elapsed())).await,
                    }
                }
                Err(fault) => {
                    self.missed(fault);
                    if std::mem::replace(&mut self.reachable, false) {
                        self.book.lost();
                    }
                    sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    async fn poll_twice(&mut self) -> Result<Answer, Fault> {
        match self.poll().await {
            Err(fault) if self.reachable && fault.is_of_connection() => {
                self.missed(fault);
                self.poll().await
            }
            outcome => outcome,
        }
    }

    fn reached(&mut self) {
        self.book.answered(!self.reachable, self.lost.take());
        self.reachable = true;
    }

    fn missed(&mut self, fault: Fault) {
        if self.reachable {
            self.lost.get_or_insert_with(Instant::now);
        }
        self.book.failed(fault);
    }

    async fn poll(&mut self) -> Result<Answer, Fault> {
        let wait = if self.reachable { self.wait } else { 0 };
        // Given back only after a whole answer: what failed is not used again.
        let kept = self.connection.take().filter(|kept| !kept.is_closed());
        let mut connection = match kept {
            Some(kept) => kept,
            None => timeout(CONNECT_WITHIN, self.place.connect())
                .await
                .map_err(|_| Fault::ConnectTimeOut)?
                .map_err(|error| Fault::Connect(error.kind()))?,
        };
        let request = self.request(wait);
        let answering = async {
            connection.ready().await?;
            connection.send_request(request).await
        };
        let response = timeout(Duration::from_secs(wait) + GRACE, answering)
            .await
            .map_err(|_| Fault::AnswerTimeOut)?
            .map_err(|_| Fault::Broken)?;
        let answer = self.take(response).await?;
        self.connection = Some(connection);
        Ok(answer)
    }

    /// What ureq sends, with another agent.
    fn request(&self, wait: u64) -> Request<Empty<Bytes>> {
        let after = self.sequence;
        let mut request = Request::new(Empty::new());
        let uri = format!("/api/v1/snapshot?after={after}&wait={wait}");
        // Digits and a fixed path are a URI; were they none, the API would say so.
        *request.uri_mut() = uri.parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        request
    }

    async fn take(&mut self, response: Response<Incoming>) -> Result<Answer, Fault> {
        let status = response.status().as_u16();
        self.book.status(status);
        match status {
            200 => {}
            204 => return Ok(Answer::Nothing),
            status => return Err(Fault::Status(status)),
        }
        let sequence = response.headers().get("x-sequence");
        let sequence = sequence.and_then(|value| value.to_str().ok()?.parse().ok());
        let sequence: u64 = sequence.ok_or(Fault::NoSequence)?;
        let mut body = response.into_body();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Fault::Broken)?;
            bytes += frame.data_ref().map_or(0, Bytes::len);
        }
        // The first it ever gets is not news to anybody but itself.
        let news = self.sequence != 0;
        if sequence <= self.sequence {
            return Err(Fault::Stale);
        }
        self.sequence = sequence;
        self.book.received(sequence, news, bytes);
        Ok(Answer::New)
    }
}
