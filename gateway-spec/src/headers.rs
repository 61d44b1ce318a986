//! The ordered list of response fields an application hands to `start_response` (PEP-62).
//!
//! Holds the list and how names and values get into it. Does not hold which fields are allowed: the driver and the
//! lint decide that.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

/// An ordered list of header fields; repeats are kept, names compare without regard to case.
///
/// A pair that cannot be a field is remembered, and refused when the response starts, while the application can still
/// react (PEP-70). So building a list needs no `?`.
///
/// # Examples
/// ```
/// use gateway_spec::headers;
/// let fields = headers!["content-type" => "text/plain", "set-cookie" => "a=1", "Set-Cookie" => format!("b={}", 2)];
/// assert_eq!(fields.len(), 3);
/// assert_eq!(fields.get_all("set-cookie").count(), 2);
/// assert!(headers!["x-broken" => "two\nlines"].check().is_err());
/// ```
#[derive(Debug, Default, Clone)]
pub struct Headers {
    fields: Vec<(HeaderName, HeaderValue)>,
    invalid: Option<Box<HeaderError>>,
}

/// A pair that cannot be a header field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is empty or holds a byte that is no `tchar` (RFC 9110 §5.6.2; PEP-64).
    #[error("field name \"{}\" is not a token", .name.escape_debug())]
    Name {
        /// The name as given.
        name: String,
    },
    /// The value holds a control character (RFC 9110 §5.5; PEP-65).
    #[error("value of field \"{name}\" holds a control character")]
    Value {
        /// The field's name.
        name: HeaderName,
    },
}

impl Headers {
    /// Room the driver may need: content-length.
    const SPARE: usize = 1;

    /// An empty list.
    pub fn new() -> Self {
        Headers::default()
    }

    /// An empty list with room for `fields` fields, and for the one the driver may add.
    pub fn with_capacity(fields: usize) -> Self {
        Headers { fields: Vec::with_capacity(fields + Self::SPARE), invalid: None }
    }

    /// Appends a field; a pair that cannot be one is reported by [`check`](Self::check).
    pub fn append(&mut self, name: impl IntoFieldName, value: impl IntoFieldValue) -> &mut Self {
        match name.into_field_name().and_then(|name| match value.into_field_value() {
            Some(value) => Ok((name, value)),
            None => Err(HeaderError::Value { name }),
        }) {
            Ok(field) => self.fields.push(field),
            Err(error) => {
                self.invalid.get_or_insert_with(|| Box::new(error));
            }
        }
        self
    }

    /// Appends a field that is known to be well-formed.
    pub fn push(&mut self, name: HeaderName, value: HeaderValue) {
        self.fields.push((name, value));
    }

    /// Removes every field of this name and appends one in their place.
    pub fn set(&mut self, name: impl IntoFieldName, value: impl IntoFieldValue) -> &mut Self {
        match name.into_field_name() {
            Ok(name) => {
                self.remove(name.as_str());
                self.append(name, value)
            }
            Err(error) => {
                self.invalid.get_or_insert_with(|| Box::new(error));
                self
            }
        }
    }

