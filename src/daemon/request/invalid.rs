//! Why the body of a request is not used: which field, and what is wrong with it.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use crate::encoding::objects;
use crate::kind::{ErrorKind, explain};

/// The most letters of a field's name that are repeated.
const LONGEST_NAME: usize = 64;

/// What a call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) fields: &'static [Field],
    /// Whether a name that is not known is repeated: not where it may be a PIN.
    pub(super) names_others: bool,
}

/// A field of a body. All of them are texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// What it takes, after "takes".
    pub(super) takes: &'static str,
    pub(super) is_required: bool,
}

impl Field {
    pub(super) const fn required(name: &'static str, takes: &'static str) -> Self {
        Self { name, takes, is_required: true }
    }

    pub(super) const fn optional(name: &'static str, takes: &'static str) -> Self {
        Self { name, takes, is_required: false }
    }
}

impl Field {
    pub(super) const fn wrong(self, problem: InvalidValue) -> InvalidRequest {
        InvalidRequest::Value { field: self.name, takes: self.takes, problem }
    }
}

impl Shape {
    pub(super) const fn of(fields: &'static [Field]) -> Self {
        Self { fields, names_others: true }
    }

    /// `context`, `message` and `sha512`
    fn names(&self) -> String {
        let names: Vec<String> =
            self.fields.iter().map(|field| format!("`{}`", field.name)).collect();
        match &names[..] {
            [] => "no field".to_owned(),
            [one] => one.clone(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        }
    }
}

/// Why the body of a request is not used. No value of it is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// There is no body.
    #[error("the body is empty")]
    Empty,
    /// It is not JSON.
    #[error("the body is not JSON: see its line {line}, column {column}")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The byte in that line, from 1.
        column: usize,
    },
    /// It is JSON, but no object, or one that is not UTF-8.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// The call has no such field.
    #[error(
        "{} is not a field of this call, which takes {known}",
        name.as_ref().map_or_else(|| "something".to_owned(), |name| format!("`{name}`"))
    )]
    UnknownField {
        /// Its name, where that is repeated.
        name: Option<String>,
        /// Those that there are.
        known: String,
    },
    /// A field is there twice.
    #[error("the field `{field}` is there twice")]
    Twice {
        /// Its name.
        field: &'static str,
    },
    /// A field is not there.
    #[error("the field `{field}` is missing")]
    Missing {
        /// Its name.
        field: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// Of two fields one has to be there.
    #[error("there has to be either `{one}` or `{other}`, and there {}", if *both { "are both" } else { "is neither" })]
    Either {
        /// The one.
        one: &'static str,
        /// The other.
        other: &'static str,
        /// Whether both are there.
        both: bool,
    },
    /// What is in a field is not what it takes.
    #[error("the field `{field}` takes {takes}, and {problem}")]
    Value {
        /// Its name.
        field: &'static str,
        /// What it takes.
        takes: &'static str,
        /// What is wrong.
        problem: InvalidValue,
    },
}

explain!(InvalidRequest);

impl InvalidRequest {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Empty | Self::NotJson { .. } | Self::NotAnObject => {
                "send one JSON object, as `jq -n` or a JSON library writes it: docs/operations.md \
                 lists each call with its fields"
            }
            Self::UnknownField { .. } | Self::Twice { .. } => {
                "take it out: docs/operations.md lists each call with its fields"
            }
            Self::Missing { field, takes } => return Some(format!("send `{field}`: {takes}")),
            Self::Either { one, other, .. } => {
                return Some(format!("send `{one}`, or `{other}` instead of it"));
            }
            Self::Value { takes, problem, .. } => return Some(problem.advice(takes)),
        };
        Some(help.to_owned())
    }
}

/// What is wrong with what is in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidValue {
    /// It is a number, a list or something else that is no text.
    NotText,
    /// It is base64 in several lines.
    LineBreaks,
    /// It is base64 for URLs.
    ForUrls,
    /// It is base64 without its padding.
    NoPadding,
    /// It is not base64.
    NotBase64,
    /// It is base64 where the text itself is wanted.
    Base64,
    /// It is not in hex.
    NotHex,
    /// It is in hex with letters that are not lower-case.
    UpperCase,
    /// It has another length.
    Length {
        /// How many bytes it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotText => "this is not a text",
            Self::LineBreaks => "this has line breaks",
            Self::ForUrls => "this is base64 for URLs, with `-` and `_`",
            Self::NoPadding => "this is base64 without its padding",
            Self::NotBase64 => "this is not base64",
            Self::Base64 => "this is base64",
            Self::NotHex => "this is not in hex",
            Self::UpperCase => "this has upper-case letters",
            Self::Length { found, expected } => {
                return write!(f, "these are {found} bytes and not {expected}");
            }
        })
    }
}

