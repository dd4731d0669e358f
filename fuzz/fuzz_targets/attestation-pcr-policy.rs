#![no_main]

icn_identity_fuzz::target!("attestation-pcr-policy");
