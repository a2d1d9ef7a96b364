//! TLS as the web configuration asks for it, by rustls.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::error::WebConfigError;
use super::written::Tls;

/// Which key a message is about.
struct Place<'a> {
    file: &'a Path,
}

impl Place<'_> {
    fn wrong(&self, key: &str, problem: impl std::fmt::Display) -> WebConfigError {
        WebConfigError::Wrong {
            path: self.file.to_owned(),
            key: format!("tls_server_config.{key}"),
            problem: problem.to_string(),
        }
    }

    /// A path of the file, which is relative to its folder.
    fn resolved(&self, path: &Path) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    fn certificates(&self, key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, WebConfigError> {
        let path = self.resolved(path);
        let wrong = |problem: String| self.wrong(key, format!("{}: {problem}", path.display()));
        let all = CertificateDer::pem_file_iter(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let all = all.map_err(|problem| wrong(problem.to_string()))?;
        if all.is_empty() {
            return Err(wrong("holds no certificate; give a PEM file with one".to_owned()));
        }
        Ok(all)
    }
}

/// The files that the configuration names: when one of them changes, it is read anew.
pub(super) fn files(written: &Tls, file: &Path) -> Vec<PathBuf> {
    let place = Place { file };
    let named = [Some(&written.cert_file), Some(&written.key_file), written.client_ca_file.as_ref()];
    named.into_iter().flatten().map(|path| place.resolved(path)).collect()
}

/// Looks at what is written, and at none of the files that are named.
///
/// # Errors
///
/// What is missing, and what rustls does not do.
pub(super) fn check(written: &Tls, file: &Path) -> Result<(), WebConfigError> {
    said(written, &Place { file }).map(drop)
}

type Versions = Vec<&'static SupportedProtocolVersion>;

/// Which certificates of clients are asked for.
struct ClientAuth<'a> {
    may_have_none: bool,
    ca_file: &'a Path,
}

fn said<'a>(
    written: &'a Tls,
    place: &Place<'_>,
) -> Result<(Versions, Option<ClientAuth<'a>>), WebConfigError> {
    for (key, path) in [("cert_file", &written.cert_file), ("key_file", &written.key_file)] {
        if path.as_os_str().is_empty() {
            return Err(place.wrong(key, "is missing; TLS needs a certificate and its key"));
        }
    }
    Ok((versions(written, place)?, client_auth(written, place)?))
}

/// How TLS connections are accepted.
///
/// # Errors
///
/// A file that cannot be read or does not fit, and what rustls does not do.
pub(super) fn config(written: &Tls, file: &Path) -> Result<Arc<ServerConfig>, WebConfigError> {
    let place = Place { file };
    let (versions, client_auth) = said(written, &place)?;
    let certificates = place.certificates("cert_file", &written.cert_file)?;
    let key = PrivateKeyDer::from_pem_file(place.resolved(&written.key_file)).map_err(|problem| {
        place.wrong("key_file", format!("{}: {problem}", place.resolved(&written.key_file).display()))
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&versions)
        .map_err(|problem| place.wrong("min_version", problem))?;
    let builder = match client_auth {
        Some(asked) => builder.with_client_cert_verifier(client_verifier(&asked, &place)?),
        None => builder.with_no_client_auth(),
    };
    let mut config =
        builder.with_single_cert(certificates, key).map_err(|problem| place.wrong("cert_file", problem))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn versions(written: &Tls, place: &Place<'_>) -> Result<Versions, WebConfigError> {
    let number = |key: &str, value: &Option<String>, default: u8| match value.as_deref() {
        None => Ok(default),
        Some("TLS12") => Ok(12),
        Some("TLS13") => Ok(13),
        Some(other) => Err(place.wrong(key, format!("\"{other}\" is not spoken here; TLS12 and TLS13 are"))),
    };
    let min = number("min_version", &written.min_version, 12)?;
    let max = number("max_version", &written.max_version, 13)?;
    if min > max {
        return Err(place.wrong("max_version", "is below min_version"));
    }
    let spoken = [(12, &TLS12), (13, &TLS13)];
    Ok(spoken.into_iter().filter(|(v, _)| (min..=max).contains(v)).map(|(_, version)| version).collect())
}

fn client_auth<'a>(written: &'a Tls, place: &Place<'_>) -> Result<Option<ClientAuth<'a>>, WebConfigError> {
    let may_have_none = match written.client_auth_type.as_str() {
        "" | "NoClientCert" => {
            let unused =
                || place.wrong("client_ca_file", "is there, but client_auth_type asks for no certificate");
            return written.client_ca_file.as_ref().map_or(Ok(None), |_| Err(unused()));
        }
        "VerifyClientCertIfGiven" => true,
        "RequireAndVerifyClientCert" => false,
        other @ ("RequestClientCert" | "RequireAnyClientCert") => {
            return Err(place.wrong(
                "client_auth_type",
                format!(
                    "{other} would take certificates that nobody verified, which is not done here; \
                     VerifyClientCertIfGiven and RequireAndVerifyClientCert are"
                ),
            ));
        }
        other => {
            return Err(place.wrong(
                "client_auth_type",
                format!(
                    "\"{other}\" is not known; NoClientCert, VerifyClientCertIfGiven and \
                     RequireAndVerifyClientCert are"
                ),
            ));
        }
    };
    let Some(ca_file) = &written.client_ca_file else {
        return Err(place.wrong("client_ca_file", "is missing; certificates of clients are verified by it"));
    };
    Ok(Some(ClientAuth { may_have_none, ca_file }))
}

fn client_verifier(
    asked: &ClientAuth<'_>,
    place: &Place<'_>,
) -> Result<Arc<dyn ClientCertVerifier>, WebConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in place.certificates("client_ca_file", asked.ca_file)? {
        roots.add(certificate).map_err(|problem| place.wrong("client_ca_file", problem))?;
    }
    let provider = Arc::new(ring::default_provider());
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if asked.may_have_none {
        verifier = verifier.allow_unauthenticated();
    }
    verifier.build().map_err(|problem| place.wrong("client_ca_file", problem))
}
