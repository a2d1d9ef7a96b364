//! Operators' files and sentences.

use super::Seed;

pub fn config() -> Vec<Seed> {
    let all =
        |texts: &[(&'static str, &str)]| texts.iter().map(|(n, t)| (*n, t.as_bytes().to_vec())).collect();
    all(&[
        ("profile.toml", "profile = \"teams\"\n"),
        (
            "class.toml",
            "[class.audio]\ndscp = \"EF\"\nalso = [40, { dscp = \"AF31\", note = \"old phones\" }]\nmedia = \"audio\"\n\
             turn_modality = [1]\n[class.screen]\ndscp = 18\n",
        ),
        (
            "rules.toml",
            "inherit = [\"classes\"]\nmanaged = [\"10.0.0.0/8\", \"2001:db8::/32\"]\n[[rule]]\nclass = \"audio\"\n\
             client_ports = [\"50000-50019\", 3479, { start = 60000, count = 20 }]\ntransport = \"udp\"\n\
             client_networks = [\"10.1.0.0/16\"]\n",
        ),
        (
            "payload-types.toml",
            "[[payload_type]]\nnumber = 111\ncodec = \"opus\"\nclock_rate = 48000\nclass = \"audio\"\nhint = true\n",
        ),
        (
            "limits.toml",
            "[thresholds]\nloss_ratio = 0.02\njitter = \"30ms\"\n[limits]\nmax_streams = 1_000\nstream_timeout = \"1.5 s\"\n",
        ),
        (
            "points.toml",
            "[[point]]\nname = \"access\"\n[[point]]\nname = \"edge\"\nexpect = { forward = \"class\", reverse = \"any\" }\n\
             [[path]]\nname = \"out\"\npoints = [\"access\", \"edge\"]\n",
        ),
        ("wrong.toml", "profile = 3\n[class.audio]\ndscp = 64\ncolour = \"red\"\n[[rule]]\n"),
    ])
}

pub fn sentences() -> Vec<Seed> {
    let all =
        |texts: &[(&'static str, &str)]| texts.iter().map(|(n, t)| (*n, t.as_bytes().to_vec())).collect();
    all(&[
        ("ipv4.txt", "from 10.0.0.1:50004 to 192.168.17.4:3479."),
        ("ipv6.txt", "[2001:db8::1]:50004, fe80::1%eth0: lost, ::ffff:10.0.0.1"),
        ("networks.txt", "outside 10.0.0.0/8 and 2001:db8::/32"),
        ("no-address.txt", "EF(46) became DF(0) at 22:13:20.000000005, 02:00:5e:10:00:01, 1.2.3, 300.1.2.3"),
        ("touching.txt", "10.0.0.1:192.168.17.4.1.2.3.4→cafe10.0.0.1←010.000.000.001"),
    ])
}

pub fn web_config() -> Vec<Seed> {
    let all =
        |texts: &[(&'static str, &str)]| texts.iter().map(|(n, t)| (*n, t.as_bytes().to_vec())).collect();
    all(&[
        (
            "tls.yml",
            "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  client_auth_type: \
             RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  min_version: TLS13\n",
        ),
        (
            "users.yml",
            "basic_auth_users:\n  prometheus: $2y$10$w/N01vhjoD7fU.HXfghije/XFNhCaBLIPobuwF5Yt.Fhi0xLwvakK\n",
        ),
        (
            "headers.yml",
            "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Strict-Transport-Security: \"max-age=5\"\n",
        ),
        ("aliases.yml", "a: &a [x, x]\nb: &b [*a, *a]\nbasic_auth_users: {c: *b}\n"),
        (
            "wrong.yml",
            "tls_server_config: {cert_file: c.pem, max_version: TLS11}\nbasic_auth_users: [anna]\n",
        ),
    ])
}
