//! What an older file held beside its keys, inside a payload of version 5.

use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::fields::Fields;
use crate::error::LegacyError;

/// The most that is carried along: half of what a file of ours may be long.
const LIMIT: usize = 512 * 1024;

/// `legacy` of the payload: under a name of its own, so that an old
/// `did_document` or `rotation_chain` is never taken for one of ours.
#[derive(Serialize, Deserialize)]
pub(crate) struct Carried {
    format: String,
    fields: Text,
}

/// A JSON object as text. Secrets may be in it: wiped, and never parsed.
struct Text(Zeroizing<String>);

impl Carried {
    pub(super) fn new(format: &str, fields: &Fields<'_>) -> Result<Self, LegacyError> {
        let length = bound(fields);
        if length > LIMIT {
            return Err(LegacyError::TooLong { found: length, limit: LIMIT });
        }
        Ok(Self { format: format.into(), fields: Text(object(fields)) })
    }

    /// The same without the secret halves of key bundles that are this very seed.
    pub(crate) fn without_seed(self, seed: &[u8; 32]) -> Result<Self, LegacyError> {
        let mut fields = Fields::parse(self.fields.0.as_bytes())?;
        let Some(bundles) = fields.peek(BUNDLES) else { return Ok(self) };
        let mut kept = Vec::new();
        for bundle in bundles.objects()? {
            let mut bundle = Fields::parse(bundle.get().as_bytes())?;
            let secret = bundle.peek(SECRET).map(|secret| secret.bytes()).transpose()?;
            if secret.is_some_and(|secret| bool::from(secret.ct_eq(seed))) {
                bundle.remove(SECRET);
            }
            kept.push(object(&bundle));
        }
        let length = kept.iter().map(|bundle| bundle.len() + 1).sum::<usize>() + 2;
        let mut list = Zeroizing::new(String::with_capacity(length));
        list.push('[');
        for (index, bundle) in kept.iter().enumerate() {
            if index > 0 {
                list.push(',');
            }
            list.push_str(bundle);
        }
        list.push(']');
        let list: &RawValue = serde_json::from_str(&list)
            .map_err(|error| LegacyError::Json { line: error.line(), column: error.column() })?;
        fields.replace(BUNDLES, list);
        let fields = Text(object(&fields));
        Ok(Self { format: self.format, fields })
    }
}

const BUNDLES: &str = "keybundles";
const SECRET: &str = "classical_secret";

/// No text of these fields is longer.
fn bound(fields: &Fields<'_>) -> usize {
    // What `"name":value,` takes, were every character of a name escaped.
    let bound = |(name, value): (&str, &RawValue)| name.len() * 6 + value.get().len() + 4;
    fields.iter().map(bound).sum::<usize>() + 2
}

/// Fields as a JSON object, in one allocation.
fn object(fields: &Fields<'_>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bound(fields)));
    for (index, (name, value)) in fields.iter().enumerate() {
        text.push(if index == 0 { '{' } else { ',' });
        text.push_str(&serde_json::Value::from(name).to_string());
        text.push(':');
        text.push_str(value.get());
    }
    if text.is_empty() {
        text.push('{');
    }
    text.push('}');
    text
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Borrowed: nothing is copied. It was JSON when it came.
        let raw: &RawValue =
            serde_json::from_str(&self.0).map_err(|_| S::Error::custom("no longer JSON"))?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(Zeroizing::new(raw.get().to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(json: &str) -> Carried {
        Carried::new("v4", &Fields::parse(json.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn a_copy_of_the_seed_in_a_key_bundle_is_not_carried_into_a_device() {
        let (seed, other) = ([7_u8; 32], [8_u8; 32]);
        let list = |bytes: &[u8; 32]| serde_json::to_string(bytes).unwrap();
        let json = format!(
            r#"{{"anchor":1.50,"keybundles":[{{"version":1,"classical_secret":{}}},{{"classical_secret":{},"x":"y"}}],"z":null}}"#,
            list(&seed),
            list(&other)
        );
        let kept = carried(&json).without_seed(&seed).unwrap();
        let wanted = format!(
            r#"{{"anchor":1.50,"keybundles":[{{"version":1}},{{"classical_secret":{},"x":"y"}}],"z":null}}"#,
            list(&other)
        );
        assert_eq!(*kept.fields.0, wanted);
        // What is there without one stays to the letter.
        for json in [r#"{"keybundles":[],"a":1}"#, r#"{"a":1.0}"#, "{}"] {
            assert_eq!(*carried(json).without_seed(&seed).unwrap().fields.0, json);
        }
    }
}
