//! One gateway's results, kept as a file until all columns are merged into the support table.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::programs::build_folder;

/// Every gateway, in the order of the table.
pub const GATEWAYS: [&str; 23] = [
    "direct call",
    "http listener",
    "http iterative",
    "http threads",
    "http event-loop",
    "http2",
    "cgi host",
    "fastcgi spawned",
    "fastcgi unix",
    "fastcgi tcp",
    "nginx unix",
    "nginx tcp",
    "apache mod_cgid",
    "apache mod_proxy_fcgi",
    "apache mod_fcgid",
    "lighttpd mod_cgi",
    "lighttpd spawned",
    "lighttpd connected",
    "nginx fcgiwrap",
    "nginx cgi-wrap",
    "haproxy",
    "haproxy mpxs",
    "caddy",
];

/// Every foreign worker behind our gateway, in the order of the table.
pub const WORKERS: [&str; 6] = ["php-fpm", "php-cgi", "libfcgi C", "Perl FCGI", "Ruby fcgi", "Go fcgi"];

/// One case's result on one gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// As the direct call.
    Same,
    /// Different, for these written reasons.
    Differs(Vec<String>),
    /// Different without a reason.
    Failed(Vec<String>),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => write!(f, "ok"),
            Self::Differs(reasons) => write!(f, "differs: {}", reasons.join("; ")),
            Self::Failed(found) => write!(f, "FAIL: {}", found.join("; ")),
        }
    }
}

/// All cases' results on one gateway.
#[derive(Clone, Debug)]
pub struct Column {
    /// The gateway.
    pub gateway: String,
    /// The results by case.
    pub cells: BTreeMap<String, Cell>,
}

impl Column {
    /// An empty column.
    pub fn new(gateway: &str) -> Self {
        Self { gateway: gateway.to_owned(), cells: BTreeMap::new() }
    }

    /// The failed cases, one line each.
    pub fn failures(&self) -> impl Iterator<Item = String> {
        let failed = self.cells.iter().filter(|(_, cell)| matches!(cell, Cell::Failed(_)));
        failed.map(|(case, cell)| format!("  {case}: {cell}"))
    }

    /// Where the columns are kept between the tests and the table.
    pub fn folder() -> PathBuf {
        build_folder().join("support-table")
    }

    /// Writes the column to its file.
    pub fn save(&self) {
        let cells: serde_json::Map<String, Value> = self.cells.iter().map(|(k, v)| (k.clone(), to_json(v))).collect();
        fs::create_dir_all(Self::folder()).expect("the build folder can be written");
        let text = json!({ "gateway": self.gateway, "cells": cells }).to_string();
        fs::write(Self::path(&self.gateway), text).expect("the build folder can be written");
    }

    /// Reads a gateway's column; `None` if its tests have not run.
    pub fn load(gateway: &str) -> Option<Self> {
        let text = fs::read_to_string(Self::path(gateway)).ok()?;
        let value: Value = serde_json::from_str(&text).expect("columns are JSON");
        let cells = value["cells"].as_object().expect("cells by case");
        let cells = cells.iter().map(|(case, cell)| (case.clone(), from_json(cell))).collect();
        Some(Self { gateway: gateway.to_owned(), cells })
    }

    fn path(gateway: &str) -> PathBuf {
        Self::folder().join(format!("{}.json", gateway.replace(' ', "_")))
    }
}

fn to_json(cell: &Cell) -> Value {
    match cell {
        Cell::Same => json!({}),
        Cell::Differs(reasons) => json!({ "differs": reasons }),
        Cell::Failed(found) => json!({ "failed": found }),
    }
}

fn from_json(cell: &Value) -> Cell {
    let texts = |key: &str| -> Option<Vec<String>> {
        Some(cell.get(key)?.as_array()?.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
    };
    match (texts("failed"), texts("differs")) {
        (Some(found), _) => Cell::Failed(found),
        (None, Some(reasons)) => Cell::Differs(reasons),
        (None, None) => Cell::Same,
    }
}
