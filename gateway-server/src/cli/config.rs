//! The configuration file: TOML, read so that every mistake is found and told with its line.
//!
//! Holds the shape of the file. Does not hold the keys of its tables (`keys`), or how TOML is read (`document`).

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::document::{Key, Node, folder, kind, scalar, table};
use super::keys::{ACCESS, LIMITS, LOG, TIMEOUTS, TOP};
use super::listen::{self, Listen, TLS};
use super::mistake::{Mistake, Place, Source, join};
use super::rules::{Problem, Rule, apply, unknown_beside};
use super::settings::{Mount, Settings};
use super::target::{FORMS, Target};
use crate::mount::Prefix;

/// Keys of the top of the file that hold more than one value.
const TABLES: [&str; 7] = ["listen", "tls", "log", "access", "limits", "timeouts", "mount"];

/// Reads the text of a configuration file. Relative paths in it start from the file's folder.
///
/// All mistakes come back at once, in the order of the file.
pub(super) fn parse(path: &Path, text: &str) -> Result<Settings, Vec<Mistake>> {
    let source = Source { path, text };
    let table = table(&source)?;
    let mut reader = Reader { source, base: folder(path), settings: Settings::default(), mistakes: Vec::new() };
    reader.top(table.get_ref());
    if reader.mistakes.is_empty() { Ok(reader.settings) } else { Err(reader.in_order()) }
}

struct Reader<'s> {
    source: Source<'s>,
    base: PathBuf,
    settings: Settings,
    mistakes: Vec<(usize, Mistake)>,
}

