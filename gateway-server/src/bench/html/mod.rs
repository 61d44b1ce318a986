//! The report as a page: one file, without scripts and without anything from the network.
//!
//! | part | holds |
//! | --- | --- |
//! | `page` | the sections and their order |
//! | `reading` | which of the measured points the sentences and bars are about |
//! | `words` | sentences from numbers |
//! | `plots` | the pictures |
//! | `points` | the table of everything |
//! | `palette` | one colour, marker and dash for each model; colours of parts and stages |
//! | `figures` | how a number is written, here and in the terminal |
//! | `markup` | foreign text made harmless |

pub(super) mod figures;
mod markup;
mod page;
mod palette;
mod plots;
mod points;
pub(super) mod reading;
pub(super) mod words;

#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod tests;

pub(crate) use page::page;
pub(super) use palette::STAGES;
