//! Who answers which request: an asynchronous application, or one for each role.

use super::roles::Roles;
use crate::protocol::Role;
use gateway_spec::{Application, DynAsyncApplication};
use std::sync::Arc;

/// Who answers the requests of a worker.
#[derive(Clone)]
pub(super) struct Applications {
    pub(super) roles: Roles,
    /// Instead of a synchronous Responder.
    pub(super) responder: Option<Arc<dyn DynAsyncApplication>>,
}

/// An application, in one of the two forms.
pub(super) enum App<'a> {
    Synchronous(&'a Arc<dyn Application>),
    Asynchronous(&'a Arc<dyn DynAsyncApplication>),
}

impl Applications {
    /// Who answers this role.
    pub(super) fn of(&self, role: Role) -> Option<App<'_>> {
        match &self.responder {
            Some(app) if role == Role::RESPONDER => Some(App::Asynchronous(app)),
            _ => self.roles.application(role).map(App::Synchronous),
        }
    }

    /// Is somebody asynchronous? Then connections are read by a task of their own.
    pub(super) fn is_asynchronous(&self) -> bool {
        self.responder.is_some()
    }

    /// The roles that somebody answers.
    pub(super) fn served(&self) -> &'static [Role] {
        if self.responder.is_none() {
            return self.roles.served();
        }
        match (self.roles.application(Role::AUTHORIZER).is_some(), self.roles.application(Role::FILTER).is_some()) {
            (false, false) => &[Role::RESPONDER],
            (true, false) => &[Role::RESPONDER, Role::AUTHORIZER],
            (false, true) => &[Role::RESPONDER, Role::FILTER],
            (true, true) => &[Role::RESPONDER, Role::AUTHORIZER, Role::FILTER],
        }
    }
}
