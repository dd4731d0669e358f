//! An identity survives whatever happens to its writer and its disk: it is the
//! old one or the new one, and opens.

mod credentials;
mod device;
mod disks;
mod faults;
mod killed;
mod lock;
mod migration;
mod order;
mod owners;
mod passphrase;
mod subject;
mod trace;
