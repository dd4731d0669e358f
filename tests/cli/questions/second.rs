//! What is wrong with a second secret, or with what is done with it, is said before the first
//! one is asked for.

use super::*;

/// Of two identities, and of a recovery key beside one: the file that is missing is for the
/// second.
#[test]
fn a_missing_file_of_the_second_secret_is_said_before_the_first_is_asked_for() {
    let (old, new) = (software(), software());
    let missing = old.beside("missing").to_str().unwrap().to_owned();
    let successor = new.path("").to_str().unwrap().to_owned();
    let create = ["id", "rotation", "create", "--reason", "manual", "--successor", &successor];
    let wanted = [&*missing, "No such file or directory"];
    says(&old, &[&create[..], &["--successor-passphrase-file", &missing]].concat(), &wanted);

    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let to = ["id", "migrate", "--to", "pkcs11", "--module", module(), "--token", "node-1"];
    let to = [&to[..], &["--no-backup"]].concat();
    says(&home, &[&["--pin-file", &missing][..], &to].concat(), &wanted);
    asks(&home, &to);

    let (key, recipient) = recovery(&old);
    let locked = old.beside("locked.age").to_str().unwrap().to_owned();
    let mut age = Command::new("age");
    age.args(["-p", "-o", &locked, &key]);
    on_a_terminal(&age, "of the key\nof the key\n");
    run(Command::new("chmod").args(["600", &locked]), b"");
    let file = old.beside("node.age").to_str().unwrap().to_owned();
    old.ok(&["id", "backup", "--recipient", &recipient, "-o", &file], b"");
    let empty = Home::new();
    let restore = ["id", "restore", &file, "--identity-file", &locked];
    says(&empty, &[&["--passphrase-file", &missing][..], &restore].concat(), &wanted);
    asks(&empty, &restore);
}

#[test]
fn an_epoch_that_is_over_or_too_late_is_said_before_a_passphrase_is_asked_for() {
    let home = software();
    home.ok(&["id", "renew", "--all-instances"], b"");
    says(&home, &["id", "renew", "--epoch", "5"], &["epoch 5", "join the epoch that"]);
    let late = "999999999999999";
    says(&home, &["id", "renew", "--epoch", late], &[late, "give the epoch exactly"]);
    let now = home.show()["tls"]["epoch"].to_string();
    asks(&home, &["id", "renew", "--epoch", &now]);
}

#[test]
fn a_commitment_to_a_key_that_is_used_is_said_before_a_passphrase_is_asked_for() {
    let (old, new) = (software(), software());
    let successor = new.path("").to_str().unwrap().to_owned();
    let create = ["id", "rotation", "create", "--reason", "manual", "--successor", &successor];
    for used in [&old, &new] {
        let did = used.show()["did"].as_str().unwrap().to_owned();
        let args = [&create[..], &["--commit-next", &did]].concat();
        says(&old, &args, &["cannot be committed to: it has been used", &did]);
    }
    asks(&old, &create);
}

#[test]
fn a_keystore_of_an_older_version_is_not_opened_for_a_new_passphrase_that_is_not_there() {
    let home = Home::new();
    let old = software();
    // Of an older version or not: it is read first whether it is an age file.
    let file = old.path("identity.age").to_str().unwrap().to_owned();
    let missing = home.beside("missing").to_str().unwrap().to_owned();
    let empty = beside(&home, "empty", "");
    for (new, wanted) in [(&missing, "No such file or directory"), (&empty, "is empty")] {
        says(&home, &["id", "import", &file, "--new-passphrase-file", new], &[wanted]);
    }
    asks(&home, &["id", "import", &file]);
}

/// It takes a scrypt to know, and nobody types a new one twice for that.
#[test]
fn a_wrong_passphrase_is_said_before_a_new_one_is_asked_for() {
    let home = software();
    let mut change = home.command(&["id", "change-passphrase"]);
    change.env_remove("ICN_PASSPHRASE");
    let ran = on_a_terminal(&change, "a wrong one\n");
    let said = format!("{}{}", ran.out, ran.err);
    assert!(said.contains("Passphrase: ") && said.contains("does not open this key"), "{said}");
    assert!(!said.contains("New passphrase"), "{said}");
    let ran = on_a_terminal(&change, &format!("{PASSPHRASE}\nanother horse\nanother horse\n"));
    assert!(ran.out.contains("is changed"), "{}{}", ran.out, ran.err);
    home.with("ICN_PASSPHRASE", "another horse").ok(&["sign"], b"hello");
}
