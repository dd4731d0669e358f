//! An identity survives whatever happens to its writer and its disk: it is the
//! old one or the new one, and opens.
#![allow(dead_code, reason = "the support module serves several tests")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

#[path = "support/home.rs"]
mod home;

#[path = "durability/credentials.rs"]
mod credentials;
#[path = "durability/disks.rs"]
mod disks;
#[path = "durability/faults.rs"]
mod faults;
#[path = "durability/killed.rs"]
mod killed;
#[path = "durability/lock.rs"]
mod lock;
#[path = "durability/order.rs"]
mod order;
#[path = "durability/owners.rs"]
mod owners;
#[path = "durability/passphrase.rs"]
mod passphrase;
#[path = "durability/subject.rs"]
mod subject;
#[path = "durability/trace.rs"]
mod trace;
