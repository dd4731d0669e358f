//! What is sealed to, or was made in, a TPM opens in that one only.

use support::swtpm::Swtpm;

use super::drill::{Drill, everything, lose, signs_as};
use crate::tpm::approver::Approver;
use crate::tpm::node::{BOTH, Node, home_on};

fn backed_up(algorithm: &str, more: &[&str]) -> (Node, Drill, String) {
    let node = Node::with_identity(algorithm, more);
    let drill = Drill::new(&node.home);
    let did = node.home.show()["did"].as_str().unwrap().to_owned();
    (node, drill, did)
}

/// It is not there, or another one is.
#[test]
fn a_tpm_that_is_gone_is_told_without_advice_for_tokens() {
    for algorithm in BOTH {
        let (mut node, drill, did) = backed_up(algorithm, &[]);
        drill.make(&node.home);
        lose(&node.home);
        node.tpm.power_off();
        let texts = ["bring that very device back", "`device_path`", "its key is gone with it"];
        let ran = drill.fails(&node.home, &["--did", &did], &texts);
        for unfit in ["--relocate", "token", "id relocate", "back ("] {
            assert!(!ran.err.contains(unfit), "{unfit}: {}", ran.err);
        }
    }
}

#[test]
fn an_identity_is_put_back_on_its_tpm() {
    for algorithm in BOTH {
        for pin in [&[][..], &["--no-pin"]] {
            let (node, drill, did) = backed_up(algorithm, pin);
            node.spends(0, || drill.make(&node.home));
            let inside = drill.json();
            assert!(inside["contents"]["payload"]["seed"].is_null());
            let not = inside["contents"]["does_not_contain"].to_string();
            assert!(!not.contains("private key"), "{not}");
            let sealed = inside["contents"]["contains"].to_string();
            let place = "as it is sealed to the TPM whose storage key is 000b";
            assert!(sealed.contains(place) && sealed.contains("useless without"), "{sealed}");
            let shown = node.home.show();
            lose(&node.home);
            node.spends(0, || drill.ok(&node.home, &["--did", &did]));
            signs_as(&node.home, &shown["did"]);
            assert_eq!(node.home.show()["tpm"], shown["tpm"]);
            assert!(node.home.read("icn.toml").contains("# of tests"));
            node.is_idle();
        }
    }
}

#[test]
fn another_tpm_is_refused_in_plain_words_and_its_pin_not_sent() {
    for algorithm in BOTH {
        let (node, drill, did) = backed_up(algorithm, &[]);
        drill.make(&node.home);
        // A new machine; there nothing pins the storage key yet.
        let tpm = Swtpm::start();
        let home = home_on(&tpm);
        let other = Node { tpm, home };
        let drill = Drill { key: drill.key.clone(), ..drill };
        let before = everything(&other.home);
        let texts = [
            "is not in this backup: it was in the TPM whose storage key is 000b",
            "because: this is another TPM, or it was cleared",
            "its key is gone with it",
        ];
        other.spends(0, || drill.fails(&other.home, &["--did", &did], &texts));
        assert_eq!(everything(&other.home), before);
        // With all of the old node's configuration but the device.
        lose(&other.home);
        std::fs::create_dir(other.home.path("")).unwrap();
        other.home.chmod("", 0o700);
        let config = node.home.read("icn.toml").replace(&node.tpm.tcti(), &other.tpm.tcti());
        other.home.write("icn.toml", &config);
        other.spends(0, || drill.fails(&other.home, &["--did", &did], &texts));
    }
}

#[test]
fn a_tpm_that_was_cleared_is_another_one() {
    let (node, drill, did) = backed_up("ed25519", &[]);
    drill.make(&node.home);
    lose(&node.home);
    node.tpm.tool("tpm2_clear", &["-c", "p"]);
    drill.fails(&node.home, &["--did", &did], &["is not in this backup", "or it was cleared"]);
}

