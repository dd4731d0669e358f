//! Values that have one name each: in files, in JSON, and for people.

use std::fmt;

/// A text that is not the name of such a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {what}: expected {}", known.join(", "))]
pub struct UnknownName {
    what: &'static str,
    known: &'static [&'static str],
}

impl UnknownName {
    pub(crate) const fn new(what: &'static str, known: &'static [&'static str]) -> Self {
        Self { what, known }
    }

    pub(crate) const fn known(&self) -> &'static [&'static str] {
        self.known
    }
}

/// Gives an enum its names: `as_str`, `Display`, `FromStr` and serde, which all
/// know the same ones. Those after a semicolon are written and never read.
macro_rules! named {
    (
        $(#[$doc:meta])* $type:ident, $what:literal: $($variant:ident => $name:literal),+ $(,)?
        $(; $($shown:ident => $shown_name:literal),+ $(,)?)?
    ) => {
        impl $type {
            $(#[$doc])*
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                    $($(Self::$shown => $shown_name,)+)?
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::encoding::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                match name {
                    $($name => Ok(Self::$variant),)+
                    _ => Err($crate::encoding::UnknownName::new($what, &[$($name),+])),
                }
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_str($crate::encoding::Name::new($what))
            }
        }
    };
}
pub(crate) use named;

/// Reads a value by its name.
pub(crate) struct Name<T> {
    what: &'static str,
    value: std::marker::PhantomData<T>,
}

impl<T> Name<T> {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self { what, value: std::marker::PhantomData }
    }
}

impl<T: std::str::FromStr<Err = UnknownName>> serde::de::Visitor<'_> for Name<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<T, E> {
        name.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use crate::{AlgorithmId, Assurance, ProvenanceKind};

    #[test]
    fn a_value_is_written_and_read_by_one_name() {
        use ProvenanceKind::{DeviceHeld, External, Hardware, Software, TpmSealed};
        for (kind, name) in [
            (Software, "software"),
            (TpmSealed, "tpm-sealed"),
            (DeviceHeld, "device-held"),
            (Hardware, "hardware"),
            (External, "external"),
        ] {
            assert_eq!((kind.as_str(), kind.to_string().as_str()), (name, name));
            assert_eq!(name.parse(), Ok(kind));
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("{name:?}"));
            assert_eq!(serde_json::from_str::<ProvenanceKind>(&json).unwrap(), kind);
        }
        for assurance in [Assurance::None, Assurance::SoftToken, Assurance::Claimed] {
            assert_eq!(assurance.as_str().parse(), Ok(assurance));
        }
        for algorithm in [AlgorithmId::Ed25519, AlgorithmId::P256] {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
        }
    }

    #[test]
    fn another_text_is_refused_with_the_names_that_there_are() {
        for text in ["", "Software", " software", "soft ware", "none"] {
            let error = text.parse::<ProvenanceKind>().unwrap_err().to_string();
            let names = "software, tpm-sealed, device-held, hardware, external";
            assert_eq!(error, format!("not a provenance: expected {names}"));
        }
        let error = serde_json::from_str::<Assurance>("\"much\"").unwrap_err().to_string();
        assert!(
            error.contains(
                "not an assurance: expected none, soft-token, remote-service, unstated, claimed"
            ),
            "{error}"
        );
        for json in ["1", "null", "[]"] {
            let error = serde_json::from_str::<AlgorithmId>(json).unwrap_err().to_string();
            assert!(error.contains("expected an algorithm"), "{json}: {error}");
        }
    }
}
