//! An order told by hand, by an authority that keeps to the RFC and by some that do not.

use std::collections::BTreeSet;
use std::time::Duration;

use certus_acme::{
    Authorization, AuthorizationStatus, Challenge, ChallengeStatus, ChallengeType, Identifier, NewOrder, Order,
    OrderStatus, Problem, ProblemKind, RawIdentifier,
};
use certus_pki::DnsName;

use super::*;

const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";

fn link(path: &str) -> Link {
    Link::parse(&format!("https://ca.example{path}")).unwrap()
}

fn raw(name: &str) -> RawIdentifier {
    RawIdentifier { kind: "dns".into(), value: name.into() }
}

fn begin(names: &[&str]) -> Flow {
    let identifiers: BTreeSet<Identifier> = names
        .iter()
        .map(|name| match name.strip_prefix("*.") {
            Some(base) => Identifier::Wildcard(DnsName::parse(base).unwrap()),
            None => Identifier::Dns(DnsName::parse(name).unwrap()),
        })
        .collect();
    let wish = NewOrder::default();
    let (flow, step) = Flow::begin(wish.clone(), identifiers, vec![ChallengeType::Dns01, ChallengeType::Http01]);
    assert_eq!(step, Step::NewOrder(wish));
    flow
}

fn order(status: OrderStatus, names: &[&str]) -> Order {
    Order {
        status,
        expires: None,
        identifiers: names.iter().map(|name| raw(name)).collect(),
        not_before: None,
        not_after: None,
        replaces: None,
        profile: None,
        error: None,
        authorizations: (0..names.len()).map(|index| format!("https://ca.example/authz/{index}")).collect(),
        finalize: "https://ca.example/order/1/finalize".into(),
        certificate: (status == OrderStatus::Valid).then(|| "https://ca.example/cert/1".into()),
    }
}

fn told(status: OrderStatus, names: &[&str]) -> Event {
    Event::Order(link("/order/1"), Box::new(order(status, names)), None)
}

fn challenge(kind: &str) -> Challenge {
    Challenge {
        kind: kind.into(),
        url: format!("https://ca.example/chall/{kind}"),
        status: ChallengeStatus::Pending,
        token: TOKEN.into(),
        validated: None,
        error: None,
    }
}

fn authorization(name: &str, status: AuthorizationStatus, challenges: Vec<Challenge>) -> Event {
    let identifier = raw(name);
    Event::Authorization(Authorization { identifier, status, expires: None, challenges, wildcard: None }, None)
}

#[test]
fn an_order_goes_its_way() {
    let names = ["a.example", "b.example"];
    let mut flow = begin(&names);
    assert_eq!(flow.next(told(OrderStatus::Pending, &names)).unwrap(), Step::ReadAuthorization(link("/authz/0")));
    // One was proved before.
    let valid = authorization("a.example", AuthorizationStatus::Valid, vec![]);
    assert_eq!(flow.next(valid).unwrap(), Step::ReadAuthorization(link("/authz/1")));
    let offered = || vec![challenge("http-01"), challenge("future-01"), challenge("dns-01")];
    let pending = || authorization("b.example", AuthorizationStatus::Pending, offered());
    // The best that can be met, not the first that is offered.
    let Step::Present(presentation) = flow.next(pending()).unwrap() else { panic!("nothing to present") };
    assert_eq!((presentation.method, presentation.token.as_str()), (ChallengeType::Dns01, TOKEN));
    assert_eq!(flow.next(Event::Presented).unwrap(), Step::Respond(link("/chall/dns-01")));
    let Step::Wait(first) = flow.next(Event::Responded { done: false }).unwrap() else { panic!("no wait") };
    assert_eq!(flow.next(Event::Waited).unwrap(), Step::ReadAuthorization(link("/authz/1")));
    let Step::Wait(second) = flow.next(pending()).unwrap() else { panic!("no wait") };
    assert!(first < second, "{first:?} {second:?}");
    flow.next(Event::Waited).unwrap();
    let valid = authorization("b.example", AuthorizationStatus::Valid, offered());
    assert_eq!(flow.next(valid).unwrap(), Step::ReadOrder(link("/order/1")));
    let ready = told(OrderStatus::Ready, &names);
    assert_eq!(flow.next(ready).unwrap(), Step::Finalize(link("/order/1/finalize")));
    // Where finalize says nothing of where the order is, it is where it was.
    let processing = Event::Order(
        link("/order/1/finalize"),
        Box::new(order(OrderStatus::Processing, &names)),
        Some(Duration::from_secs(7)),
    );
    assert_eq!(flow.next(processing).unwrap(), Step::Wait(Duration::from_secs(7)));
    assert_eq!(flow.next(Event::Waited).unwrap(), Step::ReadOrder(link("/order/1")));
    assert_eq!(flow.next(told(OrderStatus::Valid, &names)).unwrap(), Step::Download(link("/cert/1")));
}

