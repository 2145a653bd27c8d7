//! Strict JSON, for whatever a stranger wrote: one reading, whoever reads it.
//!
//! A text must be UTF-8, one object, nested no deeper than [`MAX_JSON_DEPTH`], without a member twice in any object.
//! What is left over (unknown members) is ignored, as RFC 8555 asks.
//!
//! Deliberately absent: limits on size; whoever reads bytes from the network has those.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::problem::{Problem, ProblemKind};

/// How deep objects and arrays may nest. ACME's own objects need 4; a JWK in a JWS header 2.
pub const MAX_JSON_DEPTH: usize = 16;

/// Characters of a stranger's text that an error repeats.
const EXCERPT_CHARS: usize = 80;

/// Reads one JSON object strictly.
///
/// # Errors
///
/// [`JsonError`] when the text breaks a rule of this module, or when it is not a `T`; then the member is named.
pub fn strict_object<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, JsonError> {
    let text = str::from_utf8(text).map_err(|fault| JsonError::NotUtf8 { position: fault.valid_up_to() })?;
    check_structure(text)?;
    serde_json::from_str(text).map_err(|fault| wrong_member(text, &fault))
}

/// Why a JSON text was refused. `Display` repeats at most an escaped excerpt of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not UTF-8 (RFC 8555 section 5).
    #[error("the JSON text is not UTF-8, at octet {position}")]
    NotUtf8 {
        /// Octets before the fault.
        position: usize,
    },
    /// Not JSON (RFC 8259), or something after it.
    #[error("the text is not JSON: {0}")]
    Syntax(String),
    /// JSON, but no object.
    #[error("the text must be a JSON object")]
    NotAnObject,
    /// Nested deeper than [`MAX_JSON_DEPTH`].
    #[error("the JSON text is nested deeper than {MAX_JSON_DEPTH} levels")]
    TooDeep,
    /// A member stands twice in one object.
    #[error("the JSON member {0:?} stands twice")]
    Duplicate(String),
    /// A member is missing, or is not of the type it must have.
    #[error("{0}")]
    Member(String),
}

impl JsonError {
    /// What a client is told: `malformed`.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem::new(ProblemKind::Malformed, self.to_string())
    }
}

impl From<&JsonError> for Problem {
    fn from(error: &JsonError) -> Self {
        error.problem()
    }
}

/// A text that borrows from what it was read from where it can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// For `deserialize_with`: a member that may be absent, but must be of its type if it is there; `null` is not absence.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// For `deserialize_with`: true when the member is there, whatever its value.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// The start of a stranger's text, for an error that names it.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Walks the whole text once: syntax, top level, depth, duplicates.
fn check_structure(text: &str) -> Result<(), JsonError> {
    if !text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
        return Err(JsonError::NotAnObject);
    }
    let fault = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let walked = Walk { depth: 0, fault: &fault }.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (walked, fault.take()) {
        (_, Some(fault)) => Err(fault),
        (Ok(()), None) => Ok(()),
        (Err(syntax), None) => Err(JsonError::Syntax(syntax.to_string())),
    }
}

/// Visits one value at `depth` containers deep. Serde's errors carry text only, so ours go through `fault`.
struct Walk<'a> {
    depth: usize,
    fault: &'a Cell<Option<JsonError>>,
}

impl Walk<'_> {
    fn inside<E: serde::de::Error>(&self) -> Result<Walk<'_>, E> {
        if self.depth >= MAX_JSON_DEPTH {
            return Err(self.refuse(JsonError::TooDeep));
        }
        Ok(Walk { depth: self.depth + 1, fault: self.fault })
    }

    fn refuse<E: serde::de::Error>(&self, fault: JsonError) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.inside()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names: Vec<Cow<'de, str>> = Vec::new();
        while let Some(Text(name)) = members.next_key()? {
            names.push(name);
            members.next_value_seed(self.inside()?)?;
        }
        // Sorted once, so that an object of many members costs n log n.
        names.sort_unstable();
        match names.windows(2).find_map(|pair| if let [a, b] = pair { (a == b).then_some(a) } else { None }) {
            Some(name) => Err(self.refuse(JsonError::Duplicate(excerpt(name)))),
            None => Ok(()),
        }
    }
}

/// Says which member of the object a serde error is about. Only reached for refusals, so it may read the text again.
fn wrong_member(text: &str, fault: &serde_json::Error) -> JsonError {
    let whole = fault.to_string();
    let reason = whole.rfind(" at line ").and_then(|end| whole.get(..end)).unwrap_or(&whole);
    if reason.starts_with("missing field") {
        return JsonError::Member(excerpt(reason));
    }
    match member_at(text, offset_of(text, fault)) {
        Some(name) => JsonError::Member(format!("the member {:?}: {}", excerpt(&name), printable(&excerpt(reason)))),
        None => JsonError::Member(printable(&excerpt(reason))),
    }
}

/// Escapes what cannot be shown. Serde escapes most of what it repeats, but not the name of an unknown variant; quotes
/// and backslashes stay as they are, or they would be escaped twice.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => printable.push(character),
            other => printable.extend(other.escape_debug()),
        }
    }
    printable
}

