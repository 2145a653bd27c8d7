//! What settings say of DNSSEC and CAA.

use std::path::Path;

use certus_ca::CaaRule;
use certus_pki::{DnsName, SubjectName};
use certus_validate::{Anchors, Dnssec};

use super::tables::{Caa, Switch};
use super::urls::ExternalUrl;

/// Whether answers are validated, and from which keys down.
pub(super) fn dnssec(directory: &Path, switch: Switch, trust_anchors: Option<&Path>) -> Result<Dnssec, String> {
    let place = "[authority.validation]";
    match (switch, trust_anchors) {
        (Switch::Off, None) => Ok(Dnssec::Off),
        (Switch::Off, Some(_)) => {
            Err(format!("{place}: trust_anchors are of no use with dnssec = \"off\"; leave one out"))
        }
        (Switch::On, None) => Ok(Dnssec::Validate(Anchors::of_the_root())),
        (Switch::On, Some(path)) => {
            let path = directory.join(path);
            let told = |error: &dyn std::fmt::Display| format!("{place}: trust_anchors {}: {error}", path.display());
            let text = std::fs::read_to_string(&path).map_err(|error| told(&error))?;
            Anchors::parse(&text).map(Dnssec::Validate).map_err(|error| told(&error))
        }
    }
}

/// The names by which CAA records name the authority: those that are set, otherwise the external URL's host.
pub(super) fn caa_identities(caa: &Caa, external_url: &ExternalUrl) -> Result<Vec<DnsName>, String> {
    if caa.identities.is_empty() {
        return Ok(match external_url.host() {
            SubjectName::Dns(name) => vec![name.clone()],
            // CAA records name domains alone (RFC 8659 section 4.2).
            SubjectName::Wildcard(_) | SubjectName::Ip(_) => Vec::new(),
        });
    }
    let read =
        |text: &String| DnsName::parse(text).map_err(|error| format!("[authority.caa]: identities {text:?}: {error}"));
    caa.identities.iter().map(read).collect()
}

/// The rule of a profile.
pub(super) fn caa_rule(text: &str, place: &str) -> Result<CaaRule, String> {
    let words = || CaaRule::ALL.map(|rule| format!("{:?}", rule.name())).join(" or ");
    CaaRule::from_name(text).ok_or_else(|| format!("{place}: caa is {}, not {text:?}", words()))
}
