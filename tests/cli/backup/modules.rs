//! Which library is loaded is said by a person, who can be wrong.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use support::home::run;
use support::softhsm::{SoftHsm, module};

use super::drill::{Drill, everything, lose};

#[test]
fn a_module_that_cannot_be_loaded_is_not_a_key_that_is_gone() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let drill = Drill::new(&home);
    drill.make(&home);
    lose(&home);
    let typo = module().replace("softhsm2", "softhsm3");
    let no_library = drill.key.to_str().unwrap().to_owned();
    for module in [typo, no_library] {
        for more in [&[][..], &["--relocate"]] {
            let args = [&["--did", &did, "--module", &module][..], more].concat();
            let said = format!("the PKCS#11 module {module} cannot be used");
            let ran = drill.fails(&home, &args, &[&said, "absolute path"]);
            assert!(!ran.err.contains("cannot be had there"), "{}", ran.err);
            assert!(!ran.err.contains("gone with it"), "{}", ran.err);
        }
    }
    assert!(everything(&home).is_empty());
}

#[test]
fn a_modules_path_that_is_not_utf8_is_refused_before_anything_is_made() {
    let path = OsStr::from_bytes(b"/opt/hsm-\xff/libmaker.so");
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    let refused = |args: &[&str], home: &support::home::Home| {
        let mut command = home.command(args);
        let ran = run(command.arg("--module").arg(path), b"");
        let told = ran.err.contains("is not UTF-8: icn.toml cannot name it");
        assert!(ran.code == 1 && told, "{}{}", ran.out, ran.err);
    };
    refused(&["id", "init", "--backend", "pkcs11", "--token", "node-1"], &home);
    assert!(!home.path("identity.json").exists());

    home.ok(&hsm.init("node-1"), b"");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let drill = Drill::new(&home);
    drill.make(&home);
    let config = home.read("icn.toml");
    lose(&home);
    // With the backup's configuration, and with one that is there.
    refused(&drill.restore_args(&["--did", &did]), &home);
    assert!(everything(&home).is_empty());
    let _ = std::fs::create_dir(home.path(""));
    home.chmod("", 0o700);
    home.write("icn.toml", &config);
    refused(&drill.restore_args(&["--did", &did]), &home);
    assert_eq!(home.read("icn.toml"), config);
    assert!(!home.path("identity.json").exists());
}

/// A library that says so when it is loaded is not needed: that its path is nowhere shows it.
#[test]
fn a_backup_of_a_key_in_a_file_brings_no_module() {
    use support::home::{Home, PASSPHRASE};
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let more = "\n[identity.pkcs11]\nmodule = \"/nowhere/theirs.so\"\n\
                \n[identity.tpm]\ndevice_path = \"/nowhere/tpm\"\n";
    home.write("icn.toml", &format!("{}{more}", home.read("icn.toml")));
    let doctor = ["backend", "doctor", "--backend", "pkcs11"];
    let report = home.icnctl(&doctor, b"");
    assert!(report.code == 1 && report.out.contains("/nowhere/theirs.so"), "{}", report.out);
    let drill = Drill::new(&home);
    drill.make(&home);
    assert!(!drill.json()["contents"]["config"].as_str().unwrap().contains("nowhere"));
    lose(&home);
    drill.ok(&home, &["--did", &did]);
    let config = home.read("icn.toml");
    assert!(config.contains(&did) && !config.contains("nowhere"), "{config}");
    assert!(!home.icnctl(&doctor, b"").err.contains("nowhere"));
}
