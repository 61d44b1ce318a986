//! The name of a variable that is known when the program is compiled.

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
    mark: u64,
}

impl PartialEq for VariableName {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.mark == other.mark && self.name == other.name
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
        VariableName { name, mark: mark(bytes) }
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.name
    }

    pub(super) const fn as_bytes(self) -> &'static [u8] {
        self.name.as_bytes()
    }

    pub(super) const fn mark(self) -> u64 {
        self.mark
    }
}

/// A bit that depends on the name's length and three of its bytes: enough to tell most names apart.
pub(super) const fn mark(name: &[u8]) -> u64 {
    let (first, middle, last) = match name {
        [] => (0, 0, 0),
        [only] => (*only, *only, *only),
        [first, .., last] => match name.split_at_checked(name.len() / 2) {
            Some((_, [middle, ..])) => (*first, *middle, *last),
            _ => (*first, 0, *last),
        },
    };
    let sum = name.len() * 31 + last as usize * 7 + middle as usize * 3 + first as usize;
    1 << (sum % 64)
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
