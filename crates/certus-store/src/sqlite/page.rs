//! Pages of lists.
//!
//! A list is asked for one row more than is wanted ([`asked`]), so that the last page is known to be the last.

use certus_ca::ports::Page;

/// How many rows to ask for.
pub(super) fn asked(limit: u32) -> i64 {
    i64::from(limit) + 1
}

/// What was asked for of the rows that were found, each with its key, and the key to go on after when there was one more.
pub(super) fn page<R, T, E>(
    mut found: Vec<(i64, R)>,
    limit: u32,
    entry: impl FnMut((i64, R)) -> Result<T, E>,
) -> Result<Page<T>, E> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|(key, _)| *key).filter(|_| more);
    Ok(Page { entries: found.into_iter().map(entry).collect::<Result<_, E>>()?, next })
}
