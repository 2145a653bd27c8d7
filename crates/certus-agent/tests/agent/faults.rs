//! Authorities that are busy, forgetful, gone or not themselves.

use std::sync::Arc;
use std::time::Duration;

use certus_acme::{NewAccount, ProblemKind};
use certus_agent::client::{Client, ClientError, Http, HttpError, Roots};
use certus_pki::{KeyAlgorithm, KeyPair, SystemClock};

use crate::scripted::Said::{Answer, Nothing};
use crate::scripted::{Said, Scripted};

const DIRECTORY: Said = Answer(
    "200 OK\r\nContent-Type: application/json",
    r#"{"newNonce":"BASE/nonce","newAccount":"BASE/account","newOrder":"BASE/order","surprise":{"x":[1]}}"#,
);
const BAD_NONCE: Said = Answer(
    "400 Bad Request\r\nContent-Type: application/problem+json\r\nReplay-Nonce: second",
    r#"{"type":"urn:ietf:params:acme:error:badNonce","detail":"old"}"#,
);
const NONCE: Said = Answer("200 OK\r\nReplay-Nonce: first", "");
const ACCOUNT: Said = Answer(
    "201 Created\r\nContent-Type: application/json\r\nLocation: /account/1\r\nReplay-Nonce: third",
    r#"{"status":"valid"}"#,
);

struct Asked {
    server: Scripted,
    _dir: tempfile::TempDir,
}

impl Asked {
    async fn with(script: Vec<Said>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { server: Scripted::start(dir.path(), script).await, _dir: dir }
    }

    async fn connect(&self) -> Result<Client, ClientError> {
        let http = Http::new(&Roots::Pem(self.server.root_pem.clone())).unwrap();
        let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
        Client::connect(http, &self.server.link("/directory"), key, Arc::new(SystemClock)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_by_itself_is_waited_for() {
    let busy = Answer("503 Service Unavailable\r\nRetry-After: 0", "<html>busy</html>");
    let limited = Answer(
        "429 Too Many Requests\r\nContent-Type: application/problem+json\r\nReplay-Nonce: again\r\n\
         Retry-After: Sun, 06 Nov 1994 08:49:37 GMT",
        r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"slowly"}"#,
    );
    let asked = Asked::with(vec![
        Nothing,
        busy.clone(),
        DIRECTORY,
        busy,
        NONCE,
        BAD_NONCE,
        BAD_NONCE,
        limited,
        Nothing,
        NONCE,
        ACCOUNT,
    ])
    .await;
    let mut client = asked.connect().await.unwrap();
    let made = client.new_account(&NewAccount::default()).await.unwrap();
    assert_eq!(made.url, asked.server.link("/account/1"));
    let posted = asked.server.asked().iter().filter(|line| *line == "POST /account").count();
    assert_eq!((asked.server.asked().len(), posted), (11, 5), "{:?}", asked.server.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_day_is_told_and_not_waited_for() {
    let limited = Answer(
        "429 Too Many Requests\r\nContent-Type: application/problem+json\r\nRetry-After: 86400",
        r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many\u001b[31m"}"#,
    );
    let asked = Asked::with(vec![DIRECTORY, NONCE, limited]).await;
    let mut client = asked.connect().await.unwrap();
    let refused = client.new_account(&NewAccount::default()).await.unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(86_400)));
    assert_eq!((refused.kind(), refused.is_temporary()), (Some(ProblemKind::RateLimited), true));
    assert!(refused.to_string().contains("refused: too many\u{fffd}[31m (rateLimited)"), "{refused}");
    assert_eq!(asked.server.asked().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_is_told_at_once() {
    let urls = |new_order| {
        let body = match new_order {
            "plain" => r#"{"newNonce":"BASE/n","newAccount":"BASE/a","newOrder":"http://localhost/o"}"#,
            _ => r#"{"newNonce":"BASE/n","newAccount":"BASE/a"}"#,
        };
        Answer("200 OK\r\nContent-Type: application/json", body)
    };
    for (what, script, said) in [
        ("not there", vec![Answer("404 Not Found", "<html>\u{1b}[2J</html>")], "status 404"),
        ("a page", vec![Answer("200 OK\r\nContent-Type: text/html", "<html></html>")], "cannot be used"),
        ("no newOrder", vec![urls("none")], "newOrder"),
        ("a URL in the clear", vec![urls("plain")], "no https: URL"),
        ("moved", vec![Answer("301 Moved Permanently\r\nLocation: BASE/elsewhere", "")], "status 301"),
    ] {
        let asked = Asked::with(script).await;
        let refused = asked.connect().await.unwrap_err();
        assert!(refused.to_string().contains(said) && !refused.is_temporary(), "{what}: {refused}");
        assert!(!refused.to_string().contains('\u{1b}'), "{what}: {refused}");
        assert_eq!(asked.server.asked().len(), 1, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_believed_is_not_asked() {
    let asked = Asked::with(vec![DIRECTORY]).await;
    let other = Asked::with(vec![]).await;
    let http = Http::new(&Roots::Pem(other.server.root_pem.clone())).unwrap();
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let refused =
        Client::connect(http, &asked.server.link("/directory"), key, Arc::new(SystemClock)).await.unwrap_err();
    assert!(matches!(refused, ClientError::Http(HttpError::Untrusted { .. })), "{refused}");
    assert_eq!(asked.server.asked(), [""; 0]);
    assert!(Http::new(&Roots::Pem("no certificate".into())).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_cut() {
    let asked = Asked::with(vec![Answer("200 OK", LONG.as_str())]).await;
    let refused = asked.connect().await.unwrap_err();
    assert!(matches!(refused, ClientError::Http(HttpError::TooLarge { .. })), "{refused}");
}

/// Over a mebibyte.
static LONG: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| " ".repeat(1_100_000));
