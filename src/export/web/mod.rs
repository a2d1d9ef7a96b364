//! The web configuration: TLS, who may ask, headers of answers.
//!
//! In the form of Prometheus' exporters. The file is looked at for each connection and each request, and read anew when
//! it or a file that it names was changed; a wrong one changes nothing and is logged once.

mod basic;
mod error;
mod tls;
mod users;
mod written;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use basic::Basic;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

pub use error::WebConfigError;
use users::{Tried, Users};
use written::{Headers, Written};

/// What is in force, and where it comes from.
#[derive(Debug)]
pub(super) struct Web {
    file: Option<PathBuf>,
    read: Mutex<Read>,
    tried: Arc<Tried>,
}

#[derive(Debug)]
struct Read {
    rules: Arc<Rules>,
    /// The files as they were when they were read, right or wrong.
    seen: Vec<(PathBuf, Option<Stamp>)>,
}

/// What a web configuration comes to.
#[derive(Debug)]
pub(super) struct Rules {
    tls: Option<Arc<ServerConfig>>,
    users: Users,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The files that it names, and its own.
    files: Vec<PathBuf>,
}

/// By what it is told that a file was changed: modified, changed, inode, octets.
type Stamp = ([i64; 4], u64, u64);

impl Web {
    /// Reads the file; without one there is no TLS, and everybody may ask.
    ///
    /// # Errors
    ///
    /// When the file is wrong.
    pub(super) fn open(file: Option<&Path>) -> Result<Self, WebConfigError> {
        let tried = Tried::new().map_err(|problem| WebConfigError::Unreadable {
            path: file.unwrap_or(Path::new("/dev/random")).to_owned(),
            problem,
        })?;
        let stamps = file.map(|file| vec![(file.to_owned(), stamp(file))]).unwrap_or_default();
        let rules = Arc::new(file.map_or_else(Rules::open_to_all, Rules::read)?);
        // A file that is changed while it is read is read again: its stamp is the one from before.
        let seen = seen(&rules.files, &stamps);
        Ok(Self {
            file: file.map(Path::to_owned),
            read: Mutex::new(Read { rules, seen }),
            tried: Arc::new(tried),
        })
    }

    /// What is in force now.
    pub(super) fn rules(&self) -> Arc<Rules> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = &self.file else { return Arc::clone(&read.rules) };
        if read.seen.iter().all(|(path, before)| stamp(path) == *before) {
            return Arc::clone(&read.rules);
        }
        let before: Vec<_> = read.seen.iter().map(|(path, _)| (path.clone(), stamp(path))).collect();
        match Rules::read(file) {
            Ok(rules) => {
                tracing::info!(file = %file.display(), "web configuration was read anew");
                read.seen = seen(&rules.files, &before);
                read.rules = Arc::new(rules);
            }
            Err(problem) => {
                tracing::error!(%problem, "web configuration is wrong, and the one before stays in force");
                read.seen = before;
            }
        }
        Arc::clone(&read.rules)
    }

    /// Whether who asks may ask.
    pub(super) async fn admits(&self, rules: &Rules, headers: &HeaderMap) -> bool {
        if rules.users.is_empty() {
            return true;
        }
        let basic = headers.get(AUTHORIZATION).and_then(|value| Basic::read(value.to_str().ok()?));
        match basic {
            Some(Basic { name, password }) => rules.users.admits(&self.tried, &name, &password).await,
            None => false,
        }
    }
}

impl Rules {
    fn open_to_all() -> Result<Self, WebConfigError> {
        Self::resolve(Written::default(), Path::new(""))
    }

    fn read(file: &Path) -> Result<Self, WebConfigError> {
        let text = fs::read_to_string(file)
            .map_err(|problem| WebConfigError::Unreadable { path: file.to_owned(), problem })?;
        Self::resolve(parse(&text, file)?, file)
    }

    fn resolve(written: Written, file: &Path) -> Result<Self, WebConfigError> {
        let wrong =
            |key: String, problem: String| WebConfigError::Wrong { path: file.to_owned(), key, problem };
        let tls = written.tls_server_config.as_ref();
        let users = Users::new(written.basic_auth_users)
            .map_err(|(name, problem)| wrong(format!("basic_auth_users.{name}"), problem))?;
        let headers = headers(written.http_server_config.headers).map_err(|name| {
            wrong(format!("http_server_config.headers.{name}"), "is no value of a header".to_owned())
        })?;
        let mut files = vec![file.to_owned()];
        files.extend(tls.iter().flat_map(|tls| tls::files(tls, file)));
        Ok(Self { tls: tls.map(|tls| tls::config(tls, file)).transpose()?, users, headers, files })
    }

    /// What accepts TLS, if TLS is to be spoken.
    pub(super) fn tls(&self) -> Option<TlsAcceptor> {
        self.tls.clone().map(TlsAcceptor::from)
    }

