//! The name of a variable that is known when the program is compiled.

use super::everyday::{Number, number_of_constant};

/// A variable's name that was checked, when the program was compiled or by [`VariableName::everyday`], and is quick to look up.
///
/// # Examples
/// ```
/// use gateway_spec::{Environ, VariableName};
/// const APP_MODE: VariableName = VariableName::new("APP_MODE");
/// let mut builder = Environ::builder();
/// builder.set_known(APP_MODE, "test");
/// ```
/// A name that could not be a variable does not compile:
/// ```compile_fail
/// const WRONG: gateway_spec::VariableName = gateway_spec::VariableName::new("A=B");
/// ```
#[derive(Debug, Clone, Copy, Eq)]
pub struct VariableName {
    name: &'static str,
    /// Its place among those of every day.
    number: Option<Number>,
}

impl PartialEq for VariableName {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && (self.number.is_some() || self.name == other.name)
    }
}

impl VariableName {
    /// Checks a name. Meant for constants, where a wrong one stops the compiler.
    ///
    /// # Panics
    /// If the name is empty or holds `=` or NUL.
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(!bytes.is_empty(), "the name of a variable is empty");
        let mut rest = bytes;
        while let [byte, tail @ ..] = rest {
            assert!(*byte != b'=' && *byte != 0, "the name of a variable holds = or NUL");
            rest = tail;
        }
        VariableName { name, number: number_of_constant(name) }
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.name
    }

    pub(super) const fn as_bytes(self) -> &'static [u8] {
        self.name.as_bytes()
    }

    #[inline]
    pub(super) const fn number(self) -> Option<Number> {
        self.number
    }

    /// The name of every day with this number.
    #[inline]
    pub(super) const fn numbered(name: &'static str, number: Number) -> Self {
        VariableName { name, number: Some(number) }
    }
}

/// Some of the names of every day ([`VariableName::everyday`]): whether a name is among them is one look.
///
/// # Examples
/// ```
/// use gateway_spec::{VariableName, VariableSet};
/// const QUERY_STRING: VariableName = VariableName::new("QUERY_STRING");
/// const PATH: VariableSet = VariableSet::of(&[VariableName::new("SCRIPT_NAME"), VariableName::new("PATH_INFO")]);
/// assert!(!PATH.contains(QUERY_STRING));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VariableSet(u64);

impl VariableSet {
    /// The set of these names. Meant for constants, where a wrong name stops the compiler.
    ///
    /// # Panics
    /// If one is not a name of every day.
    pub const fn of(names: &[VariableName]) -> Self {
        let (mut bits, mut rest) = (0, names);
        while let [name, tail @ ..] = rest {
            assert!(name.number.is_some(), "not a name of every day");
            if let Some(number) = name.number {
                bits |= bit(number);
            }
            rest = tail;
        }
        VariableSet(bits)
    }

    /// Is this name in the set?
    #[inline]
    pub const fn contains(self, name: VariableName) -> bool {
        match name.number {
            Some(number) => self.0 & bit(number) != 0,
            None => false,
        }
    }
}

/// The place of a name of every day in a set of them.
#[inline]
pub(super) const fn bit(number: Number) -> u64 {
    1 << (number % 64)
}

macro_rules! names {
    ($($name:ident),* $(,)?) => {
        $(pub(super) const $name: VariableName = VariableName::new(stringify!($name));)*
    };
}
names!(
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HTTPS,
    HTTP_COOKIE,
    HTTP_HOST,
    PATH_INFO,
    QUERY_STRING,
    REMOTE_ADDR,
    REQUEST_METHOD,
    REQUEST_SCHEME,
    SCRIPT_NAME,
    SERVER_NAME,
    SERVER_PORT,
    SERVER_PROTOCOL,
);
