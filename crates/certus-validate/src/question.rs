//! Puts one question and follows its aliases, by resolvers that we chose.
//!
//! Each step is asked for by itself, so that each answer is judged with all that came along with it. Deliberately absent:
//! whose fault a failure is ([`crate::dns`] finds out), and names that are not to be asked for.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use certus_ca::state::Security;
use certus_pki::DnsName;
use hickory_proto::op::{DnsRequestOptions, DnsResponse, Query};
use hickory_proto::rr::{Name, RecordType};
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverOpts};
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer, RetryDnsHandle};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};

use crate::answer::{Answer, Failure, Step};
use crate::dnssec::{Anchors, Dnssec, Needs, Wanted};

/// How often a question is put anew that was not answered, or answered by SERVFAIL.
const RETRIES: usize = 1;
/// The answers that are gone through for one question, each of which may follow several aliases: what resolvers follow
/// themselves is in one.
const MAX_STEPS: usize = 8;
/// Names that are never asked for, since nobody may answer (RFC 6761 section 6.4, RFC 7686 section 2).
const NEVER: [&str; 2] = ["invalid.", "onion."];

type Pool = RetryDnsHandle<NameServerPool<TokioRuntimeProvider>>;

/// The same resolvers, asked in two ways.
#[derive(Debug)]
pub(crate) struct Questions {
    plain: Asker,
    /// By DNSSEC, if that is wanted.
    validating: Option<Asker>,
    needs: Needs,
}

impl Questions {
    /// Asks these resolvers, each question for so long. `internal` are domains that the public DNS does not know.
    pub(crate) fn new(
        resolvers: &[SocketAddr],
        timeout: Duration,
        dnssec: &Dnssec,
        internal: &[DnsName],
    ) -> Result<Self, NetError> {
        let validating = match dnssec {
            Dnssec::Validate(anchors) => Some(Asker::new(resolvers, timeout, Some(anchors))?),
            Dnssec::Off => None,
        };
        Ok(Self { plain: Asker::new(resolvers, timeout, None)?, validating, needs: Needs::new(dnssec, internal) })
    }

    /// The records of a type at a name, or at the end of its aliases.
    pub(crate) async fn ask(&self, question: &Name, record_type: RecordType) -> Result<Answer, Failure> {
        let mut name = question.clone();
        let mut security = Security::Secure;
        for _ in 0..MAX_STEPS {
            let wanted = self.needs.of(&name);
            let asker = match wanted {
                Wanted::Nothing => &self.plain,
                Wanted::Proof | Wanted::Signatures => self.validating.as_ref().unwrap_or(&self.plain),
            };
            match Step::of(&name, record_type, asker.send(&name, record_type).await?, wanted)? {
                Step::Found(answer) => return Ok(Answer { security: answer.security.min(security), ..answer }),
                Step::Absent(absence) => return Err(Failure::Absent(absence.weakened(security))),
                Step::Alias { target, security: of_alias } => {
                    security = security.min(of_alias);
                    name = target;
                }
            }
        }
        Err(Failure::Unusable("its aliases lead nowhere".to_owned()))
    }

    /// Asks without looking at signatures, for whether there is an answer at all.
    pub(crate) async fn answers(&self, question: &Name, record_type: RecordType) -> Result<(), Failure> {
        let response = self.plain.send(question, record_type).await?;
        Step::of(question, record_type, response, Wanted::Nothing).map(drop)
    }
}

/// Asks in one of the two ways.
struct Asker {
    handle: Handle,
    options: DnsRequestOptions,
}

enum Handle {
    Plain(Pool),
    Validating(DnssecDnsHandle<Pool>),
}

impl Asker {
    /// Validating from the anchors down, if there are any.
    fn new(resolvers: &[SocketAddr], timeout: Duration, anchors: Option<&Anchors>) -> Result<Self, NetError> {
        let servers = resolvers.iter().map(|address| {
            let mut udp = ConnectionConfig::udp();
            udp.port = address.port();
            let mut tcp = ConnectionConfig::tcp();
            tcp.port = address.port();
            NameServerConfig::new(address.ip(), true, vec![udp, tcp])
        });
        let mut settings = ResolverOpts::default();
        settings.case_randomization = true;
        settings.timeout = timeout;
        settings.attempts = RETRIES;
        let mut options = DnsRequestOptions::default();
        options.recursion_desired = settings.recursion_desired;
        options.use_edns = settings.edns0;
        options.edns_payload_len = settings.edns_payload_len;
        options.case_randomization = settings.case_randomization;
        options.edns_set_dnssec_ok = anchors.is_some();
        let context = Arc::new(PoolContext::new(settings, TlsConfig::new()?));
        let pool = NameServerPool::from_config(servers, context, TokioRuntimeProvider::default());
        let pool = RetryDnsHandle::new(pool, RETRIES);
        let handle = match anchors {
            Some(anchors) => Handle::Validating(DnssecDnsHandle::with_trust_anchor(pool, anchors.keys())),
            None => Handle::Plain(pool),
        };
        Ok(Self { handle, options })
    }

    /// One answer.
    ///
    /// # Errors
    ///
    /// [`Failure::Unusable`] for a name that is not to be asked for. That there was no answer is for [`Step::of`].
    async fn send(&self, name: &Name, record_type: RecordType) -> Result<Result<DnsResponse, NetError>, Failure> {
        if NEVER.iter().any(|never| Name::from_ascii(never).is_ok_and(|never| never.zone_of(name))) {
            return Err(Failure::Unusable(format!("{name} is not to be asked for")));
        }
        let query = Query::query(name.clone(), record_type);
        let response = match &self.handle {
            Handle::Plain(handle) => handle.lookup(query, self.options).first_answer().await,
            Handle::Validating(handle) => handle.lookup(query, self.options).first_answer().await,
        };
        Ok(response.and_then(|response| DnsError::from_response(response).map_err(NetError::from)))
    }
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asker").finish_non_exhaustive()
    }
}
