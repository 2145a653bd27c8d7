//! What is measured: whole flows by each method, or one kind of request.

use std::time::Duration;

use certus_acme::ChallengeType;

/// What a client does again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Measure {
    /// Whole flows, validated by http-01.
    #[value(name = "http-01")]
    Http01,
    /// Whole flows, validated by dns-01.
    #[value(name = "dns-01")]
    Dns01,
    /// Whole flows, validated by tls-alpn-01.
    #[value(name = "tls-alpn-01")]
    TlsAlpn01,
    /// HEAD of newNonce.
    #[value(name = "newNonce")]
    NewNonce,
    /// newAccount with a new key.
    #[value(name = "newAccount")]
    NewAccount,
    /// POST-as-GET of a valid order.
    #[value(name = "order")]
    Order,
    /// GET of renewal information.
    #[value(name = "renewalInfo")]
    RenewalInfo,
}

impl Measure {
    /// What its clients do.
    pub(crate) const fn what(self) -> What {
        match self {
            Self::Http01 => What::Flows(ChallengeType::Http01),
            Self::Dns01 => What::Flows(ChallengeType::Dns01),
            Self::TlsAlpn01 => What::Flows(ChallengeType::TlsAlpn01),
            Self::NewNonce => What::Requests(Single::NewNonce),
            Self::NewAccount => What::Requests(Single::NewAccount),
            Self::Order => What::Requests(Single::Order),
            Self::RenewalInfo => What::Requests(Single::RenewalInfo),
        }
    }

    /// Its name, as it is asked for.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::NewNonce => "newNonce",
            Self::NewAccount => "newAccount",
            Self::Order => "order",
            Self::RenewalInfo => "renewalInfo",
        }
    }

    /// What is counted.
    pub(crate) const fn unit(self) -> &'static str {
        match self.what() {
            What::Flows(_) => "flows",
            What::Requests(_) => "requests",
        }
    }

    /// Its steps, in their order.
    pub(crate) const fn steps(self) -> &'static [&'static str] {
        match self.what() {
            What::Flows(_) => &["newOrder", "authorization", "challenge", "finalize", "certificate"],
            What::Requests(_) => &[],
        }
    }
}

/// What clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Whole flows, validated by that method.
    Flows(ChallengeType),
    /// That request alone.
    Requests(Single),
}

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Single {
    /// HEAD of newNonce.
    NewNonce,
    /// newAccount with a new key.
    NewAccount,
    /// POST-as-GET of a valid order.
    Order,
    /// GET of renewal information.
    RenewalInfo,
}

/// How long each step took, and how often something had to be polled. A single request is one step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steps {
    /// In the order of [`Measure::steps`].
    pub(crate) taken: Vec<Duration>,
    /// Requests beyond the five of a flow.
    pub(crate) polls: u32,
}

impl Steps {
    pub(crate) fn total(&self) -> Duration {
        self.taken.iter().sum()
    }
}
