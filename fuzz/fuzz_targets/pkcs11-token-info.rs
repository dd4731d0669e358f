#![no_main]

icn_identity_fuzz::target!("pkcs11-token-info");
