//! Who may ask: names and bcrypt hashes, and what was found right before.
//!
//! bcrypt is slow by design, so it runs beside the thread that serves, a few at a time, and a password that was right
//! is remembered as a salted hash. Whether a name is known cannot be told by the time that a refusal takes.

use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use bcrypt::HashParts;
use tokio::sync::Semaphore;
use tokio_rustls::rustls::crypto::hash::Hash;
use tokio_rustls::rustls::crypto::ring;

/// The users of a web configuration.
#[derive(Debug)]
pub(super) struct Users {
    hashes: BTreeMap<String, String>,
    /// Never right; as slow as the slowest of the others.
    nobody: String,
}

/// Passwords that were right, and how many are tried at a time. Stays when the configuration is read anew.
#[derive(Debug)]
pub(super) struct Tried {
    right: Mutex<HashSet<Digest>>,
    salt: [u8; 32],
    at_a_time: Semaphore,
}

type Digest = [u8; 32];

/// Right passwords that are remembered. There are few users, and each has one or two.
const REMEMBERED: usize = 100;
/// Processors that guessing passwords may keep busy.
const AT_A_TIME: usize = 1;

impl Users {
    /// Takes names and hashes over.
    ///
    /// # Errors
    ///
    /// The name whose hash is none, and why.
    pub(super) fn new(hashes: BTreeMap<String, String>) -> Result<Self, (String, String)> {
        let mut slowest = 4;
        for (name, hash) in &hashes {
            if name.is_empty() || name.contains(':') {
                return Err((name.clone(), "is no name: basic authentication ends it at a colon".to_owned()));
            }
            let parts = HashParts::from_str(hash).map_err(|problem| {
                (name.clone(), format!("is no bcrypt hash ({problem}); `htpasswd -nBC 10 \"\"` makes one"))
            })?;
            slowest = slowest.max(parts.get_cost());
        }
        // A salt and a digest of the right form; what they are the hash of does not matter, as it is refused anyway.
        let nobody = format!("$2b${slowest:02}$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde");
        Ok(Self { hashes, nobody })
    }

    /// Whether anybody may ask.
    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether this is the password of the user of this name.
    pub(super) async fn admits(&self, tried: &Arc<Tried>, name: &str, password: &str) -> bool {
        let known = self.hashes.get(name);
        let hash = known.unwrap_or(&self.nobody).clone();
        let digest = tried.digest(&[name, &hash, password]);
        if known.is_some() && tried.is_right(&digest) {
            return true;
        }
        // Who waits here and is cut off has cost nothing yet.
        let Ok(_permit) = tried.at_a_time.acquire().await else { return false };
        let password = password.to_owned();
        let is_right = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false));
        let is_right = is_right.await.unwrap_or(false) && known.is_some();
        if is_right {
            tried.remember(digest);
        }
        is_right
    }
}

impl Tried {
    /// Nothing was tried yet.
    ///
    /// # Errors
    ///
    /// When the system has no randomness.
    pub(super) fn new() -> Result<Self, std::io::Error> {
        let mut salt = [0; 32];
        let random = ring::default_provider().secure_random;
        random.fill(&mut salt).map_err(|_| std::io::Error::other("the system gives no random octets"))?;
        Ok(Self { right: Mutex::default(), salt, at_a_time: Semaphore::new(AT_A_TIME) })
    }

    /// A hash that says nothing without the salt. Lengths stand before texts, so that no two lists run together.
    fn digest(&self, texts: &[&str]) -> Digest {
        let mut hash = sha256().start();
        hash.update(&self.salt);
        for text in texts {
            hash.update(&text.len().to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.finish().as_ref().try_into().unwrap_or_default()
    }

    fn is_right(&self, digest: &Digest) -> bool {
        self.right.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    fn remember(&self, digest: Digest) {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if right.len() >= REMEMBERED {
            right.clear();
        }
        right.insert(digest);
    }
}

fn sha256() -> &'static dyn Hash {
    match ring::cipher_suite::TLS13_AES_128_GCM_SHA256 {
        tokio_rustls::rustls::SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
        tokio_rustls::rustls::SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        let hash = bcrypt::hash("correct horse", 4).unwrap();
        Users::new(BTreeMap::from([("anna".to_owned(), hash)])).unwrap()
    }

    #[test]
    fn a_password_is_right_for_its_user_alone() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (users, tried) = (users(), Arc::new(Tried::new().unwrap()));
        for (name, password, expected) in [
            ("anna", "correct horse", true),
            ("anna", "correct horse", true),
            ("anna", "wrong", false),
            ("anna", "", false),
            ("bert", "correct horse", false),
            ("", "", false),
        ] {
            assert_eq!(runtime.block_on(users.admits(&tried, name, password)), expected, "{name}:{password}");
        }
        assert_eq!(tried.right.lock().unwrap().len(), 1, "only what was right is remembered");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let tried = Tried::new().unwrap();
        for number in 0..1_000 {
            tried.remember(tried.digest(&[&number.to_string()]));
        }
        assert!(tried.right.lock().unwrap().len() <= REMEMBERED);
        assert_ne!(tried.digest(&["a", "bc"]), tried.digest(&["ab", "c"]));
    }

    #[test]
    fn refusing_an_unknown_name_takes_a_whole_bcrypt() {
        let users = users();
        assert_eq!(HashParts::from_str(&users.nobody).unwrap().get_cost(), 4);
        assert!(!bcrypt::verify("anything", &users.nobody).unwrap());
    }

    #[test]
    fn a_hash_that_is_none_is_named() {
        let (name, problem) =
            Users::new(BTreeMap::from([("anna".to_owned(), "secret".to_owned())])).unwrap_err();
        assert_eq!(name, "anna");
        assert!(problem.contains("is no bcrypt hash"), "{problem}");
    }
}
