//! `icnd`, as its clients, its operator and whoever means it ill meet it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]
#![allow(clippy::unwrap_in_result, reason = "tests")]

mod alerts;
mod attested;
mod backends;
mod broken;
mod checkpoint;
mod client;
mod curl;
mod decided;
mod ending;
mod fair;
mod hostile;
mod impostors;
mod instances;
mod issued;
mod killed;
mod load;
mod monitor;
mod node;
mod operator;
mod other_user;
mod page;
mod peers;
mod place;
mod policy;
mod process;
mod reload;
mod said;
#[allow(dead_code, reason = "what only programs of their own are scanned for")]
#[path = "../process/memory/scan.rs"]
mod scan;
#[allow(dead_code, reason = "what only programs of their own are scanned for")]
#[path = "../process/memory/secret.rs"]
mod secret;
mod secrets;
mod slow;
mod through;
mod tls;
mod tracer;
mod units;
mod wire;
