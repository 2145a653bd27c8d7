//! `certus ca eab`: keys of external account binding.

use certus_pki::KeyAlgorithm;
use certus_testkit::TestClient;
use serde_json::Value;

use crate::golden;
use crate::process::{Site, run};

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_listed_and_revoked() {
    let site = Site::new(&[]);
    site.edit("#external_account_required = false", "external_account_required = true");
    let running = site.serve();
    let words = ["eab", "create", "--permit-names", "corp.example", "--permit-exact", "192.0.2.7,*.a.example"];
    let more = ["--profiles", "shortlived", "--quota", "7", "--expires", "30d", "--single-use"];
    let made = run(site.ca(&words).args(more).arg("--json")).well().json();
    golden::check("eab-create.txt", &golden::form(&made));
    let (kid, mac) = (made["kid"].as_str().unwrap(), made["mac_key"].as_str().unwrap());
    let listed = run(&mut site.ca(&["eab", "list", "--json"])).well();
    assert!(!listed.out.contains(mac), "a secret is shown once");
    let listed = listed.json();
    golden::check("eab-list.txt", &golden::form(&listed));
    assert_eq!((&listed["keys"][0]["kid"], &listed["keys"][0]["usable"]), (&Value::from(kid), &Value::from(true)));

    // The line to paste, for people; what is in it is nowhere else, least of all in the log or the store.
    let shown = run(&mut site.ca(&["eab", "create"])).well().out;
    assert!(shown.contains("--eab-kid=") && shown.contains("any name"), "{shown}");
    let other = shown.split("--eab-hmac-key=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let revoked = run(&mut site.ca(&["eab", "revoke", kid, "--json"])).well().json();
    golden::check("eab-revoke.txt", &golden::form(&revoked));
    let again = run(&mut site.ca(&["eab", "revoke", kid, "--json"])).well().json();
    assert_eq!(again["revoked"], revoked["revoked"]);
    let listed = run(&mut site.ca(&["eab", "list"])).well().out;
    assert!(listed.contains("revoked 2") && listed.contains("usable"), "{listed}");

    let root = std::fs::read_to_string(site.state("root.pem")).unwrap();
    let url = format!("https://localhost:{}/directory", site.port);
    let client = TestClient::connect(&url, &root, KeyAlgorithm::EcP256).await.unwrap();
    let refused = format!("{:?}", client.new_account().await.unwrap_err());
    assert!(refused.contains("externalAccountRequired"), "{refused}");
    assert_eq!(running.end(), Some(0));
    let files = [site.state("certus.db"), site.state("certus.db-wal"), site.dir.with_extension("log")];
    for (file, secret) in files.iter().flat_map(|file| [(file, mac), (file, other.as_str())]) {
        let octets = std::fs::read(file).unwrap_or_default();
        let decoded = certus_acme::base64url::decode(secret).unwrap();
        assert!(!octets.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", file.display());
        assert!(!octets.windows(decoded.len()).any(|window| window == decoded), "{}", file.display());
    }
}

#[test]
fn what_is_wrong_with_a_key_is_said() {
    let site = Site::new(&[]);
    run(&mut site.ca(&["eab", "list"])).refused(5, "no authority is running");
    let running = site.serve();
    run(&mut site.ca(&["eab", "create", "--profiles", "other"])).refused(1, "choose one of classic, shortlived");
    run(&mut site.ca(&["eab", "create", "--permit-exact", "a b"])).refused(2, "is neither a name nor an address");
    run(&mut site.ca(&["eab", "create", "--permit-names", "*.a.example"])).refused(2, "--permit-names");
    run(&mut site.ca(&["eab", "create", "--quota", "0"])).refused(2, "--quota");
    run(&mut site.ca(&["eab", "create", "--pre-authorize"])).refused(2, "add --permit-names or --permit-exact");
    run(&mut site.ca(&["eab", "create", "--expires", "0s"])).refused(1, "good for nothing");
    run(&mut site.ca(&["eab", "revoke", "nobody"])).refused(1, "is no key's id");
    let unknown = "A".repeat(22);
    run(&mut site.ca(&["eab", "revoke", &unknown])).refused(1, "certus ca eab list");
    assert_eq!(running.end(), Some(0));
}
