//! How statements are written down: named where they are used, and listed, so that a test can prepare each of them
//! against the schema of its backend.

/// Names SQL texts, and lists them so that a test can prepare each against the schema.
macro_rules! sql {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        $($(#[$doc])* pub(super) const $name: &str = $sql;)+
        /// Every statement of this file.
        pub(super) const ALL: &[&str] = &[$($name),+];
    };
}
pub(crate) use sql;
