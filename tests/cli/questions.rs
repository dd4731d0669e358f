//! What is known to be wrong is said before a secret is asked for. Where there is nobody to
//! be asked, a question is an error of its own: none of these commands may come to it.

mod second;

use std::process::Command;

use support::home::{Home, PASSPHRASE, Ran, on_a_terminal, run, write_private};
use support::softhsm::{SoftHsm, module};

use crate::tpm::node::Node;

const ASKED: &str = "no terminal to ask on";

/// Without a terminal, and without any secret.
fn alone(home: &Home, args: &[&str]) -> Ran {
    let icnctl = home.command(args);
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(icnctl.get_program()).args(icnctl.get_args()).env_clear();
    for (name, value) in icnctl.get_envs() {
        if !["ICN_PIN", "ICN_PASSPHRASE", "ICN_RECOVERY_PASSPHRASE"].iter().any(|it| *it == name) {
            command.env(name, value.unwrap());
        }
    }
    run(&mut command, b"")
}

#[track_caller]
fn says(home: &Home, args: &[&str], wanted: &[&str]) {
    let ran = alone(home, args);
    assert!([1, 77].contains(&ran.code), "{args:?}: {}{}", ran.out, ran.err);
    for text in wanted {
        assert!(ran.err.contains(text), "icnctl {args:?}: wanted {text:?} in\n{}", ran.err);
    }
    assert!(!ran.err.contains(ASKED), "icnctl {args:?} asks first:\n{}", ran.err);
}

/// That it would ask, if nothing was wrong.
#[track_caller]
fn asks(home: &Home, args: &[&str]) {
    let ran = alone(home, args);
    assert!(ran.code == 1 && ran.err.contains(ASKED), "icnctl {args:?}: {}{}", ran.out, ran.err);
}

fn software() -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    home
}

fn beside(home: &Home, name: &str, text: &str) -> String {
    write_private(&home.beside(name), text);
    home.beside(name).to_str().unwrap().to_owned()
}

fn recovery(home: &Home) -> (String, String) {
    let key = home.beside("recovery.key").to_str().unwrap().to_owned();
    run(Command::new("age-keygen").args(["-o", &key]), b"");
    let recipient = run(Command::new("age-keygen").args(["-y", &key]), b"").out;
    (key, recipient.trim().to_owned())
}

#[test]
fn of_a_software_identity_everything_is_said_before_its_passphrase_is_asked_for() {
    let home = software();
    let (key, recipient) = recovery(&home);
    let there = beside(&home, "there", "hello");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let missing = home.beside("missing").to_str().unwrap().to_owned();
    let (_, other) = recovery(&Home::new());
    for (args, wanted) in [
        (&["sign", &missing][..], &["missing"][..]),
        (&["sign", "--context", "a b\n", &there], &["context"]),
        (&["decrypt", &there], &["not an age file"]),
        (&["decrypt", &there, "-o", &there], &["already exists"]),
        (&["id", "backup", "--recipient", "age1x", "-o", &missing], &["age recipient"]),
        (&["id", "backup", "--recipient", &recipient, "-o", &there], &["already exists"]),
        (
            &["id", "backup", "--recipient", &other, "-o", &missing, "--verify-with", &key],
            &["none of the recipients is that of the key in", "--recipient"],
        ),
        (&["id", "export", "--secret", "-o", &there], &["already exists"]),
        (
            &["id", "export", "--secret", "-o", &missing, "--recipient", "age1x"],
            &["age X25519 recipient"],
        ),
        (&["id", "init"], &["identity.json already exists"]),
        (&["id", "import", &missing], &["identity.json already exists"]),
        (&["id", "relocate"], &["`id relocate` is for a key in a token", "is in a file"]),
        (&["id", "write-public-key"], &["is for a key in a token", "is in a file"]),
        (&["id", "reseal"], &["for a key in a TPM", "is in a file", "id change-passphrase"]),
        (&["id", "decryption-key", "remove", "did:icn:zz"], &["DID"]),
        (
            &["id", "rotation", "create", "--reason", "manual", "--successor", &missing],
            &[
                "the successor cannot be used",
                "there is no identity",
                "missing id init`",
                "--successor",
            ],
        ),
        (
            &[
                "id",
                "rotation",
                "create",
                "--reason",
                "manual",
                "--successor",
                &missing,
                "-o",
                &there,
            ],
            &["already exists"],
        ),
        (&["id", "rotation", "show", "-o", &there], &["already exists"]),
        (
            &["id", "restore", &there, "--identity-file", &key, "--did", &did],
            &["identity.json already exists"],
        ),
    ] {
        says(&home, args, wanted);
    }
    asks(&home, &["sign", &there]);
    // Files that nothing can be written to.
    let nowhere = format!("{missing}/file");
    for args in [
        &["decrypt", &there, "-o", &nowhere][..],
        &["id", "backup", "--recipient", &recipient, "-o", &nowhere],
        &["id", "export", "--secret", "-o", &nowhere],
        &["id", "rotation", "show", "-o", &nowhere],
        &[
            "id",
            "rotation",
            "create",
            "--reason",
            "manual",
            "--successor",
            &missing,
            "-o",
            &nowhere,
        ],
    ] {
        says(&home, args, &[&missing, "No such file or directory"]);
    }
    // Secrets that are to be taken instead of the present one.
    let (empty, two) =
        (beside(&home, "empty", ""), beside(&home, "two", "one line\nand another\n"));
    for (file, wanted) in [
        (&missing, "No such file or directory"),
        (&empty, "is empty"),
        (&two, "more than one line"),
    ] {
        for args in [
            &["id", "change-passphrase", "--new-passphrase-file", file][..],
            &["id", "export", "--secret", "-o", &missing, "--export-passphrase-file", file],
        ] {
            says(&home, args, &[wanted]);
        }
    }
    asks(&home, &["id", "renew"]);
    // The directory and the files are looked at first.
    for (name, mode) in [("", 0o755), ("identity.age", 0o644), ("identity.json", 0o666)] {
        home.chmod(name, mode);
        for args in [&["sign", &there][..], &["id", "renew"], &["id", "change-passphrase"]] {
            says(&home, args, &["is not safe to use", "chmod"]);
        }
        home.chmod(name, if name.is_empty() { 0o700 } else { 0o600 });
    }
    let empty = Home::new();
    empty.chmod("", 0o755);
    says(&empty, &["id", "init"], &["is not safe to use", "chmod 700"]);
    empty.chmod("", 0o700);
    asks(&empty, &["id", "init"]);
}