    /// Adds the operator's headers to an answer.
    pub(super) fn add_headers(&self, to: &mut HeaderMap) {
        for (name, value) in &self.headers {
            to.insert(name.clone(), value.clone());
        }
    }
}

/// Says what is wrong with the text of a web configuration; the files that it names are not looked at. `file` is where it
/// comes from.
///
/// # Errors
///
/// When it is no YAML, or has a key or a value that is not known.
pub fn check_web_config(text: &str, file: &Path) -> Result<(), WebConfigError> {
    let written = parse(text, file)?;
    if let Some(tls) = &written.tls_server_config {
        tls::check(tls, file)?;
    }
    Rules::resolve(Written { tls_server_config: None, ..written }, file).map(drop)
}

/// An empty file asks for nothing, as with other exporters.
fn parse(text: &str, file: &Path) -> Result<Written, WebConfigError> {
    let written: Result<Option<Written>, _> = serde_norway::from_str(text);
    let malformed = |problem: serde_norway::Error| WebConfigError::Malformed {
        path: file.to_owned(),
        problem: problem.to_string(),
    };
    Ok(written.map_err(malformed)?.unwrap_or_default())
}

/// The files with their stamps: those from before they were read, where there are such.
fn seen(files: &[PathBuf], before: &[(PathBuf, Option<Stamp>)]) -> Vec<(PathBuf, Option<Stamp>)> {
    let stamp_of = |path: &PathBuf| before.iter().find(|b| b.0 == *path).map_or_else(|| stamp(path), |b| b.1);
    files.iter().map(|path| (path.clone(), stamp_of(path))).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let about = fs::metadata(path).ok()?;
    let times = [about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()];
    Some((times, about.ino(), about.len()))
}

fn headers(written: Headers) -> Result<Vec<(HeaderName, HeaderValue)>, &'static str> {
    let Headers {
        content_security_policy,
        x_frame_options,
        x_content_type_options,
        x_xss_protection,
        strict_transport_security,
    } = written;
    let named = [
        ("content-security-policy", content_security_policy),
        ("x-frame-options", x_frame_options),
        ("x-content-type-options", x_content_type_options),
        ("x-xss-protection", x_xss_protection),
        ("strict-transport-security", strict_transport_security),
    ];
    let mut all = Vec::new();
    for (name, value) in named {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        all.push((HeaderName::from_static(name), HeaderValue::from_str(&value).map_err(|_| name)?));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Rules, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.yml");
        fs::write(&file, text).unwrap();
        Rules::read(&file)
            .map_err(|problem| problem.to_string().replace(&format!("{}", file.display()), "web.yml"))
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("tls_server_confg: {}", "web.yml: unknown field `tls_server_confg`"),
            ("tls_server_config: {cert: x}", "unknown field `cert`"),
            ("basic_auth_users: {anna: secret}", "web.yml: basic_auth_users.anna: is no bcrypt hash"),
            ("basic_auth_users: [anna]", "web.yml: basic_auth_users: invalid type"),
            ("tls_server_config: {key_file: k.pem}", "web.yml: tls_server_config.cert_file: is missing"),
            ("tls_server_config: {cert_file: c.pem, key_file: k.pem}", "tls_server_config.cert_file: "),
            ("http_server_config: {headers: {X-Frame-Options: \"a\\nb\"}}", "x-frame-options: is no value"),
            ("http_server_config: {headers: {Server: me}}", "unknown field `Server`"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
            let of_text = check_web_config(text, Path::new("web.yml")).map_err(|problem| problem.to_string());
            let is_of_a_file = text.contains("c.pem");
            assert_eq!(of_text, if is_of_a_file { Ok(()) } else { Err(problem) }, "{text}");
        }
    }

    #[test]
    fn an_empty_file_asks_for_nothing() {
        for text in ["", "# nothing\n", "{}"] {
            let rules = read(text).unwrap();
            assert!(rules.tls.is_none() && rules.users.is_empty() && rules.headers.is_empty());
        }
    }

    #[test]
    fn a_file_that_was_changed_is_read_anew_and_a_wrong_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.yml");
        fs::write(&file, "").unwrap();
        let web = Web::open(Some(&file)).unwrap();
        assert!(web.rules().headers.is_empty());
        fs::write(&file, "http_server_config: {headers: {X-Frame-Options: deny}}").unwrap();
        assert_eq!(web.rules().headers.len(), 1);
        fs::write(&file, "http_server_config: {headers: [").unwrap();
        assert_eq!(web.rules().headers.len(), 1);
        fs::remove_file(&file).unwrap();
        assert_eq!(web.rules().headers.len(), 1);
        fs::write(&file, "{}").unwrap();
        assert!(web.rules().headers.is_empty());
    }
}
