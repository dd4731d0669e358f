//! One field: byte strings as arrays of numbers, written where they are to be.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::error::{FieldProblem, LegacyError};

/// A field and the text of its value.
pub(super) struct Value<'a> {
    field: &'static str,
    raw: &'a RawValue,
}

impl<'a> Value<'a> {
    pub(super) const fn new(field: &'static str, raw: &'a RawValue) -> Self {
        Self { field, raw }
    }

    fn problem(&self, problem: FieldProblem) -> LegacyError {
        LegacyError::Field { field: self.field, problem }
    }

    /// Exactly as many bytes as there is room for, and nowhere else.
    pub(super) fn bytes_into(&self, room: &mut [u8]) -> Result<(), LegacyError> {
        let expected = room.len();
        let found = self.fill(room)?;
        if found == expected {
            return Ok(());
        }
        Err(self.problem(FieldProblem::Length { found, expected }))
    }

    /// Public bytes.
    pub(super) fn array<const N: usize>(&self) -> Result<[u8; N], LegacyError> {
        let mut array = [0; N];
        self.bytes_into(&mut array)?;
        Ok(array)
    }

    /// Bytes of any length.
    pub(super) fn bytes(&self) -> Result<Zeroizing<Vec<u8>>, LegacyError> {
        // A number and its comma are two characters at least.
        let mut bytes = Zeroizing::new(vec![0; self.raw.get().len() / 2]);
        let length = self.fill(&mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    pub(super) fn text(&self) -> Result<String, LegacyError> {
        serde_json::from_str(self.raw.get()).map_err(|_| self.problem(FieldProblem::NotText))
    }

    pub(super) fn objects(&self) -> Result<Vec<&'a RawValue>, LegacyError> {
        serde_json::from_str(self.raw.get()).map_err(|_| self.problem(FieldProblem::NotObjects))
    }

    /// How many elements there are, however many had room.
    fn fill(&self, room: &mut [u8]) -> Result<usize, LegacyError> {
        let mut json = serde_json::Deserializer::from_str(self.raw.get());
        let filled = Fill(room).deserialize(&mut json);
        let filled = filled.map_err(|_| self.problem(FieldProblem::NotBytes))?;
        match filled.not_a_byte {
            Some(at) => Err(self.problem(FieldProblem::Range { at })),
            None => Ok(filled.found),
        }
    }
}

struct Fill<'a>(&'a mut [u8]);

struct Filled {
    found: usize,
    not_a_byte: Option<usize>,
}

impl<'de> DeserializeSeed<'de> for Fill<'_> {
    type Value = Filled;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Filled, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Fill<'_> {
    type Value = Filled;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Filled, A::Error> {
        let mut filled = Filled { found: 0, not_a_byte: None };
        let mut room = self.0.iter_mut();
        while let Some(byte) = seq.next_element_seed(Byte)? {
            match (byte, room.next()) {
                (Some(byte), Some(place)) => *place = byte,
                (Some(_), None) => {}
                (None, _) => filled.not_a_byte = filled.not_a_byte.or(Some(filled.found)),
            }
            filled.found += 1;
        }
        Ok(filled)
    }
}

/// A number; `None` if it is not a whole one from 0 to 255.
struct Byte;

impl<'de> DeserializeSeed<'de> for Byte {
    type Value = Option<u8>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<u8>, D::Error> {
        deserializer.deserialize_u64(self)
    }
}

impl Visitor<'_> for Byte {
    type Value = Option<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Option<u8>, E> {
        Ok(u8::try_from(number).ok())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Option<u8>, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Option<u8>, E> {
        Ok(None)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Option<u8>, E> {
        Err(E::custom("null is no number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value<'_> {
        Value::new("field", serde_json::from_str(text).unwrap())
    }

    fn array(text: &str) -> Result<[u8; 3], String> {
        value(text).array::<3>().map_err(|error| error.to_string())
    }

    #[test]
    fn only_bytes_of_the_right_number_are_taken() {
        assert_eq!(array("[0, 7, 255]"), Ok([0, 7, 255]));
        let problem = |text: &str| array(text).unwrap_err();
        let range =
            "the field `field` has an element that is not a whole number from 0 to 255, at index ";
        assert_eq!(problem("[0, 256, 1]"), format!("{range}1"));
        assert_eq!(problem("[-1, 2, 3]"), format!("{range}0"));
        assert_eq!(problem("[1, 2, 3.0]"), format!("{range}2"));
        assert_eq!(problem("[1, 2, 1e400]"), "the field `field` is not an array of numbers");
        assert_eq!(problem("[1, 2]"), "the field `field` has 2 elements instead of 3");
        assert_eq!(problem("[1, 2, 3, 4]"), "the field `field` has 4 elements instead of 3");
        for text in ["\"AQID\"", "{}", "[[1], 2, 3]", "[\"1\", 2, 3]", "[null, 2, 3]", "7", "true"]
        {
            assert_eq!(problem(text), "the field `field` is not an array of numbers", "{text}");
        }
    }

    #[test]
    fn bytes_of_any_length_have_room() {
        for text in ["[]", "[1]", "[1,2,3,4,5,6,7,8,9]", "[ 1 , 2 ]"] {
            let wanted: Vec<u8> = serde_json::from_str(text).unwrap();
            assert_eq!(*value(text).bytes().unwrap(), wanted, "{text}");
        }
    }
}
