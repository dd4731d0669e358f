//! A key born in a token: `cargo run --example hsm --features pkcs11`.
//!
//! Works on a SoftHSM2 token that it makes in a temporary directory; for a real
//! one only the configuration differs.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::process::Command;

use icn_identity::backend::{BackendConfig, Credentials, KeyAtRest, NewKey};
use icn_identity::config::Pkcs11Config;
use icn_identity::{
    DidMethod, DidSigner, DidSignerExt as _, Hardware, HardwareBacked, IdentityBundle, Key, Pin,
    Sealed, Unlocked,
};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

fn main() -> Result<(), Box<dyn Error>> {
    let Some(_) = std::env::var_os("ICN_EXAMPLE_TOKEN") else {
        return with_a_token();
    };
    let config = BackendConfig::Pkcs11(Box::new(Pkcs11Config::new(MODULE).with_token("example")));
    let backend = config.open()?;
    let pin = Pin::new("123456");

    let created = backend.create(&NewKey::new(DidMethod::Icn), &Credentials::pin(pin.clone()))?;
    // The static type, if the evidence bears it out.
    let key = Key::<Hardware, Unlocked>::try_from(created.key)?;
    println!("{} is {}", key.did(), key.provenance());
    println!("hardware-backed: {} (SoftHSM2 is a soft token)", key.is_hardware_backed());
    let did = DidSigner::did(&key).clone();
    let bundle = IdentityBundle::issue(key)?;
    let signature = bundle.sign_for("greetings@coop.example", b"hello")?;
    bundle.verifying_key().verify_for("greetings@coop.example", b"hello", &signature)?;
    // Born in its token, and yet not what a treasury wants.
    match HardwareBacked::check(bundle) {
        Ok(_) => println!("the token is hardware"),
        Err(refused) => println!("refused: {}", refused.reason()),
    }

    // Later, by its locator. The demand is checked when the key is unsealed.
    if let KeyAtRest::Device(found) = backend.find(&created.locator, &did)? {
        let sealed: Key<Hardware, Sealed> = found.demand_hardware()?;
        let key = sealed.unseal(&pin)?;
        println!("signed again: {:?}", key.sign(b"hello again")?.algorithm());
    }
    Ok(())
}

/// SoftHSM2 reads its configuration from the environment: once more, with it.
fn with_a_token() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let tokens = dir.path().join("tokens");
    std::fs::create_dir(&tokens)?;
    let conf = dir.path().join("softhsm2.conf");
    std::fs::write(&conf, format!("directories.tokendir = {}\n", tokens.display()))?;
    let init =
        ["--init-token", "--free", "--label", "example", "--so-pin", "654321", "--pin", "123456"];
    let made = Command::new("softhsm2-util").args(init).env("SOFTHSM2_CONF", &conf).output()?;
    if !made.status.success() {
        return Err("softhsm2-util failed".into());
    }
    let mut again = Command::new(std::env::current_exe()?);
    let ran = again.env("SOFTHSM2_CONF", &conf).env("ICN_EXAMPLE_TOKEN", "1").status()?;
    if ran.success() { Ok(()) } else { Err("the example failed".into()) }
}
