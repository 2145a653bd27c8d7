//! Markers in sources: which requirements a test proves.

/// How a marker begins.
const MARK: &str = "// conformance:";

/// A marker, or several on lines of their own above one test.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// The line of the first, from 1.
    pub(super) line: usize,
    /// The requirements it names.
    pub(super) ids: Vec<String>,
    /// The test it stands above; `None` if what follows is no test.
    pub(super) test: Option<String>,
}

/// The markers of one source file. Between marker and function may stand attributes and comments, of which one must be
/// an attribute that makes a test (`#[test]`, `#[tokio::test]`).
pub(super) fn markers_in(text: &str) -> Vec<Marker> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim).enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let Some(ids) = line.strip_prefix(MARK) else { continue };
        let mut marker = Marker { line: number + 1, ids: words(ids), test: None };
        let mut is_test = false;
        let mut open_attribute = 0_usize;
        while let Some((_, line)) = lines.next_if(|(_, line)| open_attribute > 0 || is_between(line)) {
            if let Some(more) = line.strip_prefix(MARK) {
                marker.ids.extend(words(more));
            } else if !line.starts_with("//") {
                is_test |= open_attribute == 0 && makes_a_test(line);
                open_attribute += line.matches('[').count();
                open_attribute = open_attribute.saturating_sub(line.matches(']').count());
            }
        }
        if is_test && !marker.ids.is_empty() {
            marker.test = lines.peek().and_then(|(_, line)| function_name(line));
        }
        found.push(marker);
    }
    found
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn is_between(line: &str) -> bool {
    line.starts_with("#[") || line.starts_with("//")
}

/// `#[test]`, `#[tokio::test]`, `#[tokio::test(flavor = "multi_thread")]`.
fn makes_a_test(line: &str) -> bool {
    let path = line.trim_start_matches("#[");
    let path = path.split(['(', ']', ' ']).next().unwrap_or_default();
    path == "test" || path.ends_with("::test")
}

fn function_name(line: &str) -> Option<String> {
    let line =
        ["pub(crate) ", "pub ", "async "].iter().fold(line, |line, word| line.strip_prefix(word).unwrap_or(line));
    let name: String = line.strip_prefix("fn ")?.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(usize, &[&str], Option<&str>)]) {
        let found = markers_in(text);
        let found: Vec<_> = found.iter().map(|m| (m.line, m.ids.join(" "), m.test.as_deref())).collect();
        let expected: Vec<_> = expected.iter().map(|(line, ids, test)| (*line, ids.join(" "), *test)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_marker_leads_to_the_test_beneath_it() {
        check("// conformance: a b\n#[test]\nfn it_holds() {}\n", &[(1, &["a", "b"], Some("it_holds"))]);
        check("    // conformance: a\n    #[tokio::test]\n    async fn x() {\n", &[(1, &["a"], Some("x"))]);
        check("// conformance: a\n// conformance: b\n#[test]\nfn x() {}", &[(1, &["a", "b"], Some("x"))]);
        check(
            "\n// conformance: a\n// and why\n#[tokio::test(flavor = \"multi_thread\")]\n#[expect(\n    clippy::panic,\n)]\nfn x() {}",
            &[(2, &["a"], Some("x"))],
        );
    }

    #[test]
    fn a_marker_above_no_test_leads_nowhere() {
        check("// conformance: a\nfn x() {}\n", &[(1, &["a"], None)]);
        check("// conformance: a\n\n#[test]\nfn x() {}\n", &[(1, &["a"], None)]);
        check("// conformance: a\n#[test]\nstruct X;\n", &[(1, &["a"], None)]);
        check("// conformance: a\n#[derive(Debug)]\nfn x() {}\n", &[(1, &["a"], None)]);
        check("// conformance:\n#[test]\nfn x() {}\n", &[(1, &[], None)]);
    }

    #[test]
    fn two_markers_lead_to_two_tests() {
        check(
            "// conformance: a\n#[test]\nfn x() {}\n// conformance: b\n#[test]\nfn y() {}\n",
            &[(1, &["a"], Some("x")), (4, &["b"], Some("y"))],
        );
    }
}
