//! A suffix of DNS names as a range of their reversed forms, so that an index finds what lies beneath it.

/// The range: the name itself, and from `from` on but before `to` everything beneath it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suffix {
    pub(crate) exact: String,
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Suffix {
    /// The range of `suffix`, in any case, with or without a dot in front.
    pub(crate) fn of(suffix: &str) -> Self {
        let folded = suffix.trim_start_matches('.').to_ascii_lowercase();
        let mut labels: Vec<&str> = folded.split('.').collect();
        labels.reverse();
        let exact = labels.join(".");
        // '/' is the character after '.', so this is the end of all that goes on with a dot.
        Self { from: format!("{exact}."), to: format!("{exact}/"), exact }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_is_a_range_of_reversed_names() {
        let suffix = Suffix::of(".Example.com");
        assert_eq!(suffix, Suffix::of("example.com"));
        let within = |reversed: &str| {
            reversed == suffix.exact || (suffix.from.as_str() <= reversed && reversed < suffix.to.as_str())
        };
        for name in ["com.example", "com.example.www", "com.example.a.b", "com.example.0", "com.example.-"] {
            assert!(within(name), "{name}");
        }
        for name in ["com", "com.examples", "com.example-a", "com.exampl", "com.example0", "net.example", ""] {
            assert!(!within(name), "{name}");
        }
    }
}