#[test]
fn a_finalize_that_was_heard_before_is_no_failure() {
    let mut flow = begin(&["a.example"]);
    assert!(matches!(flow.next(told(OrderStatus::Ready, &["a.example"])), Ok(Step::Finalize(_))));
    assert!(matches!(flow.next(Event::NotReady), Ok(Step::Wait(_))));
    assert_eq!(flow.next(Event::Waited).unwrap(), Step::ReadOrder(link("/order/1")));
    assert!(matches!(flow.next(told(OrderStatus::Valid, &["a.example"])), Ok(Step::Download(_))));
}

#[test]
fn a_wildcard_is_authorized_by_its_base_and_said_to_be_one() {
    for (wildcard, ours) in [(Some(true), true), (None, false), (Some(false), false)] {
        let mut flow = begin(&["*.a.example"]);
        flow.next(told(OrderStatus::Pending, &["*.a.example"])).unwrap();
        let (identifier, challenges) = (raw("a.example"), vec![challenge("dns-01")]);
        let read =
            Authorization { identifier, status: AuthorizationStatus::Pending, expires: None, challenges, wildcard };
        let step = flow.next(Event::Authorization(read, None));
        assert_eq!(matches!(step, Ok(Step::Present(_))), ours, "{wildcard:?}: {step:?}");
    }
}

#[test]
fn what_fits_no_order_of_ours_ends_it() {
    let mut elsewhere = order(OrderStatus::Pending, &["a.example"]);
    elsewhere.authorizations = vec!["http://ca.example/authz/0".into()];
    let mut endless = order(OrderStatus::Pending, &["a.example"]);
    endless.authorizations = vec!["https://ca.example/authz/0".into(); MAX_AUTHORIZATIONS + 1];
    let mut nothing = order(OrderStatus::Valid, &["a.example"]);
    nothing.certificate = None;
    for (what, told) in [
        ("other names", order(OrderStatus::Pending, &["b.example"])),
        ("more names", order(OrderStatus::Pending, &["a.example", "b.example"])),
        ("no names", order(OrderStatus::Pending, &[])),
        ("a URL in the clear", elsewhere),
        ("authorizations without end", endless),
        ("valid without a certificate", nothing),
    ] {
        let mut flow = begin(&["a.example"]);
        let ended = flow.next(Event::Order(link("/order/1"), Box::new(told), None));
        assert!(matches!(ended, Err(FlowError::Foreign(_) | FlowError::Link(_))), "{what}: {ended:?}");
    }
    let crafted = |change: &dyn Fn(&mut Challenge)| {
        let mut one = challenge("http-01");
        change(&mut one);
        one
    };
    for (what, name, one) in [
        ("another name", "b.example", challenge("http-01")),
        ("a token that is a path", "a.example", crafted(&|one| one.token = "../../../../etc/cron.d/evil-token".into())),
        ("a token that is a command", "a.example", crafted(&|one| one.token = "$(reboot)$(reboot)$(reboot)".into())),
        ("no token", "a.example", crafted(&|one| one.token.clear())),
        ("a URL in the clear", "a.example", crafted(&|one| one.url = "http://ca.example/chall".into())),
    ] {
        let mut flow = begin(&["a.example"]);
        flow.next(told(OrderStatus::Pending, &["a.example"])).unwrap();
        let ended = flow.next(authorization(name, AuthorizationStatus::Pending, vec![one]));
        assert!(matches!(ended, Err(FlowError::Foreign(_) | FlowError::Link(_))), "{what}: {ended:?}");
    }
}

