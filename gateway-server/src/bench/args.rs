//! The command line of `gateway bench`.
//!
//! Holds the flags and how their values are read. Does not hold what is made of them (`plan`).

use std::path::PathBuf;
use std::time::Duration;

use super::program::App;
use super::workload::Workload;

/// The flags of `gateway bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Less of everything: done within a minute on two cores.
    #[arg(long)]
    pub(super) quick: bool,
    /// What is measured: hello (an application inside this command), guestbook (the example beside this command), or the
    /// command line of a program made with main!.
    #[arg(long, value_name = "hello|guestbook|COMMAND", default_value = "hello", value_parser = App::parse)]
    pub(super) app: App,
    /// Connections at once; one row of measurements for each number. [default: 1,8,64,256; with --quick 1,8,64]
    #[arg(long, value_name = "N,N…", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(super) concurrency: Vec<u16>,
    /// How long each model is measured at each point, all samples together. [default: 5s; with --quick 1s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) duration: Option<Duration>,
    /// What is asked for: hello, db, download, upload, cpu, or paths such as /page. [default: all five; a program of
    /// yours is asked for /]
    #[arg(long, value_name = "NAME,NAME…", value_delimiter = ',', value_parser = Workload::parse)]
    pub(super) workloads: Vec<Workload>,
    /// Only these models, by the names that the table shows, such as in-process,cgi.
    #[arg(long, value_name = "NAME,NAME…", value_delimiter = ',')]
    pub(super) models: Vec<String>,
    /// FastCGI workers where there are several. [default: one for each core, at least 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) workers: Option<u8>,
    /// The same application behind nginx, Apache and lighttpd too, where they are installed.
    #[arg(long)]
    pub(super) peers: bool,
    /// Requests per second of the open loop. [default: half of what the slowest model can do]
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(super) rate: Option<f64>,
    /// Writes everything that was measured to this file.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Where the report goes: one file, to be opened in a browser. [default: gateway-bench.html]
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
}

/// What stands below the flags in the long help.
pub(crate) const EXAMPLES: &str = "\
The same application is measured inside the process that listens, as FastCGI worker
behind `gateway serve`, and as CGI program behind it. All of it runs on this machine, on loopback;
nothing stays when it ends.

Examples:
  gateway bench --quick
  gateway bench --peers --json all.json --html report.html
  gateway bench --app './target/release/shop' --workloads /,/search?q=x --concurrency 1,32
  gateway bench --models in-process,cgi --workloads hello --duration 20s --rate 200";

fn duration(text: &str) -> Result<Duration, String> {
    let longest = Duration::from_secs(60 * 60);
    let shortest = Duration::from_millis(100);
    let time = humantime::parse_duration(text).map_err(|_| "a time with its unit, such as 500ms or 5s".to_owned())?;
    if (shortest..=longest).contains(&time) { Ok(time) } else { Err("from 100ms to 1h".to_owned()) }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text.parse().ok().filter(|rate| (1.0..=1_000_000.0).contains(rate));
    rate.ok_or_else(|| "a number from 1 to 1000000".to_owned())
}
