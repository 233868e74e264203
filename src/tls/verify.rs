//! Whether a pool's certificate is accepted.
//!
//! Without a pin: by Mozilla's authorities, which are compiled in so that an image
//! without a list of its own works, and by those of the system, to which a farm
//! can add its own. With a pin: that one certificate, whatever its name, issuer
//! and dates; an appliance without a clock battery boots in 1970.
//!
//! Each refusal is put into words here, where the certificate is at hand.

use super::{Fingerprint, colons, fingerprint};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Why a certificate was refused, and what to do about it.
#[derive(Debug)]
pub(super) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

fn refused(text: String) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Refused(text)))))
}

#[derive(Debug)]
pub(super) enum Verifier {
    Authorities(Arc<WebPkiServerVerifier>),
    Pinned(Fingerprint, Arc<CryptoProvider>),
}

impl Verifier {
    pub fn new(pin: Option<Fingerprint>, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        if let Some(pin) = pin {
            return Ok(Self::Pinned(pin, provider.clone()));
        }
        Self::trusting(authorities(), provider)
    }

    pub fn trusting(
        authorities: Arc<RootCertStore>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        WebPkiServerVerifier::builder_with_provider(authorities, provider.clone())
            .build()
            .map(Self::Authorities)
            .map_err(|error| format!("certificates cannot be checked: {error}"))
    }
}

/// Read once: the files do not change while the appliance runs.
fn authorities() -> Arc<RootCertStore> {
    static AUTHORITIES: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let read = || {
        let mut store = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            log::debug!("the system's certificates: {error}");
        }
        store.add_parsable_certificates(system.certs);
        Arc::new(store)
    };
    AUTHORITIES.get_or_init(read).clone()
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = fingerprint(end_entity);
        match self {
            Self::Pinned(pin, _) if *pin == presented => Ok(ServerCertVerified::assertion()),
            Self::Pinned(..) => Err(refused(format!(
                "its certificate is not the one of tls_pin but {}; if the pool says that it \
                 has a new one, write this as tls_pin",
                colons(&presented)
            ))),
            Self::Authorities(inner) => inner
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map_err(|error| explained(error, server_name, now, &presented)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Self::Authorities(inner) => inner.verify_tls12_signature(message, cert, dss),
            Self::Pinned(_, provider) => verify_tls12_signature(
                message,
                cert,
                dss,
                &provider.signature_verification_algorithms,
            ),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Self::Authorities(inner) => inner.verify_tls13_signature(message, cert, dss),
            Self::Pinned(_, provider) => verify_tls13_signature(
                message,
                cert,
                dss,
                &provider.signature_verification_algorithms,
            ),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match self {
            Self::Authorities(inner) => inner.supported_verify_schemes(),
            Self::Pinned(_, provider) => provider
                .signature_verification_algorithms
                .supported_schemes(),
        }
    }
}

/// The library's refusal in our words. What it names that we do not is untrusted.
fn explained(error: Error, name: &ServerName<'_>, now: UnixTime, presented: &Fingerprint) -> Error {
    let Error::InvalidCertificate(why) = &error else {
        return error;
    };
    let (name, pin) = (name.to_str(), colons(presented));
    // The list of the library's reasons is open.
    #[allow(clippy::wildcard_enum_match_arm)]
    let text = match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
            "its certificate has expired, by this machine's clock ({}); is the clock right? \
             If it is, tell the pool, or pin the certificate: tls_pin = \"{pin}\"",
            clock(now)
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => format!(
            "its certificate is not valid yet, by this machine's clock ({}); set the clock, \
             or pin the certificate: tls_pin = \"{pin}\"",
            clock(now)
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!(
                "its certificate is not for the name {name}; is the host of the url right? \
                 For a pool known by its certificate alone: tls_pin = \"{pin}\""
            )
        }
        other => format!(
            "its certificate is not trusted ({other}); if it is the pool's own, compare its \
             fingerprint with what the pool says and pin it: tls_pin = \"{pin}\""
        ),
    };
    refused(text)
}

/// Hours and minutes do not matter to a certificate of months.
fn clock(now: UnixTime) -> String {
    let days = now.as_secs() / 86_400;
    // Days since 0000-03-01, so that a leap day ends its year.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn days_are_named_as_calendars_do() {
        let date = |seconds| clock(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_735_689_599), "2024-12-31");
        assert_eq!(date(4_107_542_400), "2100-03-01");
    }
}
