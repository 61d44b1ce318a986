//! The report as a page: one file, without scripts and without anything from the network.
//!
//! | part | holds |
//! | --- | --- |
//! | `sections` | the sections and their order |
//! | `reading` | which of the measured points the sentences and bars are about |
//! | `words` | sentences from numbers |
//! | `plots` | the pictures |
//! | `points` | the table of everything |
//! | `palette` | one colour, marker and dash for each model; colours of parts and stages |
//! | `figures` | how a number is written, here and in the terminal |
//! | `markup` | foreign text made harmless |

pub(super) mod figures;
mod markup;
mod palette;
mod plots;
mod points;
pub(super) mod reading;
mod sections;
pub(super) mod words;

#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod tests;

pub(super) use palette::STAGES;

use super::result::Report;

const STYLE: &str = include_str!("style.css");

/// The whole page.
pub(crate) fn page(report: &Report) -> String {
    let (app, sections) = (markup::escape(&report.settings.app), sections::sections(report));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>gateway bench: {app}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{sections}</main>\n\
         </body>\n</html>\n"
    )
}
