//! `[identity.tpm]` in icn.toml, and what `id init` writes there.

use support::home::Home;

use super::approver::Approver;
use super::node::{Node, PIN, quiet};

#[test]
fn what_cannot_be_or_protects_nothing_is_refused_by_every_command() {
    let node = Node::with_identity("ed25519", &[]);
    let good = node.home.read("icn.toml");
    for (key, value, wanted) in [
        ("pcr_indices", "\"\"", "platform_binding wants at least one PCR in pcr_indices"),
        ("pcr_indices", "[]", "platform_binding wants at least one PCR in pcr_indices"),
        ("pcr_indices", "[24]", "this value or syntax is not valid here"),
        ("key_handle", "0x80000001", "not a persistent handle"),
        ("pin_work_factor", "9", "between 10 and 20"),
        ("policy", "\"none\"", "this value or syntax is not valid here"),
        ("pcr_bank", "\"md5\"", "this value or syntax is not valid here"),
        ("unknown", "1", "unknown field `unknown`"),
    ] {
        node.set(key, value);
        for command in [&["sign"][..], &["id", "show"], &["tpm", "check"], &["id", "init"]] {
            let ran = node.fails(command, &[wanted]);
            assert!(ran.err.contains("  try: "), "{}", ran.err);
        }
        node.home.write("icn.toml", &good);
    }
    node.signs();
}

#[test]
fn a_key_that_nothing_protects_is_not_made() {
    let node = Node::new();
    let wanted = ["neither platform_binding nor pin: every program on this machine"];
    node.fails(&["id", "init", "--no-platform-binding", "--no-pin"], &wanted);
    node.fails(&["id", "init", "--pcr-indices", ""], &["at least one PCR"]);
    node.ends(
        2,
        0,
        &["id", "init", "--pcr-indices", "0,24"],
        &["--pcr-indices is no list of PCRs"],
    );
    let approved = ["id", "init", "--no-platform-binding", "--policy", "authorized"];
    node.fails(&approved, &["approves PCR values: it wants platform_binding"]);
    node.set("pin", "false");
    node.set("platform_binding", "false");
    node.fails(&["id", "init"], &wanted);
    assert!(!node.home.path("identity.json").exists());
    assert!(!node.home.read("icn.toml").contains("did"));
}

#[test]
fn pcrs_without_a_pin_and_p256_under_literal_values_are_warned_of() {
    let no_pin = "warning: without a PIN, whoever has this machine and boots it unchanged";
    let no_reseal = "warning: a P-256 key cannot be sealed anew";
    let approver = Approver::new();
    let public = approver.public();
    let authorized = ["--policy", "authorized", "--approver", &public];
    for (more, warnings) in [
        (&["--no-pin"][..], &[no_pin][..]),
        (&[], &[]),
        (&["--no-platform-binding"], &[]),
        (&["--algorithm", "p256"], &[no_reseal]),
        (&["--algorithm", "p256", "--no-pin"], &[no_pin, no_reseal]),
        (&[&["--algorithm", "p256"][..], &authorized].concat(), &[]),
        (&["--algorithm", "p256", "--no-platform-binding"], &[]),
    ] {
        let node = Node::new();
        let ran = node.icnctl(&[&["id", "init"], more].concat());
        assert_eq!(ran.code, 0, "{more:?}: {}", ran.err);
        assert_eq!(ran.err.lines().count(), warnings.len(), "{more:?}: {}", ran.err);
        for warning in warnings {
            assert!(ran.err.contains(warning), "{more:?}: {}", ran.err);
        }
        node.signs();
    }
}

#[test]
fn a_pin_in_the_file_is_refused_and_not_repeated() {
    let node = Node::with_identity("ed25519", &[]);
    for (key, value) in [("pin", PIN), ("pin", "98765432"), ("pin_value", PIN)] {
        node.set(key, &format!("\"{value}\""));
        let ran = node.fails(
            &["sign"],
            &["the configuration is not valid: line", "PINs and passphrases never go"],
        );
        assert!(!ran.err.contains(value), "{}", ran.err);
    }
}