/// The recovery key has a passphrase of its own, which is asked for last.
#[test]
fn what_is_no_backup_is_said_before_the_passphrase_of_the_recovery_key_is_asked_for() {
    let home = Home::new();
    let (key, recipient) = recovery(&home);
    let locked = home.beside("recovery.key.age").to_str().unwrap().to_owned();
    let mut age = Command::new("age");
    age.args(["-p", "-o", &locked, &key]);
    let ran = on_a_terminal(&age, "of the key\nof the key\n");
    assert!(home.beside("recovery.key.age").exists(), "{}{}", ran.out, ran.err);
    run(Command::new("chmod").args(["600", &locked]), b"");
    let text = beside(&home, "text", "hello");
    let public = beside(&home, "recovery.pub", &recipient);
    let node = software();
    let payload = node.path("identity.age").to_str().unwrap().to_owned();
    let header = node.path("identity.json").to_str().unwrap().to_owned();
    let missing = home.beside("missing").to_str().unwrap().to_owned();
    let note = beside(&home, "note.age", "");
    run(Command::new("age").args(["-r", &recipient, "-o", &note, &text]), b"");
    for (file, with, wanted) in [
        (&text, &locked, &["is not a backup: it is text", "icnctl id backup --recipient"][..]),
        (&header, &locked, &["is not a backup: it is JSON"]),
        (&public, &locked, &["is not a backup: it is a public key of age"]),
        (&payload, &locked, &["is not a backup: it is encrypted with a passphrase"]),
        (&missing, &locked, &["missing"]),
        // And what is no recovery key.
        (&note, &public, &["has a public key (age1…) in it, and no secret one", "age-keygen"]),
        (&note, &missing, &["missing"]),
        // One that opens, and is something else.
        (&note, &key, &["is not a backup", "is something else"]),
    ] {
        says(&home, &["id", "restore", file, "--identity-file", with, "--check"], wanted);
    }
    asks(&home, &["id", "restore", &note, "--identity-file", &locked, "--check"]);
    // Nor does a passphrase open what is encrypted to a key, armored or not.
    let armored = home.beside("armored.age").to_str().unwrap().to_owned();
    run(Command::new("age").args(["-a", "-r", &recipient, "-o", &armored, &text]), b"");
    for file in [&note, &armored] {
        run(Command::new("chmod").args(["600", file]), b"");
        let wanted = ["is encrypted to a key", "age-keygen", "may be the backup itself"];
        says(&home, &["id", "restore", &note, "--identity-file", file, "--check"], &wanted);
    }
    // A public key may be read by everybody, and is none for all that.
    run(Command::new("chmod").args(["644", &public]), b"");
    says(&home, &["id", "restore", &note, "--identity-file", &public], &["has a public key"]);
    // Of whatever tool: what it is goes before who may read it.
    for line in [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@here",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB",
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHA=",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----",
        "\u{feff}ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA",
    ] {
        let other = beside(&home, "other.pub", line);
        for mode in ["600", "644"] {
            run(Command::new("chmod").args([mode, &other]), b"");
            let restore = ["id", "restore", &note, "--identity-file", &other];
            says(&home, &restore, &["has a public key (", "one line of it begins with AGE-SECRET"]);
        }
    }
}

