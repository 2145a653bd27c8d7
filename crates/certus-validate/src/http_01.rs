//! The http-01 method (RFC 8555 section 8.3, Baseline Requirements 3.2.2.4.19).
//!
//! One walk: resolve, vet, dial, ask; again for every redirect; compare. Deliberately absent: trying again, and the
//! decision that control is proved, which [`crate::Validators`] alone takes from what is found here.

use std::sync::Arc;
use std::time::Duration;

use certus_acme::ProblemKind;
use certus_ca::ports::{ValidationError, ValidationRequest};
use certus_ca::state::{Evidence, Hop};
use http::HeaderValue;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::dns::Dns;
use crate::failure::{failed, within};
use crate::fetch::{self, Answer};
use crate::location::{Location, Ports, Scheme};
use crate::reach::{Host, Reach};
use crate::seen_here;

/// Validates by http-01.
#[derive(Debug)]
pub(crate) struct Http01 {
    pub(crate) ports: Ports,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) timeout: Duration,
    pub(crate) max_redirects: u32,
    pub(crate) max_body_bytes: usize,
    pub(crate) user_agent: HeaderValue,
}

impl Http01 {
    /// Looks for the key authorization where the challenge says. What it returns is the evidence that it is there.
    pub(crate) async fn observe(
        &self,
        dns: &Dns,
        reach: &Reach,
        host: &Host,
        request: &ValidationRequest,
    ) -> Result<Evidence, ValidationError> {
        let mut deadline = Instant::now() + self.timeout;
        let mut location = Location::of_challenge(host, &request.token, self.ports)
            .map_err(|refused| failed(ProblemKind::Connection, format!("no URL can be made for {host}: {refused}")))?;
        let mut hops: Vec<Hop> = Vec::new();
        for _redirects in 0..=self.max_redirects {
            let reached = reach.connect(dns, location.host(), location.port(), request.account, &mut deadline).await?;
            let from = format!("{location} (at {})", reached.address);
            hops.push(reached.hop(location.as_str().to_owned()));
            match self.ask(reached.stream, &location, deadline, &from).await? {
                Answer::Body(body) => {
                    compare(&body, &request.key_authorization, &from)?;
                    return Ok(seen_here(hops));
                }
                Answer::Redirect(to) => {
                    let next = location
                        .redirected(&to, self.ports)
                        .map_err(|refused| fetch::redirect_refused(&from, &refused))?;
                    if hops.iter().any(|hop| hop.url == next.as_str()) {
                        return Err(failed(
                            ProblemKind::Connection,
                            format!("{from} redirects in a circle, to {next}"),
                        ));
                    }
                    location = next;
                }
            }
        }
        Err(failed(
            ProblemKind::Connection,
            format!("more than {} redirects, the last to {location}", self.max_redirects),
        ))
    }

    async fn ask(
        &self,
        stream: TcpStream,
        location: &Location,
        deadline: Instant,
        from: &str,
    ) -> Result<Answer, ValidationError> {
        let (agent, limit) = (&self.user_agent, self.max_body_bytes);
        let waited_for = || format!("waiting for the answer of {from}");
        match location.scheme() {
            Scheme::Http => within(deadline, waited_for, fetch::get(stream, location, agent, limit, from)).await,
            Scheme::Https => {
                let shaking = || format!("waiting for the TLS handshake of {from}");
                let tls = Box::pin(within(deadline, shaking, self.shake_hands(stream, location, from))).await?;
                Box::pin(within(deadline, waited_for, fetch::get(tls, location, agent, limit, from))).await
            }
        }
    }

    async fn shake_hands(
        &self,
        stream: TcpStream,
        location: &Location,
        from: &str,
    ) -> Result<TlsStream<TcpStream>, ValidationError> {
        let name = match location.host() {
            Host::Name(name) => ServerName::try_from(name.as_str().to_owned())
                .map_err(|error| failed(ProblemKind::Tls, format!("no TLS to {from}: {error}")))?,
            Host::Address(address) => ServerName::IpAddress((*address).into()),
        };
        TlsConnector::from(Arc::clone(&self.tls))
            .connect(name, stream)
            .await
            .map_err(|error| failed(ProblemKind::Tls, format!("the TLS handshake with {from} failed: {error}")))
    }
}

/// Whether the body is the key authorization; white space at its end is ignored (RFC 8555 section 8.3 step 4).
fn compare(body: &[u8], key_authorization: &str, from: &str) -> Result<(), ValidationError> {
    let text = body.trim_ascii_end();
    if text == key_authorization.as_bytes() {
        return Ok(());
    }
    Err(failed(
        ProblemKind::IncorrectResponse,
        format!("{from} answered with {}", difference(text, key_authorization.as_bytes())),
    ))
}

/// What a person should look for, without a byte of the body.
fn difference(text: &[u8], expected: &[u8]) -> &'static str {
    let token = expected.split(|byte| *byte == b'.').next().unwrap_or_default();
    if text.is_empty() {
        "nothing in place of the key authorization"
    } else if text.trim_ascii_start().starts_with(b"<") {
        "a page in place of the key authorization: the path leads to something else than the ACME client's file"
    } else if text.trim_ascii_start() == expected {
        "the key authorization, but with white space in front of it"
    } else if text.starts_with(expected) {
        "more than the key authorization"
    } else if text == token {
        "the token alone; the key authorization is the token, a dot and the account key's thumbprint"
    } else if text.strip_prefix(token).is_some_and(|rest| rest.starts_with(b".")) {
        "the key authorization of another account key"
    } else {
        "something else than the key authorization of this challenge"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_without_the_body() {
        let expected = "tokentokentokentokentoken.thumbprint";
        for (body, said) in [
            ("", "nothing"),
            (" \r\n", "nothing"),
            ("<html>secret</html>", "a page"),
            (" tokentokentokentokentoken.thumbprint", "white space in front"),
            ("tokentokentokentokentoken.thumbprint secret", "more than"),
            ("tokentokentokentokentoken", "the token alone"),
            ("tokentokentokentokentoken.secret", "another account key"),
            ("othertoken.secret", "something else"),
            ("\u{feff}tokentokentokentokentoken.thumbprint", "something else"),
        ] {
            let error = compare(body.as_bytes(), expected, "http://a.example/").unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("secret"), "{body:?}: {error}");
        }
        for body in ["tokentokentokentokentoken.thumbprint", "tokentokentokentokentoken.thumbprint\r\n \t\n"] {
            assert!(compare(body.as_bytes(), expected, "x").is_ok(), "{body:?}");
        }
    }
}
