//! Which format and encoding a client wants (RFC 9110, section 12.5).

use super::writer::Format;

/// The format that is most welcome; of equally welcome ones the one named first, and text where nothing is said.
pub(in crate::export) fn format(accept: &str) -> Format {
    let mut best = (0.0, Format::Text);
    for (range, parameters) in items(accept) {
        let version = parameters.iter().find_map(|p| p.strip_prefix("version="));
        let format = match range {
            "application/openmetrics-text" if matches!(version, None | Some("1.0.0" | "0.0.1")) => {
                Format::OpenMetrics
            }
            "text/plain" if matches!(version, None | Some("0.0.4")) => Format::Text,
            "text/*" | "*/*" => Format::Text,
            _ => continue,
        };
        let quality = quality(&parameters);
        if quality > best.0 {
            best = (quality, format);
        }
    }
    best.1
}

/// Whether the answer may be compressed by gzip.
pub(in crate::export) fn takes_gzip(accept_encoding: &str) -> bool {
    let quality_of = |name: &str| {
        items(accept_encoding).find(|(coding, _)| coding.eq_ignore_ascii_case(name)).map(|i| quality(&i.1))
    };
    quality_of("gzip").or_else(|| quality_of("x-gzip")).or_else(|| quality_of("*")).is_some_and(|q| q > 0.0)
}

/// The items of a list, each with its parameters.
fn items(list: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    list.split(',').map(|item| {
        let mut parts = item.split(';').map(str::trim);
        (parts.next().unwrap_or_default(), parts.collect())
    })
}

fn quality(parameters: &[&str]) -> f32 {
    let q = parameters.iter().find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
    q.map_or(1.0, |q| q.parse().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_welcome_format_is_chosen() {
        for (accept, expected) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text; version=1.0.0; q=0.5, text/plain;q=0.9", Format::Text),
            ("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=wrong", Format::Text),
            (
                "application/vnd.google.protobuf;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8\
                 ;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,text/plain;\
                 version=0.0.4;q=0.2,*/*;q=0.1",
                Format::OpenMetrics,
            ),
        ] {
            assert_eq!(format(accept), expected, "{accept}");
        }
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (accepted, expected) in [
            ("", false),
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("*", true),
            ("identity", false),
        ] {
            assert_eq!(takes_gzip(accepted), expected, "{accepted}");
        }
    }
}
