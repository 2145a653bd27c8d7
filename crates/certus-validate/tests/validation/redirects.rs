//! RFC 8555 section 8.3 and Baseline Requirements 3.2.2.4.19: redirects.

use std::io::Write;

use certus_acme::ProblemKind;
use certus_validate::Config;

use crate::web_server::{WebServer, listen, nobody_came, ok, redirect};
use crate::{IPV4, KEY_AUTHORIZATION, PATH, assert_problem, settings, validate};
use certus_testkit::name_server::NameServer;

fn names() -> NameServer {
    NameServer::with(&[
        ("a.example", &[IPV4]),
        ("b.example", &[IPV4]),
        ("inside.example", &["10.1.2.3".parse().unwrap()]),
        ("metadata.example", &["169.254.169.254".parse().unwrap()]),
    ])
}

/// Redirects `a.example` with that status; everything else has the key authorization.
fn redirecting(status: u16, to: &str) -> WebServer {
    let answer = redirect(status, to);
    WebServer::start(move |seen| {
        if seen.host().starts_with("a.example") && seen.target == PATH { answer.clone() } else { ok(KEY_AUTHORIZATION) }
    })
}

// conformance: 8555-8.3-07 8555-8.3-08
#[tokio::test]
async fn only_301_302_307_and_308_are_followed() {
    let names = names();
    for (status, followed) in
        [(301, true), (302, true), (307, true), (308, true), (300, false), (303, false), (304, false), (305, false)]
    {
        for to in ["http://b.example/elsewhere?x=1#fragment", "/elsewhere?x=1"] {
            let web = redirecting(status, to);
            let result = validate(settings(&names, web.port), "a.example").await;
            if followed {
                let evidence = result.unwrap();
                assert_eq!(evidence.hops.len(), 2, "{status}");
                assert!(evidence.last().url.ends_with("/elsewhere?x=1"), "{evidence:?}");
                let [_, second] = <[_; 2]>::try_from(web.seen()).unwrap();
                assert_eq!(second.target, "/elsewhere?x=1");
            } else {
                assert_problem(result, ProblemKind::IncorrectResponse, &format!("status {status}"));
                assert_eq!(web.seen().len(), 1, "{status} was followed");
            }
        }
    }
}