/// Octets before a serde error's place.
fn offset_of(text: &str, fault: &serde_json::Error) -> usize {
    let lines_before = fault.line().saturating_sub(1);
    text.split_inclusive('\n').take(lines_before).map(str::len).sum::<usize>() + fault.column()
}

/// The member of the top-level object whose value covers that place.
fn member_at(text: &str, offset: usize) -> Option<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    members.into_iter().find_map(|(name, value)| {
        let start = value.get().as_ptr().addr().checked_sub(text.as_ptr().addr())?;
        (start..=start + value.get().len()).contains(&offset).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Sample {
        names: Vec<String>,
        #[serde(default)]
        count: Option<u32>,
    }

    fn read(text: &str) -> Result<Sample, JsonError> {
        strict_object(text.as_bytes())
    }

    #[test]
    fn a_good_object_is_read_and_unknown_members_are_ignored() {
        let text = " {\"names\":[\"a\"], \"other\":{\"x\":[1,-2,3.5,true,null,\"\\u00e9\"]}, \"count\":7 }\r\n";
        assert_eq!(read(text), Ok(Sample { names: vec!["a".into()], count: Some(7) }));
    }

    // conformance: 7515-2-01
    #[test]
    fn structure_is_refused_before_it_is_read() {
        assert_eq!(strict_object::<Sample>(b"{\"names\":\"\xff\"}"), Err(JsonError::NotUtf8 { position: 10 }));
        for no_object in ["", "null", "[]", "\"x\"", "1", "eyJh.eyJi.c2ln", "\u{feff}{}"] {
            assert_eq!(read(no_object), Err(JsonError::NotAnObject), "{no_object:?}");
        }
        for no_json in ["{", "{\"a\":}", "{}{}", "{} x", "{'a':1}", "{\"a\":1,}", "{\"a\":\"\n\"}", "{\"a\":01}"] {
            assert!(matches!(read(no_json), Err(JsonError::Syntax(_))), "{no_json:?}: {:?}", read(no_json));
        }
    }

    // conformance: 7515-2-01
    #[test]
    fn duplicates_are_found_at_every_level_and_through_escapes() {
        for text in [
            r#"{"names":[],"names":[]}"#,
            r#"{"names":[],"n\u0061mes":[]}"#,
            r#"{"names":[],"x":[{"y":{"names":1,"b":2,"names":3}}]}"#,
        ] {
            assert_eq!(read(text), Err(JsonError::Duplicate("names".into())), "{text}");
        }
        // The same name in different objects is no duplicate.
        assert!(read(r#"{"names":[],"x":{"names":{"names":1}}}"#).is_ok());
    }

    #[test]
    fn depth_is_bounded() {
        let nested =
            |levels: usize| format!("{{\"names\":[],\"x\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(read(&nested(MAX_JSON_DEPTH)).is_ok());
        assert_eq!(read(&nested(MAX_JSON_DEPTH + 1)), Err(JsonError::TooDeep));
        assert_eq!(read(&format!("{{\"x\":{}", "{\"x\":".repeat(20_000))), Err(JsonError::TooDeep));
    }

    #[test]
    fn an_error_names_the_member_and_repeats_little() {
        let message = |text: &str| read(text).map_err(|fault| fault.to_string());
        let check = |text: &str, expected: &str| assert_eq!(message(text), Err(expected.into()), "{text}");
        check("{\"count\":1}", "missing field `names`");
        check("{\"names\":[], \"count\":\"7\"}", "the member \"count\": invalid type: string \"7\", expected u32");
        check("{\"count\":1,\n \"names\":\n[1]}", "the member \"names\": invalid type: integer `1`, expected a string");
        check("{\"names\":{}}", "the member \"names\": invalid type: map, expected a sequence");
        let long = format!("{{\"names\":\"{}\"}}", "é".repeat(5000));
        assert!(message(&long).is_err_and(|message| message.chars().count() < 150));
    }

    #[test]
    fn an_error_escapes_what_it_repeats() {
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Color {
            Red,
        }
        #[derive(Debug, PartialEq, Deserialize)]
        struct Paint {
            color: Color,
        }
        let text = r#"{"color":"\u001b[2J\u202e\u007f\"é"}"#;
        let message = strict_object::<Paint>(text.as_bytes()).map_err(|fault| fault.to_string());
        let expected = r#"the member "color": unknown variant `\u{1b}[2J\u{202e}\u{7f}"é`, expected `red`"#;
        assert_eq!(message, Err(expected.into()));
    }

    #[test]
    fn many_members_stay_cheap() {
        let members: Vec<String> = (0..20_000).map(|number| format!("\"m{number}\":0")).collect();
        let text = format!("{{\"names\":[],{}}}", members.join(","));
        assert!(read(&text).is_ok());
        assert_eq!(read(&format!("{{\"m7\":1,{}", &text[1..])), Err(JsonError::Duplicate("m7".into())));
    }
}
