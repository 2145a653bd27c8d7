//! Caddy gets its certificates from `certus ca serve` by itself, by http-01 and by tls-alpn-01, and serves them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use certus_testkit::RawHttp;
use certus_testkit::postgres::PostgresServer;

use crate::authority::Authority;
use crate::clients::{INSTALL, folder};

/// How long it may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running Caddy. Dropping it ends it.
struct Caddy(Child);

impl Caddy {
    /// Two sites, each with one of the two challenges.
    fn start(authority: &Authority, dir: &Path) -> Self {
        let Authority { directory_url, http_01_port, tls_alpn_01_port, .. } = authority;
        let (root, storage) = (authority.root(), folder(dir, "storage"));
        let settings = format!(
            r#"{{
    admin off
    skip_install_trust
    default_bind 127.0.0.1
    http_port {http_01_port}
    https_port {tls_alpn_01_port}
    storage file_system "{storage}"
    acme_ca {directory_url}
    acme_ca_root "{root}"
}}
http.peers.test {{
    tls {{
        issuer acme {{
            disable_tlsalpn_challenge
        }}
    }}
    respond "by http-01"
}}
tls.peers.test {{
    tls {{
        issuer acme {{
            disable_http_challenge
        }}
    }}
    respond "by tls-alpn-01"
}}
"#,
            storage = storage.display(),
            root = root.display()
        );
        let file = dir.join("Caddyfile");
        std::fs::write(&file, settings).unwrap();
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
        // What it keeps beside its storage stays in the folder too.
        command.env("HOME", dir).env("XDG_CONFIG_HOME", dir).env("XDG_DATA_HOME", dir);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self(command.spawn().unwrap_or_else(|error| panic!("caddy: {error}: {INSTALL}")))
    }
}

impl Drop for Caddy {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

async fn caddy_is_served(store: &str) {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::start(&folder(dir.path(), "authority"), store).await;
    let dir = folder(dir.path(), "caddy");
    let mut caddy = Caddy::start(&authority, &dir);
    let http = RawHttp::trusting(&std::fs::read_to_string(authority.root()).unwrap()).unwrap();
    let http = http.dialling(([127, 0, 0, 1], authority.tls_alpn_01_port).into());
    let log = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    for (name, text) in [("http.peers.test", "by http-01"), ("tls.peers.test", "by tls-alpn-01")] {
        // Verified by name, to the root: until Caddy has a certificate, it answers no handshake for the name.
        let served = async {
            let mut again = tokio::time::interval(Duration::from_millis(200));
            loop {
                again.tick().await;
                if let Ok(answer) = http.get(&format!("https://{name}:{}/", authority.tls_alpn_01_port)).await {
                    return answer;
                }
                assert_eq!(caddy.0.try_wait().unwrap(), None, "it ended: {}", log());
            }
        };
        let served = tokio::time::timeout(PATIENCE, served).await;
        let answer = served.unwrap_or_else(|_| panic!("{name} is not served: {}", log()));
        assert_eq!((answer.status, answer.text().as_str()), (200, text), "{name}: {}", log());
    }
    drop(caddy);
    authority.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_has_https_by_itself_on_sqlite() {
    caddy_is_served("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_has_https_by_itself_on_postgres() {
    let server = PostgresServer::start().unwrap();
    caddy_is_served(&server.create_database("peers").unwrap()).await;
}
