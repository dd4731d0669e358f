//! `icnctl`, as people and scripts use it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod age;
mod attestation;
mod audit;
mod backup;
mod check;
mod circles;
mod clock;
mod config;
mod encryption;
mod epoch;
mod handed_over;
mod help;
mod here;
mod home;
mod import;
mod migrate;
mod model;
mod operator;
mod p11_kit;
mod pages;
mod peer;
mod pin;
mod pkcs11;
mod places;
mod questions;
mod refused;
mod rotation;
mod secrets;
mod ssh;
mod standard;
mod tpm;
mod tpm2_pkcs11;
mod tries;
mod unfit;
mod values;
