//! Properties of what is written and signed, by other people's implementations and random
//! input; and what every signer has to keep, whatever is behind it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]
#![allow(clippy::indexing_slicing, reason = "tests")]

mod conformance;
mod signatures;
mod signers;
