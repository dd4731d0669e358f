//! The fields of a JSON object, each as the text it was.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::LegacyFormat;
use super::bytes::Value;
use crate::encoding::text;
use crate::error::{FieldProblem, LegacyError};

/// In the order of the file; no name is there twice.
pub(super) struct Fields<'a>(Vec<(String, &'a RawValue)>);

/// What an object has at its top level.
struct Object<'a> {
    fields: Vec<(String, &'a RawValue)>,
    doubled: Option<String>,
}

impl<'a> Fields<'a> {
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, LegacyError> {
        // A mark of another encoding is no JSON, which is said.
        let json = text::after_mark(json).unwrap_or(json);
        let object: Object<'a> = serde_json::from_slice(json)
            // serde_json's own message can quote a value.
            .map_err(|error| LegacyError::Json { line: error.line(), column: error.column() })?;
        match object.doubled {
            Some(field) => Err(LegacyError::Doubled { field: field.chars().take(128).collect() }),
            None => Ok(Self(object.fields)),
        }
    }

    /// `null` is as good as absent.
    fn find(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().find(|(field, _)| field == name).map(|(_, value)| *value);
        found.filter(|value| value.get() != "null")
    }

    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.find(name).is_some())
    }

    /// A field if it is there; it stays.
    pub(super) fn peek(&self, name: &'static str) -> Option<Value<'a>> {
        self.find(name).map(|raw| Value::new(name, raw))
    }

    /// A field that must be there; it stays.
    pub(super) fn want(
        &self,
        name: &'static str,
        format: LegacyFormat,
    ) -> Result<Value<'a>, LegacyError> {
        let missing = LegacyError::Missing { field: name, format: format.as_str() };
        self.peek(name).ok_or(missing)
    }

    /// A field that must be there; what is taken is not carried along.
    pub(super) fn take(
        &mut self,
        name: &'static str,
        format: LegacyFormat,
    ) -> Result<Value<'a>, LegacyError> {
        let value = self.want(name, format)?;
        self.remove(name);
        Ok(value)
    }

    /// Another value in the place of one.
    pub(super) fn replace(&mut self, name: &str, other: &'a RawValue) {
        for (_, value) in self.0.iter_mut().filter(|(field, _)| field == name) {
            *value = other;
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(field, _)| field != name);
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<u64>, LegacyError> {
        let problem = FieldProblem::NotNumber;
        let parse = |raw: &RawValue| {
            serde_json::from_str(raw.get()).map_err(|_| LegacyError::Field { field: name, problem })
        };
        self.find(name).map(parse).transpose()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = Object { fields: Vec::new(), doubled: None };
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            if object.fields.iter().any(|(field, _)| *field == name) {
                object.doubled.get_or_insert(name);
            } else {
                object.fields.push((name, value));
            }
        }
        Ok(object)
    }
}
