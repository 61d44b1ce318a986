//! For each model, the stages of a request and the marks that end them.
//!
//! Holds the tables. What ends no stage is of no interest here: `written`, for instance, which a listener comes to set
//! while the client reads the answer already.

use super::super::model::{Front, Way};
use super::super::result::Stage;

/// A stage that a mark ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leg {
    pub(super) stage: Stage,
    /// The first of these that a request has.
    pub(super) ends: &'static [&'static str],
    pub(super) need: Need,
}

/// Whether every request has the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Always,
    /// A request without the mark did not need that stage.
    Maybe,
}

/// Whether the program that is measured leaves marks: it does if it is made with `main!`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProgramMarks {
    There,
    None,
}

const fn leg(stage: Stage, ends: &'static [&'static str]) -> Leg {
    Leg { stage, ends, need: Need::Always }
}

const ACCEPT: Leg = leg(Stage::Accept, &["received"]);
const PARSE: Leg = leg(Stage::Parse, &["parsed"]);
const QUEUE_BEFORE_WORKER: Leg = leg(Stage::Queue, &["connecting", "dispatched"]);
const CONNECT: Leg = Leg { stage: Stage::Connect, ends: &["connected"], need: Need::Maybe };
const QUEUE_BEFORE_PROGRAM: Leg = leg(Stage::Queue, &["spawning"]);
const FORK_EXEC: Leg = leg(Stage::ForkExec, &["spawned"]);
const LOADER: Leg = leg(Stage::Loader, &["main"]);
const APPLICATION_START: Leg = leg(Stage::ApplicationStart, &["called"]);
const APPLICATION: Leg = leg(Stage::Application, &["finished"]);
/// Of a program without marks all that is known is when its first output came.
const APPLICATION_AS_SEEN: Leg = leg(Stage::Application, &["output"]);

const IN_PROCESS: &[Leg] = &[ACCEPT, PARSE, leg(Stage::Queue, &["called"]), APPLICATION];
const IN_PROCESS_AS_SEEN: &[Leg] =
    &[ACCEPT, PARSE, leg(Stage::Queue, &["dispatched"]), leg(Stage::Application, &["answered"])];
const FASTCGI: &[Leg] = &[ACCEPT, PARSE, QUEUE_BEFORE_WORKER, CONNECT, APPLICATION_START, APPLICATION];
const FASTCGI_AS_SEEN: &[Leg] = &[ACCEPT, PARSE, QUEUE_BEFORE_WORKER, CONNECT, APPLICATION_AS_SEEN];
const CGI: &[Leg] = &[ACCEPT, PARSE, QUEUE_BEFORE_PROGRAM, FORK_EXEC, LOADER, APPLICATION_START, APPLICATION];
const CGI_AS_SEEN: &[Leg] = &[ACCEPT, PARSE, QUEUE_BEFORE_PROGRAM, FORK_EXEC, APPLICATION_AS_SEEN];
/// Other servers leave no marks; their programs do.
const OTHER_CGI: &[Leg] = &[leg(Stage::Server, &["main"]), APPLICATION_START, APPLICATION];
const OTHER: &[Leg] = &[leg(Stage::Server, &["called"]), APPLICATION];

/// The stages that marks end, in their order; what follows the last is returned with them.
pub(super) fn legs(front: Front, way: Way, program: ProgramMarks) -> (&'static [Leg], Stage) {
    let is_ours = matches!(front, Front::Application | Front::Gateway);
    let legs = match (is_ours, way, program) {
        (true, Way::InProcess, ProgramMarks::There) => IN_PROCESS,
        (true, Way::InProcess, ProgramMarks::None) => IN_PROCESS_AS_SEEN,
        (true, Way::FastCgiUnix | Way::FastCgiTcp, ProgramMarks::There) => FASTCGI,
        (true, Way::FastCgiUnix | Way::FastCgiTcp, ProgramMarks::None) => FASTCGI_AS_SEEN,
        (true, Way::Cgi, ProgramMarks::There) => CGI,
        (true, Way::Cgi, ProgramMarks::None) => CGI_AS_SEEN,
        (false, Way::Cgi, ProgramMarks::There) => OTHER_CGI,
        (false, _, ProgramMarks::There) => OTHER,
        // Nobody says anything: all of it is the server's.
        (false, _, ProgramMarks::None) => return (&[], Stage::Server),
    };
    (legs, Stage::Write)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::NAMES;

    #[test]
    fn stages_come_once_each_and_their_marks_exist() {
        for front in [Front::Application, Front::Gateway, Front::Nginx, Front::Apache, Front::Lighttpd] {
            for way in [Way::InProcess, Way::FastCgiUnix, Way::FastCgiTcp, Way::Cgi] {
                for program in [ProgramMarks::There, ProgramMarks::None] {
                    let (legs, last) = legs(front, way, program);
                    let mut stages: Vec<Stage> = legs.iter().map(|leg| leg.stage).collect();
                    stages.push(last);
                    let different: std::collections::HashSet<Stage> = stages.iter().copied().collect();
                    assert_eq!(different.len(), stages.len(), "{front:?} {way:?} {program:?}");
                    for mark in legs.iter().flat_map(|leg| leg.ends) {
                        assert!(NAMES.contains(mark), "{mark}");
                    }
                }
            }
        }
    }
}
