//! An order from newOrder to its chain (RFC 8555 section 7.4), as a machine without input or output: it is told what the
//! authority answered, and says what to do next.
//!
//! It trusts nothing it is told: an order for other names, a challenge without a token, a URL that is not `https:` end it.
//! [`chain`](check_chain) looks at what was issued before anybody uses it.
//!
//! Deliberately absent: time that passes by itself, sockets, files, and which challenges can be met ([`crate::solver`]).

mod chain;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use certus_acme::{
    Authorization, AuthorizationStatus, ChallengeType, Identifier, NewOrder, Order, OrderStatus, Problem, Token,
};

pub use self::chain::{ChainError, check_chain};
use crate::link::{Link, LinkError};
use crate::shown::{shown, told};

/// Authorizations of an order at most: no authority takes more identifiers.
const MAX_AUTHORIZATIONS: usize = 1000;
/// How often one thing is looked at before it is given up: with the waits between, some ten minutes, or as long as the
/// authority asks for.
const MAX_POLLS: u32 = 120;
/// The first wait between two looks, where the authority names none.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest such wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait that an authority may ask for: who waits longer waits for a person, and had better come again.
const MAX_WAIT: Duration = Duration::from_secs(600);

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Post this to newOrder.
    NewOrder(NewOrder),
    /// Wait for so long, then ask for the next step with [`Event::Waited`].
    Wait(Duration),
    /// Read this order.
    ReadOrder(Link),
    /// Read this authorization.
    ReadAuthorization(Link),
    /// Make ready what this challenge asks for.
    Present(Presentation),
    /// Say that the challenge at this URL may be looked at.
    Respond(Link),
    /// Ask for the certificate.
    Finalize(Link),
    /// Fetch the chain.
    Download(Link),
}

/// What a challenge wants to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presentation {
    /// For what.
    pub identifier: Identifier,
    /// How.
    pub method: ChallengeType,
    /// By which token: of the base64url alphabet, so it may be part of a file's name or a URL.
    pub token: Token,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The time is over.
    Waited,
    /// There is the order, at this URL.
    Order(Link, Box<Order>, Option<Duration>),
    /// There is the authorization.
    Authorization(Authorization, Option<Duration>),
    /// What the challenge asks for is ready.
    Presented,
    /// The authority looks at the challenge.
    Responded {
        /// Whether it has told that it is done with it, well or not.
        done: bool,
    },
    /// Finalize was refused because the order is not ready: it was heard before, perhaps.
    NotReady,
}

/// Why the order came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// A name was not proved.
    #[error("{name}: {}", why(reason.as_deref()))]
    NotProved {
        /// Which.
        name: String,
        /// Why.
        reason: Option<Box<Problem>>,
    },
    /// The order became invalid.
    #[error("the order came to nothing: {}", why(reason.as_deref()))]
    Invalid {
        /// Why.
        reason: Option<Box<Problem>>,
    },
    /// None of the challenges can be met.
    #[error("{name}: the authority offers {offered}, and none of them can be met here ({able})")]
    NoChallenge {
        /// For which name.
        name: String,
        /// What is offered.
        offered: String,
        /// What could be met.
        able: String,
    },
    /// The authority takes its time.
    #[error("the authority wants to be asked again in {} s, which is longer than an order is waited for; try again then", wait.as_secs())]
    Later {
        /// For how long.
        wait: Duration,
    },
    /// It goes on and on.
    #[error("{what} is not finished after {MAX_POLLS} looks at it")]
    Unfinished {
        /// What was waited for.
        what: &'static str,
    },
    /// The authority sent a URL that is not asked.
    #[error("the authority sent a URL that is not asked: {0}")]
    Link(#[from] LinkError),
    /// The authority sent something that fits no order of ours.
    #[error("the authority's order is not what was asked for: {0}")]
    Foreign(String),
}

/// What the flow waits for; of an authorization, which.
#[derive(Debug)]
enum Waiting {
    ForOrder,
    ForAuthorization(Link),
    /// The challenge at the second URL, of the authorization at the first.
    ForPresented(Link, Link),
    ForResponded(Link),
    /// A pause, and what is read after it.
    Pause(Link, Reading),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Order,
    Authorization,
}

