#![no_main]

icn_identity_fuzz::target!("age-header");
