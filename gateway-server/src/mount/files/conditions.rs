//! Conditional requests for a file (RFC 9110 §13, §8.8).
//!
//! Holds what a request asks, the validators of a file, and the order of evaluation. Does not hold the answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gateway_spec::Environ;
use httpdate::HttpDate;

/// What a request says about the file that it wants. Fields that came repeated are joined here already.
#[derive(Debug, Clone, Default)]
pub(in crate::mount) struct Asked {
    pub(super) method: Method,
    if_match: Option<Vec<u8>>,
    if_none_match: Option<Vec<u8>>,
    if_modified_since: Option<Vec<u8>>,
    if_unmodified_since: Option<Vec<u8>>,
    if_range: Option<Vec<u8>>,
    range: Option<Vec<u8>>,
}

/// The methods that make a difference here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Method {
    #[default]
    Get,
    Head,
    Other,
}

impl Asked {
    pub(in crate::mount) fn of(environ: &Environ) -> Self {
        let field = |name| environ.get(name).map(|value| value.as_bytes().to_vec());
        Self {
            method: match environ.request_method().as_bytes() {
                b"GET" => Method::Get,
                b"HEAD" => Method::Head,
                _ => Method::Other,
            },
            if_match: field("HTTP_IF_MATCH"),
            if_none_match: field("HTTP_IF_NONE_MATCH"),
            if_modified_since: field("HTTP_IF_MODIFIED_SINCE"),
            if_unmodified_since: field("HTTP_IF_UNMODIFIED_SINCE"),
            if_range: field("HTTP_IF_RANGE"),
            range: field("HTTP_RANGE"),
        }
    }

    pub(in crate::mount) fn is_get_or_head(&self) -> bool {
        self.method != Method::Other
    }

    /// The same request without a condition or a range.
    pub(in crate::mount) fn unconditional(self) -> Self {
        Self { method: self.method, ..Self::default() }
    }

    /// The conditions' verdict, in the order of RFC 9110 §13.2.2 (HTTP-194).
    pub(super) fn verdict(&self, file: &Validators) -> Verdict {
        // What was asked with another method has been done already.
        if self.method == Method::Other {
            return Verdict::Send;
        }
        if let Some(tags) = &self.if_match {
            if !matches(tags, |tag| file.is_strongly(tag)) {
                return Verdict::Failed;
            }
        } else if let Some(date) = self.if_unmodified_since.as_deref().and_then(date)
            && file.modified.is_some_and(|modified| modified > date)
        {
            return Verdict::Failed;
        }
        let is_known = match (&self.if_none_match, self.if_modified_since.as_deref().and_then(date)) {
            (Some(tags), _) => matches(tags, |tag| file.is_weakly(tag)),
            (None, Some(date)) => file.modified.is_some_and(|modified| modified <= date),
            (None, None) => false,
        };
        if is_known { Verdict::Known } else { Verdict::Send }
    }

    /// The Range field, if it counts: with GET only (HTTP-201), and while If-Range names what is there now (HTTP-202).
    pub(super) fn range(&self, file: &Validators) -> Option<&[u8]> {
        let range = self.range.as_deref().filter(|_| self.method == Method::Get)?;
        let Some(validator) = self.if_range.as_deref() else { return Some(range) };
        let same = match date(validator) {
            // RFC 9110 §8.8.2.2: a date is exact enough once the file has rested for longer than its clock's step.
            Some(date) => file.is_settled && file.modified == Some(date),
            None => file.is_strongly(validator.trim_ascii()),
        };
        same.then_some(range)
    }
}

/// What the conditions say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send the file.
    Send,
    /// The client has it: 304.
    Known,
    /// It is not what the client thinks: 412.
    Failed,
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validators {
    /// The opaque part of the tag, quoted; without a time there is none.
    tag: Option<String>,
    /// When it was changed, in whole seconds, never in the future (HTTP-191).
    modified: Option<SystemTime>,
    /// Whether it has rested for so long that another change would show in its time.
    is_settled: bool,
}

/// File systems tell times in steps, the coarsest that are in use of two seconds.
const CLOCK_STEP: Duration = Duration::from_secs(2);

impl Validators {
    /// Those of a file of `size` bytes, changed at `modified`, looked at `now`.
    pub(super) fn of(size: u64, modified: Option<SystemTime>, now: SystemTime) -> Self {
        let since_epoch = modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
        let tag = since_epoch.map(|time| format!("\"{:x}-{size:x}\"", time.as_nanos()));
        let shown = since_epoch.map(|time| UNIX_EPOCH + Duration::from_secs(time.as_secs()));
        let is_settled = modified.is_some_and(|time| now.duration_since(time).is_ok_and(|age| age > CLOCK_STEP));
        Self { tag, modified: shown.map(|shown| shown.min(whole_seconds(now))), is_settled }
    }

    /// The ETag field. It is weak while another change within the same step of the clock could go unseen (HTTP-192).
    pub(super) fn etag(&self) -> Option<String> {
        let tag = self.tag.as_ref()?;
        Some(if self.is_settled { tag.clone() } else { format!("W/{tag}") })
    }

    /// The Last-Modified field; its form ends with the year 9999.
    pub(super) fn last_modified(&self) -> Option<String> {
        const END: Duration = Duration::from_secs(253_402_300_800);
        let modified = self.modified.filter(|modified| *modified < UNIX_EPOCH + END)?;
        Some(HttpDate::from(modified).to_string())
    }

    /// RFC 9110 §8.8.3.2, strong: neither is weak (HTTP-196).
    fn is_strongly(&self, tag: &[u8]) -> bool {
        self.is_settled && self.tag.as_ref().is_some_and(|own| own.as_bytes() == tag)
    }

    /// RFC 9110 §8.8.3.2, weak (HTTP-197).
    fn is_weakly(&self, tag: &[u8]) -> bool {
        let opaque = tag.strip_prefix(b"W/").unwrap_or(tag);
        self.tag.as_ref().is_some_and(|own| own.as_bytes() == opaque)
    }
}

fn whole_seconds(time: SystemTime) -> SystemTime {
    time.duration_since(UNIX_EPOCH).map_or(UNIX_EPOCH, |since| UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

/// One date in any of the three forms (HTTP-193); anything else, such as two of them, is none.
fn date(field: &[u8]) -> Option<SystemTime> {
    let date: HttpDate = std::str::from_utf8(field).ok()?.trim().parse().ok()?;
    Some(date.into())
}

/// Whether a list of entity tags has one that is the same, or is `*`. What breaks the grammar ends the list.
fn matches(list: &[u8], same: impl Fn(&[u8]) -> bool) -> bool {
    let mut rest = list.trim_ascii();
    if rest == b"*" {
        return true;
    }
    loop {
        while let Some(after) = rest.strip_prefix(b",") {
            rest = after.trim_ascii_start();
        }
        let Some((tag, after)) = entity_tag(rest) else { return false };
        if same(tag) {
            return true;
        }
        rest = after.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return false;
        }
    }
}

/// Cuts one tag off: `"…"` or `W/"…"` (RFC 9110 §8.8.3). A comma inside the quotes is a part of it.
fn entity_tag(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let quote = if text.starts_with(b"W/") { 2 } else { 0 };
    if text.get(quote) != Some(&b'"') {
        return None;
    }
    let length = text.get(quote + 1..)?.iter().position(|byte| *byte == b'"')?;
    text.split_at_checked(quote + 1 + length + 1)
}

#[cfg(test)]
mod tests;
