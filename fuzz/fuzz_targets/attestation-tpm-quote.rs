#![no_main]

icn_identity_fuzz::target!("attestation-tpm-quote");
