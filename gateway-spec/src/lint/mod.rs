//! lint
use crate::Application;
/// x
pub fn lint<A: Application>(app: A) -> A {
    app
}
