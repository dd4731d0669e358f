//! Older keystores: read, checked, made into identities of version 5; and keys
//! taken out again.
#![allow(dead_code, reason = "the support module serves several tests")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "import/command.rs"]
mod command;
#[path = "support/cut_off.rs"]
mod cut_off;
#[path = "import/export.rs"]
mod export;
#[path = "import/files.rs"]
mod files;
#[path = "import/fixture.rs"]
mod fixture;
#[path = "support/home.rs"]
mod home;
#[path = "import/refusals.rs"]
mod refusals;
#[path = "support/small_order.rs"]
mod small_order;
#[path = "import/torn.rs"]
mod torn;
