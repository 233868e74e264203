//! The certificate that miners see: the farm's own, or one that is made here.
//!
//! Firmware hardly ever checks it, so one that nobody signed does; it lives in one
//! file with its key, which a power cut leaves whole or not there, and it is made
//! anew if it cannot be used. A farm's own that cannot be used is an error: its
//! miners may be set to check it.

use crate::config::KeyFiles;
use crate::files;
use anyhow::{Context, anyhow};
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) const FILE: &str = "listener-tls.pem";
const NAME: &str = "smart-mining-proxy";

/// `folder`: where the store is, and the certificate that is made here.
pub fn server_config(folder: &Path, own: Option<&KeyFiles>) -> anyhow::Result<Arc<ServerConfig>> {
    if let Some(own) = own {
        return from_files(own);
    }
    let path = folder.join(FILE);
    match fs::read(&path) {
        Ok(pem) => match usable(&pem, &pem) {
            Ok(config) => return Ok(config),
            Err(error) => log::warn!("{} is made anew: {error:#}", path.display()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => log::warn!("{} cannot be read: {error}", path.display()),
    }
    let pem = make().context("no certificate for TLS could be made")?;
    match files::replace(&path, pem.as_bytes(), 0o600) {
        Ok(()) => log::info!("{}: a new certificate for miners", path.display()),
        // Miners go on, and see another one after the next start.
        Err(error) => log::warn!("{} cannot be written: {error}", path.display()),
    }
    usable(pem.as_bytes(), pem.as_bytes())
}

/// What `[[listener]]` names.
pub fn from_files(own: &KeyFiles) -> anyhow::Result<Arc<ServerConfig>> {
    let read = |path: &PathBuf, key: &str| {
        fs::read(path).with_context(|| {
            let path = path.display();
            format!("{path} cannot be read; check listener.{key} and who may read the file")
        })
    };
    let certificate = read(&own.certificate, "certificate")?;
    let key = read(&own.key, "key")?;
    usable(&certificate, &key).with_context(|| {
        let (certificate, key) = (own.certificate.display(), own.key.display());
        format!(
            "{certificate} with {key} cannot be used for TLS; write PEM files that belong together"
        )
    })
}

fn usable(certificates: &[u8], key: &[u8]) -> anyhow::Result<Arc<ServerConfig>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<_, _>>()
        .map_err(|error| anyhow!("the certificate is no PEM: {error}"))?;
    anyhow::ensure!(!chain.is_empty(), "there is no certificate in it");
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| anyhow!("there is no private key in it: {error}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

/// Valid at any time that a clock may show.
fn make() -> anyhow::Result<String> {
    let mut params = CertificateParams::new(vec![NAME.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.not_before = date_time_ymd(1975, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(certificate.pem() + &key.serialize_pem())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_certificate_is_made_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        server_config(folder.path(), None).expect("made");
        let first = fs::read(&path).expect("kept");
        let mode = fs::metadata(&path).expect("kept").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        server_config(folder.path(), None).expect("read");
        assert_eq!(fs::read(&path).expect("kept"), first);
    }

    #[test]
    fn a_damaged_one_is_made_anew_and_a_leftover_is_in_nobodys_way() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        server_config(folder.path(), None).expect("made");
        let whole = fs::read(&path).expect("kept");
        fs::write(path.with_extension("pem.new"), "half").expect("written");
        for damaged in [&whole[..whole.len() / 2], b"", b"\0\0\0\0"] {
            fs::write(&path, damaged).expect("written");
            server_config(folder.path(), None).expect("made anew");
            let now = fs::read(&path).expect("kept");
            assert!(now != damaged && now != whole);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_does_not_keep_miners_away() {
        server_config(Path::new("/proc/none"), None).expect("in memory");
    }

    #[test]
    fn a_farms_own_certificate_must_be_usable() {
        let folder = tempfile::tempdir().expect("a folder");
        let pair = |name: &str| {
            let (certificate, key) = (folder.path().join(name), folder.path().join(name));
            KeyFiles { certificate, key }
        };
        fs::write(folder.path().join("a"), make().expect("made")).expect("written");
        fs::write(folder.path().join("b"), make().expect("made")).expect("written");
        fs::write(folder.path().join("c"), "nothing").expect("written");
        from_files(&pair("a")).expect("they belong together");
        let why = |own: &KeyFiles| format!("{:#}", from_files(own).expect_err("unusable"));
        let mixed = KeyFiles {
            certificate: folder.path().join("a"),
            key: folder.path().join("b"),
        };
        assert!(why(&mixed).contains("belong together"), "{}", why(&mixed));
        assert!(why(&pair("c")).contains("no certificate in it"));
        assert!(why(&pair("d")).contains("check listener.certificate"));
    }
}
