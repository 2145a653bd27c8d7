//! Which addresses are dialled (RFC 8555 section 10.4): a table of what never is, and who is dialled first.

use std::net::IpAddr;

use certus_acme::ProblemKind;
use certus_validate::{Config, LocalNames, Policy, PublicAddr};

use crate::web_server::{WebServer, closed_port, listen, listen_on_both, nobody_came, ok};
use crate::{IPV4, IPV6, KEY_AUTHORIZATION, assert_problem, problem, settings, validate};
use certus_testkit::name_server::NameServer;

/// Addresses of every range that is not a public host's, with the first and last of the wide ones.
const NOT_PUBLIC: &[&str] = &[
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.0.255",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.254",
    "255.255.255.255",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b:1::8.8.8.8",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b::127.0.0.1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:808:808::1",
    "2001:1::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:30::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "2620:4f:8000::1",
    "3fff::1",
    "3fff:fff:ffff::1",
    "4000::1",
    "5f00::1",
    "8000::1",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:127.0.0.1",
];

/// Addresses next to those ranges, and of well-known public hosts.
const PUBLIC: &[&str] = &[
    "1.0.0.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "8.8.8.8",
    "168.63.129.17",
    "2000::1",
    "2001:200::1",
    "2001:db7::1",
    "2001:db9::1",
    "2003::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
    "3ffe::1",
    "64:ff9b::8.8.8.8",
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn policy(permit: &[&str], deny: &[&str]) -> Policy {
    let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    Policy::new(networks(permit), networks(deny))
}

// conformance: 8555-8.3-13
#[test]
fn what_is_no_public_host_is_refused() {
    for text in NOT_PUBLIC {
        let refused = PublicAddr::vet(ip(text), &Policy::default());
        assert!(refused.is_err(), "{text} was let through");
        assert!(refused.unwrap_err().to_string().contains(&ip(text).to_string()));
    }
    for text in PUBLIC {
        assert_eq!(PublicAddr::vet(ip(text), &Policy::default()).map(PublicAddr::ip), Ok(ip(text)), "{text}");
    }
}

// conformance: 8555-8.3-13
#[test]
fn settings_permit_private_ranges_and_name_the_dangerous_ones() {
    let check = |permit: &[&str], deny: &[&str], address: &str, admitted: bool| {
        let result = PublicAddr::vet(ip(address), &policy(permit, deny));
        assert_eq!(result.is_ok(), admitted, "{address} with permit {permit:?}, deny {deny:?}: {result:?}");
    };
    check(&["10.0.0.0/8"], &[], "10.1.2.3", true);
    check(&["10.1.0.0/16"], &[], "10.2.0.1", false);
    check(&["10.1.2.3/8"], &[], "10.200.0.1", true);
    check(&["fd00::/8"], &[], "fd00::1", true);
    check(&["192.0.2.0/24"], &[], "192.0.2.1", true);
    check(&["0.0.0.0/0", "::/0"], &[], "10.1.2.3", true);
    check(&["0.0.0.0/0", "::/0"], &[], "fd00::1", true);
    for dangerous in
        ["127.0.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "::1", "fe80::1", "fd00:ec2::254"]
    {
        check(&["0.0.0.0/0", "::/0", "64.0.0.0/2", "128.0.0.0/1", "fc00::/7", "fe00::/7"], &[], dangerous, false);
    }
    check(&["127.0.0.0/8"], &[], "127.0.0.1", true);
    check(&["127.0.0.1/32"], &[], "127.0.0.1", true);
    check(&["127.0.0.1/32"], &[], "127.0.0.2", false);
    check(&["126.0.0.0/7"], &[], "127.0.0.1", false);
    check(&["::1/128"], &[], "::1", true);
    check(&["169.254.0.0/16"], &[], "169.254.169.254", true);
    check(&["fe80::/10"], &[], "fe80::1", true);
    // Never, whatever is permitted.
    for never in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "::ffff:10.0.0.1", "::10.0.0.1", "ff02::1"] {
        check(
            &["0.0.0.0/0", "::/0", "0.0.0.0/8", "224.0.0.0/4", "::ffff:0:0/96", "::/96", "ff00::/8"],
            &[],
            never,
            false,
        );
    }
    // What is denied is denied, public or permitted.
    check(&["10.0.0.0/8"], &["10.1.0.0/16"], "10.1.2.3", false);
    check(&["10.0.0.0/8"], &["10.1.0.0/16"], "10.2.2.3", true);
    check(&[], &["8.8.8.0/24"], "8.8.8.8", false);
    check(&["127.0.0.0/8"], &["127.0.0.0/8"], "127.0.0.1", false);
    // An IPv6 address that leads to an IPv4 one is judged as both.
    check(&[], &["8.8.8.0/24"], "64:ff9b::8.8.8.8", false);
    check(&["10.0.0.0/8"], &[], "64:ff9b::10.0.0.1", true);
    check(&["2002::/16"], &[], "2002:7f00:1::1", false);
    check(&["2002::/16", "127.0.0.0/8"], &[], "2002:7f00:1::1", true);
}

// conformance: 8555-8.3-13
#[tokio::test]
async fn loopback_is_not_dialled_unless_permitted() {
    let listener = listen(IPV4, 0);
    let port = listener.local_addr().unwrap().port();
    let names = NameServer::with(&[("a.example", &[IPV4])]);
    let config = Config { permit: Vec::new(), ..settings(&names, port) };
    assert_problem(validate(config, "a.example").await, ProblemKind::Dns, "127.0.0.1 is in 127.0.0.0/8 (loopback)");
    let config = Config { permit: vec!["0.0.0.0/0".parse().unwrap()], ..settings(&names, port) };
    assert_problem(validate(config, "a.example").await, ProblemKind::Dns, "127.0.0.1 is in 127.0.0.0/8 (loopback)");
    nobody_came(&listener);
}

#[tokio::test]
async fn every_refused_address_is_told_and_a_good_one_suffices() {
    let bad = [ip("10.0.0.1"), ip("192.168.1.1"), ip("fd00::1")];
    let web = WebServer::with_key_authorization();
    let names = NameServer::with(&[("bad.example", &bad), ("good.example", &[bad[0], bad[2], IPV4])]);
    let problem = problem(validate(settings(&names, web.port), "bad.example").await);
    assert_eq!(problem.kind, ProblemKind::Dns);
    for address in bad {
        assert!(problem.detail.contains(&address.to_string()), "{problem}");
    }
    assert_eq!(validate(settings(&names, web.port), "good.example").await.unwrap().address(), IPV4);
}

#[tokio::test]
async fn own_listeners_are_never_dialled() {
    let listener = listen(IPV4, 0);
    let port = listener.local_addr().unwrap().port();
    let names = NameServer::with(&[("a.example", &[IPV4])]);
    for own in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}"), format!("[::]:{port}")] {
        let config = Config { own_listeners: vec![own.parse().unwrap()], ..settings(&names, port) };
        assert_problem(validate(config, "a.example").await, ProblemKind::Connection, "this authority itself");
    }
    nobody_came(&listener);
}

