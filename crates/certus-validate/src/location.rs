//! Where http-01 looks, first and after redirects (RFC 8555 section 8.3; Baseline Requirements 3.2.2.4.19).
//!
//! Deliberately absent: resolving and dialling. A [`Location`] is a URL whose host is a name and whose port is one of
//! the two configured, nothing else.

use std::fmt;

use certus_acme::Token;
use certus_pki::{DnsName, NameError};
use http::HeaderValue;
use url::Url;

use crate::reach::Host;

/// The longest `Location` value that is read: as long as browsers and servers reliably handle.
const MAX_LOCATION: usize = 2000;
/// The characters of a URL that a problem shows.
const MAX_SHOWN: usize = 200;

/// The ports that URLs without one mean, and the only ones they may name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) http: u16,
    pub(crate) https: u16,
}

/// The scheme of a [`Location`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// A URL that may be fetched once its host's addresses are vetted.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    url: Url,
    scheme: Scheme,
    host: Host,
    port: u16,
}

impl Location {
    /// `http://{host}/.well-known/acme-challenge/{token}`, with the port when it is not 80.
    pub(crate) fn of_challenge(host: &Host, token: &Token, ports: Ports) -> Result<Self, RedirectRefused> {
        let authority = match ports.http {
            80 => host.to_string(),
            port => format!("{host}:{port}"),
        };
        let text = format!("http://{authority}/.well-known/acme-challenge/{token}");
        let url = Url::parse(&text).map_err(RedirectRefused::Url)?;
        match host {
            Host::Name(_) => Self::admit(url, ports),
            // The one place for an address: what was ordered (RFC 8738 section 5). Redirects never lead to one.
            Host::Address(_) => Ok(Self { url, scheme: Scheme::Http, host: host.clone(), port: ports.http }),
        }
    }

    /// Where a redirect leads. Relative references are resolved against this URL; a fragment is dropped.
    pub(crate) fn redirected(&self, location: &HeaderValue, ports: Ports) -> Result<Self, RedirectRefused> {
        if location.len() > MAX_LOCATION {
            return Err(RedirectRefused::TooLong);
        }
        let text = location.to_str().map_err(|_error| RedirectRefused::NotText)?;
        Self::admit(self.url.join(text).map_err(RedirectRefused::Url)?, ports)
    }

    fn admit(mut url: Url, ports: Ports) -> Result<Self, RedirectRefused> {
        url.set_fragment(None);
        let (scheme, standard, configured) = match url.scheme() {
            "http" => (Scheme::Http, 80, ports.http),
            "https" => (Scheme::Https, 443, ports.https),
            other => return Err(RedirectRefused::Scheme(other.chars().take(MAX_SHOWN).collect())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RedirectRefused::UserInfo);
        }
        let host = match url.host() {
            Some(url::Host::Domain(name)) => Host::Name(DnsName::parse(name).map_err(RedirectRefused::Name)?),
            Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)) => return Err(RedirectRefused::Address),
            None => return Err(RedirectRefused::Name(NameError::Empty)),
        };
        // The URL type leaves a scheme's standard port out, so "no port" may have been written as that number. Both
        // mean the configured port.
        match url.port() {
            None => {}
            Some(port) if port == configured => {}
            Some(port) => return Err(RedirectRefused::Port { port, configured, standard }),
        }
        Ok(Self { url, scheme, host, port: configured })
    }

    pub(crate) const fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(crate) const fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The `Host` field (RFC 9110 section 7.2): with the port only when the URL has one.
    pub(crate) fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// The request target in origin form (RFC 9112 section 3.2.1).
    pub(crate) fn request_target(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }

    /// The whole URL.
    pub(crate) fn as_str(&self) -> &str {
        self.url.as_str()
    }
}

