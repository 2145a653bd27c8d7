//! The words of ACME (RFC 8555): one definition of the wire for server and client, so that they cannot disagree.
//!
//! - [`jose`]: signed requests; the only door from bytes to a payload.
//! - [`json`]: strict JSON, for whatever a stranger wrote.
//! - [`directory`], [`account`], [`order`], [`authorization`], [`challenge`]: the wire objects, a file each.
//! - [`identifier`], [`status`], [`challenge_type`], [`token`], [`contact`], [`key_authorization`]: their parts.
//! - [`problem`]: how a refusal is said.
//!
//! Deliberately absent: input and output, clocks, SQL ids, policy, and anything that only one side needs.

pub mod account;
pub mod authorization;
pub mod base64url;
pub mod challenge;
pub mod challenge_type;
pub mod contact;
pub mod directory;
pub mod identifier;
pub mod jose;
pub mod json;
pub mod key_authorization;
pub mod key_change;
pub mod order;
pub mod problem;
pub mod renewal_info;
pub mod revocation;
pub mod status;
pub mod token;

pub use account::{Account, AccountUpdate, AsSent, NewAccount, Orders};
pub use authorization::{Authorization, AuthorizationUpdate, NewAuthorization};
pub use challenge::Challenge;
pub use challenge_type::ChallengeType;
pub use contact::{ContactError, check_contact};
pub use directory::{Directory, DirectoryMeta};
pub use identifier::{Identifier, IdentifierError, RawIdentifier};
pub use jose::{
    Algorithm, FlattenedJws, Jwk, JwkError, JwsError, KeyReference, MacAlgorithm, Protected, ProtectedHeader,
    Thumbprint, VerifiedJws, authenticate, sign,
};
pub use json::{JsonError, MAX_JSON_DEPTH, strict_object};
pub use key_authorization::KeyAuthorization;
pub use key_change::KeyChange;
pub use order::{Finalize, NewOrder, Order};
pub use problem::{Problem, ProblemKind, Subproblem};
pub use renewal_info::{CertId, CertIdError, RenewalInfo, SuggestedWindow};
pub use revocation::RevokeCert;
pub use status::{AccountStatus, AuthorizationStatus, ChallengeStatus, OrderStatus};
pub use token::{Token, TokenError};
