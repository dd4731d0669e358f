//! Other TPMs, cleared ones, and storage keys at persistent handles.

use serde_json::json;
use support::swtpm::Swtpm;
use support::wire::Wire;

use super::node::{BOTH, Node};
use super::quick;

const HANDLE: u32 = 0x8100_0001;
const OTHER_TPM: &str = "this is another TPM, or it was cleared: its storage key is 000b";

/// Commands that a TPM gets a blob, a PIN or a session for one by.
const OURS: [&str; 6] = ["StartAuthSession", "Load", "Create", "Unseal", "Sign", "PolicyAuthValue"];

fn commands() -> [Vec<&'static str>; 3] {
    [vec!["sign"], vec!["tpm", "check"], vec!["id", "reseal"]]
}

#[test]
fn another_tpm_is_told_before_anything_is_sent_to_it() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]);
        let other = Swtpm::start();
        let wire = Wire::new(&other);
        node.set("device_path", &format!("\"{}\"", wire.tcti()));
        for command in commands() {
            if (algorithm, command[0]) == ("p256", "id") {
                continue;
            }
            let ran = node.fails(&command, &[OTHER_TPM, "nothing was sent to it"]);
            let pinned = node.home.show()["tpm"]["parent_name"].as_str().unwrap().to_owned();
            assert!(ran.err.contains(&format!(", not {pinned}")), "{}", ran.err);
        }
        for command in OURS {
            assert!(!wire.names().iter().any(|name| name == command), "{:?}", wire.names());
        }
        assert_eq!(quick::lockout_counter(&other), 0);
        assert_eq!(quick::loaded(&other), (0, 0));
        node.set("device_path", &format!("\"{}\"", node.tpm.tcti()));
        node.signs();
    }
}

#[test]
fn a_cleared_tpm_is_another_one() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]);
        node.tpm.clear();
        node.fails(&["sign"], &[OTHER_TPM, "a cleared TPM has lost its keys for good"]);
        node.fails(&["tpm", "check"], &[OTHER_TPM]);
        // Not by the configuration's pin alone.
        let config = node.home.read("icn.toml");
        let unpinned: Vec<_> =
            config.lines().filter(|line| !line.starts_with("parent_name")).collect();
        node.home.write("icn.toml", &unpinned.join("\n"));
        node.fails(&["sign"], &[OTHER_TPM]);
    }
}

/// A header that names the other TPM's storage key, under a configuration that
/// pins ours.
#[test]
fn a_header_of_another_tpm_is_told_by_the_pinned_name() {
    let node = Node::with_identity("ed25519", &[]);
    let theirs = Node::with_identity("ed25519", &[]).home.show()["tpm"]["parent_name"].clone();
    for object in ["/locator", "/storage/object"] {
        node.home.edit_header(&format!("{object}/parent/name"), theirs.clone());
    }
    for command in commands() {
        let ran = node.fails(&command, &[theirs.as_str().unwrap(), "and `parent_name` pins"]);
        // The TPM was not looked at, and no key is said to be lost.
        assert!(!ran.err.contains("another TPM") && !ran.err.contains("lost"), "{}", ran.err);
    }
}

/// A slip in `icn.toml` is no other TPM.
#[test]
fn a_name_that_was_changed_in_the_configuration_is_said_to_be_that() {
    let node = Node::with_identity("ed25519", &[]);
    let right = node.home.show()["tpm"]["parent_name"].clone();
    node.set("parent_name", "\"00\"");
    for command in commands() {
        let wanted = ["`parent_name` pins 00", right.as_str().unwrap(), "icnctl backend doctor"];
        let ran = node.fails(&command, &wanted);
        assert!(!ran.err.contains("another TPM") && !ran.err.contains("lost"), "{}", ran.err);
    }
    // What it is to be is in the message.
    node.set("parent_name", &right.to_string());
    node.signs();
}

#[test]
fn init_on_another_tpm_than_the_pinned_one_makes_nothing() {
    let node = Node::new();
    let theirs = Node::with_identity("ed25519", &[]).home.show()["tpm"]["parent_name"].clone();
    node.set("parent_name", &theirs.to_string());
    for algorithm in BOTH {
        node.fails(&["id", "init", "--algorithm", algorithm], &[OTHER_TPM]);
    }
    assert!(!node.home.path("identity.json").exists());
}

fn at_handle(algorithm: &str) -> Node {
    let node = Node::new();
    node.tpm.make_storage_root(HANDLE);
    node.set("key_handle", &format!("{HANDLE:#010x}"));
    node.init(algorithm, &[]);
    node
}

fn evict(node: &Node) {
    node.tpm.tool("tpm2_evictcontrol", &["-C", "o", "-c", &format!("{HANDLE:#x}")]);
}

