//! One miner's TLS: no socket, only bytes in and bytes out.

use rustls::{ServerConfig, ServerConnection};
use std::io::{BufRead, Write};
use std::sync::Arc;

/// The first byte of whoever begins with TLS; no line of JSON has it.
pub const FIRST_BYTE: u8 = 0x16;

/// Why there is no more to come.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// A goodbye in due form.
    Closed,
    Fault(String),
}

#[derive(Debug)]
pub struct GuestTls(ServerConnection);

impl GuestTls {
    pub fn new(config: &Arc<ServerConfig>) -> Result<Self, Broken> {
        ServerConnection::new(config.clone())
            .map(Self)
            .map_err(fault)
    }

    /// Bytes from the socket; `each` gets what they say. There may be something to
    /// [`seal`](Self::seal) afterwards, also after an error.
    pub fn open<E: From<Broken>>(
        &mut self,
        mut sealed: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while !sealed.is_empty() {
            self.0.read_tls(&mut sealed).map_err(fault)?;
            let state = self.0.process_new_packets().map_err(fault)?;
            let mut left = state.plaintext_bytes_to_read();
            while left > 0 {
                let mut reader = self.0.reader();
                let plain = reader.fill_buf().map_err(fault)?;
                let length = plain.len();
                let heard = each(plain);
                reader.consume(length);
                heard?;
                left = left.saturating_sub(length.max(1));
            }
            if state.peer_has_closed() {
                return Err(Broken::Closed.into());
            }
        }
        Ok(())
    }

    /// What is to be sent: `plain`, and what TLS itself has to say before it.
    pub fn seal(&mut self, mut plain: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut sealed = Vec::new();
        loop {
            while self.0.wants_write() {
                self.0.write_tls(&mut sealed).map_err(fault)?;
            }
            if plain.is_empty() {
                return Ok(sealed);
            }
            match self.0.writer().write(plain).map_err(fault)? {
                // More than is kept for a handshake that is not over.
                0 => return Err(Broken::Fault("too much to say at once".to_owned())),
                length => plain = &plain[length..],
            }
        }
    }
}

fn fault(error: impl std::fmt::Display) -> Broken {
    Broken::Fault(format!("TLS failed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::super::server::server_config;
    use super::super::verify::Verifier;
    use super::super::{fingerprint, server};
    use super::*;
    use proptest::prelude::*;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, ClientConnection};
    use std::io::Read;
    use std::sync::OnceLock;

    type Configs = (Arc<ServerConfig>, Arc<ClientConfig>);

    fn configs() -> &'static Configs {
        static CONFIGS: OnceLock<Configs> = OnceLock::new();
        CONFIGS.get_or_init(|| {
            let folder = tempfile::tempdir().expect("a folder");
            let server = server_config(folder.path(), None).expect("made");
            let pem = std::fs::read(folder.path().join(server::FILE)).expect("kept");
            let certificate = CertificateDer::from_pem_slice(&pem).expect("a certificate");
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let pin = Some(fingerprint(&certificate));
            let verifier = Verifier::new(pin, &provider).expect("a pin");
            let client = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("versions")
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
                .with_no_client_auth();
            (server, Arc::new(client))
        })
    }

    /// What the client has to send, in pieces of these sizes, and all answers back.
    fn exchange(
        client: &mut ClientConnection,
        guest: &mut GuestTls,
        cuts: &mut impl Iterator<Item = usize>,
        heard: &mut Vec<u8>,
    ) {
        loop {
            let mut sent = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut sent).expect("into memory");
            }
            let mut rest = &sent[..];
            let mut back = Vec::new();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(cuts.next().unwrap_or(9).min(rest.len()));
                let opened = guest.open(piece, |plain| {
                    heard.extend_from_slice(plain);
                    Ok::<(), Broken>(())
                });
                opened.expect("it is TLS");
                back.extend(guest.seal(&[]).expect("the handshake"));
                rest = after;
            }
            let mut answer = &back[..];
            while !answer.is_empty() {
                client.read_tls(&mut answer).expect("from memory");
                client.process_new_packets().expect("it is TLS");
            }
            if !client.wants_write() {
                return;
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn cuts_do_not_matter(
            lines in proptest::collection::vec("[a-z]{0,2000}\n", 1..6),
            cuts in proptest::collection::vec(1usize..700, 1..40),
            answer in proptest::collection::vec(any::<u8>(), 0..100_000),
        ) {
            let (server, client) = configs();
            let name = ServerName::try_from("proxy.local").expect("a name");
            let mut client = ClientConnection::new(client.clone(), name).expect("a client");
            let mut guest = GuestTls::new(server).expect("a guest");
            let (mut heard, mut cuts) = (Vec::new(), cuts.into_iter().cycle());
            exchange(&mut client, &mut guest, &mut cuts, &mut heard);
            prop_assert!(!client.is_handshaking());
            for line in &lines {
                client.writer().write_all(line.as_bytes()).expect("room");
                exchange(&mut client, &mut guest, &mut cuts, &mut heard);
            }
            prop_assert_eq!(heard, lines.concat().into_bytes());
            let sealed = guest.seal(&answer).expect("it is open");
            let (mut rest, mut back) = (&sealed[..], Vec::new());
            while !rest.is_empty() {
                client.read_tls(&mut rest).expect("from memory");
                client.process_new_packets().expect("it is TLS");
                let _ = client.reader().read_to_end(&mut back);
            }
            prop_assert_eq!(back, answer);
        }

        #[test]
        fn noise_is_an_error_and_nothing_else(noise in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let mut guest = GuestTls::new(&configs().0).expect("a guest");
            let noise = [&[FIRST_BYTE], &noise[..]].concat();
            let _ = guest.open(&noise, |_| Ok::<(), Broken>(()));
            let _ = guest.seal(&[]);
        }
    }

    #[test]
    fn a_goodbye_is_no_fault() {
        let (server, client) = configs();
        let name = ServerName::try_from("proxy.local").expect("a name");
        let mut client = ClientConnection::new(client.clone(), name).expect("a client");
        let mut guest = GuestTls::new(server).expect("a guest");
        let mut heard = Vec::new();
        exchange(
            &mut client,
            &mut guest,
            &mut std::iter::repeat(50),
            &mut heard,
        );
        client.send_close_notify();
        let mut sent = Vec::new();
        client.write_tls(&mut sent).expect("into memory");
        let end = guest.open(&sent, |_| Ok::<(), Broken>(()));
        assert_eq!(end, Err(Broken::Closed));
    }
}
