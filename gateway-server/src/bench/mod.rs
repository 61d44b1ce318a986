//! `gateway bench`: the same application in process, behind FastCGI and as a CGI program, under the same load.
//!
//! Holds the order of a measurement. What is measured runs in processes of its own, as it would in use; this process
//! makes the load and looks at the clocks.
//!
//! | part | holds |
//! | --- | --- |
//! | `args`, `plan` | the command line; what is measured, how often and how long |
//! | `app` | the application that is measured unless another is named |
//! | `model` | the table of models: who listens, and how the application is reached |
//! | `fleet` | the processes of one model: started, looked at, ended |
//! | `load` | the load generator |
//! | `timeline` | where one request's time goes |
//! | `measure` | rounds of samples, interleaved |
//! | `result` | what was measured, as it is written to JSON |
//! | `table`, `html` | the result for people |

#![allow(dead_code)] // until the parts are joined

mod fleet;
mod html;
mod load;
mod model;
mod result;
mod table;
mod timeline;
