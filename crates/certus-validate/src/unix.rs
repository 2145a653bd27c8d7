//! What a Unix kernel says, where the standard library has no word for it.

use std::io;

use rustix::io::Errno;

/// Whether the machine has no addresses of the family that a socket was asked for.
pub(crate) fn is_missing_family(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_family_is_told_from_a_lack_of_descriptors() {
        assert!(is_missing_family(&io::Error::from(Errno::AFNOSUPPORT)));
        assert!(!is_missing_family(&io::Error::from(Errno::MFILE)));
    }
}
