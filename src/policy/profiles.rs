//! The built-in profiles: data files, compiled in.

/// A profile as text, in the language of the operator's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// What `profile = "..."` says.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// The file.
    pub text: &'static str,
}

macro_rules! profiles {
    ($($name:literal: $about:literal,)*) => {
        /// All built-in profiles; the first is the default.
        pub const PROFILES: &[Profile] = &[
            $(Profile { name: $name, about: $about, text: include_str!(concat!("profiles/", $name, ".toml")) },)*
        ];
    };
}

profiles! {
    "teams": "Microsoft Teams",
    "lync-2013": "Lync Server 2013 and Skype for Business: clients with the documented example ranges",
    "lync-2013-server": "Lync Server 2013: conferencing, application and mediation servers",
    "lync-2013-edge": "Lync Server 2013: the inner side of an Edge server",
    "lync-2013-phone": "Lync Phone Edition",
    "webrtc": "browsers, by RFC 8837",
    "zoom": "Zoom Meetings",
    "webex": "Cisco Webex",
    "rfc4594": "the service classes of RFC 4594",
}

/// A profile by its name.
#[must_use]
pub fn profile(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}