#[tokio::test]
async fn a_page_that_redirects_by_its_content_is_not_followed() {
    let names = names();
    for answer in [
        "HTTP/1.1 200 OK\r\nRefresh: 0; url=http://b.example/\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nLocation: http://b.example/\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<meta http-equiv=refresh content='0;http://b.example/'>"
            .to_owned(),
    ] {
        let web = WebServer::start(move |_seen| answer.clone().into_bytes());
        let result = validate(settings(&names, web.port), "a.example").await;
        assert_problem(result, ProblemKind::IncorrectResponse, "answered with");
        assert_eq!(web.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_does_not_lead_to_the_authority_itself() {
    let names = names();
    let own = listen(IPV4, 0);
    let port = own.local_addr().unwrap().port();
    let web = redirecting(302, "https://b.example/");
    let settings =
        Config { own_listeners: vec![own.local_addr().unwrap()], https_port: port, ..settings(&names, web.port) };
    assert_problem(validate(settings, "a.example").await, ProblemKind::Connection, "this authority itself");
    nobody_came(&own);
    assert_eq!(web.seen().len(), 1);
}

// conformance: 8555-8.3-09 8555-8.3-12
#[tokio::test]
async fn a_redirect_that_may_not_be_followed_ends_the_validation() {
    let names = names();
    let other = listen(IPV4, 0);
    let other_port = other.local_addr().unwrap().port();
    for (to, words) in [
        (format!("http://b.example:{other_port}/"), "it leads to port"),
        ("https://b.example:8443/".to_owned(), "it leads to port"),
        ("ftp://b.example/".to_owned(), "only http and https"),
        ("file:///etc/passwd".to_owned(), "only http and https"),
        (format!("http://127.0.0.1:{other_port}/"), "IP address"),
        ("http://10.0.0.1/".to_owned(), "IP address"),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "IP address"),
        ("http://[::1]/".to_owned(), "IP address"),
        ("http://2130706433/".to_owned(), "IP address"),
        ("http://user:password@b.example/".to_owned(), "user name or password"),
        ("http://b.example./".to_owned(), "no name"),
        (format!("http://b.example/{}", "x".repeat(2100)), "longer than"),
        ("http://".to_owned(), "no URL"),
        ("http://inside.example/".to_owned(), "10.1.2.3 is in 10.0.0.0/8 (private use)"),
        ("http://metadata.example/".to_owned(), "169.254.169.254 is in 169.254.0.0/16 (link-local)"),
        ("http://nowhere.example/".to_owned(), "NXDOMAIN"),
        ("http://localhost/".to_owned(), "localhost means the machine itself"),
    ] {
        let web = redirecting(302, &to);
        let result = validate(settings(&names, web.port), "a.example").await;
        let kind = match words {
            "NXDOMAIN" | "localhost means the machine itself" => ProblemKind::Dns,
            _ if words.starts_with("10.") || words.starts_with("169.") => ProblemKind::Dns,
            _ => ProblemKind::Connection,
        };
        assert_problem(result, kind, words);
        assert_eq!(web.seen().len(), 1, "{to}");
    }
    nobody_came(&other);
}

#[tokio::test]
async fn a_redirect_names_one_place() {
    let names = names();
    for (fields, words) in [
        ("", "no Location"),
        ("Location: http://b.example/\r\nLocation: http://b.example/x\r\n", "more than one Location"),
        ("Location: http://b\u{fc}cher.example/\r\n", "not ASCII"),
    ] {
        let answer = format!("HTTP/1.1 301 Moved\r\n{fields}Content-Length: 0\r\n\r\n");
        let web = WebServer::start(move |_seen| answer.clone().into_bytes());
        let result = validate(settings(&names, web.port), "a.example").await;
        assert_problem(result, ProblemKind::Connection, words);
    }
}

// conformance: 8555-8.3-10
#[tokio::test]
async fn circles_and_long_chains_end() {
    let names = names();
    let web = redirecting(301, PATH);
    assert_problem(validate(settings(&names, web.port), "a.example").await, ProblemKind::Connection, "in a circle");
    assert_eq!(web.seen().len(), 1);

    let web = WebServer::start(|seen| {
        let other = if seen.host().starts_with('a') { 'b' } else { 'a' };
        redirect(302, &format!("http://{other}.example{PATH}#{}", seen.target.len()))
    });
    assert_problem(validate(settings(&names, web.port), "a.example").await, ProblemKind::Connection, "in a circle");
    assert_eq!(web.seen().len(), 3, "a with its port, b and a without");

    // Each hop to a place of its own, the key authorization after so many.
    for (hops, accepted) in [(10, true), (11, false)] {
        let web = WebServer::start(move |seen| {
            let hop: u32 = seen.target.strip_prefix("/hop/").map_or(0, |hop| hop.parse().unwrap());
            if hop == hops { ok(KEY_AUTHORIZATION) } else { redirect(307, &format!("/hop/{}", hop + 1)) }
        });
        let result = validate(settings(&names, web.port), "a.example").await;
        if accepted {
            assert_eq!(result.unwrap().hops.len(), hops as usize + 1);
        } else {
            assert_problem(result, ProblemKind::Connection, "more than 10 redirects");
            assert_eq!(web.seen().len(), 11);
        }
    }
}

// conformance: 8555-8.3-11
#[tokio::test]
async fn the_certificate_of_an_https_target_is_not_verified() {
    let names = names();
    let secure = WebServer::serving_tls(listen(IPV4, 0), |_seen, connection| {
        connection.write_all(&ok(KEY_AUTHORIZATION)).unwrap();
        connection.flush().unwrap();
    })
    .await;
    for to in ["https://b.example/here".to_owned(), format!("https://b.example:{}/here", secure.port)] {
        let web = redirecting(301, &to);
        let config = Config { https_port: secure.port, ..settings(&names, web.port) };
        let evidence = validate(config, "a.example").await.unwrap();
        assert_eq!((evidence.last().connected.unwrap().port(), evidence.hops.len()), (secure.port, 2));
        assert_eq!(evidence.last().url, to);
    }
    assert_eq!(secure.seen().len(), 2);
}

#[tokio::test]
async fn an_https_target_without_tls_is_a_tls_problem() {
    let names = names();
    let plain = WebServer::with_key_authorization();
    let listener = listen(IPV4, 0);
    let garbage_port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _peer)) = listener.accept() {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        }
    });
    let web = redirecting(301, "https://b.example/");
    let config = Config { https_port: garbage_port, ..settings(&names, web.port) };
    assert_problem(validate(config, "a.example").await, ProblemKind::Tls, "https://b.example/");
    assert!(plain.seen().is_empty());
}