impl Reader<'_> {
    fn top(&mut self, table: &DeTable<'_>) {
        for (key, node) in table {
            match key.get_ref().as_ref() {
                "listen" => self.listen("listen", false, node),
                "tls" => self.tls(node),
                "log" => self.section("log", node, LOG),
                "access" => {
                    self.section("access", node, ACCESS);
                    if let Some(log) = &mut self.settings.access.log {
                        log.resolve(&self.base);
                    }
                }
                "limits" => self.section("limits", node, LIMITS),
                "timeouts" => self.section("timeouts", node, TIMEOUTS),
                "mount" => self.mounts(node),
                name if TOP.iter().any(|rule| rule.key == name) => self.apply("", key, node, TOP),
                name => self.mistake(key.span(), name, unknown_beside(TOP, &TABLES)),
            }
        }
    }

    /// One address, or a list of them.
    fn listen(&mut self, field: &str, tls: bool, node: &Node<'_>) {
        let nodes = match node.get_ref() {
            DeValue::Array(nodes) => nodes.iter().collect(),
            _ => vec![node],
        };
        for node in nodes {
            let Some(text) = self.text(field, node, listen::FORMS) else { continue };
            let place = self.source.place(node.span().start, field);
            match Listen::parse(text, tls, &self.base, place) {
                Ok(listen) => self.settings.listen.push(listen),
                Err(problems) => {
                    for (key, problem) in problems {
                        let field = key.map_or(field.to_owned(), |key| join(field, &key));
                        self.mistake(node.span(), &field, problem);
                    }
                }
            }
        }
    }

    /// Addresses with TLS, and what they show.
    fn tls(&mut self, node: &Node<'_>) {
        let DeValue::Table(table) = node.get_ref() else {
            return self.mistake(node.span(), "tls", kind(node, "a table: [tls]"));
        };
        self.settings.certificate.place = Some(self.source.place(node.span().start, "tls"));
        for (key, node) in table {
            match key.get_ref().as_ref() {
                "listen" => self.listen("tls.listen", true, node),
                name if TLS.iter().any(|rule| rule.key == name) => match node.get_ref() {
                    DeValue::Array(nodes) => nodes.iter().for_each(|node| self.apply("tls", key, node, TLS)),
                    _ => self.apply("tls", key, node, TLS),
                },
                name => self.mistake(key.span(), &join("tls", name), unknown_beside(TLS, &["listen"])),
            }
        }
        self.settings.certificate.resolve(&self.base);
    }

    /// A table whose values are all set by rules.
    fn section(&mut self, name: &str, node: &Node<'_>, rules: &[Rule<Settings>]) {
        let DeValue::Table(table) = node.get_ref() else {
            return self.mistake(node.span(), name, kind(node, format!("a table: [{name}]")));
        };
        for (key, node) in table {
            self.apply(name, key, node, rules);
        }
    }

    fn apply(&mut self, section: &str, key: &Key<'_>, node: &Node<'_>, rules: &[Rule<Settings>]) {
        let name = key.get_ref().as_ref();
        let known = rules.iter().find(|rule| rule.key == name);
        let span = if known.is_some() { node.span() } else { key.span() };
        let done = match (known, scalar(node)) {
            (Some(rule), None) => Err(kind(node, rule.allowed)),
            (_, value) => apply(rules, &mut self.settings, name, &value.unwrap_or_default()),
        };
        let field = join(section, name);
        match done {
            Ok(()) => {
                let place = self.source.place(span.start, &field);
                self.settings.given.entry(field).or_insert(place);
            }
            Err(problem) => self.mistake(span, &field, problem),
        }
    }

    fn mounts(&mut self, node: &Node<'_>) {
        let DeValue::Array(nodes) = node.get_ref() else {
            return self.mistake(node.span(), "mount", kind(node, "a list of tables: [[mount]]"));
        };
        for node in nodes.iter() {
            match node.get_ref() {
                DeValue::Table(table) => self.mount(node.span(), table),
                _ => self.mistake(node.span(), "mount", kind(node, "a list of tables: [[mount]]")),
            }
        }
    }

    fn mount(&mut self, span: Range<usize>, table: &DeTable<'_>) {
        const KEYS: [&str; 3] = ["prefix", "target", "options"];
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if !KEYS.contains(&name) {
                let allowed = KEYS.map(str::to_owned).to_vec();
                self.mistake(key.span(), &join("mount", name), Problem::Unknown { allowed });
            }
        }
        let prefix = self.prefix(&span, table);
        let target = self.target(&span, table);
        if let (Some((prefix, prefix_place)), Some((target, target_place))) = (prefix, target) {
            self.settings.mounts.push(Mount { prefix, prefix_place, target, target_place });
        }
    }

    fn prefix(&mut self, mount: &Range<usize>, table: &DeTable<'_>) -> Option<(Prefix, Place)> {
        const FIELD: &str = "mount.prefix";
        const ALLOWED: &str = "a path such as / or /app";
        let node = self.required(mount, table, "prefix", ALLOWED)?;
        let text = self.text(FIELD, node, ALLOWED)?;
        match text.parse() {
            Ok(prefix) => Some((prefix, self.source.place(node.span().start, FIELD))),
            Err(error) => {
                let why = format!("{error}; allowed is {ALLOWED}");
                self.mistake(node.span(), FIELD, Problem::refused(text, why));
                None
            }
        }
    }

    fn target(&mut self, mount: &Range<usize>, table: &DeTable<'_>) -> Option<(Target, Place)> {
        const FIELD: &str = "mount.target";
        let node = self.required(mount, table, "target", FORMS)?;
        let text = self.text(FIELD, node, FORMS)?;
        let parsed = Target::parse(text, &self.base);
        let mut target = match parsed {
            Ok(target) => target,
            Err(mistakes) => {
                for mistake in mistakes {
                    let field = mistake.option.map_or(FIELD.to_owned(), |key| format!("{FIELD}: {key}"));
                    self.mistake(node.span(), &field, mistake.problem);
                }
                return None;
            }
        };
        let before = self.mistakes.len();
        if let Some(options) = table.get("options") {
            self.options(&mut target, options);
        }
        let place = self.source.place(node.span().start, FIELD);
        (self.mistakes.len() == before).then_some((target, place))
    }

    fn options(&mut self, target: &mut Target, node: &Node<'_>) {
        let DeValue::Table(table) = node.get_ref() else {
            return self.mistake(node.span(), "mount.options", kind(node, "a table"));
        };
        for (key, node) in table {
            self.option(target, key.get_ref(), key.span(), node);
        }
    }

    /// One option: a value, a list of values for one that repeats, or a table for `env` and the like.
    fn option(&mut self, target: &mut Target, name: &str, key: Range<usize>, node: &Node<'_>) {
        match node.get_ref() {
            DeValue::Table(table) => {
                for (inner, node) in table {
                    self.option(target, &join(name, inner.get_ref()), inner.span(), node);
                }
            }
            DeValue::Array(nodes) => {
                for node in nodes.iter() {
                    self.option(target, name, key.clone(), node);
                }
            }
            _ => {
                let value = scalar(node).unwrap_or_default();
                let Err(problem) = target.set(name, &value, &self.base) else { return };
                let span = if matches!(problem, Problem::Unknown { .. }) { key } else { node.span() };
                self.mistake(span, &format!("mount.options.{name} of {}", target.kind()), problem);
            }
        }
    }

    fn required<'t, 'd>(
        &mut self,
        mount: &Range<usize>,
        table: &'t DeTable<'d>,
        name: &str,
        allowed: &'static str,
    ) -> Option<&'t Node<'d>> {
        let node = table.get(name);
        if node.is_none() {
            self.mistake(mount.clone(), &join("mount", name), Problem::Missing { allowed });
        }
        node
    }

    fn text<'t>(&mut self, field: &str, node: &'t Node<'_>, allowed: &str) -> Option<&'t str> {
        match node.get_ref() {
            DeValue::String(text) => Some(text),
            _ => {
                self.mistake(node.span(), field, kind(node, allowed));
                None
            }
        }
    }

    fn mistake(&mut self, span: Range<usize>, field: &str, problem: Problem) {
        let place: Place = self.source.place(span.start, field);
        self.mistakes.push((span.start, Mistake { place, problem }));
    }

    /// Tables come out sorted by key; people read from the top.
    fn in_order(mut self) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|(at, _)| *at);
        self.mistakes.into_iter().map(|(_, mistake)| mistake).collect()
    }
}
