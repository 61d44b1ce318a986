//! `gateway bench`: the same application in process, behind FastCGI and as a CGI program, under the same load.
//!
//! Holds a run from its flags to its report. What is measured runs in processes of its own, as it would in use; this
//! process makes the load and looks at the clocks.
//!
//! | part | holds |
//! | --- | --- |
//! | `args`, `plan` | the command line; what is measured, how often and how long |
//! | `cores` | which cores make the load, and which run what is measured |
//! | `program`, `workload` | the program that is measured, and what it is asked for |
//! | `app` | the application that is measured unless another is named |
//! | `model` | the table of models: who listens, and how the application is reached |
//! | `fleet` | the processes of one model: started, looked at, ended |
//! | `load` | the load generator |
//! | `timeline` | where one request's time goes |
//! | `measure` | each model alone, then all in turns |
//! | `result`, `machine` | what was measured, as it is written to JSON |
//! | `table`, `html`, `output` | the result for people, and where it is written |
//! | `progress`, `interrupt` | for whoever waits |

mod app;
mod args;
mod cores;
mod fleet;
mod html;
mod interrupt;
mod load;
mod machine;
mod measure;
mod model;
mod output;
mod plan;
mod program;
mod progress;
mod result;
mod table;
mod timeline;
mod workload;

use std::error::Error;

pub(crate) use app::run_role;
pub(crate) use args::{Args, EXAMPLES};

use cores::Cores;
use interrupt::Interrupt;
use measure::Bench;
use output::Output;
use plan::Plan;

/// Where the report goes unless it is said.
const REPORT: &str = "gateway-bench.html";

/// Measures, writes the report, and returns what the terminal is to show.
///
/// # Errors
/// What is wrong with the flags, what could not be started, or where nothing can be written; before anything is measured
/// where that is possible.
pub(crate) fn run(args: &Args) -> Result<String, Box<dyn Error>> {
    let cores = Cores::divide().map_err(|error| format!("cannot find out which cores are there: {error}"))?;
    let plan = Plan::new(args, &cores)?;
    let page = Output::open(args.html.as_deref().unwrap_or(REPORT.as_ref()))?;
    let json = args.json.as_deref().map(Output::open).transpose()?;
    let interrupt = Interrupt::catch().map_err(|error| format!("cannot wait for signals: {error}"))?;
    let scratch = tempfile::Builder::new().prefix("gateway-bench-").tempdir();
    let scratch = scratch.map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let gateway = std::env::current_exe().map_err(|error| format!("this program cannot be started again: {error}"))?;
    cores.enter_servers().map_err(|error| format!("cannot choose cores: {error}"))?;
    let program = plan.app.program(&gateway, scratch.path())?;
    let bench = Bench {
        plan: &plan,
        cores: &cores,
        program: &program,
        gateway: &gateway,
        scratch: scratch.path(),
        interrupt: &interrupt,
    };
    let report = bench.run()?;
    let mut text = table::text(&report);
    text.push_str(&format!("\nThe report with pictures: {}\n", page.write(html::page(&report).as_bytes())?.display()));
    if let Some(json) = json {
        text.push_str(&format!("Everything measured: {}\n", json.write(&serde_json::to_vec(&report)?)?.display()));
    }
    Ok(text)
}
