//! The parameters of a request.

use std::str::FromStr;

use super::answer::Problem;

/// The parameters behind the question mark; each once, and none that is not known.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads parameters of these names.
    ///
    /// # Errors
    ///
    /// A name that is not known or stands twice, and what is no text.
    pub(super) fn read(query: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut all: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let text = |encoded| {
                decoded(encoded)
                    .ok_or_else(|| Problem::wrong(format!("\"{encoded}\" is not encoded as text")))
            };
            let (name, value) = (text(name)?, text(value)?);
            if !known.contains(&name.as_str()) {
                return Err(Problem::wrong(format!(
                    "no parameter \"{name}\" here; known are: {}",
                    known.join(", ")
                )));
            }
            if all.iter().any(|(other, _)| *other == name) {
                return Err(Problem::wrong(format!("parameter \"{name}\" stands twice")));
            }
            all.push((name, value));
        }
        Ok(Self(all))
    }

    /// The value of a parameter; one without a value is not there.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// The value of a parameter, read by a function that says what may stand there.
    pub(super) fn read_as<T>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
        may_be: impl Fn() -> String,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        read(text).map(Some).ok_or_else(|| {
            Problem::wrong(format!("parameter \"{name}\" cannot be \"{text}\"; it may be {}", may_be()))
        })
    }

    /// A number of at least 1, and at most so much.
    fn number(&self, name: &str, default: usize, max: usize) -> Result<usize, Problem> {
        let read = |text: &str| usize::from_str(text).ok().filter(|number| (1..=max).contains(number));
        Ok(self.read_as(name, read, || format!("1 to {max}"))?.unwrap_or(default))
    }

    /// Which page is asked for.
    pub(super) fn page(&self) -> Result<Page, Problem> {
        Ok(Page {
            page: self.number("page", 1, 1_000_000_000)?,
            per_page: self.number("per_page", 100, MAX_PER_PAGE)?,
        })
    }
}

/// A part of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// From 1.
    pub(super) page: usize,
    pub(super) per_page: usize,
}

/// Items of the longest page.
const MAX_PER_PAGE: usize = 1_000;

impl Page {
    /// Places of the page in a list of so many items.
    pub(super) fn range(self, total: usize) -> std::ops::Range<usize> {
        let from = (self.page - 1).saturating_mul(self.per_page).min(total);
        from..from.saturating_add(self.per_page).min(total)
    }

    /// How many pages there are.
    pub(super) const fn pages(self, total: usize) -> usize {
        total.div_ceil(self.per_page)
    }

    /// Puts the items of the page into order, and gives them; the others stay in none.
    pub(super) fn sorted<T>(self, items: &mut [T], by: impl Fn(&T, &T) -> std::cmp::Ordering) -> &[T] {
        let range = self.range(items.len());
        if range.end < items.len() {
            items.select_nth_unstable_by(range.end, &by);
        }
        let items = items.get_mut(..range.end).unwrap_or_default();
        if 0 < range.start && range.start < items.len() {
            items.select_nth_unstable_by(range.start, &by);
        }
        let page = items.get_mut(range.start..).unwrap_or_default();
        page.sort_unstable_by(by);
        page
    }
}

/// Percent-encoded text (RFC 3986, section 2.1), where `+` is a space as forms have it.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|d| u8::try_from(d).ok());
                digit()? << 4 | digit()?
            }
            other => other,
        });
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_text_is_read() {
        for (text, expected) in [
            ("a%20b+c", Some("a b c")),
            ("%C3%BF", Some("ÿ")),
            ("10.0.0.0%2f8", Some("10.0.0.0/8")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%FF", None),
        ] {
            assert_eq!(decoded(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn unknown_and_doubled_parameters_are_refused() {
        let known = &["class", "page", "per_page"];
        assert_eq!(Query::read("class=audio&page=", known).unwrap().text("class"), Some("audio"));
        for (query, expected) in [
            ("clas=audio", "no parameter \"clas\" here; known are: class, page, per_page"),
            ("class=a&class=b", "parameter \"class\" stands twice"),
            ("class=%f", "\"%f\" is not encoded as text"),
        ] {
            assert_eq!(Query::read(query, known).unwrap_err(), Problem::wrong(expected));
        }
        for (query, expected) in [
            ("page=0", "parameter \"page\" cannot be \"0\"; it may be 1 to 1000000000"),
            ("per_page=1001", "parameter \"per_page\" cannot be \"1001\"; it may be 1 to 1000"),
            ("per_page=x", "parameter \"per_page\" cannot be \"x\"; it may be 1 to 1000"),
        ] {
            let problem = Query::read(query, known).unwrap().page().unwrap_err();
            assert_eq!(problem, Problem::wrong(expected));
        }
    }

    #[test]
    fn pages_of_a_sorted_list_are_those_of_the_whole_list_in_order() {
        // Every number below 101 once, in no order.
        let list: Vec<usize> = (0..101).map(|n| n * 37 % 101).collect();
        for per_page in [1, 7, 100, 101, 200] {
            let mut all = Vec::new();
            for page in 1..=(Page { page: 1, per_page }.pages(list.len()) + 1) {
                all.extend_from_slice(Page { page, per_page }.sorted(&mut list.clone(), usize::cmp));
            }
            assert_eq!(all, (0..101).collect::<Vec<_>>(), "{per_page}");
        }
        assert!(Page { page: usize::MAX, per_page: 1000 }.range(5).is_empty());
    }
}
