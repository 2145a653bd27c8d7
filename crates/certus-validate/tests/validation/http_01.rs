//! RFC 8555 section 8.3: the request, the body, the status.

use certus_acme::ProblemKind;
use certus_ca::state::Hop;

use crate::web_server::{WebServer, closed_port, ok};
use crate::{IPV4, KEY_AUTHORIZATION, PATH, TOKEN, assert_problem, problem, settings, validate};
use certus_testkit::name_server::NameServer;

fn names() -> NameServer {
    NameServer::with(&[("a.example", &[IPV4])])
}

// conformance: 8555-8.3-02 8555-8.3-03 8555-8.3-04 8555-8.3-17
#[tokio::test]
async fn the_key_authorization_is_looked_for_where_the_rfc_says() {
    let (names, web) = (names(), WebServer::with_key_authorization());
    let config = settings(&names, web.port);
    let agent = config.user_agent.clone();
    let evidence = validate(config, "a.example").await.unwrap();

    let [seen] = <[_; 1]>::try_from(web.seen()).unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", PATH));
    assert_eq!(seen.host(), format!("a.example:{}", web.port));
    assert!(agent.contains("certus"));
    // Nothing else goes out: no cookie, no credentials, no trace of the account.
    let expected = [
        ("host", seen.host()),
        ("user-agent", agent.as_str()),
        ("accept", "*/*"),
        ("accept-encoding", "identity"),
        ("connection", "close"),
    ];
    assert_eq!(seen.fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let expected = Hop {
        url: format!("http://a.example:{}{PATH}", web.port),
        resolver: Some(names.address.to_string()),
        resolved: vec![IPV4],
        connected: Some((IPV4, web.port).into()),
    };
    assert_eq!(evidence.hops, [expected]);
}

// conformance: 8555-8.3-04 8555-8.3-05 8555-6.7-17
#[tokio::test]
async fn the_body_is_the_key_authorization_and_nothing_else() {
    let names = names();
    for (body, accepted) in [
        (KEY_AUTHORIZATION.to_owned(), true),
        (format!("{KEY_AUTHORIZATION}\n"), true),
        (format!("{KEY_AUTHORIZATION}\r\n  \t "), true),
        (format!(" {KEY_AUTHORIZATION}"), false),
        (format!("{KEY_AUTHORIZATION} x"), false),
        (format!("{KEY_AUTHORIZATION}\n{KEY_AUTHORIZATION}"), false),
        (format!("\u{feff}{KEY_AUTHORIZATION}"), false),
        (format!("{KEY_AUTHORIZATION}\0"), false),
        (KEY_AUTHORIZATION.to_uppercase(), false),
        (KEY_AUTHORIZATION[..KEY_AUTHORIZATION.len() - 1].to_owned(), false),
        (format!("{TOKEN}.0000000000000000000000000000000000000000000"), false),
        (TOKEN.to_owned(), false),
        (String::new(), false),
    ] {
        let answer = ok(&body);
        let web = WebServer::start(move |_seen| answer.clone());
        let result = validate(settings(&names, web.port), "a.example").await;
        if accepted {
            assert!(result.is_ok(), "{body:?}: {result:?}");
        } else {
            assert_problem(result, ProblemKind::IncorrectResponse, &format!("127.0.0.1:{}", web.port));
        }
    }
}

// conformance: 8555-8.3-06
#[tokio::test]
async fn the_final_status_is_2xx() {
    let names = names();
    for (status, accepted) in [
        (200, true),
        (201, true),
        (203, true),
        (299, true),
        (300, false),
        (303, false),
        (304, false),
        (305, false),
        (306, false),
        (400, false),
        (401, false),
        (404, false),
        (410, false),
        (500, false),
        (503, false),
    ] {
        let web = WebServer::start(move |_seen| {
            let length = KEY_AUTHORIZATION.len();
            format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {length}\r\n\r\n{KEY_AUTHORIZATION}").into_bytes()
        });
        let result = validate(settings(&names, web.port), "a.example").await;
        if accepted {
            assert!(result.is_ok(), "{status}: {result:?}");
        } else {
            assert_problem(result, ProblemKind::IncorrectResponse, &status.to_string());
        }
    }
}

#[tokio::test]
async fn the_body_may_be_framed_in_any_way() {
    let (start, end) = KEY_AUTHORIZATION.split_at(10);
    let names = names();
    for answer in [
        format!("HTTP/1.0 200 OK\r\n\r\n{KEY_AUTHORIZATION}"),
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{KEY_AUTHORIZATION}\n"),
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{start}\r\n{:x}\r\n{end}\r\n0\r\n\r\n",
            end.len()
        ),
        format!("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\n{KEY_AUTHORIZATION}"),
    ] {
        let octets = answer.clone().into_bytes();
        let web = WebServer::start(move |_seen| octets.clone());
        let result = validate(settings(&names, web.port), "a.example").await;
        assert!(result.is_ok(), "{answer:?}: {result:?}");
    }
}

// conformance: 8555-8.3-16
#[tokio::test]
async fn nothing_of_the_body_is_told() {
    let names = names();
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\nsecret-from-the-inside",
        "HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\nsecret-from-the-inside",
        "HTTP/1.1 500 secret-from-the-inside\r\nX: secret-from-the-inside\r\n\r\nsecret-from-the-inside",
        "HTTP/1.1 301 secret-from-the-inside\r\nContent-Length: 22\r\n\r\nsecret-from-the-inside",
        "secret-from-the-inside\r\n\r\nsecret-from-the-inside",
    ] {
        let web = WebServer::start(move |_seen| answer.as_bytes().to_vec());
        let problem = problem(validate(settings(&names, web.port), "a.example").await);
        assert!(!problem.detail.contains("secret"), "{answer:?}: {problem}");
    }
}

// conformance: 8555-6.7-14
#[tokio::test]
async fn a_closed_port_is_a_connection_problem() {
    let port = closed_port();
    let result = validate(settings(&names(), port), "a.example").await;
    assert_problem(result, ProblemKind::Connection, &format!("127.0.0.1:{port} could not be connected to"));
}

#[tokio::test]
async fn a_connection_that_is_closed_early_is_a_connection_problem() {
    let names = names();
    for answer in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\nLoq"] {
        let web = WebServer::start(move |_seen| answer.as_bytes().to_vec());
        let result = validate(settings(&names, web.port), "a.example").await;
        assert_problem(result, ProblemKind::Connection, "closed the connection before its answer was complete");
    }
}
