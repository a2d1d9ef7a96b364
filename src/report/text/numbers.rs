//! Writes counts, ratios, times and spans as people read them.

use crate::terms::Timestamp;

/// Stands for what was not measured or told.
pub(super) const NOT_KNOWN: &str = "–";

/// `1,234,567`
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 stream`, `1,234 streams`
pub(super) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A ratio in percent, without the sign: `0.33`, and `<0.01` for what is not quite nothing.
pub(super) fn percent(ratio: f64) -> String {
    match ratio * 100.0 {
        p if p > 0.0 && p < 0.01 => "<0.01".into(),
        p => format!("{p:.2}"),
    }
}

/// A part of a whole in percent, rounded down so that only all of them are `100.0 %`.
pub(super) fn share(part: u64, whole: u64) -> String {
    let thousandths = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// Seconds as milliseconds: `31.2`
pub(super) fn millis(seconds: f64) -> String {
    format!("{:.1}", seconds * 1e3)
}

/// Octets: `3.9 MB`
#[allow(clippy::cast_precision_loss, reason = "one decimal place is shown")]
pub(super) fn octets(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 999.95 {
            return if unit == "B" { format!("{number} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// `2023-11-14 22:13:20 to 22:14:20`, in UTC
pub(super) fn span(first: Timestamp, last: Timestamp) -> String {
    let (first, last) = (to_the_second(first), to_the_second(last));
    match (first.split_once(' '), last.split_once(' ')) {
        _ if first == last => first,
        (Some((day, _)), Some((same, time))) if day == same => format!("{first} to {time}"),
        _ => format!("{first} to {last}"),
    }
}

fn to_the_second(time: Timestamp) -> String {
    let text = time.to_string();
    text.split('.').next().unwrap_or(&text).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (written, expected) in [
            (count(0), "0"),
            (count(999), "999"),
            (count(1_000), "1,000"),
            (count(u64::MAX), "18,446,744,073,709,551,615"),
            (counted(1, "stream"), "1 stream"),
            (counted(0, "stream"), "0 streams"),
            (percent(0.0), "0.00"),
            (percent(0.000_02), "<0.01"),
            (percent(1.0), "100.00"),
            (share(2, 6), "33.3 %"),
            (share(99_999, 100_000), "99.9 %"),
            (share(6, 6), "100.0 %"),
            (share(0, 0), "0.0 %"),
            (millis(0.0312), "31.2"),
            (octets(999), "999 B"),
            (octets(999_960), "1.0 MB"),
            (octets(3_900_000), "3.9 MB"),
            (octets(u64::MAX), "18446744.1 TB"),
        ] {
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn a_span_names_a_day_once() {
        let time = |seconds: i64| Timestamp::new(1_700_000_000 + seconds, 7);
        assert_eq!(span(time(0), time(0)), "2023-11-14 22:13:20");
        assert_eq!(span(time(0), time(60)), "2023-11-14 22:13:20 to 22:14:20");
        assert_eq!(span(time(0), time(86_400)), "2023-11-14 22:13:20 to 2023-11-15 22:13:20");
    }
}