impl InvalidValue {
    fn advice(self, takes: &str) -> String {
        match self {
            Self::LineBreaks => "encode it without line breaks: base64 -w0 FILE",
            Self::ForUrls => {
                "encode it with the standard alphabet, with `+` and `/`: base64 -w0 FILE"
            }
            Self::NoPadding => "encode it with its padding, `=` at the end: base64 -w0 FILE",
            Self::NotBase64 => "encode it: base64 -w0 FILE",
            Self::Base64 => "send the text itself, as a JSON string",
            Self::UpperCase => "write its letters in lower case",
            Self::NotText | Self::NotHex | Self::Length { .. } => {
                return format!("send {takes}, as a JSON string");
            }
        }
        .to_owned()
    }

    /// What keeps a text from being base64 with padding, in one line.
    pub(super) fn of_base64(text: &str) -> Self {
        let is_base64 = |letter: char| letter.is_ascii_alphanumeric() || "+/=".contains(letter);
        let without = text.trim_end_matches('=');
        if text.contains(['\n', '\r']) {
            Self::LineBreaks
        } else if text.contains(['-', '_']) && text.replace(['-', '_'], "+").chars().all(is_base64)
        {
            Self::ForUrls
        } else if text.chars().all(is_base64)
            && !text.len().is_multiple_of(4)
            && without.len() % 4 != 1
            && !without.contains('=')
        {
            Self::NoPadding
        } else {
            Self::NotBase64
        }
    }

    /// What keeps a text from being so many bytes in lower-case hex.
    pub(super) fn of_hex(text: &str, expected: usize) -> Self {
        if !text.chars().all(|letter| letter.is_ascii_hexdigit()) || !text.len().is_multiple_of(2) {
            Self::NotHex
        } else if text.chars().any(|letter| letter.is_ascii_uppercase()) {
            Self::UpperCase
        } else {
            Self::Length { found: text.len() / 2, expected }
        }
    }
}

/// The names in an object, each with whether a text is there, or nothing.
struct Members(Vec<(String, Kind)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Null,
    Other,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> de::Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut found = Vec::new();
                while let Some(member) = map.next_entry()? {
                    found.push(member);
                }
                Ok(Members(found))
            }
        }
        from.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> de::Visitor<'de> for Any {
            type Value = Kind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_str<E>(self, _: &str) -> Result<Kind, E> {
                Ok(Kind::Text)
            }

            fn visit_unit<E>(self) -> Result<Kind, E> {
                Ok(Kind::Null)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Kind, E> {
                Ok(Kind::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Kind, E> {
                Ok(Kind::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Kind, E> {
                Ok(Kind::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Kind, E> {
                Ok(Kind::Other)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
                while list.next_element::<de::IgnoredAny>()?.is_some() {}
                Ok(Kind::Other)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
                while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
                Ok(Kind::Other)
            }
        }
        from.deserialize_any(Any)
    }
}

/// Why a body is not what a call takes, which was found out when it was read.
pub(super) fn why(json: &[u8], shape: Shape) -> InvalidRequest {
    if json.trim_ascii().is_empty() {
        return InvalidRequest::Empty;
    }
    let members = match objects::from_slice::<Members>(json) {
        Ok(Members(members)) => members,
        Err(error) if !error.is_data() => {
            return InvalidRequest::NotJson { line: error.line(), column: error.column() };
        }
        Err(error) => {
            let said = error.to_string();
            let is_it =
                |field: &&Field| said.starts_with(&format!("duplicate field `{}`", field.name));
            return match shape.fields.iter().find(is_it) {
                Some(field) => InvalidRequest::Twice { field: field.name },
                None if said.starts_with("duplicate field") => shape.unknown(None),
                None => InvalidRequest::NotAnObject,
            };
        }
    };
    let is_known = |name: &str| shape.fields.iter().any(|field| field.name == name);
    if let Some((name, _)) = members.iter().find(|(name, _)| !is_known(name)) {
        return shape.unknown(Some(name));
    }
    for Field { name: field, takes, is_required } in shape.fields.iter().copied() {
        let kind = members.iter().find(|(name, _)| name == field).map(|(_, kind)| *kind);
        match kind {
            None if is_required => return InvalidRequest::Missing { field, takes },
            Some(Kind::Null) if !is_required => {}
            Some(Kind::Null | Kind::Other) => {
                return InvalidRequest::Value { field, takes, problem: InvalidValue::NotText };
            }
            None | Some(Kind::Text) => {}
        }
    }
    InvalidRequest::NotAnObject
}

impl Shape {
    fn unknown(&self, name: Option<&str>) -> InvalidRequest {
        let is_plain = |name: &&str| {
            name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control)
        };
        let name = name.filter(|_| self.names_others).filter(is_plain).map(str::to_owned);
        InvalidRequest::UnknownField { name, known: self.names() }
    }
}
