//! The report as a table in the terminal.