#[test]
fn of_a_token_everything_is_said_before_its_pin_is_asked_for() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let other = hsm.home();
    let taken = hsm.init("node-1");
    says(&other, &taken, &["already has a key labelled", "--key-label"]);
    asks(&other, &[&taken[..], &["--key-label", "another"]].concat());
    let nowhere = ["id", "init", "--backend", "pkcs11", "--module", module(), "--token", "none"];
    says(&other, &nowhere, &["no token matches"]);
    other.chmod("", 0o755);
    says(&other, &[&taken[..], &["--key-label", "another"]].concat(), &["is not safe to use"]);
    says(&home, &["id", "change-passphrase"], &["has no passphrase"]);
    says(&home, &["id", "export", "--secret", "-o", "x"], &["only a software key can be exported"]);
    says(&home, &["id", "reseal"], &["for a key in a TPM", "is in a token"]);
    home.chmod("identity.age", 0o644);
    says(&home, &["id", "renew"], &["identity.age is not safe to use"]);
    home.chmod("identity.age", 0o600);
    asks(&home, &["id", "renew"]);
    hsm.unplug();
    says(&home, &["id", "renew"], &["no token matches"]);
}

/// The token says so itself.
#[test]
fn of_a_token_that_takes_no_pin_it_is_said_before_one_is_asked_for() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let new = hsm.home();
    let module = hsm.fault_module();
    let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
    let init = [&init[..], &["--key-label", "another"]].concat();
    asks(&home, &["sign", "/dev/null"]);
    asks(&new, &init);
    for (script, wanted) in [
        ("flag to-be-changed", "the PIN must be changed first"),
        ("flag pin-uninitialized", "no user PIN has been set"),
        ("flag pin-locked", "is locked"),
    ] {
        hsm.script(script);
        says(&home, &["sign", "/dev/null"], &[wanted]);
        says(&home, &["id", "renew"], &[wanted]);
        says(&new, &init, &[wanted]);
    }
}

#[test]
fn of_a_tpm_everything_is_said_before_its_pin_is_asked_for() {
    let node = Node::with_identity("ed25519", &[]);
    let home = &node.home;
    let message = beside(home, "message", "hello");
    let commands = [
        &["sign", &message][..],
        &["id", "renew"],
        &["id", "reseal"],
        &["id", "reseal", "--new-pin"],
        &["id", "backup", "--recipient", "AGE", "-o", "x"],
    ];
    let (_, recipient) = recovery(home);
    let commands = commands.map(|words| {
        words
            .iter()
            .map(|word| if *word == "AGE" { recipient.as_str() } else { word })
            .collect::<Vec<_>>()
    });
    for command in &commands {
        asks(home, command);
    }
    node.tpm.extend_pcr(16);
    for command in &commands {
        says(home, command, &["the TPM's PCRs have changed", "PCR 16 (sha256) is "]);
    }
    node.reset_pcr_16();
    // It is literal, whatever is to be installed.
    says(
        home,
        &["tpm", "install", "nothing-there"],
        &["takes no approvals", "policy = \"authorized\""],
    );
    node.tpm.tool("tpm2_clear", &["-c", "p"]);
    for command in &commands {
        says(home, command, &["this is another TPM, or it was cleared"]);
    }

    let new = Node::new();
    let init = ["id", "init", "--algorithm", "p256"];
    let file = new.home.beside("nobody.pem").to_str().unwrap().to_owned();
    for (more, wanted) in [
        (&["--key-handle", "0x81000007"][..], "0x81000007"),
        (&["--policy", "authorized", "--approver", &file], "nobody.pem"),
    ] {
        for algorithm in ["ed25519", "p256"] {
            let init = ["id", "init", "--algorithm", algorithm];
            says(&new.home, &[&init[..], more].concat(), &[wanted]);
        }
    }
    asks(&new.home, &init);

    let node = Node::with_identity("p256", &[]);
    for command in [&["id", "reseal"][..], &["id", "reseal", "--new-pin"]] {
        says(&node.home, command, &["the policy of a P-256 key is a part of the key"]);
    }
    let node = Node::with_identity("ed25519", &[]);
    node.set("pin", "false");
    let wanted = ["`pin = false`", "set `pin = true`"];
    says(&node.home, &["id", "reseal", "--new-pin"], &wanted);
    let node = Node::with_identity("ed25519", &[]);
    let missing = node.home.beside("missing").to_str().unwrap().to_owned();
    let wanted = ["No such file or directory"];
    says(&node.home, &["id", "reseal", "--new-pin-file", &missing], &wanted);
    node.set("policy", "\"authorized\"");
    node.set("approver", &format!("{missing:?}"));
    says(&node.home, &["id", "reseal"], &["missing"]);
}
