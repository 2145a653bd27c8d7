//! When a server wants to be asked again (RFC 9110 section 10.2.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use certus_pki::Timestamp;

/// Longer than this is not waited for, whatever is asked: a year and a day say no more than a day.
const MAX_WAIT: Duration = Duration::from_secs(86_400);

/// Reads the field: seconds, or a date. What is neither says nothing; what is past means now.
#[must_use]
pub(super) fn read(field: &str, now: Timestamp) -> Option<Duration> {
    let field = field.trim();
    let wait = if !field.is_empty() && field.bytes().all(|octet| octet.is_ascii_digit()) {
        // A number that does not fit is a long time.
        field.parse().map_or(MAX_WAIT, Duration::from_secs)
    } else {
        let at: SystemTime = httpdate::parse_http_date(field).ok()?;
        let at = at.duration_since(UNIX_EPOCH).ok()?;
        let at = Timestamp::from_unix_millis(i64::try_from(at.as_millis()).ok()?);
        at.duration_since(now)
    };
    Some(wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(784_111_777);

    #[test]
    fn seconds_and_dates() {
        for (field, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("86400", Some(86_400)),
            ("99999999999999999999999", Some(86_400)),
            // The same moment in the three forms of RFC 9110 section 5.6.7, ten seconds from now.
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(10)),
            ("Sun Nov  6 08:49:47 1994", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("Mon, 31 Dec 2300 23:59:59 GMT", Some(86_400)),
            ("", None),
            ("-1", None),
            ("soon", None),
            ("1.5", None),
        ] {
            assert_eq!(read(field, NOW), expected.map(Duration::from_secs), "{field:?}");
        }
    }
}
