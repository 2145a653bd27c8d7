//! Debian's Pebble in its nastiest settings: an authority that others wrote, to find what ours lets pass.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use certus_agent::client::{Http, Roots};
use certus_agent::solver::http_01::Http01;
use certus_agent::store::CertificateName;
use certus_agent::{Link, Store, Wish, obtain};
use certus_pki::{CertificateChain, KeyAlgorithm, SubjectName, SystemClock};
use certus_testkit::free_ports;
use serde_json::json;

use crate::world::self_signed;

/// Pebble and the name server it asks. Both end with this.
struct Pebble {
    running: Vec<Child>,
    directory: Link,
    root_pem: String,
}

impl Pebble {
    /// One that validates http-01 at that port, and refuses every other nonce.
    fn start(dir: &Path, http_port: u16) -> Self {
        let [port, management, dns, control] = free_ports();
        let (certificate, key) = self_signed(dir);
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": certificate, "privateKey": key,
            "httpPort": http_port, "tlsPort": 1, "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        } });
        let file = dir.join("pebble.json");
        fs::write(&file, config.to_string()).unwrap();
        let names = Command::new("pebble-challtestsrv")
            .args(["-dns01", &format!("127.0.0.1:{dns}"), "-management", &format!("127.0.0.1:{control}")])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pebble = Command::new("pebble")
            .args(["-strict", "-dnsserver", &format!("127.0.0.1:{dns}"), "-config"])
            .arg(&file)
            .envs([
                ("PEBBLE_WFE_NONCEREJECT", "50"),
                ("PEBBLE_AUTHZREUSE", "0"),
                ("PEBBLE_WFE_ORDERS_PER_PAGE", "1"),
                ("PEBBLE_ALTERNATE_ROOTS", "2"),
                ("PEBBLE_VA_SLEEPTIME", "1"),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            running: vec![names, pebble],
            directory: Link::parse(&format!("https://localhost:{port}/dir")).unwrap(),
            root_pem: fs::read_to_string(certificate).unwrap(),
        }
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in &mut self.running {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pebble_at_its_nastiest_gives_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let solver = Http01::listen(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]).await.unwrap();
    let pebble = Pebble::start(dir.path(), solver.addresses()[0].port());
    let store = Store::open(&dir.path().join("host")).await.unwrap();
    let http = Http::new(&Roots::Pem(pebble.root_pem.clone())).unwrap();
    for round in 1..=3 {
        let wish = Wish {
            directory: pebble.directory.clone(),
            contact: vec!["mailto:admin@example.com".into()],
            agree_terms: true,
            names: ["a.example", "b.example"].map(|name| SubjectName::parse_dns(name).unwrap()).into(),
            called: CertificateName::parse("a.example").unwrap(),
            key: KeyAlgorithm::EcP256,
            profile: None,
            binding: None,
        };
        let obtained = obtain(&store, http.clone(), Arc::new(SystemClock), &[&solver], &wish, &mut |_| {}).await;
        let obtained = obtained.unwrap();
        assert_eq!(obtained.live.number, round);
        let chain = fs::read_to_string(obtained.live.fullchain()).unwrap();
        assert_eq!(CertificateChain::from_pem(&chain).unwrap(), obtained.chain);
    }
}