// conformance: 8555-8.3-15
#[tokio::test]
async fn ipv6_is_dialled_first_and_ipv4_once_it_fails() {
    let names = NameServer::with(&[("a.example", &[IPV4, IPV6])]);
    let (ipv4, ipv6) = listen_on_both(IPV4, IPV6);
    let answer = |_: &_, connection: &mut dyn crate::web_server::Connection| {
        connection.write_all(&ok(KEY_AUTHORIZATION)).unwrap();
    };
    let web = WebServer::serving(ipv6, answer);
    assert_eq!(validate(settings(&names, web.port), "a.example").await.unwrap().address(), IPV6);
    nobody_came(&ipv4);

    // Nothing listens on the IPv6 address.
    let web = WebServer::serving(ipv4_only(), answer);
    assert_eq!(validate(settings(&names, web.port), "a.example").await.unwrap().address(), IPV4);

    // Nothing listens at all: both are told.
    let port = closed_port();
    let problem = problem(validate(settings(&names, port), "a.example").await);
    assert!(problem.kind == ProblemKind::Connection, "{problem}");
    assert!(problem.detail.contains("[::1]:") && problem.detail.contains("127.0.0.1:"), "{problem}");
}

/// What the IPv6 server says counts; the IPv4 one is not asked for a better answer.
// conformance: 8555-8.3-15
#[tokio::test]
async fn an_answer_that_is_wrong_is_not_asked_for_again_over_ipv4() {
    let names = NameServer::with(&[("a.example", &[IPV4, IPV6])]);
    let (ipv4, ipv6) = listen_on_both(IPV4, IPV6);
    let web = WebServer::serving(ipv6, |_seen, connection| connection.write_all(&ok("wrong")).unwrap());
    assert_problem(validate(settings(&names, web.port), "a.example").await, ProblemKind::IncorrectResponse, "[::1]");
    nobody_came(&ipv4);
}

#[tokio::test]
async fn localhost_is_answered_here_if_at_all() {
    let web = WebServer::with_key_authorization();
    let names = NameServer::with(&[("localhost", &[IPV4]), ("site.localhost", &[IPV4])]);
    for name in ["localhost", "site.localhost", "a.b.localhost"] {
        let config = Config { local_names: LocalNames::Localhost, ..settings(&names, web.port) };
        let evidence = validate(config.clone(), name).await.unwrap();
        assert_eq!((evidence.address(), evidence.last().resolver.as_deref().unwrap()), (IPV4, "local"));
        assert_problem(validate(Config { permit: Vec::new(), ..config }, name).await, ProblemKind::Dns, "loopback");
        assert_problem(validate(settings(&names, web.port), name).await, ProblemKind::Dns, "means the machine itself");
    }
    assert!(names.asked().is_empty(), "{:?}", names.asked());
}

fn ipv4_only() -> std::net::TcpListener {
    let (ipv4, ipv6) = listen_on_both(IPV4, IPV6);
    drop(ipv6);
    ipv4
}