/// One order on its way.
#[derive(Debug)]
pub struct Flow {
    identifiers: BTreeSet<Identifier>,
    able: Vec<ChallengeType>,
    order: Option<Link>,
    /// Authorizations that were not looked at yet; none where the order has not named them.
    unread: Option<VecDeque<Link>>,
    /// Authorizations whose challenges are looked at by the authority, and whether it has told that it is done with it.
    begun: VecDeque<(Link, bool)>,
    waiting: Waiting,
    polls: u32,
    wait: Duration,
}

impl Flow {
    /// Begins an order; `able` are the challenges that can be met, the best first.
    #[must_use]
    pub fn begin(wish: NewOrder, identifiers: BTreeSet<Identifier>, able: Vec<ChallengeType>) -> (Self, Step) {
        let flow = Self {
            identifiers,
            able,
            order: None,
            unread: None,
            begun: VecDeque::new(),
            waiting: Waiting::ForOrder,
            polls: 0,
            wait: FIRST_WAIT,
        };
        (flow, Step::NewOrder(wish))
    }

    /// What to do after that happened.
    ///
    /// # Errors
    ///
    /// [`FlowError`] when the order came to nothing; it is over then.
    pub fn next(&mut self, event: Event) -> Result<Step, FlowError> {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::ForOrder);
        match (waiting, event) {
            (Waiting::ForOrder, Event::Order(url, order, retry_after)) => self.order(url, &order, retry_after),
            (Waiting::ForOrder, Event::NotReady) => {
                let url = self.order.clone().ok_or_else(|| foreign("there is none"))?;
                self.pause(url, Reading::Order, None)
            }
            (Waiting::ForAuthorization(url), Event::Authorization(authorization, retry_after)) => {
                self.authorization(url, &authorization, retry_after)
            }
            (Waiting::ForPresented(authorization, challenge), Event::Presented) => {
                self.waiting = Waiting::ForResponded(authorization);
                Ok(Step::Respond(challenge))
            }
            // What became of it is seen when the authorization is read again.
            (Waiting::ForResponded(url), Event::Responded { done }) => {
                self.begun.push_back((url, done));
                self.go_on()
            }
            (Waiting::Pause(url, Reading::Order), Event::Waited) => Ok(self.read_order(url)),
            (Waiting::Pause(url, Reading::Authorization), Event::Waited) => Ok(self.read_authorization(url)),
            (waiting, event) => Err(FlowError::Foreign(format!("{event:?} came while it was {waiting:?}"))),
        }
    }

    fn order(&mut self, url: Link, order: &Order, retry_after: Option<Duration>) -> Result<Step, FlowError> {
        let named: Result<BTreeSet<Identifier>, _> = order.identifiers.iter().map(Identifier::parse).collect();
        if named.ok().as_ref() != Some(&self.identifiers) {
            return Err(foreign("it is for other names"));
        }
        if self.order.is_none() && order.authorizations.len() > MAX_AUTHORIZATIONS {
            return Err(foreign("it has too many authorizations"));
        }
        let url = self.order.get_or_insert(url).clone();
        match order.status {
            // Each was valid: the order is behind them.
            OrderStatus::Pending if self.unread.is_some() => self.pause(url, Reading::Order, retry_after),
            OrderStatus::Pending => {
                self.unread = Some(order.authorizations.iter().map(|url| Link::parse(url)).collect::<Result<_, _>>()?);
                self.go_on()
            }
            OrderStatus::Ready => {
                self.waiting = Waiting::ForOrder;
                Ok(Step::Finalize(Link::parse(&order.finalize)?))
            }
            OrderStatus::Processing => self.pause(url, Reading::Order, retry_after),
            OrderStatus::Valid => match &order.certificate {
                Some(certificate) => Ok(Step::Download(Link::parse(certificate)?)),
                None => Err(foreign("it is valid and has no certificate")),
            },
            OrderStatus::Invalid => Err(FlowError::Invalid { reason: order.error.clone().map(Box::new) }),
        }
    }

    fn authorization(
        &mut self,
        url: Link,
        read: &Authorization,
        retry_after: Option<Duration>,
    ) -> Result<Step, FlowError> {
        let identifier = self.identifier(read)?;
        match read.status {
            AuthorizationStatus::Valid => {
                self.begun.retain(|(begun, _)| *begun != url);
                (self.wait, self.polls) = (FIRST_WAIT, 0);
                self.go_on()
            }
            AuthorizationStatus::Pending if self.begun.iter().any(|(begun, _)| *begun == url) => {
                self.pause(url, Reading::Authorization, retry_after)
            }
            AuthorizationStatus::Pending => {
                let chosen = self.able.iter().find_map(|able| {
                    read.challenges.iter().find(|one| one.challenge_type() == Some(*able)).map(|one| (*able, one))
                });
                let Some((method, challenge)) = chosen else {
                    let offered: Vec<String> = read.challenges.iter().map(|one| shown(&one.kind)).collect();
                    let able: Vec<&str> = self.able.iter().map(|able| able.name()).collect();
                    let name = identifier.to_string();
                    return Err(FlowError::NoChallenge { name, offered: offered.join(", "), able: able.join(", ") });
                };
                let token = Token::parse(&challenge.token).map_err(|_error| foreign("a challenge's token is none"))?;
                let at = Link::parse(&challenge.url)?;
                self.waiting = Waiting::ForPresented(url, at);
                Ok(Step::Present(Presentation { identifier, method, token }))
            }
            AuthorizationStatus::Invalid
            | AuthorizationStatus::Deactivated
            | AuthorizationStatus::Expired
            | AuthorizationStatus::Revoked => {
                let reason = read.challenges.iter().find_map(|challenge| challenge.error.clone());
                Err(FlowError::NotProved { name: identifier.to_string(), reason: reason.map(Box::new) })
            }
        }
    }

    /// The identifier of the order that an authorization is for.
    fn identifier(&self, read: &Authorization) -> Result<Identifier, FlowError> {
        let base = Identifier::parse(&read.identifier).map_err(|_error| foreign("an authorization is for no name"))?;
        let is_ours = |one: &&Identifier| {
            let wildcard = matches!(one, Identifier::Wildcard(_));
            one.authorized() == base && wildcard == read.wildcard.unwrap_or(false)
        };
        let ours = self.identifiers.iter().find(is_ours).cloned();
        ours.ok_or_else(|| foreign(&format!("it has an authorization for {base}")))
    }

    /// What is next for the authorizations: read one, look at one again, or read the order.
    fn go_on(&mut self) -> Result<Step, FlowError> {
        if let Some(url) = self.unread.as_mut().and_then(VecDeque::pop_front) {
            return Ok(self.read_authorization(url));
        }
        match self.begun.front().cloned() {
            Some((url, true)) => Ok(self.read_authorization(url)),
            Some((url, false)) => self.pause(url, Reading::Authorization, None),
            None => {
                let url = self.order.clone().ok_or_else(|| foreign("there is none"))?;
                Ok(self.read_order(url))
            }
        }
    }

    fn read_order(&mut self, url: Link) -> Step {
        self.waiting = Waiting::ForOrder;
        Step::ReadOrder(url)
    }

    fn read_authorization(&mut self, url: Link) -> Step {
        self.waiting = Waiting::ForAuthorization(url.clone());
        Step::ReadAuthorization(url)
    }

    fn pause(&mut self, url: Link, then: Reading, asked: Option<Duration>) -> Result<Step, FlowError> {
        self.polls += 1;
        if self.polls > MAX_POLLS {
            let what = match then {
                Reading::Order => "the order",
                Reading::Authorization => "an authorization",
            };
            return Err(FlowError::Unfinished { what });
        }
        // "At once", and a moment that is past by our clock, are no reason to hurry.
        let wait = asked.map_or(self.wait, |asked| asked.max(self.wait));
        if wait > MAX_WAIT {
            return Err(FlowError::Later { wait });
        }
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        self.waiting = Waiting::Pause(url, then);
        Ok(Step::Wait(wait))
    }
}

fn why(reason: Option<&Problem>) -> String {
    reason.map_or_else(|| "the authority does not say why".to_owned(), told)
}

fn foreign(why: &str) -> FlowError {
    FlowError::Foreign(why.to_owned())
}
