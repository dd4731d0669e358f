//! Whose the socket and the daemon are.

use std::fmt;

use serde::{Deserialize, Serialize, de};

/// A user, by name or by number.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owner {
    /// The number.
    Uid(u32),
    /// The name, which this machine has a number for.
    Name(String),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "{uid}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Serialize for Owner {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Uid(uid) => to.serialize_u32(*uid),
            Self::Name(name) => to.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct User;
        impl de::Visitor<'_> for User {
            type Value = Owner;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name or the number of a user")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Owner, E> {
                let uid = u32::try_from(number).ok().filter(|uid| *uid != u32::MAX);
                uid.map(Owner::Uid).ok_or_else(|| E::custom("not the number of a user"))
            }

            /// `"998"` is a number, too: no user has such a name.
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Owner, E> {
                if let Ok(number) = name.parse::<i64>() {
                    return self.visit_i64(number);
                }
                let is_plain = |letter: char| !letter.is_whitespace() && !letter.is_control();
                let is_name = (1..=256).contains(&name.len())
                    && name.chars().all(is_plain)
                    && !name.contains([':', '/']);
                match is_name {
                    true => Ok(Owner::Name(name.to_owned())),
                    false => Err(E::custom("not the name of a user")),
                }
            }
        }
        from.deserialize_any(User)
    }
}
