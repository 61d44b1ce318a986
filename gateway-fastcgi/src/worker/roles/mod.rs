//! The three roles a worker can play (FastCGI 1.0 §6).
//!
//! Holds which application answers which role, and how an [`Authorizer`] and a [`Filter`] become applications. Does not hold what
//! a connection does, or how an application is called.

mod authorizer;
mod filter;
#[cfg(test)]
mod tests;
mod verdict;

pub use authorizer::{Authorizer, AuthorizerApplication};
pub use filter::{Filter, FilterApplication, FilterData, FilterDataError};
pub use verdict::{Verdict, VerdictError};

use crate::protocol::Role;
use gateway_spec::Application;
use std::fmt;
use std::sync::Arc;

/// Which application answers which role. One that nobody answers is UNKNOWN_ROLE to the gateway (FCGI-71).
///
/// Every request has the name of its role in the variable FCGI_ROLE, as with libfcgi and PHP.
///
/// # Examples
/// ```
/// use gateway_fastcgi::protocol::Role;
/// use gateway_fastcgi::worker::{Roles, Verdict};
/// use gateway_spec::{AppError, Environ, StatusCode, headers};
///
/// fn staff_only(environ: Environ) -> Result<Verdict, AppError> {
///     match environ.header("x-badge") {
///         Some(badge) => Ok(Verdict::allow().variable("BADGE", badge.to_vec())),
///         None => Ok(Verdict::deny(StatusCode::FORBIDDEN, headers!["content-type" => "text/plain"], "No badge.\n")),
///     }
/// }
///
/// let roles = Roles::none().authorizer(staff_only);
/// assert_eq!(roles.served(), [Role::AUTHORIZER]);
/// ```
///
/// Source: FastCGI 1.0 §6; requirement FCGI-71.
#[derive(Clone, Default)]
pub struct Roles {
    responder: Option<Arc<dyn Application>>,
    authorizer: Option<Arc<dyn Application>>,
    filter: Option<Arc<dyn Application>>,
}

impl Roles {
    /// Nobody answers anything yet.
    pub fn none() -> Self {
        Self::default()
    }

    /// The application that does what a CGI program does (§6.2).
    #[must_use]
    pub fn responder(mut self, app: impl Application) -> Self {
        self.responder = Some(Arc::new(app));
        self
    }

    /// Who says whether a request is allowed (§6.3).
    #[must_use]
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer = Some(Arc::new(authorizer.into_application()));
        self
    }

    /// Who answers with a file of the gateway's in hand (§6.4).
    #[must_use]
    pub fn filter(mut self, filter: impl Filter) -> Self {
        self.filter = Some(Arc::new(filter.into_application()));
        self
    }

    /// Who answers requests of this role.
    pub fn application(&self, role: Role) -> Option<&Arc<dyn Application>> {
        match role {
            Role::RESPONDER => self.responder.as_ref(),
            Role::AUTHORIZER => self.authorizer.as_ref(),
            Role::FILTER => self.filter.as_ref(),
            _ => None,
        }
    }

    /// Who answers where a request has no role, as over HTTP: the Responder, or else the Authorizer, whose verdict then is the
    /// response, or else the Filter, which has no file there.
    pub fn without_roles(&self) -> Option<&Arc<dyn Application>> {
        self.responder.as_ref().or(self.authorizer.as_ref()).or(self.filter.as_ref())
    }

    /// The roles that somebody answers, for [`crate::connection::WorkerConnection::with_roles`].
    pub fn served(&self) -> &'static [Role] {
        match (self.responder.is_some(), self.authorizer.is_some(), self.filter.is_some()) {
            (true, false, false) => &[Role::RESPONDER],
            (false, true, false) => &[Role::AUTHORIZER],
            (false, false, true) => &[Role::FILTER],
            (true, true, false) => &[Role::RESPONDER, Role::AUTHORIZER],
            (true, false, true) => &[Role::RESPONDER, Role::FILTER],
            (false, true, true) => &[Role::AUTHORIZER, Role::FILTER],
            (true, true, true) => &[Role::RESPONDER, Role::AUTHORIZER, Role::FILTER],
            (false, false, false) => &[],
        }
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Roles").field(&self.served()).finish()
    }
}