#[test]
fn why_it_came_to_nothing_is_told_as_the_authority_says_it() {
    let mut flow = begin(&["a.example"]);
    flow.next(told(OrderStatus::Pending, &["a.example"])).unwrap();
    let mut failed = challenge("http-01");
    failed.error = Some(Problem::new(ProblemKind::Connection, "nobody\x1b[2J answered"));
    let ended = flow.next(authorization("a.example", AuthorizationStatus::Invalid, vec![failed])).unwrap_err();
    assert_eq!(ended.to_string(), "a.example: nobody\u{fffd}[2J answered (connection)");

    let mut flow = begin(&["a.example"]);
    flow.next(told(OrderStatus::Pending, &["a.example"])).unwrap();
    let ended = flow.next(authorization("a.example", AuthorizationStatus::Pending, vec![challenge("tls-alpn-01")]));
    let ended = ended.unwrap_err().to_string();
    assert!(ended.contains("offers tls-alpn-01") && ended.contains("dns-01, http-01"), "{ended}");

    let mut flow = begin(&["a.example"]);
    let mut invalid = order(OrderStatus::Invalid, &["a.example"]);
    invalid.error = Some(Problem::new(ProblemKind::Caa, "CAA forbids it"));
    let ended = flow.next(Event::Order(link("/order/1"), Box::new(invalid), None)).unwrap_err();
    assert!(ended.to_string().contains("CAA forbids it"), "{ended}");
}

#[test]
fn what_is_done_is_read_at_once_and_what_takes_a_day_is_not_waited_for() {
    let mut flow = begin(&["a.example"]);
    flow.next(told(OrderStatus::Pending, &["a.example"])).unwrap();
    let pending = |after: Option<Duration>| {
        let (identifier, challenges) = (raw("a.example"), vec![challenge("http-01")]);
        let status = AuthorizationStatus::Pending;
        Event::Authorization(Authorization { identifier, status, expires: None, challenges, wildcard: None }, after)
    };
    flow.next(pending(None)).unwrap();
    flow.next(Event::Presented).unwrap();
    assert_eq!(flow.next(Event::Responded { done: true }).unwrap(), Step::ReadAuthorization(link("/authz/0")));
    // It said so, and it is not: then as any other.
    assert_eq!(flow.next(pending(Some(Duration::from_secs(600)))).unwrap(), Step::Wait(Duration::from_secs(600)));
    assert_eq!(flow.next(Event::Waited).unwrap(), Step::ReadAuthorization(link("/authz/0")));
    let ended = flow.next(pending(Some(Duration::from_secs(86_400)))).unwrap_err();
    assert!(ended.to_string().contains("86400 s"), "{ended}");
}

#[test]
fn what_never_ends_is_given_up() {
    let mut flow = begin(&["a.example"]);
    let mut looks = 0;
    let ended = loop {
        match flow.next(told(OrderStatus::Processing, &["a.example"])) {
            Ok(Step::Wait(_)) => assert_eq!(flow.next(Event::Waited).unwrap(), Step::ReadOrder(link("/order/1"))),
            Ok(step) => panic!("{step:?}"),
            Err(error) => break error,
        }
        looks += 1;
    };
    assert!(matches!(ended, FlowError::Unfinished { .. }), "{ended}");
    assert_eq!(looks, MAX_POLLS);
}
