//! The two URLs an authority is known by, parsed once.

use std::fmt;

use certus_pki::{DnsName, SubjectName};
use serde::de::{Deserialize, Deserializer, Error};
use url::{Host, Url};

/// Where the ACME service lives for its clients: `https://host` or `https://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalUrl {
    text: String,
    host: SubjectName,
    port: u16,
}

/// Where issuers, CRLs and the root are published: `http://host[:port][/path]`, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PkiUrl {
    text: String,
    path: String,
    port: u16,
}

/// Why a text is not such a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// No URL at all.
    #[error("{0:?} is not a URL")]
    Syntax(String),
    /// Another scheme.
    #[error("{url:?} does not begin with {scheme}://, as it must")]
    Scheme {
        /// What was given.
        url: String,
        /// What it should begin with.
        scheme: &'static str,
    },
    /// A part that must not be there.
    #[error("{url:?} has {part}, which it must not")]
    Part {
        /// What was given.
        url: String,
        /// The part.
        part: &'static str,
    },
    /// A host that no certificate can name.
    #[error("the host of {0:?} is neither a DNS name nor an address")]
    Host(String),
}

impl ExternalUrl {
    /// Reads it; the host is folded to lower case and port 443 left out.
    ///
    /// # Errors
    ///
    /// [`UrlError`] says what must not be there.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let url = parse(text, "https")?;
        if url.path() != "/" {
            // Account URLs are kept for years: they are free of anything that a proxy may want to change.
            return Err(UrlError::Part { url: text.to_owned(), part: "a path" });
        }
        let bad_host = || UrlError::Host(text.to_owned());
        let host = match url.host().ok_or_else(bad_host)? {
            Host::Domain(name) => SubjectName::Dns(DnsName::parse(name).map_err(|_error| bad_host())?),
            Host::Ipv4(address) => SubjectName::Ip(address.into()),
            Host::Ipv6(address) => SubjectName::Ip(address.into()),
        };
        let port = url.port_or_known_default().unwrap_or(443);
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), host, port })
    }

    /// The URL, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its host, as a certificate names it.
    #[must_use]
    pub fn host(&self) -> &SubjectName {
        &self.host
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl PkiUrl {
    /// Reads it; the host is folded to lower case, port 80 and slashes at the end are left out.
    ///
    /// # Errors
    ///
    /// [`UrlError`] says what must not be there.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let url = parse(text, "http")?;
        let port = url.port_or_known_default().unwrap_or(80);
        Ok(Self {
            text: url.as_str().trim_end_matches('/').to_owned(),
            path: url.path().trim_end_matches('/').to_owned(),
            port,
        })
    }

    /// The URL, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its path without a slash at the end; empty for a bare host.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn parse(text: &str, scheme: &'static str) -> Result<Url, UrlError> {
    let url = Url::parse(text).map_err(|_error| UrlError::Syntax(text.to_owned()))?;
    if url.scheme() != scheme {
        return Err(UrlError::Scheme { url: text.to_owned(), scheme });
    }
    let part = if url.query().is_some() {
        "a query"
    } else if url.fragment().is_some() {
        "a fragment"
    } else if !url.username().is_empty() || url.password().is_some() {
        "a user name or password"
    } else if url.port() == Some(0) {
        "port 0"
    } else {
        return Ok(url);
    };
    Err(UrlError::Part { url: text.to_owned(), part })
}

impl fmt::Display for ExternalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for PkiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for ExternalUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl std::str::FromStr for PkiUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for ExternalUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for PkiUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_url_is_a_host_and_perhaps_a_port() {
        for (text, expected, port) in [
            ("https://ca.example", "https://ca.example", 443),
            ("https://CA.Example:443/", "https://ca.example", 443),
            ("https://ca.example:14000", "https://ca.example:14000", 14000),
            ("https://192.0.2.1:8443", "https://192.0.2.1:8443", 8443),
            ("https://[2001:db8::1]", "https://[2001:db8::1]", 443),
        ] {
            let url = ExternalUrl::parse(text);
            assert_eq!(url.as_ref().map(ExternalUrl::as_str), Ok(expected), "{text}");
            assert_eq!(url.map(|url| url.port()), Ok(port), "{text}");
        }
        for text in [
            "",
            "ca.example",
            "http://ca.example",
            "https://ca.example/acme",
            "https://ca.example/?x",
            "https://ca.example/#x",
            "https://user@ca.example",
            "https://ca_example",
            "https://ca.example:0",
            "https://",
        ] {
            assert!(ExternalUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn publications_may_have_a_path_but_no_tls() {
        let url = PkiUrl::parse("http://PKI.example/certus/");
        assert_eq!(url.as_ref().map(PkiUrl::as_str), Ok("http://pki.example/certus"));
        assert_eq!(url.map(|url| url.path().to_owned()), Ok("/certus".to_owned()));
        assert_eq!(PkiUrl::parse("http://pki.example").map(|url| url.path().to_owned()), Ok(String::new()));
        for text in ["https://pki.example", "pki.example", "http://pki.example/?x", "ldap://pki.example"] {
            assert!(PkiUrl::parse(text).is_err(), "{text}");
        }
    }
}
