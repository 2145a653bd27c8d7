//! One HTTP/1.1 request over one connection (RFC 9112), and as much of the answer as http-01 needs.
//!
//! Deliberately absent: redirects (followed in [`crate::http_01`]), cookies, credentials, compression, connection
//! reuse, HTTP/2.

use std::error::Error;
use std::io;
use std::pin::pin;

use bytes::Bytes;
use certus_acme::ProblemKind;
use certus_ca::ports::ValidationError;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::bounded::{Bounded, is_too_much};
use crate::failure::failed;
use crate::location::{Location, RedirectRefused};

/// The longest head of an answer: status line and fields. 16 KiB is above what servers accept of clients.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// All that is read from one connection, interim answers and chunk framing included. 64 KiB is four heads.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What an answer comes to.
#[derive(Debug)]
pub(crate) enum Answer {
    /// 2xx with this body, whole.
    Body(Vec<u8>),
    /// 301, 302, 307 or 308 to this `Location`.
    Redirect(HeaderValue),
}

/// Asks for `location` over `stream` and reads the answer, at most `max_body_bytes` of its body.
///
/// `from` names the server in problems.
pub(crate) async fn get(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin,
    location: &Location,
    user_agent: &HeaderValue,
    max_body_bytes: usize,
    from: &str,
) -> Result<Answer, ValidationError> {
    let request = request(location, user_agent)
        .map_err(|_error| failed(ProblemKind::Connection, format!("{location} cannot be put in an HTTP request")))?;
    let broken = |error: hyper::Error| Broken::of(&error).problem(from);
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(Bounded::new(stream, MAX_ANSWER_BYTES)))
        .await
        .map_err(broken)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        read(response, max_body_bytes, from, broken).await
    };
    let mut exchange = pin!(exchange);
    // The connection does the reading and writing; it may end before the last of the body has been taken from it.
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        _ended = connection => exchange.await,
    }
}

fn request(location: &Location, user_agent: &HeaderValue) -> Result<Request<Empty<Bytes>>, http::Error> {
    Request::get(location.request_target())
        .header(HOST, location.authority())
        .header(USER_AGENT, user_agent)
        .header(ACCEPT, "*/*")
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close")
        .body(Empty::new())
}

async fn read(
    response: http::Response<Incoming>,
    max_body_bytes: usize,
    from: &str,
    broken: impl Fn(hyper::Error) -> ValidationError,
) -> Result<Answer, ValidationError> {
    let status = response.status();
    match status {
        // Baseline Requirements 3.2.2.4.19: these four and no other (303 would make another request of it).
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => match only_location(response.headers()) {
            Ok(location) => Ok(Answer::Redirect(location)),
            Err(refused) => Err(redirect_refused(from, &refused)),
        },
        _ if status.is_success() => {
            let body = read_body(response.into_body(), max_body_bytes, broken).await?;
            body.map(Answer::Body).ok_or_else(|| {
                failed(
                    ProblemKind::IncorrectResponse,
                    format!("{from} answered with more than {max_body_bytes} octets; a key authorization is shorter"),
                )
            })
        }
        _ => Err(failed(
            ProblemKind::IncorrectResponse,
            format!("{from} answered with status {}; it must be 200, or another of 2xx", status.as_u16()),
        )),
    }
}

/// A redirect that is not followed: the target cannot be reached by this route.
pub(crate) fn redirect_refused(from: &str, refused: &RedirectRefused) -> ValidationError {
    failed(ProblemKind::Connection, format!("the redirect of {from} is not followed: {refused}"))
}

fn only_location(headers: &HeaderMap) -> Result<HeaderValue, RedirectRefused> {
    let mut values = headers.get_all(LOCATION).iter();
    match (values.next(), values.next()) {
        (Some(location), None) => Ok(location.clone()),
        (Some(_), Some(_)) => Err(RedirectRefused::TwoLocations),
        (None, _) => Err(RedirectRefused::NoLocation),
    }
}

/// The whole body, or nothing when it is longer than `limit`.
async fn read_body(
    mut body: Incoming,
    limit: usize,
    broken: impl Fn(hyper::Error) -> ValidationError,
) -> Result<Option<Vec<u8>>, ValidationError> {
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Ok(None);
    }
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(&broken)?.into_data() {
            if read.len() + data.len() > limit {
                return Ok(None);
            }
            read.extend_from_slice(&data);
        }
    }
    Ok(Some(read))
}

/// What went wrong on the connection, in our words: the library's may change, and its causes may quote the peer.
enum Broken {
    TooLong,
    TooMuch,
    NotHttp,
    Closed,
}

impl Broken {
    fn of(error: &hyper::Error) -> Self {
        match io_cause(error) {
            _ if error.is_parse_too_large() => Self::TooLong,
            _ if error.is_parse() => Self::NotHttp,
            Some(cause) if is_too_much(cause) => Self::TooMuch,
            // Framing of the body that cannot be read.
            Some(cause) if matches!(cause.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
                Self::NotHttp
            }
            Some(_) | None => Self::Closed,
        }
    }

    fn problem(&self, from: &str) -> ValidationError {
        let (kind, what) = match self {
            Self::TooLong => (ProblemKind::IncorrectResponse, "answered with too many or too long header fields"),
            Self::TooMuch => (ProblemKind::IncorrectResponse, "answered with far more than a key authorization"),
            Self::NotHttp => (ProblemKind::IncorrectResponse, "did not answer in HTTP/1.1"),
            Self::Closed => (ProblemKind::Connection, "closed the connection before its answer was complete"),
        };
        failed(kind, format!("{from} {what}"))
    }
}

fn io_cause(error: &hyper::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref() {
            return Some(io);
        }
        cause = error.source();
    }
    None
}
