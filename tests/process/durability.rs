//! An identity survives whatever happens to its writer and its disk: it is the
//! old one or the new one, and opens.

mod audit;
mod credentials;
mod device;
mod devices;
mod disks;
mod faults;
pub(crate) mod kill;
mod killed;
mod lock;
mod migration;
mod order;
mod owners;
mod passphrase;
mod repeats;
pub(crate) mod shares;
mod subject;
pub(crate) mod trace;
