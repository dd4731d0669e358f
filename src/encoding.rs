//! Bytes as text: lower-case hex for what people compare, standard base64 for
//! the rest, and Bech32 for the keys of age. And values by their names.

pub(crate) mod age;
pub(crate) mod base64;
pub(crate) mod hex;
mod json;
mod name;
pub(crate) mod objects;
pub(crate) mod text;

pub use json::InvalidJson;
pub use name::UnknownName;
pub(crate) use name::{Name, named};