/// Shortened where it is very long. URLs are ASCII with everything else percent-encoded, hence harmless to show.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.url.as_str().get(..MAX_SHOWN) {
            Some(start) if self.url.as_str().len() > MAX_SHOWN => write!(f, "{start}..."),
            Some(_) | None => f.write_str(self.url.as_str()),
        }
    }
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RedirectRefused {
    #[error("it has no Location field")]
    NoLocation,
    #[error("it has more than one Location field")]
    TwoLocations,
    #[error("its Location is longer than {MAX_LOCATION} characters")]
    TooLong,
    #[error("its Location has characters that are not ASCII")]
    NotText,
    #[error("its Location is no URL ({0})")]
    Url(#[source] url::ParseError),
    #[error("it leads to the scheme {0:?}; only http and https are followed")]
    Scheme(String),
    #[error("it leads to a URL with a user name or password")]
    UserInfo,
    #[error("it leads to an IP address; only names are followed")]
    Address,
    #[error("it leads to a host that is no name: {0}")]
    Name(#[source] NameError),
    #[error("it leads to port {port}; only port {configured} is followed{}", as_standard(*.configured, *.standard))]
    Port { port: u16, configured: u16, standard: u16 },
}

fn as_standard(configured: u16, standard: u16) -> String {
    if configured == standard { String::new() } else { format!(" (configured in place of {standard})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDARD: Ports = Ports { http: 80, https: 443 };
    const LABORATORY: Ports = Ports { http: 5002, https: 5003 };

    fn start(ports: Ports) -> Location {
        let token = Token::parse("abcdefghijklmnopqrstuvwx").unwrap();
        Location::of_challenge(&Host::Name(DnsName::parse("a.example").unwrap()), &token, ports).unwrap()
    }

    fn redirected(to: &str, ports: Ports) -> Result<Location, RedirectRefused> {
        start(ports).redirected(&HeaderValue::from_bytes(to.as_bytes()).unwrap(), ports)
    }

    // conformance: 8555-8.3-02 8555-8.3-03
    #[test]
    fn the_challenge_is_at_the_well_known_place() {
        let url = start(STANDARD);
        assert_eq!(url.as_str(), "http://a.example/.well-known/acme-challenge/abcdefghijklmnopqrstuvwx");
        assert_eq!((url.authority().as_str(), url.port()), ("a.example", 80));
        let url = start(LABORATORY);
        assert_eq!(url.as_str(), "http://a.example:5002/.well-known/acme-challenge/abcdefghijklmnopqrstuvwx");
        assert_eq!((url.authority().as_str(), url.port()), ("a.example:5002", 5002));
    }

    // conformance: 8738-5-01
    #[test]
    fn an_address_is_asked_at_itself() {
        let token = Token::parse("abcdefghijklmnopqrstuvwx").unwrap();
        for (address, ports, authority) in [
            ("192.0.2.1", STANDARD, "192.0.2.1"),
            ("2001:db8::1", STANDARD, "[2001:db8::1]"),
            ("2001:db8::1", LABORATORY, "[2001:db8::1]:5002"),
        ] {
            let host = Host::Address(address.parse().unwrap());
            let url = Location::of_challenge(&host, &token, ports).unwrap();
            assert_eq!((url.authority().as_str(), url.port()), (authority, ports.http));
            let at = format!("http://{authority}/.well-known/acme-challenge/abcdefghijklmnopqrstuvwx");
            assert_eq!((url.as_str(), url.scheme()), (at.as_str(), Scheme::Http));
        }
    }

    #[test]
    fn redirects_lead_where_the_rfc_says() {
        for (ports, to, url, port) in [
            (STANDARD, "/x?y=1#z", "http://a.example/x?y=1", 80),
            (STANDARD, "x", "http://a.example/.well-known/acme-challenge/x", 80),
            (STANDARD, "//b.example/x", "http://b.example/x", 80),
            (STANDARD, "HTTP://B.Example:80/x", "http://b.example/x", 80),
            (STANDARD, "https://b.example", "https://b.example/", 443),
            (STANDARD, "https://b.example:443/", "https://b.example/", 443),
            (LABORATORY, "/x", "http://a.example:5002/x", 5002),
            (LABORATORY, "http://b.example/x", "http://b.example/x", 5002),
            (LABORATORY, "https://b.example:5003/x", "https://b.example:5003/x", 5003),
        ] {
            let location = redirected(to, ports).unwrap();
            assert_eq!((location.as_str(), location.port()), (url, port), "{to}");
        }
    }

    // conformance: 8555-8.3-09 8555-8.3-12
    #[test]
    fn other_redirects_are_refused() {
        let check = |to: &str, expected: RedirectRefused| {
            assert_eq!(redirected(to, STANDARD).unwrap_err(), expected, "{to}");
        };
        let port = |port, configured, standard| RedirectRefused::Port { port, configured, standard };
        for scheme in ["ftp", "file", "gopher", "data", "javascript", "ws", "unix"] {
            check(&format!("{scheme}://b.example/"), RedirectRefused::Scheme(scheme.to_owned()));
        }
        check("http://b.example:8080/", port(8080, 80, 80));
        check("http://b.example:443/", port(443, 80, 80));
        check("https://b.example:80/", port(80, 443, 443));
        check("https://b.example:22/", port(22, 443, 443));
        check("http://user@b.example/", RedirectRefused::UserInfo);
        check("http://user:secret@b.example/", RedirectRefused::UserInfo);
        check("http://:secret@b.example/", RedirectRefused::UserInfo);
        for address in [
            "192.0.2.1",
            "10.0.0.1",
            "169.254.169.254",
            "[::1]",
            "[::ffff:10.0.0.1]",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "1%32%37.0.0.1",
        ] {
            check(&format!("http://{address}/"), RedirectRefused::Address);
        }
        check("http://b.example./", RedirectRefused::Name(NameError::TrailingDot));
        check("http://b_c.example/", RedirectRefused::Name(NameError::Character('_')));
        check("http://*.example/", RedirectRefused::Name(NameError::Wildcard));
        check(&format!("http://b.example/{}", "x".repeat(2000)), RedirectRefused::TooLong);
        check("http://b\u{fc}cher.example/", RedirectRefused::NotText);
        assert!(matches!(redirected("http://", STANDARD), Err(RedirectRefused::Url(_))));
        assert!(matches!(redirected("http://b.example:99999/", STANDARD), Err(RedirectRefused::Url(_))));
    }

    #[test]
    fn what_is_shown_is_short_and_ascii() {
        let location = redirected(&format!("/{}", "%20".repeat(500)), STANDARD).unwrap();
        assert!(location.to_string().len() < 210);
        let odd = redirected("/a b\"<script>", STANDARD).unwrap();
        assert!(odd.to_string().bytes().all(|byte| byte.is_ascii_graphic()), "{odd}");
    }
}
