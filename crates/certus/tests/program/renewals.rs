//! `certus ca renewals`: an operator has clients renew, and they do.

use certus_acme::{CertId, NewOrder, ProblemKind, RawIdentifier};
use certus_pki::{Certificate, CertificateChain, KeyAlgorithm, Timestamp};
use certus_testkit::{ClientError, Http01Target, Issued, TestClient};
use serde_json::Value;

use crate::golden;
use crate::process::{Running, Site, certus, run};

fn leaf(issued: &Issued) -> Certificate {
    CertificateChain::from_pem(&issued.chain_pem).unwrap().certificates()[0].clone()
}

/// What a client does when it wakes up: renews if the time to is here, saying what it replaces (RFC 9773 sections 4.2 and 5).
async fn wake_up(client: &TestClient, current: Issued, name: &str, target: &Http01Target) -> Option<Issued> {
    let id = CertId::of(&leaf(&current)).unwrap().to_string();
    let info = client.renewal_info(&id).await.unwrap().value;
    let now = Timestamp::parse_rfc3339(&info.suggested_window.end).unwrap();
    if now > certus_pki::Clock::now(&certus_pki::SystemClock) {
        return None;
    }
    let identifiers = vec![RawIdentifier { kind: "dns".to_owned(), value: name.to_owned() }];
    let wish = NewOrder { identifiers, replaces: Some(id.clone()), ..NewOrder::default() };
    let renewed = client.obtain_with(&wish, target).await.unwrap();
    assert_eq!(renewed.order.value.replaces, Some(id));
    Some(renewed)
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_renew_when_the_operator_asks_them_to() {
    let temporary = tempfile::tempdir().unwrap();
    let lab = temporary.path().join("lab");
    let target = Http01Target::bind(0).await.unwrap();
    let mut up = certus(&["up", "--json", "--listen", "127.0.0.1:0", "--http-01-port", &target.port().to_string()]);
    let running = Running::start(up.arg("--dir").arg(&lab), &lab.with_extension("log"));
    let root = std::fs::read_to_string(lab.join("state/root.pem")).unwrap();
    let url = running.said["directory_url"].as_str().unwrap();
    let client = TestClient::connect(url, &root, KeyAlgorithm::EcP256).await.unwrap();
    let account = client.new_account().await.unwrap().url;
    let ca = |words: &[&str]| {
        let mut command = certus(&[&["ca", "renewals"], words].concat());
        command.arg("--dir").arg(&lab);
        run(&mut command)
    };
    let first = client.obtain(&["site.localhost"], &target).await.unwrap();
    let other = client.obtain(&["other.localhost"], &target).await.unwrap();
    let window = |issued: &Issued| {
        let id = CertId::of(&leaf(issued)).unwrap().to_string();
        let client = &client;
        async move { client.renewal_info(&id).await.unwrap().value }
    };
    let (before, untouched) = (window(&first).await, window(&other).await);
    assert!(before.suggested_window.start.as_str() > leaf(&first).not_before().rfc3339().as_str());

    // By everything at once; what is not all of it is not meant.
    let file = temporary.path().join("leaf.pem");
    std::fs::write(&file, &first.chain_pem).unwrap();
    let why = "https://ca.example/incidents/7";
    let select = ["--names", "=site.localhost,192.0.2.7", "--accounts", &account, "--profiles", "classic"];
    let more = ["--key-files", file.to_str().unwrap(), "--explanation-url", why, "--json"];
    let made = ca(&[&["advance"], &select[..], &more].concat()).well().json();
    golden::check("renewals-advance.txt", &golden::form(&made));
    let own = format!("uid:{}", rustix::process::getuid().as_raw());
    assert_eq!((&made["author"], &made["active"]), (&Value::from(own), &Value::from(true)), "{made}");
    let listed = ca(&["list", "--json"]).well().json();
    golden::check("renewals-list.txt", &golden::form(&listed));
    let mut expected = made.clone();
    expected.as_object_mut().unwrap().remove("schema");
    assert_eq!(listed["rules"], Value::Array(vec![expected]));
    let moved = window(&first).await;
    assert_eq!(moved.explanation_url.as_deref(), Some(why));
    assert_eq!(window(&other).await, untouched);

    assert!(wake_up(&client, other, "other.localhost", &target).await.is_none(), "its time has not come");
    let (old, id) = (leaf(&first), CertId::of(&leaf(&first)).unwrap().to_string());
    let renewed = wake_up(&client, first, "site.localhost", &target).await.expect("it is to be renewed");
    assert_ne!(leaf(&renewed).serial(), old.serial());
    assert!(window(&renewed).await.explanation_url.is_none(), "what replaces it is not renewed again");
    assert!(wake_up(&client, renewed, "site.localhost", &target).await.is_none());
    let identifiers = vec![RawIdentifier { kind: "dns".to_owned(), value: "site.localhost".to_owned() }];
    let again = client.new_order_with(&NewOrder { identifiers, replaces: Some(id), ..NewOrder::default() }).await;
    let Err(ClientError::Refused { answer, .. }) = again else { panic!("{again:?}") };
    assert_eq!((answer.status, answer.problem().unwrap().kind), (409, ProblemKind::AlreadyReplaced));

    let rule = made["id"].as_str().unwrap();
    let ended = ca(&["end", rule, "--json"]).well().json();
    golden::check("renewals-end.txt", &golden::form(&ended));
    let told = ca(&["end", rule]).well().out;
    assert!(told.contains("is ended"), "{told}");
    let told = ca(&["list"]).well().out;
    assert!(
        told.contains("ended 2") && told.contains("good for =site.localhost or 192.0.2.7") && told.contains(why),
        "{told}"
    );
    let told = ca(&["advance", "--all", "--within", "2d"]).well().out;
    assert!(told.contains("all certificates") && told.contains("certus ca renewals end "), "{told}");
    let told = ca(&["list", "--limit", "1"]).well().out;
    assert!(told.contains("More with --after"), "{told}");
    assert_eq!(running.end(), Some(0));
}

#[test]
fn what_is_wrong_with_a_rule_is_said() {
    let site = Site::new(&[]);
    let ask = |words: &[&str]| run(&mut site.ca(&[&["renewals"], words].concat()));
    ask(&["list"]).refused(5, "no authority is running");
    let running = site.serve();
    assert_eq!(ask(&["list"]).well().out, "None.\n");
    ask(&["advance"]).refused(2, "--all");
    ask(&["advance", "--all", "--profiles", "classic"]).refused(2, "cannot be used with");
    ask(&["advance", "--names", "a b"]).refused(2, "--names");
    ask(&["advance", "--profiles", "other"]).refused(1, "choose one of classic, shortlived");
    ask(&["advance", "--issuers", "00"]).refused(1, "the issuers are ");
    ask(&["advance", "--accounts", "https://ca.example/acme/acct/x"]).refused(1, "neither an account's URL");
    ask(&["advance", "--accounts", &"A".repeat(22)]).refused(1, "there is no account");
    ask(&["advance", "--keys", "00ff"]).refused(1, "64 hexadecimal digits");
    ask(&["advance", "--key-files", "/absent.pem"]).refused(1, "/absent.pem cannot be read");
    ask(&["advance", "--all", "--for", "0s"]).refused(1, "would end before");
    ask(&["advance", "--all", "--within", "40d"]).refused(1, "would end before");
    ask(&["advance", "--all", "--explanation-url", "incident 7"]).refused(1, "is no http:// or https:// URL");
    let many: Vec<String> = (0..101).map(|number| format!("n{number}.example")).collect();
    ask(&["advance", "--names", &many.join(",")]).refused(1, "100 values of each kind");
    ask(&["end", "nobody"]).refused(1, "is no rule's id");
    ask(&["end", &"A".repeat(22)]).refused(1, "certus ca renewals list");
    assert_eq!(ask(&["list"]).well().out, "None.\n", "nothing of it was kept");
    assert_eq!(running.end(), Some(0));
}
