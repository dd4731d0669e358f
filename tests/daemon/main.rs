//! `icnd`, as its clients, its operator and whoever means it ill meet it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod backends;
mod client;
mod curl;
mod hostile;
mod load;
mod monitor;
mod node;
mod policy;
mod process;
mod secrets;
mod units;
