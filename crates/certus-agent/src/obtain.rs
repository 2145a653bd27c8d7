//! One certificate, from the wish to the files.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use certus_acme::{Challenge, ChallengeStatus, ChallengeType, Identifier, NewAccount, NewOrder, ProblemKind};
use certus_pki::{
    Certificate, CertificateChain, Clock, CryptoError, KeyAlgorithm, KeyPair, RequestError, SubjectName, create_request,
};
use tokio::time::timeout;

use crate::client::{Binding, Client, ClientError, Http, Resource};
use crate::flow::{ChainError, Event, Flow, FlowError, Presentation, Step, check_chain};
use crate::link::Link;
use crate::solver::{Solver, SolverError};
use crate::store::{CertificateName, Live, Store, StoreError};

/// How long one order may take, whatever the authority asks for: others wait for the store meanwhile.
const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The authority's directory.
    pub directory: Link,
    /// Whom the authority may write to: URLs such as `mailto:admin@example.org`.
    pub contact: Vec<String>,
    /// Whether its terms of service are agreed to.
    pub agree_terms: bool,
    /// The names of the certificate.
    pub names: BTreeSet<SubjectName>,
    /// What it is called on this host.
    pub called: CertificateName,
    /// The kind of its key.
    pub key: KeyAlgorithm,
    /// The profile to ask for.
    pub profile: Option<String>,
    /// What binds a new account to one that its owner has with the authority.
    pub binding: Option<Binding>,
}

/// What was obtained.
#[derive(Debug)]
pub struct Obtained {
    /// Where it is.
    pub live: Live,
    /// The chain.
    pub chain: CertificateChain,
}

