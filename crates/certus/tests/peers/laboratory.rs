//! The lines that `certus up` prints are pasted as they stand.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use certus_testkit::{free_ports, wait_for_ready_file};

use crate::authority::CERTUS;
use crate::clients::succeeded;

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_lines_obtain_a_certificate_as_they_stand() {
    let dir = tempfile::tempdir().unwrap();
    let [acme, pki, http_01] = free_ports();
    // A name with a space and a quote: what is printed must be fit to be pasted.
    let lab = dir.path().join("my lab's");
    std::fs::create_dir(&lab).unwrap();
    let ready = dir.path().join("ready.json");
    let mut process = Command::new(CERTUS)
        .args(["up", "--listen", &format!("127.0.0.1:{acme}"), "--pki-listen", &format!("127.0.0.1:{pki}")])
        .args(["--http-01-port", &http_01.to_string(), "--ready-file"])
        .arg(&ready)
        .current_dir(&lab)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_ready_file(&ready, Duration::from_secs(60)).await.unwrap();
    let pid = rustix::process::Pid::from_child(&process);
    let mut stdout = process.stdout.take().unwrap();

    // Everything is printed before the ready file is written; the rest of the output comes after the end.
    let lines = read_what_is_there(&mut stdout);
    let mut kinds = Vec::new();
    for line in lines.lines().map(str::trim) {
        let client = ["certus ", "certbot ", "lego ", "curl "].into_iter().find(|client| is_command_of(line, client));
        let Some(client) = client else { continue };
        kinds.push(client.trim());
        let output = Command::new("sh").args(["-c", line]).current_dir(dir.path()).output().unwrap();
        succeeded(&output);
    }
    kinds.dedup();
    assert_eq!(kinds, ["certus", "certbot", "lego", "curl"], "{lines}");

    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(process.wait().unwrap().success());
}

/// Whether a line is a command of that client, perhaps behind variables.
fn is_command_of(line: &str, client: &str) -> bool {
    let is_program = client == "certus " && line.starts_with(CERTUS);
    is_program || line.starts_with(client) || (line.contains("_CA_") && line.contains(&format!(" {client}")))
}

/// What a pipe holds now.
fn read_what_is_there(stdout: &mut std::process::ChildStdout) -> String {
    let flags = rustix::fs::fcntl_getfl(&*stdout).unwrap();
    rustix::fs::fcntl_setfl(&*stdout, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stdout.read(&mut buffer) {
        text.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8(text).unwrap()
}
