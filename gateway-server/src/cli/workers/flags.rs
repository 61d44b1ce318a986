//! The flags of `gateway workers` that are keys of workers: one for each row of their table.

use std::sync::LazyLock;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::PoolOptions;
use crate::cli::keys::POOL;

/// The values that were given, in the order of the table.
#[derive(Debug, Clone, Default)]
pub(super) struct PoolFlags {
    values: Vec<(&'static str, String, String)>,
}

/// What each key is called as a flag.
static NAMES: LazyLock<Vec<String>> =
    LazyLock::new(|| POOL.iter().map(|rule| rule.key.trim_end_matches('.').replace('_', "-")).collect());

impl PoolFlags {
    /// Flag, key and value of each.
    pub(super) fn values(&self) -> impl Iterator<Item = (&'static str, &str, &str)> {
        self.values.iter().map(|(flag, key, value)| (*flag, key.as_str(), value.as_str()))
    }
}

impl clap::Args for PoolFlags {
    fn augment_args(mut command: Command) -> Command {
        for (rule, name) in POOL.iter().zip(NAMES.iter()) {
            let is_table = rule.key.ends_with('.');
            let action = if is_table || PoolOptions::repeats(rule.key) { ArgAction::Append } else { ArgAction::Set };
            let value = if is_table { "NAME=VALUE" } else { "VALUE" };
            let arg = Arg::new(rule.key).long(name.as_str()).value_name(value).help(rule.about).action(action);
            command = command.arg(arg);
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for PoolFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for (rule, name) in POOL.iter().zip(NAMES.iter()) {
            for given in matches.get_many::<String>(rule.key).into_iter().flatten() {
                let (key, value) = if rule.key.ends_with('.') {
                    let (name, value) = given.split_once('=').unwrap_or((given, ""));
                    (format!("{}{name}", rule.key), value)
                } else {
                    (rule.key.to_owned(), given.as_str())
                };
                self.values.push((name.as_str(), key, value.to_owned()));
            }
        }
        Ok(())
    }
}