/// Another key at the handle.
fn put(node: &Node, kind: &[&str]) {
    let make = ["-Q", "-C", "o", "-c", "other.ctx"];
    node.tpm.tool("tpm2_createprimary", &[&make[..], kind].concat());
    let at = format!("{HANDLE:#x}");
    node.tpm.tool("tpm2_evictcontrol", &["-C", "o", "-c", "other.ctx", &at]);
    node.tpm.tool("tpm2_flushcontext", &["-t"]);
}

#[test]
fn a_persistent_storage_key_is_used_and_recorded() {
    for algorithm in BOTH {
        let mut node = at_handle(algorithm);
        assert!(node.home.read("icn.toml").contains("key_handle = 0x81000001\n"));
        let shown = node.home.show();
        assert_eq!(shown["tpm"]["parent_handle"], "0x81000001");
        assert_eq!(shown["locator"], "tpm2:parent=0x81000001;policy=sha256:16+pin");
        node.tpm.restart();
        let wire = Wire::new(&node.tpm);
        node.set("device_path", &format!("\"{}\"", wire.tcti()));
        node.signs();
        assert!(!wire.names().iter().any(|name| name == "CreatePrimary"), "{:?}", wire.names());
        // It is the same key as one that is made from the owner's seed.
        assert_eq!(node.tpm.handles("persistent"), ["0x81000001"]);
    }
}

#[test]
fn a_storage_key_that_is_gone_is_named_by_its_handle() {
    for algorithm in BOTH {
        let node = at_handle(algorithm);
        evict(&node);
        let wanted = ["there is no storage key at 0x81000001", "make the storage key at that"];
        node.fails(&["sign"], &wanted);
        node.fails(&["tpm", "check"], &wanted);
        node.tpm.make_storage_root(HANDLE);
        node.signs();
    }
}

#[test]
fn another_key_at_the_handle_is_refused_by_its_name() {
    for algorithm in BOTH {
        let node = at_handle(algorithm);
        evict(&node);
        put(&node, &["-G", "rsa2048"]);
        let wanted = ["the storage key at 0x81000001 is 000b", ", not 000b", "nothing was sent"];
        node.fails(&["sign"], &wanted);
        node.fails(&["tpm", "check"], &wanted);
    }
}

#[test]
fn a_handle_without_a_storage_key_stops_init() {
    let node = Node::new();
    node.set("key_handle", "\"0x81000001\"");
    let init = |text: &str| {
        for algorithm in BOTH {
            node.fails(&["id", "init", "--algorithm", algorithm], &[text, "key_handle"]);
        }
        assert!(!node.home.path("identity.json").exists());
    };
    init("there is no storage key at 0x81000001");
    let signing = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign";
    put(&node, &["-G", "ecc256", "-a", signing]);
    init("the key at 0x81000001 is no storage key: it does not have the attributes");
    evict(&node);
    let movable = "sensitivedataorigin|userwithauth|restricted|decrypt";
    put(&node, &["-G", "ecc256:null:aes128cfb", "-a", movable]);
    init("it could be moved to another TPM (fixedTPM is clear)");
}

/// Somebody else's objects fill the TPM.
#[test]
fn a_full_tpm_is_told_and_what_is_not_ours_stays() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &["--no-pin"]);
        for _ in 0..2 {
            node.tpm.tool("tpm2_createprimary", &["-Q", "-C", "o", "-c", "filling.ctx"]);
        }
        assert_eq!(quick::loaded(&node.tpm), (2, 0));
        for command in ["sign", "check"] {
            let args: &[&str] = if command == "check" { &["tpm", "check"] } else { &["sign"] };
            let ran = node.icnctl(args);
            assert_eq!(ran.code, 1, "{}", ran.out);
            let wanted = ["the TPM has no room for another object", "tpm2_flushcontext"];
            assert!(wanted.iter().all(|text| ran.err.contains(text)), "{}", ran.err);
            assert_eq!(quick::loaded(&node.tpm), (2, 0));
        }
        node.tpm.tool("tpm2_flushcontext", &["-t"]);
        node.signs();
    }
}

#[test]
fn the_owners_password_stands_in_the_way_of_a_key_made_from_its_seed_only() {
    let node = Node::with_identity("ed25519", &["--no-pin"]);
    let handle = at_handle("ed25519");
    for node in [&node, &handle] {
        node.tpm.tool("tpm2_changeauth", &["-c", "o", "an owner's password"]);
    }
    let wanted =
        ["the owner of the TPM has set a password", "make a persistent storage key", "key_handle"];
    node.fails(&["sign"], &wanted);
    handle.signs();
    assert_eq!(handle.home.show()["device"]["state"], json!("present"));
}

/// What helps with a file or a token does not help with a TPM.
#[test]
fn relocate_does_not_send_the_key_of_a_tpm_to_another_machine() {
    let node = Node::with_identity("ed25519", &[]);
    let ran =
        node.fails(&["id", "relocate"], &["that of this identity is in a TPM", "only this TPM"]);
    assert!(!ran.err.contains("another machine"), "{}", ran.err);
}
