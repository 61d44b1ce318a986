//! What is measured: one table of cases for each subject, without a word about how it is measured.
//!
//! Holds the shape of a case. The subjects are in `h1`, `fastcgi`, `cgi`, `environ` and `exchange`, their inputs in
//! `samples`. Everything goes through public functions, so that the same cases can be built against other revisions.

pub mod cgi;
pub mod environ;
pub mod exchange;
pub mod fastcgi;
pub mod h1;
pub mod samples;

use std::fmt;
use std::hint::black_box;

/// One thing that is measured.
#[derive(Clone, Copy)]
pub struct Case {
    /// `subject/what`, without spaces, so that it can be typed.
    pub name: &'static str,
    /// Bytes of body that go through it, where a throughput says more than a time.
    #[allow(dead_code)] // whoever counts instructions does not ask
    pub bytes: Option<usize>,
    /// Makes what the measured part works with, checks that it does the right thing, and gives the measured part out.
    pub start: fn() -> Box<dyn FnMut()>,
}

impl Case {
    /// A case that is measured by its time.
    pub const fn new(name: &'static str, start: fn() -> Box<dyn FnMut()>) -> Self {
        Self { name, bytes: None, start }
    }

    /// A case that moves this many bytes of body.
    pub const fn moving(name: &'static str, bytes: usize, start: fn() -> Box<dyn FnMut()>) -> Self {
        Self { name, bytes: Some(bytes), start }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name.split_once('/').map_or(self.name, |(_, what)| what))
    }
}

/// Every case of every subject.
#[allow(dead_code)] // whoever registers the subjects one by one does not ask
pub fn all() -> impl Iterator<Item = &'static Case> {
    [h1::CASES, fastcgi::CASES, cgi::CASES, environ::CASES, exchange::CASES].into_iter().flatten()
}

/// The measured part: `body`, whose result `check` has seen twice, because what a second request finds is the rule.
fn checked<T: 'static>(mut body: impl FnMut() -> T + 'static, check: impl Fn(T)) -> Box<dyn FnMut()> {
    for _ in 0..2 {
        check(body());
    }
    Box::new(move || drop(black_box(body())))
}
