//! `certus ca limits`, and limits on and off.

use certus_acme::ProblemKind;
use certus_pki::KeyAlgorithm;
use certus_testkit::{Answer, TestClient};
use serde_json::{Value, json};

use crate::golden;
use crate::process::{Running, Site, certus, run};

/// A client of an authority on this machine.
async fn client(directory_url: &str, root: &str) -> TestClient {
    let client = TestClient::connect(directory_url, root, KeyAlgorithm::EcP256).await.unwrap();
    client.new_account().await.unwrap();
    client
}

async fn order(client: &TestClient, name: &str) -> Answer {
    let wish = json!({ "identifiers": [{ "type": "dns", "value": name }] });
    client.post(&client.directory().new_order, &wish).await.unwrap()
}

/// `ca serve` keeps what the settings say; the operator sees who is at a limit, clears it, and sets a number.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_clears_and_overrides() {
    let site = Site::new(&[]);
    site.edit(
        "#new_orders_per_account = { count = 3000, period = \"3h\" }",
        "new_orders_per_account = { count = 2, period = \"1h\" }",
    );
    site.edit("#[authority.limits]", "[authority.limits]");
    let running = site.serve();
    let client = client(&format!("https://localhost:{}/directory", site.port), &site.root_pem()).await;
    let account = client.account_url().unwrap().rsplit('/').next().unwrap().to_owned();
    for expected in [201, 201, 429] {
        assert_eq!(order(&client, "a.example").await.status, expected);
    }
    let refused = order(&client, "a.example").await;
    let problem = refused.problem().unwrap();
    assert_eq!(problem.kind, ProblemKind::RateLimited);
    assert!(problem.detail.contains("new_orders_per_account: 2 in 1h"), "{problem:?}");
    let page = client.http().get(&refused.links("help")[0]).await.unwrap();
    assert!(page.status == 200 && page.text().contains("new_orders_per_account: 2 in 1h"), "{page:?}");

    let shown = run(&mut site.ca(&["limits", "--json"])).well().json();
    golden::check("limits.txt", &golden::form(&shown));
    let keys = shown["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1, "the one account has spent little of the others: {shown}");
    assert_eq!((&keys[0]["name"], &keys[0]["key"]), (&json!("new_orders_per_account"), &json!(account)));
    assert_eq!((&keys[0]["spent"], &keys[0]["count"]), (&json!(2), &json!(2)));
    let text = run(&mut site.ca(&["limits"])).well().out;
    assert!(text.contains(&format!("new_orders_per_account {account}  2 of 2, again at 20")), "{text}");
    let all = run(&mut site.ca(&["limits", "--all", "--json"])).well().json();
    let keys: Vec<&str> = all["keys"].as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["127.0.0.1", "127.0.0.0/24", &account]);

    let name = "new_orders_per_account";
    let cleared = run(&mut site.ca(&["limits", "clear", name, &account, "--json"])).well().json();
    golden::check("limits-clear.txt", &golden::form(&cleared));
    run(&mut site.ca(&["limits", "clear", name, &account])).refused(1, "certus ca limits --all");
    for expected in [201, 201, 429] {
        assert_eq!(order(&client, "a.example").await.status, expected);
    }
    let set = run(&mut site.ca(&["limits", "override", &account, name, "--count", "4", "--json"])).well().json();
    golden::check("limits-override.txt", &golden::form(&set));
    assert_eq!((&set["count"], &set["period_seconds"]), (&json!(4), &json!(3600)));
    // A full bucket stays full, and is refilled faster; clearing it is another matter.
    let refused = order(&client, "a.example").await;
    assert_eq!((refused.status, refused.retry_after().is_some_and(|wait| wait.as_secs() <= 900)), (429, true));
    run(&mut site.ca(&["limits", "clear", name, &account])).well();
    for expected in [201, 201, 201, 201, 429] {
        assert_eq!(order(&client, "a.example").await.status, expected);
    }
    let text = run(&mut site.ca(&["limits", "override", &account, name, "--none"])).well().out;
    assert!(text.contains("has 2 in 1h from now on"), "{text}");

    run(&mut site.ca(&["limits", "clear", "new_orders", &account]))
        .refused(1, "there is no limit \"new_orders\"; choose");
    run(&mut site.ca(&["limits", "override", "nobody", name, "--count", "4"])).refused(1, "neither an account's URL");
    run(&mut site.ca(&["limits", "override", &"A".repeat(22), name, "--count", "4"])).refused(1, "no such account");
    run(&mut site.ca(&["limits", "override", &account, name])).refused(2, "--count");
    run(&mut site.ca(&["limits", "override", &account, name, "--count", "0"])).refused(2, "--count");
    let address = "new_accounts_per_address";
    run(&mut site.ca(&["limits", "override", &account, address, "--count", "4"])).refused(1, "certus.toml");
    assert_eq!(running.end(), Some(0));
    run(&mut site.ca(&["limits"])).refused(5, "no authority is running");
}

/// A laboratory has none, unless it is asked to keep them; then it keeps what its settings say.
#[tokio::test(flavor = "multi_thread")]
async fn a_laboratory_keeps_limits_when_asked() {
    let temporary = tempfile::tempdir().unwrap();
    let lab = temporary.path().join("lab");
    for (flags, expected, enabled) in [(&[][..], [201, 201, 201], false), (&["--limits"], [201, 429, 429], true)] {
        let mut up = certus(&["up", "--json", "--listen", "127.0.0.1:0"]);
        let running = Running::start(up.args(flags).arg("--dir").arg(&lab), &lab.with_extension("log"));
        let root = std::fs::read_to_string(lab.join("state/root.pem")).unwrap();
        let client = client(running.said["directory_url"].as_str().unwrap(), &root).await;
        for expected in expected {
            assert_eq!(order(&client, "a.localhost").await.status, expected, "{flags:?}");
        }
        let shown = run(certus(&["ca", "limits", "--json", "--dir"]).arg(&lab)).well().json();
        assert_eq!(shown["enabled"], Value::from(enabled));
        assert_eq!(running.end(), Some(0));
        let file = lab.join("certus.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace("#[authority.limits]", "[authority.limits]");
        let from = "#new_orders_per_account = { count = 3000, period = \"3h\" }";
        assert!(enabled || text.contains(from), "{text}");
        std::fs::write(&file, text.replace(from, "new_orders_per_account = { count = 1, period = \"1d\" }")).unwrap();
    }
}

#[test]
fn a_number_that_is_none_is_told() {
    let site = Site::new(&[]);
    site.edit("#[authority.limits]", "[authority.limits]");
    let line = "#certificates_per_exact_set = { count = 50, period = \"7d\" }";
    site.edit(line, "certificates_per_exact_set = { count = 0, period = \"7d\" }");
    run(&mut site.ca(&["serve"])).refused(2, "certificates_per_exact_set must be one or more");
    site.edit("{ count = 0, period = \"7d\" }", "{ count = 5 }");
    run(&mut site.ca(&["serve"])).refused(2, "missing field `period`");
}
