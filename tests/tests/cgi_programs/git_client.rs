//! The stock git client, and repositories for git-http-backend.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateway_tests::place::Place;
use gateway_tests::process::Process;

/// How long one git command may take; generous, because the machine may be compiling something.
const LIMIT: Duration = Duration::from_secs(120);

/// git with nobody's configuration, in a folder of its own. Commits are made at one moment, so their ids are the same
/// in every run.
pub(crate) struct Git {
    pub(crate) place: Place,
    /// More variables, such as `GIT_TRACE_CURL`.
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Git {
    pub(crate) fn new() -> Self {
        Self { place: Place::new(), environment: Vec::new() }
    }

    /// The same with a variable.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Runs git and returns what it wrote.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        run(&self.place, &self.environment, arguments).unwrap_or_else(|log| panic!("git {arguments:?} failed: {log}"))
    }

    /// Runs git, which must fail, and returns what it wrote.
    #[track_caller]
    pub(crate) fn fail(&self, arguments: &[&str]) -> String {
        match run(&self.place, &self.environment, arguments) {
            Ok(log) => panic!("git {arguments:?} did not fail: {log}"),
            Err(log) => log,
        }
    }

    /// The object id of a revision.
    #[track_caller]
    pub(crate) fn id_of(&self, repository: &str, revision: &str) -> String {
        self.run(&["-C", repository, "rev-parse", revision]).trim().to_owned()
    }

    /// A repository with some commits that change a file and add another; the folder's name is returned.
    #[track_caller]
    pub(crate) fn repository(&self, name: &str, commits: usize) -> PathBuf {
        self.run(&["init", "--quiet", "--initial-branch=main", name]);
        self.commits(name, "main", commits);
        self.run(&["-C", name, "reset", "--quiet", "--hard"]);
        self.place.join(name)
    }

    /// Adds commits to a branch, which is made if it is not there: many of them cost no more than a few.
    #[track_caller]
    pub(crate) fn commits(&self, repository: &str, branch: &str, commits: usize) {
        let parent = run(&self.place, &[], &["-C", repository, "rev-parse", "--verify", "--quiet", branch]);
        let mut stream = String::new();
        for number in 0..commits {
            let message = format!("commit {number} of {branch}");
            let text = format!("line of {message}\n").repeat(20);
            write!(
                stream,
                "commit refs/heads/{branch}\ncommitter Ada <ada@programs.example> {} +0000\n",
                1_600_000_000 + number
            )
            .and_then(|()| write!(stream, "data {}\n{message}\n", message.len()))
            .unwrap();
            if let (0, Ok(parent)) = (number, &parent) {
                writeln!(stream, "from {}", parent.trim()).unwrap();
            }
            write!(stream, "M 644 inline notes.txt\ndata {}\n{text}\n", text.len()).unwrap();
            write!(stream, "M 644 inline src/{branch}{number}.txt\ndata {}\n{text}\n", text.len()).unwrap();
        }
        let file = self.place.write("import", &stream);
        let shell = format!("git -C {repository} fast-import --quiet < {}", file.display());
        self.run(&["-c", &format!("alias.import=!{shell}"), "import"]);
    }
}

/// Makes a bare repository in the server's folder, owned by whoever will run the server.
#[track_caller]
pub(crate) fn bare(place: &Place, name: &str, configuration: &[(&str, &str)]) -> PathBuf {
    let path = place.folder("git").join(name);
    let folder = path.to_string_lossy().into_owned();
    run(place, &[], &["init", "--quiet", "--bare", "--initial-branch=main", &folder]).unwrap();
    for (key, value) in configuration {
        run(place, &[], &["-C", &folder, "config", key, value]).unwrap();
    }
    path
}

/// Runs git for a repository on the server's side.
#[track_caller]
pub(crate) fn in_bare(place: &Place, repository: &Path, arguments: &[&str]) -> String {
    let folder = repository.to_string_lossy().into_owned();
    run(place, &[], &[&["-C", &folder], arguments].concat()).unwrap_or_else(|log| panic!("git {arguments:?}: {log}"))
}

fn run(place: &Place, environment: &[(&str, String)], arguments: &[&str]) -> Result<String, String> {
    // The distribution's own, as everybody has it.
    let mut command = Command::new("/usr/bin/git");
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", place.path());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@programs.example");
        command.env(format!("GIT_{who}_DATE"), "1600000000 +0000");
    }
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("git-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut process = Process::start(place, &name, &mut command);
    match process.wait_ended(LIMIT) {
        Some(status) if status.success() => Ok(process.log()),
        status => Err(format!("{status:?}\n{}", process.log())),
    }
}
