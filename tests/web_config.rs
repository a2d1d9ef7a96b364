//! TLS, users and headers as a web configuration asks for them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]
#![allow(clippy::disallowed_methods, reason = "how long an answer takes is what is tested")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use common::Folder;
use common::served::{Answer, Served, demo, options};
use hopmark::export::{Server, ServerOptions};
use hopmark::status::Status;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

/// Who signs, and what it signed.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
struct Signed {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    certificate_pem: String,
    key_pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn sign(&self, name: &str) -> Signed {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        Signed {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            certificate: certificate.into(),
        }
    }

    /// How a client that trusts this authority speaks TLS.
    fn client(
        &self,
        own: Option<Signed>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match own {
            Some(own) => builder.with_client_auth_cert(vec![own.certificate], own.key).unwrap(),
            None => builder.with_no_client_auth(),
        })
    }
}

const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// Asks over TLS; none where the server refuses to speak.
fn ask_tls(served: &Served, client: &Arc<ClientConfig>, path: &str) -> Option<Answer> {
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut stream = StreamOwned::new(connection, served.connect());
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    std::io::Write::write_all(&mut stream, request.as_bytes()).ok()?;
    let mut octets = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut octets).ok()?;
    Some(Answer::read(&octets))
}

fn with(file: PathBuf) -> ServerOptions {
    ServerOptions { web_config: Some(file), ..options() }
}

/// A folder with a server's certificate, and the authority behind it.
fn certified(config: &str) -> (Folder, Authority, PathBuf) {
    let (folder, authority) = (Folder::new(), Authority::new());
    write_certificate(&folder, &authority);
    folder.write("ca.pem", authority.0.pem().as_bytes());
    let file = folder.write("web.yml", config.as_bytes());
    (folder, authority, file)
}

fn write_certificate(folder: &Folder, authority: &Authority) {
    let signed = authority.sign("localhost");
    folder.write("key.pem", signed.key_pem.as_bytes());
    folder.write("cert.pem", signed.certificate_pem.as_bytes());
}

const TLS: &str = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n";

#[test]
fn tls_is_spoken_and_nothing_else() {
    let (_folder, authority, file) = certified(TLS);
    let served = Served::new(&with(file), demo());
    for versions in [BOTH, &[&TLS12], &[&TLS13]] {
        let answer = ask_tls(&served, &authority.client(None, versions), "/metrics").unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("hopmark_build_info"));
    }
    // A client that trusts another authority does not go on.
    assert!(ask_tls(&served, &Authority::new().client(None, BOTH), "/metrics").is_none());
    // Without TLS nothing is told.
    let mut stream = served.connect();
    std::io::Write::write_all(&mut stream, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut octets = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut octets);
    assert!(!octets.starts_with(b"HTTP/"), "{octets:?}");
}

#[test]
fn versions_are_those_that_are_asked_for() {
    let (_folder, authority, file) = certified(&format!("{TLS}  min_version: TLS13\n"));
    let served = Served::new(&with(file), demo());
    assert!(ask_tls(&served, &authority.client(None, &[&TLS12]), "/").is_none());
    assert_eq!(ask_tls(&served, &authority.client(None, &[&TLS13]), "/").unwrap().status, 200);
}

#[test]
fn clients_show_certificates_where_they_have_to() {
    for (kind, without) in [("RequireAndVerifyClientCert", None), ("VerifyClientCertIfGiven", Some(200))] {
        let config = format!("{TLS}  client_auth_type: {kind}\n  client_ca_file: ca.pem\n");
        let (_folder, authority, file) = certified(&config);
        let served = Served::new(&with(file), demo());
        let status = |client| ask_tls(&served, &client, "/-/healthy").map(|answer| answer.status);
        let own = authority.sign("scraper");
        assert_eq!(status(authority.client(Some(own), BOTH)), Some(200), "{kind}");
        assert_eq!(status(authority.client(None, BOTH)), without, "{kind}");
        let foreign = Authority::new().sign("scraper");
        assert_eq!(status(authority.client(Some(foreign), BOTH)), None, "{kind}");
    }
}

#[test]
fn a_new_certificate_is_taken_without_a_restart_and_a_wrong_one_is_not() {
    let (folder, first, file) = certified(TLS);
    let served = Served::new(&with(file), demo());
    let status = |authority: &Authority| {
        ask_tls(&served, &authority.client(None, BOTH), "/").map(|answer| answer.status)
    };
    assert_eq!(status(&first), Some(200));
    folder.write("cert.pem", b"no certificate");
    assert_eq!(status(&first), Some(200), "the last good one stays in force");
    let second = Authority::new();
    write_certificate(&folder, &second);
    assert_eq!(status(&second), Some(200));
    assert_eq!(status(&first), None);
}

/// `name:password` as the header has it.
fn basic(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::from("Basic ");
    for three in text.as_bytes().chunks(3) {
        let octet = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            encoded.push(if digit > three.len() { '=' } else { char::from(DIGITS[value as usize]) });
        }
    }
    encoded
}

