//! The pictures: each a function from the report to one SVG element.
//!
//! | part | holds |
//! | --- | --- |
//! | `canvas` | lines, boxes and text, in units that a browser scales |
//! | `scale` | from a value to a place, linear or logarithmic, and the ticks beside it |
//! | `lines` | a chart of lines |
//! | `bars` | stacked bars lying one under the other |
//! | the rest | one picture each |

mod bars;
mod canvas;
mod cpu;
mod latency;
mod lines;
mod memory;
mod scale;
mod stages;
mod throughput;

pub(super) use bars::{Zoom, swatch};
pub(super) use cpu::cpu;
pub(super) use latency::{closed, open};
pub(super) use lines::sample;
pub(super) use memory::memory;
pub(super) use stages::{numbered, stages};
pub(super) use throughput::{Upward, throughput};
