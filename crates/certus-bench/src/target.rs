//! What validation meets: one server of each method, in this process, for whatever clients have put up.

mod http;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use certus_acme::{ChallengeType, base64url};
use certus_pki::{KeyAlgorithm, KeyPair, sha256};
use certus_testkit::name_server::{NameServer, Reply, text};
use certus_testkit::{ChallengeCertificate, TlsAlpnAnswer, TlsAlpnTarget};
use parking_lot::Mutex;

use http::WebServer;

/// The servers.
#[derive(Debug)]
pub(crate) struct Target {
    web: Arc<WebServer>,
    tls: TlsAlpnTarget,
    /// Of every certificate that is shown: making keys is not what is measured.
    tls_key: KeyPair,
    dns: NameServer,
    /// The text of each name.
    texts: Arc<Mutex<HashMap<String, String>>>,
}

impl Target {
    pub(crate) async fn start() -> anyhow::Result<Arc<Self>> {
        let texts = Arc::<Mutex<HashMap<String, String>>>::default();
        let known = Arc::clone(&texts);
        let dns = NameServer::start(move |question| {
            let value = known.lock().get(&question.name).cloned();
            Reply::Records(value.iter().map(|value| text(&question.name, &[value])).collect())
        });
        Ok(Arc::new(Self {
            web: WebServer::start().await?,
            tls: TlsAlpnTarget::bind(0).await?,
            tls_key: KeyPair::generate(KeyAlgorithm::EcP256)?,
            dns,
            texts,
        }))
    }

    pub(crate) fn http_port(&self) -> u16 {
        self.web.port()
    }

    pub(crate) fn tls_port(&self) -> u16 {
        self.tls.port()
    }

    pub(crate) fn resolver(&self) -> SocketAddr {
        self.dns.address
    }

    pub(crate) fn put_up(
        &self,
        method: ChallengeType,
        name: &str,
        token: &str,
        key_authorization: String,
    ) -> anyhow::Result<()> {
        match method {
            ChallengeType::Http01 => self.web.put_up(token, key_authorization),
            ChallengeType::Dns01 => {
                let value = base64url::encode(&sha256(key_authorization.as_bytes()));
                self.texts.lock().insert(format!("_acme-challenge.{name}"), value);
            }
            ChallengeType::TlsAlpn01 => {
                let shown = ChallengeCertificate::for_name(name, &key_authorization).sign(&self.tls_key)?;
                self.tls.answer(name, &TlsAlpnAnswer::new(shown, self.tls_key.clone()))?;
            }
        }
        Ok(())
    }

    pub(crate) fn take_down(&self, method: ChallengeType, name: &str, token: &str) {
        match method {
            ChallengeType::Http01 => self.web.take_down(token),
            ChallengeType::Dns01 => drop(self.texts.lock().remove(&format!("_acme-challenge.{name}"))),
            ChallengeType::TlsAlpn01 => self.tls.forget(name),
        }
    }
}
