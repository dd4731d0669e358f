//! Backups, and putting an identity back from one: the drill for every backend.
#![allow(dead_code, reason = "the support modules serve several tests")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "cli_tpm/approver.rs"]
mod approver;
#[path = "support/cut_off.rs"]
mod cut_off;
#[path = "cli_backup/damage.rs"]
mod damage;
#[path = "cli_backup/drill.rs"]
mod drill;
#[path = "cli_backup/forgery.rs"]
mod forgery;
#[path = "support/home.rs"]
mod home;
#[path = "cli_backup/modules.rs"]
mod modules;
#[path = "cli_tpm/node.rs"]
mod node;
#[path = "cli_backup/page.rs"]
mod page;
#[path = "cli_tpm/quick.rs"]
mod quick;
#[path = "cli_backup/recipients.rs"]
mod recipients;
#[path = "support/small_order.rs"]
mod small_order;
#[path = "support/token.rs"]
mod softhsm;
#[path = "cli_backup/software.rs"]
mod software;
#[path = "support/swtpm.rs"]
mod swtpm;
#[path = "cli_backup/terminal.rs"]
mod terminal;
#[path = "cli_backup/token.rs"]
mod token;
#[path = "cli_backup/torn.rs"]
mod torn;
#[path = "cli_backup/tpm.rs"]
mod tpm;