#[test]
fn options_of_the_tpm_are_for_its_backend_only() {
    let home = Home::new();
    for option in [
        &["--device", "/dev/tpmrm0"][..],
        &["--pcr-indices", "7"],
        &["--no-platform-binding"],
        &["--policy", "literal"],
        &["--approver", "/tmp/public.pem"],
        &["--no-pin"],
    ] {
        let init = [&["id", "init", "--backend", "age"], option].concat();
        let wanted = format!("{} is for the tpm backend", option[0]);
        quiet(&home.misuses(&init, b"", &[&wanted, "add --backend tpm"]));
    }
    let node = Node::new();
    node.ends(2, 0, &["id", "init", "--module", "/x.so"], &["--module is for the pkcs11 backend"]);
    home.fails(&["id", "reseal"], b"", &["there is no identity"]);
    home.with("ICN_PASSPHRASE", support::home::PASSPHRASE).ok(&["id", "init"], b"");
}

#[test]
fn commands_for_identities_in_a_tpm_refuse_others() {
    let home = Home::new().with("ICN_PASSPHRASE", support::home::PASSPHRASE);
    for command in [&["tpm", "check"][..], &["tpm", "install"], &["id", "reseal"]] {
        home.fails(command, b"{}", &["there is no identity"]);
    }
    home.ok(&["id", "init"], b"");
    for command in [&["tpm", "check"][..], &["tpm", "install"], &["id", "reseal"]] {
        home.fails(command, b"{}", &["this command is for a key in a TPM", "is in a file"]);
    }
}

#[test]
fn init_records_what_it_was_made_with_and_keeps_the_rest() {
    let approver = Approver::new();
    let public = approver.public();
    let node = Node::new();
    let before = node.home.read("icn.toml");
    let policy = ["--policy", "authorized", "--approver", &public, "--pcr-indices", "16,0"];
    node.init("p256", &policy);
    let config = node.home.read("icn.toml");
    let shown = node.home.show();
    for line in [
        "backend = \"tpm\"",
        &format!("did = {}", shown["did"]),
        &format!("device_path = \"{}\"", node.tpm.tcti()),
        &format!("parent_name = {}", shown["tpm"]["parent_name"]),
        "platform_binding = true",
        "pcr_bank = \"sha256\"",
        "pin = true",
        "policy = \"authorized\"",
        &format!("approver = \"{public}\""),
        "# of the node",
        "pin_work_factor = 10",
    ] {
        assert_eq!(config.lines().filter(|found| *found == line).count(), 1, "{line}: {config}");
    }
    let indices = config.lines().find(|line| line.starts_with("pcr_indices")).unwrap();
    assert!(indices.starts_with("pcr_indices = \"0,16\""), "{indices}");
    assert!(!config.contains(PIN) && !config.contains("key_handle"), "{config}");
    assert_ne!(config, before);
    // Once written, it stays as it is.
    node.signs();
    node.ok(&["tpm", "check"]);
    assert_eq!(node.home.read("icn.toml"), config);
    // A new identity is made alike.
    for name in ["identity.json", "identity.age"] {
        std::fs::remove_file(node.home.path(name)).unwrap();
    }
    let unpinned: Vec<_> = config.lines().filter(|line| !line.starts_with("did")).collect();
    node.home.write("icn.toml", &unpinned.join("\n"));
    node.init("p256", &[]);
    assert_eq!(node.home.show()["locator"], shown["locator"]);
}

#[test]
fn comments_on_values_that_are_recorded_are_kept() {
    let node = Node::with_identity("ed25519", &[]);
    let config = node.home.read("icn.toml");
    assert!(config.contains("\n# the device\ndevice_path = "), "{config}");
    assert!(config.contains("pcr_indices = \"16\" # of tests\n"), "{config}");
}

/// Relative to where? Commands are run in other places than `id init`.
#[test]
fn the_approver_is_recorded_by_an_absolute_path() {
    let approver = Approver::new();
    let node = Node::new();
    let init = ["id", "init", "--policy", "authorized", "--approver", "public.pem"];
    let ran = support::home::run(node.home.command(&init).current_dir(approver.path("")), b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let config = node.home.read("icn.toml");
    assert!(config.contains(&format!("approver = \"{}\"", approver.public())), "{config}");
    node.ok(&["id", "reseal"]);
}

#[test]
fn without_a_configuration_the_command_line_is_enough() {
    let node = Node::new();
    std::fs::remove_file(node.home.path("icn.toml")).unwrap();
    let device = node.tpm.tcti();
    let init = ["id", "init", "--backend", "tpm", "--device", &device, "--no-pin"];
    node.ok(&init);
    let config = node.home.read("icn.toml");
    assert!(config.contains("pcr_indices = \"7\"\n") && config.contains("pin = false\n"));
    node.signs();
}
