//! The value of an `issue` or `issuewild` property (RFC 8659 section 4.2), and the two parameters of RFC 8657.

/// Who may issue, and on which terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IssueValue<'a> {
    /// The issuer's domain name as it was written; `None` for nobody.
    issuer: Option<&'a str>,
    /// Tags and values.
    parameters: Vec<(&'a str, &'a str)>,
}

/// Spaces and tabs may stand between all parts.
const WHITE: [char; 2] = [' ', '\t'];

impl<'a> IssueValue<'a> {
    /// Reads a value by the letter of the grammar; `None` when it does not fit, which then stands for nobody.
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok().filter(|text| text.is_ascii())?;
        let (issuer, parameters) = match text.split_once(';') {
            None => (text, None),
            Some((issuer, parameters)) => (issuer, Some(parameters.trim_matches(WHITE))),
        };
        let issuer = match issuer.trim_matches(WHITE) {
            "" => None,
            name => Some(name).filter(|name| name.split('.').all(is_label))?.into(),
        };
        let parameters = match parameters {
            None | Some("") => Vec::new(),
            // A semicolon separates: behind the last parameter there is none.
            Some(text) => text.split(';').map(parameter).collect::<Option<_>>()?,
        };
        Some(Self { issuer, parameters })
    }

    /// The issuer's domain name.
    pub(super) fn issuer(&self) -> Option<&'a str> {
        self.issuer
    }

    /// The values of a parameter, whose tag is compared without regard to case.
    pub(super) fn values(&self, tag: &str) -> Vec<&'a str> {
        self.parameters.iter().filter(|(known, _)| known.eq_ignore_ascii_case(tag)).map(|(_, value)| *value).collect()
    }
}

/// `label = (ALPHA / DIGIT) *( *("-") (ALPHA / DIGIT))`
fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    ends.is_some_and(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// `parameter = parameter-tag *WSP "=" *WSP parameter-value`, between white space.
fn parameter(text: &str) -> Option<(&str, &str)> {
    let (tag, value) = text.split_once('=')?;
    let (tag, value) = (tag.trim_matches(WHITE), value.trim_matches(WHITE));
    // Visible characters; the semicolon is gone already.
    let fits = is_label(tag) && value.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some((tag, value))
}

/// Whether a list of validation methods (RFC 8657 section 4) names one; a malformed list names none.
pub(super) fn lists_method(list: &str, method: &str) -> bool {
    let is_method =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    list.split(',').all(is_method) && list.split(',').any(|label| label == method)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)]);

    #[test]
    fn a_value_is_read_by_the_letter_of_the_grammar() {
        let table: &[(&str, Option<Read<'_>>)] = &[
            ("ca.example", Some((Some("ca.example"), &[]))),
            ("CA1.Example-2.net", Some((Some("CA1.Example-2.net"), &[]))),
            ("ca", Some((Some("ca"), &[]))),
            (" \tca.example \t", Some((Some("ca.example"), &[]))),
            ("  CA.Example ; ", Some((Some("CA.Example"), &[]))),
            ("ca.example;", Some((Some("ca.example"), &[]))),
            ("", Some((None, &[]))),
            (" ", Some((None, &[]))),
            (";", Some((None, &[]))),
            ("; policy=ev", Some((None, &[("policy", "ev")]))),
            ("ca.example; account=230123", Some((Some("ca.example"), &[("account", "230123")]))),
            ("ca.example;a=1;b=2", Some((Some("ca.example"), &[("a", "1"), ("b", "2")]))),
            ("ca.example ; a = 1 ; b-c\t=\t2 ", Some((Some("ca.example"), &[("a", "1"), ("b-c", "2")]))),
            ("ca.example; a=", Some((Some("ca.example"), &[("a", "")]))),
            ("ca.example; a=b=c", Some((Some("ca.example"), &[("a", "b=c")]))),
            ("ca.example; a=\"~!", Some((Some("ca.example"), &[("a", "\"~!")]))),
            // None of these fits.
            ("%%%%%", None),
            ("ca.example.", None),
            (".example", None),
            ("ca..example", None),
            ("-ca.example", None),
            ("ca-.example", None),
            ("ca_1.example", None),
            ("ca.example a=1", None),
            ("ca.example a.example", None),
            ("ca.example,b.example", None),
            ("ca.example; a", None),
            ("ca.example; =1", None),
            ("ca.example; a=1;", None),
            ("ca.example; a=1; ;b=2", None),
            ("ca.example;;", None),
            ("ca.example; a=1 2", None),
            ("ca.example; -a=1", None),
            ("ca.example; a-=1", None),
            ("ca.example; a_b=1", None),
            ("ca.ex\u{e4}mple", None),
            ("ca.example\n", None),
            ("ca.example; a=\u{7f}", None),
        ];
        for (text, expected) in table {
            let read = IssueValue::parse(text.as_bytes());
            let read = read.as_ref().map(|value| (value.issuer, value.parameters.as_slice()));
            assert_eq!(read, *expected, "{text:?}");
        }
        assert_eq!(IssueValue::parse(b"ca.example\xff"), None);
    }

    #[test]
    fn a_parameter_is_found_in_any_case_and_each_time() {
        let value = IssueValue::parse(b"ca.example; AccountURI=a; x=b; accounturi=c").unwrap();
        assert_eq!(value.values("accounturi"), ["a", "c"]);
        assert_eq!(value.values("validationmethods"), [""; 0]);
    }

    #[test]
    fn a_list_of_methods_is_labels_between_commas() {
        for (list, expected) in [
            ("dns-01", true),
            ("http-01,dns-01", true),
            ("dns-01,x-1,ca-own", true),
            ("http-01", false),
            ("DNS-01", false),
            ("dns-01x", false),
            ("", false),
            (",", false),
            ("dns-01,", false),
            (",dns-01", false),
            ("dns-01,,http-01", false),
            ("dns-01,http_01", false),
            ("dns-01;http-01", false),
        ] {
            assert_eq!(lists_method(list, "dns-01"), expected, "{list:?}");
        }
    }
}
