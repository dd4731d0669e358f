//! Where a key is, and which kind of backend has it.

mod kind;

pub use kind::BackendKind;
