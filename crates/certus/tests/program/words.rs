//! Help, versions and error documents: what scripts and people have come to rely on.

use crate::golden;
use crate::process::{Site, certus, run};

#[test]
fn help_teaches() {
    for (name, words) in [
        ("help.txt", &["--help"][..]),
        ("help-up.txt", &["up", "--help"]),
        ("help-obtain.txt", &["obtain", "--help"]),
        ("help-ca.txt", &["ca", "--help"]),
        ("help-ca-init.txt", &["ca", "init", "--help"]),
        ("help-ca-check.txt", &["ca", "check", "--help"]),
        ("help-ca-serve.txt", &["ca", "serve", "--help"]),
        ("help-ca-move-url.txt", &["ca", "move-url", "--help"]),
        ("help-ca-status.txt", &["ca", "status", "--help"]),
        ("help-ca-certificates.txt", &["ca", "certificates", "--help"]),
        ("help-ca-eab-create.txt", &["ca", "eab", "create", "--help"]),
        ("help-ca-eab-list.txt", &["ca", "eab", "list", "--help"]),
        ("help-ca-eab-revoke.txt", &["ca", "eab", "revoke", "--help"]),
        ("help-ca-renewals-advance.txt", &["ca", "renewals", "advance", "--help"]),
        ("help-ca-renewals-list.txt", &["ca", "renewals", "list", "--help"]),
        ("help-ca-renewals-end.txt", &["ca", "renewals", "end", "--help"]),
        ("help-ca-accounts-revoke.txt", &["ca", "accounts", "revoke", "--help"]),
        ("help-ca-limits.txt", &["ca", "limits", "--help"]),
        ("help-ca-limits-clear.txt", &["ca", "limits", "clear", "--help"]),
        ("help-ca-limits-override.txt", &["ca", "limits", "override", "--help"]),
        ("help-ca-revoke.txt", &["ca", "revoke", "--help"]),
        ("help-ca-keys-block.txt", &["ca", "keys", "block", "--help"]),
    ] {
        golden::check(name, &run(certus(words).env("COLUMNS", "100")).well().out);
    }
}

#[test]
fn every_exit_code_is_in_the_help() {
    let help = run(&mut certus(&["--help"])).well().out;
    for code in [0_u8, 1, 2, 3, 4, 5, 70] {
        assert!(help.contains(&format!("\n  {code:<4}")), "{code} is not in {help}");
    }
}

#[test]
fn a_wrong_command_line_is_an_error_of_its_own() {
    run(&mut certus(&[])).refused(2, "Usage: certus");
    run(&mut certus(&["ca", "destroy"])).refused(2, "unrecognized subcommand 'destroy'");
    let version = run(&mut certus(&["--version"])).well().out;
    assert_eq!(version, format!("certus {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn documents_keep_their_form() {
    let site = Site::new(&[]);
    golden::check("check.txt", &golden::form(&run(&mut site.ca(&["check", "--json"])).well().json()));
    golden::check("error.txt", &golden::form(&run(&mut site.init(&["--json"])).refused(1, "already").json()));
    golden::check("move-url.txt", &golden::form(&run(&mut site.ca(&["move-url", "--json"])).well().json()));
    let other = tempfile::tempdir().unwrap();
    let mut init = certus(&["ca", "init", "--json", "--external-url", "https://a", "--pki-url", "http://a", "--dir"]);
    golden::check("init.txt", &golden::form(&run(init.arg(other.path())).well().json()));
    let running = site.serve();
    golden::check("serve.txt", &golden::form(&running.said));
    assert_eq!(running.end(), Some(0));
}
