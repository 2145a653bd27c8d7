//! Passwords: given apart from the URL, or found in a passfile.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::unix;

/// The password of a database user. Nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// A password that was read from a credential.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// Why a passfile was not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassfileError {
    /// It cannot be read.
    #[error("the passfile {path} cannot be read")]
    Unreadable {
        path: String,
        #[source]
        source: std::io::Error,
    },
    /// Others may read it, as libpq would not accept either.
    #[error("the passfile {path} can be read by others; chmod 600 it")]
    Open { path: String },
}

/// What a passfile's entry is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login<'a> {
    /// A host's name, or the directory of its socket.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) database: &'a str,
    pub(crate) user: &'a str,
}

/// Looks a login up in a passfile (PostgreSQL manual, section 34.16): the first line that fits, each field but the last
/// the value or `*`. A file that is not there has no passwords.
pub(crate) fn from_passfile(path: &Path, login: Login<'_>) -> Result<Option<Password>, PassfileError> {
    let unreadable = |source| PassfileError::Unreadable { path: path.display().to_string(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    if unix::is_open_to_others(&file).map_err(unreadable)? {
        return Err(PassfileError::Open { path: path.display().to_string() });
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(unreadable)?;
    Ok(text.lines().find_map(|line| fits(line, login)))
}

fn fits(line: &str, login: Login<'_>) -> Option<Password> {
    if line.starts_with('#') {
        return None;
    }
    let (fields, password) = fields(line)?;
    let port = login.port.to_string();
    // libpq writes "localhost" for a socket; its directory is taken as well.
    let socket = login.host.starts_with('/');
    let is = |field: &str, value: &str| field == "*" || field == value;
    let [host, number, database, user] = &fields;
    let host = is(host, login.host) || (socket && host == "localhost");
    (host && is(number, &port) && is(database, login.database) && is(user, login.user)).then_some(Password(password))
}

/// The four fields before the password, and the password; a backslash takes the next character as it is.
fn fields(line: &str) -> Option<([String; 4], String)> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => fields.last_mut()?.extend(characters.next()),
            ':' if fields.len() < 5 => fields.push(String::new()),
            other => fields.last_mut()?.push(other),
        }
    }
    let password = fields.pop()?;
    Some((fields.try_into().ok()?, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let login = Login { host: "db1.example", port: 5432, database: "certus", user: "ca" };
        let found = |line: &str| fits(line, login).map(|password| password.0);
        assert_eq!(found("db1.example:5432:certus:ca:secret"), Some("secret".into()));
        assert_eq!(found("*:*:*:*:with:colons\\\\"), Some("with:colons\\".into()));
        assert_eq!(found("db1.example:5432:certus:ca:"), Some(String::new()));
        for other in [
            "db2.example:5432:certus:ca:secret",
            "db1.example:5433:certus:ca:secret",
            "db1.example:5432:other:ca:secret",
            "db1.example:5432:certus:root:secret",
            "# db1.example:5432:certus:ca:secret",
            "db1.example:5432:certus:ca",
            "",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
        let socket = Login { host: "/run/postgresql", ..login };
        assert!(fits("localhost:5432:certus:ca:secret", socket).is_some());
        assert!(fits("/run/postgresql:5432:certus:ca:secret", socket).is_some());
        let colon = Login { database: "a:b", ..login };
        assert!(fits("*:*:a\\:b:*:secret", colon).is_some());
        assert_eq!(format!("{:?}", Password::new("secret")), "<secret>");
    }
}
