//! How a line of the access log is to look, as it is written in a setting.
//!
//! Holds the forms and their spelling. Does not hold the fields (`field`), or the writing of a line (`line`).

use std::fmt;
use std::str::FromStr;

use super::field::{AccessField, UnknownField};
use super::record::Text;

/// How a request is written: `combined`, `common`, `json`, or fields.
///
/// | spelling | a line is |
/// | --- | --- |
/// | `combined` | that of Apache and nginx, which every tool reads |
/// | `common` | the same without Referer and User-Agent |
/// | `json` | an object with every field but `request`, `path`, `scheme` and `remote_user` |
/// | `json:time,status,bytes` | an object with these |
/// | `time,status,bytes` | `name=value` for each |
///
/// # Examples
/// ```
/// use gateway_server::telemetry::AccessFormat;
///
/// for text in ["combined", "json", "json:time,status", "time,method,path,status,duration_ms"] {
///     assert!(text.parse::<AccessFormat>().is_ok());
/// }
/// assert!("time,statsu".parse::<AccessFormat>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessFormat {
    pub(super) form: Form,
    pub(super) fields: Vec<AccessField>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Common,
    Combined,
    Json,
    Pairs,
}

/// What a line of the common form has.
const COMMON: [AccessField; 6] = {
    use AccessField as F;
    [F::RemoteAddr, F::RemoteUser, F::Time, F::Request, F::Status, F::Bytes]
};

impl FromStr for AccessFormat {
    type Err = UnknownField;

    fn from_str(text: &str) -> Result<Self, UnknownField> {
        use AccessField as F;
        let (form, fields) = match text {
            "common" => (Form::Common, COMMON.to_vec()),
            "combined" => return Ok(Self::default()),
            "json" => {
                let left_out = [F::Request, F::Path, F::Scheme, F::RemoteUser];
                let fields = F::ALL.map(|(field, _)| field);
                (Form::Json, fields.into_iter().filter(|field| !left_out.contains(field)).collect())
            }
            _ => match text.strip_prefix("json:") {
                Some(names) => (Form::Json, fields(names)?),
                None => (Form::Pairs, fields(text)?),
            },
        };
        Ok(Self { form, fields })
    }
}

fn fields(names: &str) -> Result<Vec<AccessField>, UnknownField> {
    let mut fields = Vec::new();
    for part in names.split(',') {
        let before = fields.len();
        for name in part.split_whitespace() {
            fields.push(AccessField::named(name)?);
        }
        // Nothing beside a comma is a name that was forgotten.
        if fields.len() == before {
            return Err(UnknownField { name: String::new() });
        }
    }
    Ok(fields)
}

impl Default for AccessFormat {
    /// `combined`.
    fn default() -> Self {
        let fields = [&COMMON[..], &[AccessField::Referer, AccessField::UserAgent]].concat();
        Self { form: Form::Combined, fields }
    }
}

impl fmt::Display for AccessFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = || self.fields.iter().map(|field| field.name()).collect::<Vec<_>>().join(",");
        match self.form {
            Form::Common => f.write_str("common"),
            Form::Combined => f.write_str("combined"),
            Form::Json => write!(f, "json:{}", names()),
            Form::Pairs => f.write_str(&names()),
        }
    }
}

impl AccessFormat {
    /// Whether a line has a field that needs this text.
    pub(super) fn wants(&self, text: Text) -> bool {
        self.fields.iter().any(|field| field.texts().contains(&text))
    }

    /// Whether a line has a field that gateways behind us have to tell.
    pub(super) fn wants_hops(&self) -> bool {
        use AccessField as F;
        self.fields.iter().any(|field| matches!(field, F::Queue | F::App | F::Upstream | F::UpstreamTime))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_shown_as_they_are_read() {
        for text in ["combined", "common", "json:time,status", "time,request,bytes"] {
            assert_eq!(text.parse::<AccessFormat>().unwrap().to_string(), text);
        }
        assert_eq!("time  status,bytes".parse::<AccessFormat>().unwrap().to_string(), "time,status,bytes");
        assert_eq!(AccessFormat::default(), "combined".parse().unwrap());
        let json = "json".parse::<AccessFormat>().unwrap().to_string();
        assert!(json.starts_with("json:time,request_id,") && !json.contains(",path"), "{json}");
    }

    #[test]
    fn a_field_that_there_is_not_is_told_with_those_there_are() {
        for text in
            ["", "json:", "Combined", "time,statsu", "json:x", "time,", ",time", "time,,status", "json:time, ,status"]
        {
            let error = text.parse::<AccessFormat>().unwrap_err().to_string();
            assert!(error.starts_with("there is no field ") && error.contains("status, bytes"), "{text}: {error}");
        }
    }
}
