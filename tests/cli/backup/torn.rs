//! `id restore` that is cut off, or that comes after something that was.

use support::cut_off::{LEFT, at_every_rename, init, kept};
use support::home::{Home, PASSPHRASE};
use support::softhsm::SoftHsm;

use super::drill::{Drill, lose, signs_as};

fn lost() -> (Home, Drill, String) {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let drill = Drill::new(&home);
    drill.make(&home);
    lose(&home);
    (home, drill, did)
}

#[test]
fn a_restore_that_is_killed_leaves_no_identity_without_its_pin() {
    let (_kept, drill, did) = lost();
    let empty = || {
        let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
        lose(&home);
        home
    };
    at_every_rename(empty, &drill.restore_args(&["--did", &did]), &did);
}

/// It is of a token: the key there must be found again.
#[test]
fn what_a_cut_off_init_has_left_is_said_and_put_aside() {
    let (home, drill, did) = lost();
    let hsm = SoftHsm::with_token("node-1");
    let other = hsm.identity("node-1");
    let (header, orphan) = (other.read("identity.json"), other.show()["did"].clone());
    init(&home, &header);
    let ran = drill.run(&home, &drill.restore_args(&["--did", &did]));
    let said = format!("without its identity.age, of {}", orphan.as_str().unwrap());
    assert!(ran.code == 0 && ran.err.contains(&said), "{}{}", ran.out, ran.err);
    assert_eq!(kept(&home), [header]);
    assert!(!home.path(LEFT).exists());
    signs_as(&home, &did.into());
}

#[test]
fn where_the_configuration_cannot_be_written_no_identity_is() {
    let (home, drill, did) = lost();
    let missing = home.beside("missing/icn.toml");
    let config = ["--config", missing.to_str().unwrap()];
    let args = [&config[..], &drill.restore_args(&["--did", &did])].concat();
    let texts = ["missing/icn.toml cannot be written, and so nothing else was", &did];
    home.fails(&args, b"", &texts);
    assert!(!home.path("identity.json").exists() && !home.path("identity.age").exists());
    std::fs::create_dir(home.beside("missing")).unwrap();
    home.ok(&args, b"");
    home.ok(&[&config[..], &["sign"]].concat(), b"x");
}

/// A configuration that is mounted read-only and says it all is left as it is.
#[test]
fn a_configuration_that_has_the_pin_is_not_written() {
    use std::os::unix::fs::MetadataExt as _;
    let (home, drill, did) = lost();
    std::fs::create_dir(home.path("")).unwrap();
    home.chmod("", 0o700);
    let text = format!(
        "[identity]\nbackend = \"age\"\ndid = \"{did}\"\n[identity.age]\nwork_factor = 10\n"
    );
    home.write("icn.toml", &text);
    let inode = || std::fs::metadata(home.path("icn.toml")).unwrap().ino();
    let before = inode();
    drill.ok(&home, &[]);
    assert_eq!((inode(), home.read("icn.toml")), (before, text));
}