#[test]
fn changed_pcrs_are_told_as_what_they_are() {
    let (node, drill, did) = backed_up("ed25519", &[]);
    drill.make(&node.home);
    lose(&node.home);
    node.tpm.extend_pcr(16);
    let ran = drill.fails(&node.home, &["--did", &did], &["the TPM's PCRs have changed"]);
    assert!(!ran.err.contains("gone"), "{}", ran.err);
    assert!(!node.home.path("identity.json").exists());
    node.reset_pcr_16();
    drill.ok(&node.home, &["--did", &did]);
}

/// Without the approval, nothing would open the key after an update.
#[test]
fn approvals_are_in_the_backup() {
    let approver = Approver::new();
    let public = approver.public();
    let policy = ["--policy", "authorized", "--approver", &public];
    let (node, drill, did) = backed_up("ed25519", &policy);
    node.tpm.extend_pcr(16);
    let request = node.alone(&["--format", "json", "tpm", "check"]).out;
    let approval = approver.approve(&request, &[]);
    let file = node.file("approval.json", &approval.to_string());
    assert_eq!(node.alone(&["tpm", "install", &file]).code, 0);
    drill.make(&node.home);
    let approvals = node.home.read("tpm-approvals.json");
    lose(&node.home);
    drill.ok(&node.home, &["--did", &did]);
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(read(&node.home.read("tpm-approvals.json")), read(&approvals));
    node.signs();
}

/// What a drill says on the TPM of the backup.
fn drilled(node: &Node, drill: &Drill, code: i32, texts: &[&str]) -> serde_json::Value {
    let ran = node.spends(0, || drill.run(&node.home, &drill.restore_args(&["--check"])));
    assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    for text in texts {
        assert!(ran.out.contains(text), "wanted {text:?} in:\n{}", ran.out);
    }
    let json = [&["--format", "json"][..], &drill.restore_args(&["--check"])].concat();
    let ran = drill.run(&node.home, &json);
    assert_eq!(ran.code, code, "{}", ran.err);
    serde_json::from_str::<serde_json::Value>(&ran.out).unwrap()["on_its_tpm"].clone()
}

#[test]
fn a_drill_on_its_tpm_finds_a_backup_that_has_gone_stale_and_spends_no_try() {
    let (node, drill, did) = backed_up("ed25519", &[]);
    drill.make(&node.home);
    let fresh =
        drilled(&node, &drill, 0, &["It was asked, without a PIN", "can be restored, with"]);
    assert_eq!((&fresh["stale"], &fresh["sealed_otherwise"]), (&false.into(), &false.into()));
    // Another PIN: the old one is what the backup wants.
    let new = node.file("new", crate::tpm::node::NEW);
    let said = node.ok(&["id", "reseal", "--new-pin-file", &new]);
    assert!(
        said.contains("make a new one now (icnctl id backup --recipient age1… -o FILE)"),
        "{said}"
    );
    let texts = ["is sealed otherwise", "the PIN of then", "try: make a new backup"];
    let stale = drilled(&node, &drill, 1, &texts);
    assert_eq!((&stale["stale"], &stale["opens"]), (&true.into(), &true.into()));
    // Other values: without the identity, too.
    lose(&node.home);
    drilled(&node, &drill, 0, &["can be restored, with the PIN that the identity had"]);
    node.tpm.extend_pcr(16);
    let texts = ["NOT as this backup wants", "PCR 16 (sha256) is ", "cannot be restored now"];
    let moved = drilled(&node, &drill, 1, &texts);
    assert_eq!((&moved["stale"], &moved["opens"]), (&true.into(), &false.into()));
    node.reset_pcr_16();
    // With the PIN of then.
    drill.ok(&node.home, &["--did", &did]);
}

#[test]
fn reseal_asks_for_a_new_backup_which_restores() {
    let (node, drill, did) = backed_up("ed25519", &["--no-pin"]);
    drill.make(&node.home);
    node.tpm.extend_pcr(16);
    let check = drill.run(&node.home, &drill.restore_args(&["--check"]));
    assert_eq!(check.code, 1, "{}", check.out);
    node.reset_pcr_16();
    let coming = node.file("coming", &node.coming_values());
    let said = node.json(&["id", "reseal", "--pcr-values", &coming]);
    assert_eq!(said["new_backup_needed"], true);
    std::fs::remove_file(&drill.backup).unwrap();
    drill.make(&node.home);
    node.tpm.extend_pcr(16);
    drilled(&node, &drill, 0, &["can be restored."]);
    lose(&node.home);
    drill.ok(&node.home, &["--did", &did]);
    node.signs();
}

