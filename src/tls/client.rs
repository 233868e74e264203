//! A connection to a pool: plain, or TLS after its handshake.

use super::Fingerprint;
use super::verify::{Refused, Verifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, Error};
use smart_mining_wire::PoolUrl;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub enum PoolStream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What the url asks for, over a connection that is made. The text says what is
/// wrong, and the remedy.
pub async fn secure(
    tcp: TcpStream,
    url: &PoolUrl,
    pin: Option<Fingerprint>,
) -> Result<PoolStream, String> {
    if !url.tls {
        return Ok(PoolStream::Plain(tcp));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new(pin, &provider)?;
    handshake(tcp, url, verifier, provider).await
}

async fn handshake(
    tcp: TcpStream,
    url: &PoolUrl,
    verifier: Verifier,
    provider: Arc<CryptoProvider>,
) -> Result<PoolStream, String> {
    let name = ServerName::try_from(url.host.clone())
        .map_err(|_| format!("{:?} is no name that a certificate can have", url.host))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    match timeout(HANDSHAKE_WITHIN, connecting).await {
        Ok(Ok(stream)) => Ok(PoolStream::Tls(Box::new(stream))),
        Ok(Err(error)) => Err(explained(&error, url)),
        Err(_) => Err(format!(
            "no TLS handshake within {HANDSHAKE_WITHIN:?}; {}",
            is_it_plain(url)
        )),
    }
}

fn is_it_plain(url: &PoolUrl) -> String {
    let plain = PoolUrl {
        tls: false,
        ..url.clone()
    };
    format!(
        "is {} the pool's port for TLS? For plain connections write {plain}",
        url.port
    )
}

fn explained(error: &io::Error, url: &PoolUrl) -> String {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    let Some(cause) = cause else {
        // Most pools close when they cannot read our greeting.
        let closed = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        return if closed.contains(&error.kind()) {
            let plain = is_it_plain(url);
            format!("it closed the connection during the TLS handshake; {plain}")
        } else {
            format!("connection lost during the TLS handshake: {error}")
        };
    };
    // The list of the library's errors is open.
    #[allow(clippy::wildcard_enum_match_arm)]
    match cause {
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            let ours = other.0.downcast_ref::<Refused>();
            ours.map_or_else(|| other.to_string(), Refused::to_string)
        }
        Error::InvalidMessage(_) => {
            format!("what it answers is not TLS; {}", is_it_plain(url))
        }
        Error::AlertReceived(alert) => format!(
            "it refused the TLS handshake ({alert:?}); does it want another name in the url, \
             or an older TLS than 1.2?"
        ),
        other => format!("TLS failed: {other}"),
    }
}

impl AsyncRead for PoolStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            // Pools close without TLS's own goodbye, and a line that was cut short
            // is none: it is an end like any other.
            Self::Tls(stream) => match Pin::new(stream).poll_read(context, buffer) {
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                read @ (Poll::Ready(_) | Poll::Pending) => read,
            },
        }
    }
}

