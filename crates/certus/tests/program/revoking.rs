//! `certus ca revoke` and `certus ca keys block`.

use certus_pki::{CertificateChain, KeyAlgorithm, KeyPair};
use certus_testkit::{Http01Target, TestClient};
use serde_json::Value;

use crate::golden;
use crate::process::{Running, Site, certus, run};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_revokes_and_blocks() {
    let temporary = tempfile::tempdir().unwrap();
    let lab = temporary.path().join("lab");
    let target = Http01Target::bind(0).await.unwrap();
    let mut up = certus(&["up", "--json", "--listen", "127.0.0.1:0", "--http-01-port", &target.port().to_string()]);
    let running = Running::start(up.arg("--dir").arg(&lab), &lab.with_extension("log"));
    let root = std::fs::read_to_string(lab.join("state/root.pem")).unwrap();
    let url = running.said["directory_url"].as_str().unwrap();
    let client = TestClient::connect(url, &root, KeyAlgorithm::EcP256).await.unwrap();
    client.new_account().await.unwrap();
    let ca = |words: &[&str]| {
        let mut command = certus(&[&["ca"], words].concat());
        command.arg("--dir").arg(&lab);
        run(&mut command)
    };

    // The whole chain is in the file, as clients keep it.
    let issued = client.obtain(&["site.localhost"], &target).await.unwrap();
    let file = temporary.path().join("fullchain.pem");
    std::fs::write(&file, issued.chain_pem.replace("-----\n-----", "-----\n\n-----")).unwrap();
    let file = file.to_str().unwrap();
    let told = ca(&["revoke", "--certificate", file, "--reason", "superseded", "--json"]).well().json();
    assert_eq!((&told["reason"], &told["key_blocked"]), (&Value::from(4), &Value::from(false)), "{told}");
    golden::check("revoke.txt", &golden::form(&told));
    let serial = told["serial"].as_str().unwrap();
    ca(&["revoke", "--serial", serial]).refused(1, "this certificate was revoked at");
    let listed = ca(&["certificates", "--names", "site.localhost", "--json"]).well().json();
    assert_eq!(listed["certificates"][0]["revoked"], told["revoked"]);
    client.obtain_for(&["site.localhost"], &target, issued.key.clone()).await.unwrap();

    // What was revoked otherwise is known as compromised from now on, and its key is blocked.
    let worse =
        ca(&["revoke", "--serial", &serial.to_uppercase(), "--reason", "key-compromise", "--json"]).well().json();
    assert_eq!((&worse["reason"], &worse["key_blocked"]), (&Value::from(1), &Value::from(true)), "{worse}");
    assert_eq!(worse["revoked"], told["revoked"]);
    client.obtain_for(&["site.localhost"], &target, issued.key.clone()).await.unwrap_err();

    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let issued = client.obtain_for(&["site.localhost"], &target, key.clone()).await.unwrap();
    let leaf = CertificateChain::from_pem(&issued.chain_pem).unwrap().certificates()[0].clone();
    let sha256: String = leaf.public_key().spki_sha256().iter().map(|octet| format!("{octet:02X}:")).collect();
    let told = ca(&["keys", "block", "--sha256", sha256.trim_end_matches(':'), "--json"]).well().json();
    golden::check("keys-block.txt", &golden::form(&told));
    ca(&["keys", "block", "--sha256", told["spki_sha256"].as_str().unwrap()]).well();
    client.obtain_for(&["site.localhost"], &target, key).await.unwrap_err();

    ca(&["revoke", "--serial", "00ff"]).refused(1, "no such certificate was issued here");
    ca(&["revoke", "--serial", "xyz"]).refused(1, "is not hexadecimal");
    ca(&["revoke"]).refused(2, "--certificate <FILE>|--serial <HEX>");
    ca(&["revoke", "--serial", "00", "--reason", "bored"]).refused(2, "key-compromise");
    ca(&["keys", "block", "--sha256", "00ff"]).refused(1, "64 hexadecimal digits");
    ca(&["keys", "block", "--certificate", "/absent.pem"]).refused(1, "/absent.pem cannot be read");
    let account = client.account_url().unwrap();
    let told = ca(&["accounts", "revoke", &account, "--json"]).well().json();
    golden::check("accounts-revoke.txt", &golden::form(&told));
    assert_eq!(told["status"], "revoked");
    client.obtain(&["site.localhost"], &target).await.unwrap_err();
    let again = ca(&["accounts", "revoke", account.rsplit('/').next().unwrap()]).well().out;
    assert!(again.contains("is revoked since"), "{again}");
    ca(&["accounts", "revoke", "nobody"]).refused(1, "neither an account's URL");
    ca(&["accounts", "revoke", &"A".repeat(22)]).refused(1, "there is no such account; its client has its URL");
    assert_eq!(running.end(), Some(0));
}

#[test]
fn only_a_running_authority_revokes() {
    let site = Site::new(&[]);
    run(&mut site.ca(&["revoke", "--serial", "00ff"])).refused(5, "no authority is running");
}
