#![no_main]

icn_identity_fuzz::target!("tpm-approvals");
