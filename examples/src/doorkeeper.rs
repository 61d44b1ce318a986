//! An Authorizer: lets those in who show a token that is on the list, and tells the pages behind it who they are.
//!
//! The list is a file, one guest a line: a token of at least 16 characters that is hard to guess, white space, and a name. It is
//! read for each request, so that a line that is taken out shuts the door at once.

use std::fs;
use std::io;
use std::path::PathBuf;

use gateway_fastcgi::worker::{Authorizer, Verdict};
use gateway_spec::{AppError, Environ, StatusCode, headers};

/// Who guards the door.
#[derive(Debug)]
pub struct Doorkeeper {
    guests: PathBuf,
}

impl Doorkeeper {
    /// One with the list in this file.
    pub fn with_list(guests: impl Into<PathBuf>) -> Self {
        Doorkeeper { guests: guests.into() }
    }

    /// One with the list that the variable DOORKEEPER_GUESTS names, or `guests` in the current folder.
    pub fn from_environment() -> Self {
        Doorkeeper::with_list(std::env::var_os("DOORKEEPER_GUESTS").unwrap_or_else(|| "guests".into()))
    }

    /// The name of the guest with this token.
    fn guest(&self, token: &str) -> io::Result<Option<String>> {
        const SHORTEST: usize = 16;
        let list = fs::read_to_string(&self.guests)?;
        let mut guests = list.lines().filter_map(|line| line.split_once(char::is_whitespace));
        let found = guests.find(|(known, _)| known.len() >= SHORTEST && *known == token);
        Ok(found.map(|(_, name)| name.trim().to_owned()))
    }
}

impl Authorizer for Doorkeeper {
    fn authorize(&self, environ: Environ) -> Result<Verdict, AppError> {
        match self.guest(&token(&environ))? {
            Some(name) => Ok(Verdict::allow().variable("REMOTE_USER", name).variable("DOORKEEPER", "let-in")),
            None => Ok(Verdict::deny(
                StatusCode::UNAUTHORIZED,
                headers!["content-type" => "text/plain", "www-authenticate" => "Bearer realm=\"guests\""],
                "Guests only: show your token.\n",
            )),
        }
    }
}

/// What the client shows: `Authorization: Bearer TOKEN`, or a cookie called `token`. Empty if it shows nothing.
fn token(environ: &Environ) -> String {
    let text = |name| environ.header(name).map(|value| value.to_latin1().into_owned()).unwrap_or_default();
    if let Some(token) = text("authorization").strip_prefix("Bearer ") {
        return token.trim().to_owned();
    }
    let cookies = text("cookie");
    let token = cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix("token="));
    token.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(header: Option<(&str, &str)>) -> Result<Verdict, AppError> {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("guests");
        fs::write(&list, "0123456789abcdef  Ada\nshort Eve\n\nalone\n").unwrap();
        let mut environ = Environ::example("GET", "/");
        if let Some((name, value)) = header {
            environ.set(name, value).unwrap();
        }
        Doorkeeper::with_list(list).authorize(environ)
    }

    #[test]
    fn only_a_whole_token_of_the_list_opens() {
        let opens = |name: &str, value: &str| verdict(Some((name, value))).unwrap().is_allowed();
        assert!(opens("HTTP_AUTHORIZATION", "Bearer 0123456789abcdef"));
        assert!(opens("HTTP_COOKIE", "a=b; token=0123456789abcdef"));
        for token in ["", "0123456789abcde", "0123456789abcdef0", "short", "alone", "Ada"] {
            assert!(!opens("HTTP_AUTHORIZATION", &format!("Bearer {token}")), "{token:?}");
        }
        assert!(!opens("HTTP_COOKIE", "xtoken=0123456789abcdef"));
        assert!(!verdict(None).unwrap().is_allowed());
    }

    #[test]
    fn without_its_list_nobody_gets_in() {
        assert!(Doorkeeper::with_list("/no/such/list").authorize(Environ::example("GET", "/")).is_err());
    }
}
