//! Why a capture could not be opened.

use std::io;

/// A capture that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {}", with_name(refusal, file))]
pub struct OpenError {
    /// The file, as it was named; `standard input` for `-`.
    pub file: String,
    /// What is wrong with it.
    pub refusal: Refusal,
}

/// What is wrong with a file that was to be a capture. Where the text has a command in it, `FILE` stands for the
/// file's name, which [`OpenError`] fills in.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The system does not let it be opened.
    #[error("cannot be opened: {0}")]
    Open(io::Error),
    /// It opens, and then does not read: a folder, a broken disk, a packed file that is damaged at once.
    #[error("cannot be read: {0}")]
    Read(io::Error),
    /// It has no octets.
    #[error("is empty: not even the header of a capture is there")]
    Empty,
    /// It ends before anything can be told of it.
    #[error("is too short: {octets} octets, where the header of a {format} file has {header}")]
    TooShort {
        /// The format its first octets say, or `capture` where they are too few for that.
        format: &'static str,
        /// Octets in the file, unpacked.
        octets: usize,
        /// Octets that the header has.
        header: usize,
    },
    /// A version of a known format that is not read.
    #[error(
        "{format} version {major}.{minor}, of which hopmark reads {read}: it is damaged, or very old; \
         then this may read it: editcap -F pcapng FILE out.pcapng"
    )]
    Version {
        /// The format.
        format: &'static str,
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
        /// The versions that are read.
        read: &'static str,
    },
    /// A snoop file of another version than 2: Shomiti and Finisar wrote 3 to 5.
    #[error(
        "snoop version {version} (Shomiti or Finisar Surveyor), of which hopmark reads 2; \
         convert it: editcap -F pcapng FILE out.pcapng"
    )]
    SnoopVersion {
        /// The version.
        version: u32,
    },
    /// A snoop file of frames whose kind has no link type.
    #[error("snoop datalink type {datalink}, of which hopmark reads 0, 2, 4, 8 and 26 (RFC 1761)")]
    SnoopDatalink {
        /// The datalink type.
        datalink: u32,
    },
    /// Begins like pcapng, but the byte order cannot be told.
    #[error(
        "begins like pcapng, but its byte-order magic is in no byte order: was it changed on its way, as text?"
    )]
    ByteOrderMagic,
    /// A format that others read.
    #[error("this is {format}, which hopmark does not read; {remedy}")]
    Foreign {
        /// The format, with its article.
        format: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Nothing that is known.
    #[error(
        "not a capture that hopmark knows (first octets {}); it reads pcap, pcapng, modified pcap and snoop, \
         also in gzip or zstd", hex(.first))]
    Unknown {
        /// Its first octets.
        first: Vec<u8>,
    },
}

/// A refusal's text with the file's name where a command needs it, fit for a shell.
fn with_name(refusal: &Refusal, file: &str) -> String {
    let text = refusal.to_string();
    if file == STANDARD_INPUT {
        return text;
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,=:@%".contains(c);
    if file.chars().all(is_plain) {
        text.replace("FILE", file)
    } else {
        text.replace("FILE", &format!("'{}'", file.replace('\'', r"'\''")))
    }
}

/// What standard input is called where a file's name would stand.
pub(super) const STANDARD_INPUT: &str = "standard input";

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_in_the_message_can_be_pasted_into_a_shell() {
        for (file, expected) in [
            ("a/b-1.cap", "editcap -F pcapng a/b-1.cap out.pcapng"),
            ("my call.cap", "editcap -F pcapng 'my call.cap' out.pcapng"),
            ("it's.cap", r"editcap -F pcapng 'it'\''s.cap' out.pcapng"),
            (STANDARD_INPUT, "editcap -F pcapng FILE out.pcapng"),
        ] {
            let refusal = Refusal::SnoopVersion { version: 5 };
            let message = OpenError { file: file.to_owned(), refusal }.to_string();
            assert!(message.starts_with(file) && message.ends_with(expected), "{message}");
        }
    }
}
