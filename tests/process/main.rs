//! Processes seen from outside: killed, traced, given damaged files and failing
//! disks, measured, and their memory read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod damage;
mod durability;
mod handover;
mod large_files;
mod large_messages;
mod memory;
mod prompts;
mod renewal;
mod scrypt;