#[test]
fn users_need_their_passwords() {
    let folder = Folder::new();
    let hash = |password: &str| bcrypt::hash(password, 5).unwrap();
    let file = folder.write(
        "web.yml",
        format!("basic_auth_users:\n  anna: {}\n  bert: {}\n", hash("geheim"), hash("pass:word")).as_bytes(),
    );
    let served = Served::new(&with(file), demo());
    let status = |text: &str| served.ask("GET", "/metrics", &[("Authorization", &basic(text))]).status;
    for (text, expected) in [
        ("anna:geheim", 200),
        ("anna:geheim", 200),
        ("bert:pass:word", 200),
        ("anna:pass:word", 401),
        ("anna:", 401),
        ("carl:geheim", 401),
        (":", 401),
    ] {
        assert_eq!(status(text), expected, "{text}");
    }
    let refused = served.get("/metrics");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate"), Some("Basic realm=\"hopmark\", charset=\"UTF-8\""));
    assert_eq!(refused.json()["error"], "unauthorized");
    // Nothing is open to those who are not admitted.
    for path in ["/", "/-/healthy", "/api/v1/streams", "/nothing"] {
        assert_eq!(served.get(path).status, 401, "{path}");
    }
    assert_eq!(served.ask("POST", "/-/reload", &[]).status, 401);
    assert_eq!(served.reloads.load(std::sync::atomic::Ordering::SeqCst), 0);
    // A password that is changed in the file is changed for the next request.
    folder.write("web.yml", format!("basic_auth_users:\n  anna: {}\n", hash("neu")).as_bytes());
    assert_eq!((status("anna:geheim"), status("anna:neu"), status("bert:pass:word")), (401, 200, 401));
}

#[test]
fn a_password_that_was_right_is_not_slow_again() {
    let folder = Folder::new();
    let hash = bcrypt::hash("geheim", 9).unwrap();
    let file = folder.write("web.yml", format!("basic_auth_users: {{anna: {hash}}}").as_bytes());
    let served = Served::new(&with(file), Status::default());
    let timed = |text: &str| {
        let before = Instant::now();
        let status = served.ask("GET", "/-/healthy", &[("Authorization", &basic(text))]).status;
        (status, before.elapsed())
    };
    let (_, slow) = timed("anna:geheim");
    let fast = (0..5).map(|_| timed("anna:geheim").1).min().unwrap();
    assert!(fast * 3 < slow, "{fast:?} after {slow:?}");
    // An unknown name is refused as slowly as a wrong password.
    let unknown = (0..3).map(|_| timed("carl:geheim")).inspect(|(status, _)| assert_eq!(*status, 401));
    let unknown = unknown.map(|(_, time)| time).min().unwrap();
    let wrong = (0..3).map(|_| timed("anna:falsch").1).min().unwrap();
    assert!(unknown * 3 > wrong && wrong * 3 > unknown, "{unknown:?} and {wrong:?}");
}

#[test]
fn headers_of_the_operator_are_added() {
    let folder = Folder::new();
    let config = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Strict-Transport-Security: max-age=1\n";
    let served = Served::new(&with(folder.write("web.yml", config.as_bytes())), Status::default());
    for path in ["/", "/nothing"] {
        let answer = served.get(path);
        assert_eq!(answer.header("x-frame-options"), Some("deny"));
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=1"));
    }
}

/// What is said of a configuration at the start.
fn problem(file: &Path) -> String {
    let bound = Server::bind(&with(file.to_owned()), Arc::new(Status::default()), || Ok(()), || true);
    bound.unwrap_err().to_string().replace(file.parent().unwrap().to_str().unwrap(), "")
}

#[test]
fn a_wrong_file_is_told_at_the_start() {
    let tls = |more: &str| format!("{TLS}{more}");
    for (config, expected) in [
        (
            "tls_server_config: {cert_fil: x}".to_owned(),
            "web configuration: /web.yml: tls_server_config: unknown field `cert_fil`",
        ),
        ("tls_server_config: {cert_file: cert.pem}".to_owned(), "tls_server_config.key_file: is missing"),
        (
            "tls_server_config: {cert_file: no.pem, key_file: key.pem}".to_owned(),
            "tls_server_config.cert_file: /no.pem: ",
        ),
        (
            "tls_server_config: {cert_file: key.pem, key_file: key.pem}".to_owned(),
            "/key.pem: holds no certificate",
        ),
        (
            "tls_server_config: {cert_file: ca.pem, key_file: key.pem}".to_owned(),
            "tls_server_config.cert_file: ",
        ),
        (tls("  min_version: TLS10\n"), "min_version: \"TLS10\" is not spoken here; TLS12 and TLS13 are"),
        (tls("  min_version: TLS13\n  max_version: TLS12\n"), "max_version: is below min_version"),
        (
            tls("  client_auth_type: RequireAnyClientCert\n"),
            "client_auth_type: RequireAnyClientCert would take",
        ),
        (tls("  client_auth_type: Sometimes\n"), "client_auth_type: \"Sometimes\" is not known"),
        (tls("  client_auth_type: RequireAndVerifyClientCert\n"), "client_ca_file: is missing"),
        (tls("  client_ca_file: ca.pem\n"), "client_ca_file: is there, but"),
        ("basic_auth_users: {anna: plain}".to_owned(), "basic_auth_users.anna: is no bcrypt hash"),
        ("basic_auth: {}".to_owned(), "unknown field `basic_auth`"),
    ] {
        let (_folder, _authority, file) = certified(&config);
        let problem = problem(&file);
        assert!(problem.contains(expected), "{config}\n{problem}");
    }
    let missing = problem(&Folder::new().path().join("web.yml"));
    assert!(missing.starts_with("web configuration: /web.yml: cannot be read: "), "{missing}");
}