/// How far it is; for whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// There is an account.
    Account(&'a Link),
    /// The order was made.
    Ordered,
    /// What a challenge asks for is ready.
    Presented(&'a Presentation),
    /// Every name is proved, and the certificate is asked for.
    Proved,
    /// The certificate is there.
    Issued(&'a Certificate),
}

/// Why nothing was obtained.
#[derive(Debug, thiserror::Error)]
pub enum ObtainError {
    /// The authority has terms of service that nobody has agreed to.
    #[error("{host} asks for agreement to its terms of service, {terms}")]
    Terms {
        /// The authority's host.
        host: String,
        /// Where they are.
        terms: String,
    },
    /// The authority asks for an account with it.
    #[error("{host} takes no accounts without external account binding")]
    Binding {
        /// The authority's host.
        host: String,
    },
    /// It took too long.
    #[error("{host} did not come to an end with the order within {} minutes; try again later", DEADLINE.as_secs() / 60)]
    TooLong {
        /// The authority's host.
        host: String,
    },
    /// The authority said no, or nothing.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The order came to nothing.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// A challenge could not be met.
    #[error(transparent)]
    Solver(#[from] SolverError),
    /// What was issued is not what was asked for.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key could be made.
    #[error("a key could not be made")]
    Key(#[from] CryptoError),
    /// No request could be made.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Obtains a certificate and keeps it. What was presented is taken away again, whatever becomes of the order.
///
/// # Errors
///
/// [`ObtainError`] when nothing was obtained; what was there before is used on.
pub async fn obtain(
    store: &Store,
    http: Http,
    clock: Arc<dyn Clock>,
    solvers: &[&dyn Solver],
    wish: &Wish,
    watch: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Obtained, ObtainError> {
    let key = KeyPair::generate(wish.key)?;
    let request = create_request(&wish.names, &key)?;
    let place = store.prepare(&wish.called, &key)?;
    let mut asked = false;
    let mut seen = |progress: Progress<'_>| {
        asked |= progress == Progress::Proved;
        watch(progress);
    };
    let chain = ordered(store, http, Arc::clone(&clock), solvers, wish, &request, &mut seen).await;
    let chain = chain.and_then(|pem| Ok(check_chain(&pem, &wish.names, key.public_key(), clock.now())?));
    let chain = match chain {
        Ok(chain) => chain,
        // Once the certificate was asked for it may be there, and its key is worth keeping.
        Err(error) => {
            if !asked {
                store.give_up(place)?;
            }
            return Err(error);
        }
    };
    if let Some(leaf) = chain.certificates().first() {
        watch(Progress::Issued(leaf));
    }
    let live = store.keep(place, &chain)?;
    Ok(Obtained { live, chain })
}

/// The chain that an authority gives, as it came.
async fn ordered(
    store: &Store,
    http: Http,
    clock: Arc<dyn Clock>,
    solvers: &[&dyn Solver],
    wish: &Wish,
    request: &[u8],
    watch: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<String, ObtainError> {
    let mut client = sign_in(store, http, clock, wish, watch).await?;
    let mut ordered = order_and_clean_up(&client, solvers, wish, request, watch).await;
    if is_unknown_account(&ordered) {
        // The authority was set up anew: the key is as good there as it was before.
        tracing::warn!(host = client.host(), "the authority does not know this host's account; it is made anew");
        store.keep_account_url(&wish.directory, None)?;
        register(store, &mut client, wish).await?;
        ordered = order_and_clean_up(&client, solvers, wish, request, watch).await;
    }
    ordered
}

fn is_unknown_account(ordered: &Result<String, ObtainError>) -> bool {
    match ordered {
        Err(ObtainError::Client(error)) => error.kind() == Some(ProblemKind::AccountDoesNotExist),
        Ok(_) | Err(_) => false,
    }
}

/// The chain of an order. What was presented is taken away again, whatever became of it.
async fn order_and_clean_up(
    client: &Client,
    solvers: &[&dyn Solver],
    wish: &Wish,
    request: &[u8],
    watch: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<String, ObtainError> {
    let mut presented = Vec::new();
    let ordered = match timeout(DEADLINE, order(client, solvers, wish, request, &mut presented, watch)).await {
        Ok(ordered) => ordered,
        Err(_elapsed) => Err(ObtainError::TooLong { host: client.host().to_owned() }),
    };
    for (solver, presentation) in presented {
        solver.clean_up(&presentation).await;
    }
    ordered
}

/// A client for the account that is kept, or for a new one.
async fn sign_in(
    store: &Store,
    http: Http,
    clock: Arc<dyn Clock>,
    wish: &Wish,
    watch: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Client, ObtainError> {
    let kept = store.account(&wish.directory)?;
    let mut client = Client::connect(http, &wish.directory, kept.key, clock).await?;
    client.set_account(kept.url);
    if client.account().is_none() {
        register(store, &mut client, wish).await?;
    }
    if let Some(account) = client.account() {
        watch(Progress::Account(account));
    }
    Ok(client)
}

async fn register(store: &Store, client: &mut Client, wish: &Wish) -> Result<(), ObtainError> {
    let host = client.host().to_owned();
    if client.meta().external_account_required == Some(true) && wish.binding.is_none() {
        return Err(ObtainError::Binding { host });
    }
    if let Some(terms) = &client.meta().terms_of_service
        && !wish.agree_terms
    {
        return Err(ObtainError::Terms { host, terms: crate::shown::shown(terms) });
    }
    let contact = (!wish.contact.is_empty()).then(|| wish.contact.clone());
    let terms_of_service_agreed = wish.agree_terms.then_some(true);
    let external_account_binding = wish.binding.as_ref().map(|binding| client.bind(binding)).transpose()?;
    let account = NewAccount { contact, terms_of_service_agreed, external_account_binding, ..NewAccount::default() };
    let made = client.new_account(&account).await?;
    store.keep_account_url(&wish.directory, Some(&made.url))?;
    Ok(())
}

async fn order<'a>(
    client: &Client,
    solvers: &[&'a dyn Solver],
    wish: &Wish,
    request: &[u8],
    presented: &mut Vec<(&'a dyn Solver, Presentation)>,
    watch: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<String, ObtainError> {
    let identifiers: BTreeSet<Identifier> = wish.names.iter().map(Identifier::of).collect();
    let able: Vec<ChallengeType> = solvers.iter().map(|solver| solver.method()).collect();
    let new_order = NewOrder {
        identifiers: identifiers.iter().map(Identifier::to_raw).collect(),
        profile: wish.profile.clone(),
        ..NewOrder::default()
    };
    let (mut flow, mut step) = Flow::begin(new_order, identifiers, able);
    loop {
        let event = match step {
            Step::NewOrder(wish) => {
                let made = client.new_order(&wish).await?;
                watch(Progress::Ordered);
                Event::Order(made.url, Box::new(made.value), made.retry_after)
            }
            Step::Wait(pause) => {
                tokio::time::sleep(pause).await;
                Event::Waited
            }
            Step::ReadOrder(url) => {
                let read = client.order(&url).await?;
                Event::Order(url, Box::new(read.value), read.retry_after)
            }
            Step::ReadAuthorization(url) => {
                let read = client.authorization(&url).await?;
                Event::Authorization(read.value, read.retry_after)
            }
            Step::Present(presentation) => {
                if let Some(solver) = solvers.iter().copied().find(|solver| solver.method() == presentation.method) {
                    // First the note, then the deed: what was half done is taken away, too.
                    presented.push((solver, presentation.clone()));
                    solver.present(&presentation, &client.key_authorization(&presentation.token)).await?;
                    watch(Progress::Presented(&presentation));
                }
                Event::Presented
            }
            Step::Respond(url) => match client.respond(&url).await {
                Ok(Resource { value: Challenge { status, .. }, .. }) => {
                    Event::Responded { done: matches!(status, ChallengeStatus::Valid | ChallengeStatus::Invalid) }
                }
                // It was heard before, perhaps, when its answer was lost. The authorization tells.
                Err(error) if error.kind() == Some(ProblemKind::Malformed) => Event::Responded { done: false },
                Err(error) => return Err(error.into()),
            },
            Step::Finalize(url) => {
                watch(Progress::Proved);
                match client.finalize(&url, request).await {
                    Ok(order) => Event::Order(order.url, Box::new(order.value), order.retry_after),
                    Err(error) if error.kind() == Some(ProblemKind::OrderNotReady) => Event::NotReady,
                    Err(error) => return Err(error.into()),
                }
            }
            Step::Download(url) => return Ok(client.certificate(&url).await?),
        };
        step = flow.next(event)?;
    }
}
