//! Words of the operator's file that stand for one of a few values.

use super::appliance::{Backend, LeastSeverity, LogFormat, LogLevel};

/// A value that the file gives by a word.
pub(super) trait Word {
    /// What it is called where another word stands, as `Value::wrong` takes it.
    fn wanted(&self) -> &'static str;
    /// The word of the value.
    fn word(&self) -> &'static str;
    /// Takes the value of a word; false where there is none.
    fn take(&mut self, word: &str) -> bool;
}

macro_rules! words {
    ($type:ident, $wanted:literal, $($variant:ident = $word:literal),+) => {
        impl $type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As the operator's file writes it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl Word for $type {
            fn wanted(&self) -> &'static str {
                $wanted
            }

            fn word(&self) -> &'static str {
                self.as_str()
            }

            fn take(&mut self, word: &str) -> bool {
                let meant = Self::ALL.iter().find(|value| value.as_str() == word);
                if let Some(meant) = meant {
                    *self = *meant;
                }
                meant.is_some()
            }
        }
    };
}

words!(Backend, "a backend", Ring = "ring", Xdp = "xdp", Pcap = "pcap");
words!(LogFormat, "a form of log lines", Text = "text", Json = "json");
words!(LogLevel, "a level", Error = "error", Warn = "warn", Info = "info", Debug = "debug", Trace = "trace");
words!(LeastSeverity, "a severity", Error = "error", Warning = "warning", Info = "info");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_taken_as_its_value_and_no_other() {
        fn check<T: Word + Copy + PartialEq + std::fmt::Debug>(all: &[T]) {
            for value in all {
                let mut taken = all[0];
                assert!(taken.take(value.word()));
                assert_eq!(taken, *value);
                assert!(!taken.take("Ring"));
                assert_eq!(taken, *value);
            }
        }
        check(Backend::ALL);
        check(LogFormat::ALL);
        check(LogLevel::ALL);
        check(LeastSeverity::ALL);
    }
}