/// Where the recovery key is, there is no such TPM, and another one is not to be asked.
#[test]
fn a_drill_elsewhere_says_that_the_tpm_is_not_here() {
    let (node, drill, _) = backed_up("ed25519", &[]);
    drill.make(&node.home);
    let other = home_on(&Swtpm::start());
    let ran = drill.run(&other, &drill.restore_args(&["--check"]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("It is not here: there is no TPM at"), "{}", ran.out);
    let tpm = Swtpm::start();
    let ran = drill.run(&home_on(&tpm), &drill.restore_args(&["--check"]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("It is not here: this is another TPM"), "{}", ran.out);
    let nothing = support::home::Home::new();
    nothing.write("icn.toml", "");
    let ran = drill.run(&nothing, &drill.restore_args(&["--check"]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("That device was not asked"), "{}", ran.out);
}

/// It cannot be put back here, whatever the file is like: on the node that is the answer.
#[test]
fn a_drill_on_the_node_says_that_its_cleared_tpm_cannot_open_it() {
    let (node, drill, _) = backed_up("ed25519", &[]);
    drill.make(&node.home);
    node.tpm.clear();
    let texts = ["this is the home of that identity", "its TPM CANNOT open it", "lost for good"];
    let told = drilled(&node, &drill, 1, &texts);
    assert_eq!((&told["opens"], &told["is_home_of_identity"]), (&false.into(), &true.into()));
    // Only the configuration is left, which pins the DID.
    for name in ["identity.json", "identity.age"] {
        std::fs::remove_file(node.home.path(name)).unwrap();
    }
    drilled(&node, &drill, 1, &texts);
    // Nothing says that the node is here.
    lose(&node.home);
    let told = drilled(&node, &drill, 0, &["The TPM of this machine CANNOT open it", "cleared"]);
    assert_eq!((&told["opens"], &told["is_home_of_identity"]), (&false.into(), &false.into()));
}

#[test]
fn a_drill_on_a_locked_tpm_says_that_nothing_is_restored_now() {
    let (node, drill, _) = backed_up("ed25519", &[]);
    drill.make(&node.home);
    let locks = node.tpm.other_program();
    (0..3).for_each(|_| locks());
    let texts = ["can be restored, with the PIN", "But not now: the TPM takes no PIN now"];
    let told = drilled(&node, &drill, 1, &texts);
    assert_eq!(
        (&told["locked"], &told["opens"], &told["stale"]),
        (&true.into(), &false.into(), &false.into())
    );
}

/// There is no identity that an approval could be installed for.
#[test]
fn a_backup_from_before_an_update_is_restored_with_an_approval() {
    for algorithm in BOTH {
        let (approver, stranger) = (Approver::new(), Approver::new());
        let public = approver.public();
        let (node, drill, did) =
            backed_up(algorithm, &["--policy", "authorized", "--approver", &public]);
        drill.make(&node.home);
        node.tpm.extend_pcr(16);
        lose(&node.home);
        let said = [
            "the TPM's PCRs have changed",
            "`icnctl --format json id restore FILE --identity-file KEYFILE --check > request.json`",
            "--approval",
        ];
        node.spends(0, || drill.fails(&node.home, &["--did", &did], &said));
        let texts = ["cannot be restored now", "id restore FILE --identity-file KEYFILE --check"];
        drilled(&node, &drill, 1, &texts);
        let json = [&["--format", "json"][..], &drill.restore_args(&["--check"])].concat();
        let request = node.spends(0, || drill.run(&node.home, &json)).out;
        let mut foreign = approver.approve(&request, &[]);
        let approval = node.file("approval.json", &foreign.to_string());
        foreign["did"] = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK".into();
        let foreign = node.file("foreign.json", &foreign.to_string());
        stranger.refuses(&request, &[], &["names another approver"]);
        for file in [&foreign, &node.file("garbage", "{}")] {
            let more = ["--did", &did, "--approval", file];
            node.spends(0, || drill.fails(&node.home, &more, &["approval"]));
            assert!(everything(&node.home).is_empty());
        }
        // The drill takes it too.
        let drilled =
            drill.run(&node.home, &drill.restore_args(&["--check", "--approval", &approval]));
        assert_eq!(drilled.code, 0, "{}{}", drilled.out, drilled.err);
        node.spends(0, || drill.ok(&node.home, &["--did", &did, "--approval", &approval]));
        signs_as(&node.home, &did.as_str().into());
        // It is in the next backup, which restores directly.
        std::fs::remove_file(&drill.backup).unwrap();
        drill.make(&node.home);
        lose(&node.home);
        drill.ok(&node.home, &["--did", &did]);
        node.signs();
    }
}

#[test]
fn an_approval_is_of_no_use_to_a_backup_of_another_kind() {
    let home = support::home::Home::new().with("ICN_PASSPHRASE", support::home::PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let drill = Drill::new(&home);
    drill.make(&home);
    let approver = Approver::new();
    let public = approver.public();
    let node = Node::with_identity("ed25519", &["--policy", "authorized", "--approver", &public]);
    let approval = approver.approve(&node.ok(&["--format", "json", "tpm", "check"]), &[]);
    let file = node.file("approval.json", &approval.to_string());
    let told = ["an approval is for a key in a TPM", "leave --approval out"];
    drill.fails(&home, &["--check", "--approval", &file], &told);
}

/// The same TPM makes the same key: nothing is lost.
#[test]
fn a_storage_key_that_was_evicted_is_made_again_and_no_identity_given_up() {
    for algorithm in BOTH {
        let tpm = Swtpm::start();
        let node = Node { home: home_on(&tpm), tpm };
        make_storage_key(&node);
        node.init(algorithm, &["--key-handle", "0x81000001"]);
        let did = node.home.show()["did"].as_str().unwrap().to_owned();
        let drill = Drill::new(&node.home);
        drill.make(&node.home);
        node.tpm.tool("tpm2_evictcontrol", &["-C", "o", "-c", "0x81000001"]);
        let again = "make the storage key at that handle again";
        let ran = drill.run(&node.home, &drill.restore_args(&["--check"]));
        assert_eq!(ran.code, 1, "{}", ran.out);
        for text in ["PROBLEM: this is the home", again, "docs/backends/tpm.md"] {
            assert!(ran.out.contains(text), "{}", ran.out);
        }
        for text in ["CANNOT", "make another identity", "tell peers"] {
            assert!(!ran.out.contains(text), "{text}: {}", ran.out);
        }
        node.fails(&["sign"], &[again]);
        lose(&node.home);
        let ran = drill.fails(&node.home, &["--did", &did], &[again]);
        assert!(!ran.err.contains("its key is gone"), "{}", ran.err);
        let elsewhere = drill.run(&node.home, &drill.restore_args(&["--check"]));
        assert_eq!(elsewhere.code, 0, "{}", elsewhere.out);
        assert!(elsewhere.out.contains(again), "{}", elsewhere.out);
        make_storage_key(&node);
        drill.ok(&node.home, &["--did", &did]);
        signs_as(&node.home, &did.as_str().into());
    }
}

/// By the commands of docs/backends/tpm.md.
fn make_storage_key(node: &Node) {
    let context = node.home.beside("srk.ctx");
    let context = context.to_str().unwrap();
    let attributes =
        "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt";
    let algorithm = ["-C", "o", "-g", "sha256", "-G", "ecc256:null:aes128cfb"];
    node.tpm
        .tool("tpm2_createprimary", &[&algorithm[..], &["-c", context, "-a", attributes]].concat());
    node.tpm.tool("tpm2_evictcontrol", &["-C", "o", "-c", context, "0x81000001"]);
    node.tpm.tool("tpm2_flushcontext", &["-t"]);
}