    /// Removes every field of this name and says how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        let before = self.fields.len();
        self.fields.retain(|(field, _)| !field.as_str().eq_ignore_ascii_case(name));
        before - self.fields.len()
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<&HeaderValue> {
        self.fields.iter().find(|(field, _)| field.as_str().eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All values of this name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a HeaderValue> {
        self.fields.iter().filter(move |(field, _)| field.as_str().eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether a field of this name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The fields in order.
    pub fn iter(&self) -> std::slice::Iter<'_, (HeaderName, HeaderValue)> {
        self.fields.iter()
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Reports the first pair that could not become a field.
    ///
    /// # Errors
    /// [`HeaderError`] with the name of the pair.
    pub fn check(&self) -> Result<(), HeaderError> {
        match &self.invalid {
            Some(error) => Err((**error).clone()),
            None => Ok(()),
        }
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a (HeaderName, HeaderValue);
    type IntoIter = std::slice::Iter<'a, (HeaderName, HeaderValue)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Headers {
    type Item = (HeaderName, HeaderValue);
    type IntoIter = std::vec::IntoIter<(HeaderName, HeaderValue)>;

    fn into_iter(self) -> Self::IntoIter {
        self.fields.into_iter()
    }
}

impl FromIterator<(HeaderName, HeaderValue)> for Headers {
    fn from_iter<I: IntoIterator<Item = (HeaderName, HeaderValue)>>(fields: I) -> Self {
        Headers { fields: fields.into_iter().collect(), invalid: None }
    }
}

/// What can name a header field.
pub trait IntoFieldName {
    /// The checked, lower-case name.
    ///
    /// # Errors
    /// [`HeaderError::Name`] if it is no token.
    fn into_field_name(self) -> Result<HeaderName, HeaderError>;
}

impl IntoFieldName for HeaderName {
    fn into_field_name(self) -> Result<HeaderName, HeaderError> {
        Ok(self)
    }
}

impl IntoFieldName for &str {
    fn into_field_name(self) -> Result<HeaderName, HeaderError> {
        HeaderName::from_bytes(self.as_bytes()).map_err(|_| HeaderError::Name { name: self.to_owned() })
    }
}

impl IntoFieldName for String {
    fn into_field_name(self) -> Result<HeaderName, HeaderError> {
        self.as_str().into_field_name()
    }
}

/// What can be the value of a header field: text that lives for ever or is owned, bytes, and numbers.
///
/// A borrowed `&str` that does not live for ever becomes one with `.to_owned()`.
pub trait IntoFieldValue {
    /// The checked value; `None` if it holds a control character.
    fn into_field_value(self) -> Option<HeaderValue>;
}

impl IntoFieldValue for HeaderValue {
    fn into_field_value(self) -> Option<HeaderValue> {
        Some(self)
    }
}

impl IntoFieldValue for Bytes {
    fn into_field_value(self) -> Option<HeaderValue> {
        HeaderValue::from_maybe_shared(self).ok()
    }
}

impl IntoFieldValue for &'static str {
    fn into_field_value(self) -> Option<HeaderValue> {
        Bytes::from_static(self.as_bytes()).into_field_value()
    }
}

impl IntoFieldValue for String {
    fn into_field_value(self) -> Option<HeaderValue> {
        Bytes::from(self).into_field_value()
    }
}

impl IntoFieldValue for Vec<u8> {
    fn into_field_value(self) -> Option<HeaderValue> {
        Bytes::from(self).into_field_value()
    }
}

impl IntoFieldValue for Cow<'static, str> {
    fn into_field_value(self) -> Option<HeaderValue> {
        match self {
            Cow::Borrowed(text) => text.into_field_value(),
            Cow::Owned(text) => text.into_field_value(),
        }
    }
}

macro_rules! number_values {
    ($($number:ty),*) => {$(
        impl IntoFieldValue for $number {
            fn into_field_value(self) -> Option<HeaderValue> {
                Some(HeaderValue::from(self))
            }
        }
    )*};
}
number_values!(u16, u32, u64, usize, i16, i32, i64, isize);

/// Builds [`Headers`] from `name => value` pairs.
///
/// # Examples
/// ```
/// use gateway_spec::headers;
/// let none = headers![];
/// let two = headers!["content-type" => "text/html", "content-length" => 12];
/// assert_eq!((none.len(), two.len()), (0, 2));
/// ```
#[macro_export]
macro_rules! headers {
    () => { $crate::Headers::new() };
    ($($name:expr => $value:expr),+ $(,)?) => {{
        let mut headers = $crate::Headers::with_capacity([$(stringify!($name)),+].len());
        $( headers.append($name, $value); )+
        headers
    }};
}