impl AsyncWrite for PoolStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{colons, fingerprint};
    use super::*;
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd,
    };
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
    use rustls::{RootCertStore, ServerConfig};
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    type Authority = CertifiedIssuer<'static, KeyPair>;

    fn provider() -> Arc<CryptoProvider> {
        Arc::new(rustls::crypto::ring::default_provider())
    }

    fn authority() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        CertifiedIssuer::self_signed(params, key).expect("an authority")
    }

    fn params(name: &str, years: (i32, i32)) -> CertificateParams {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        params
    }

    /// A pool over TLS that says one line back; and its certificate.
    async fn pool(
        params: CertificateParams,
        issuer: Option<&Authority>,
    ) -> (u16, CertificateDer<'static>) {
        let key = KeyPair::generate().expect("a key");
        let certificate = match issuer {
            Some(issuer) => params.signed_by(&key, issuer),
            None => params.self_signed(&key),
        };
        let certificate = certificate.expect("a certificate").der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .expect("they fit");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                stream.read_line(&mut line).await.expect("a line");
                let stream = stream.get_mut();
                stream.write_all(line.as_bytes()).await.expect("open");
                stream.flush().await.expect("open");
            }
        });
        (port, certificate)
    }

    async fn reach(host: &str, port: u16, verifier: Verifier) -> Result<PoolStream, String> {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.expect("open");
        let url = format!("stratum+ssl://{host}:{port}")
            .parse()
            .expect("an address");
        handshake(tcp, &url, verifier, provider()).await
    }

    fn trusting(authority: &Authority) -> Verifier {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).expect("an authority");
        Verifier::trusting(Arc::new(roots), &provider()).expect("one root")
    }

    fn pinned(pin: Fingerprint) -> Verifier {
        Verifier::new(Some(pin), &provider()).expect("a pin")
    }

    async fn works(mut stream: PoolStream) {
        assert!(matches!(stream, PoolStream::Tls(_)));
        stream.write_all(b"hello\n").await.expect("open");
        stream.flush().await.expect("open");
        let mut back = String::new();
        // Ends although the pool said no goodbye.
        stream.read_to_string(&mut back).await.expect("an end");
        assert_eq!(back, "hello\n");
    }

    #[tokio::test]
    async fn a_certificate_of_a_known_authority_is_accepted_for_its_name() {
        let authority = authority();
        let (port, _) = pool(params("pool.example", (2020, 2090)), Some(&authority)).await;
        let stream = reach("pool.example", port, trusting(&authority)).await;
        works(stream.expect("trusted")).await;
        let why = reach("other.example", port, trusting(&authority)).await;
        let why = why.expect_err("another name");
        assert!(why.contains("not for the name other.example"), "{why}");
    }

    #[tokio::test]
    async fn dates_are_judged_by_the_clock_and_the_text_says_so() {
        let authority = authority();
        for (years, wanted) in [
            ((1990, 2000), "has expired"),
            ((2089, 2090), "is not valid yet"),
        ] {
            let (port, _) = pool(params("pool.example", years), Some(&authority)).await;
            let why = reach("pool.example", port, trusting(&authority)).await;
            let why = why.expect_err("out of its time");
            assert!(why.contains(wanted) && why.contains("clock"), "{why}");
        }
    }

    #[tokio::test]
    async fn a_pin_is_shown_to_whoever_has_none_and_accepts_only_its_certificate() {
        // Nothing about it is right but the certificate itself.
        let (port, certificate) = pool(params("elsewhere.example", (1990, 2000)), None).await;
        let pin = fingerprint(&certificate);
        let usual = Verifier::new(None, &provider()).expect("authorities");
        let why = reach("pool.example", port, usual)
            .await
            .expect_err("unknown");
        assert!(why.contains(&colons(&pin)), "{why}");
        let why = reach("pool.example", port, pinned([7; 32])).await;
        let why = why.expect_err("another one");
        assert!(why.contains("not the one of tls_pin"), "{why}");
        assert!(why.contains(&colons(&pin)), "{why}");
        works(
            reach("pool.example", port, pinned(pin))
                .await
                .expect("pinned"),
        )
        .await;
        works(reach("127.0.0.1", port, pinned(pin)).await.expect("pinned")).await;
    }

    #[tokio::test]
    async fn a_plain_pool_behind_the_url_is_named() {
        for answer in ["", "{\"id\":null,\"error\":\"parse\"}\n"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let port = listener.local_addr().expect("bound").port();
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.expect("a guest");
                let mut greeting = [0; 4096];
                let _ = stream.read(&mut greeting).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
            let why = reach("127.0.0.1", port, pinned([7; 32]))
                .await
                .expect_err("plain");
            let remedy = format!("For plain connections write stratum+tcp://127.0.0.1:{port}");
            assert!(why.contains(&remedy), "{why}");
        }
    }
}
