//! Headers that somebody, or a disk, has changed.

use serde_json::{Value, json};

use super::node::{BOTH, Node, PIN, WRONG};

const KEY: &str = "the key object in the header is damaged";
const STORAGE: &str = "the storage key's object in the header is damaged";

fn header(node: &Node) -> Value {
    serde_json::from_str(&node.home.read("identity.json")).unwrap()
}

/// Flips a bit of one byte of a text in hex; from the end if it is negative.
fn flip(header: &Value, pointer: &str, byte: isize) -> Value {
    let mut text = header.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let length = text.len() / 2;
    let at = if byte < 0 { length - byte.unsigned_abs() } else { byte.unsigned_abs() };
    let old = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    text.replace_range(2 * at..2 * at + 2, &format!("{:02x}", old ^ 1));
    json!(text)
}

/// Everything that has to be told by the object of the key is told without the
/// PIN: here it is a wrong one, and is not spent.
#[test]
fn a_damaged_key_object_is_told_and_no_pin_is_sent() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]).with("ICN_PIN", WRONG);
        let (text, good) = (node.home.read("identity.json"), header(&node));
        for (pointer, byte, wanted) in [
            // Size of the HMAC, the HMAC, the ciphertext.
            ("/locator/private", 1, KEY),
            ("/locator/private", 10, KEY),
            ("/locator/private", -1, KEY),
            // Kind, hash, attributes, the policy.
            ("/locator/public", 1, KEY),
            ("/locator/public", 3, KEY),
            ("/locator/public", 4, KEY),
            ("/locator/public", 20, "the policy of the key object is not the one that is written"),
        ] {
            node.home.edit_header(pointer, flip(&good, pointer, byte));
            let wanted = [wanted, "restore identity.json (with identity.age) from a backup"];
            node.fails(&["sign"], &wanted);
            node.fails(&["tpm", "check"], &wanted);
            node.home.write("identity.json", &text);
        }
        for (pointer, value) in [("/locator/private", json!("")), ("/locator/public", json!(""))] {
            node.home.edit_header(pointer, value);
            node.fails(&["sign"], &[KEY]);
            node.home.write("identity.json", &text);
        }
        node.with("ICN_PIN", PIN).signs();
    }
}

/// The end of the public part: for sealed data a hash of it, for P-256 keys
/// the point.
#[test]
fn a_changed_identifier_of_the_key_object_is_told() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]).with("ICN_PIN", WRONG);
        let changed = flip(&header(&node), "/locator/public", -1);
        node.home.edit_header("/locator/public", changed);
        node.fails(&["sign"], &[KEY]);
    }
}

#[test]
fn a_damaged_object_of_the_storage_key_is_told() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]);
        let (text, good) = (node.home.read("identity.json"), header(&node));
        for (pointer, byte, wanted) in [
            ("/storage/object/private", 1, STORAGE),
            ("/storage/object/private", -1, STORAGE),
            ("/storage/object/public", 1, STORAGE),
            ("/storage/object/public", -1, STORAGE),
            ("/storage/object/public", 20, "the policy of the storage key's object is not the one"),
        ] {
            node.home.edit_header(pointer, flip(&good, pointer, byte));
            node.fails(&["sign"], &[wanted, "restore identity.json"]);
            node.fails(&["tpm", "check"], &[wanted]);
            node.home.write("identity.json", &text);
        }
        node.signs();
    }
}

#[test]
fn objects_in_each_others_place_open_nothing() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &["--no-pin"]);
        let good = header(&node);
        let (key, storage) = (good["locator"].clone(), good["storage"]["object"].clone());
        node.home.edit_header("/locator", storage);
        node.fails(&["sign"], &[KEY]);
        node.home.edit_header("/storage/object", key);
        node.fails(&["sign"], &[KEY]);
    }
}

/// The P-256 key, where the TPM is asked to unseal the storage key.
#[test]
fn a_signing_key_in_the_place_of_the_storage_key_is_told() {
    let node = Node::with_identity("p256", &["--no-pin"]);
    let key = header(&node)["locator"].clone();
    node.home.edit_header("/storage/object", key);
    node.fails(&["sign"], &[STORAGE, "restore identity.json"]);
}

/// Nothing but its contents shows what an object is for: with a PIN too, and
/// without a try for it.
#[test]
fn objects_in_each_others_place_cost_no_pin_try() {
    let node = Node::with_identity("ed25519", &[]);
    let (text, good) = (node.home.read("identity.json"), header(&node));
    node.home.edit_header("/locator", good["storage"]["object"].clone());
    node.home.edit_header("/storage/object", good["locator"].clone());
    node.fails(&["sign"], &[KEY]);
    node.home.write("identity.json", &text);
    node.home.edit_header("/storage/object", good["locator"].clone());
    node.fails(&["sign"], &[STORAGE]);
    node.home.write("identity.json", &text);
    node.signs();
}

#[test]
fn objects_of_another_identity_are_refused() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &["--no-pin"]);
        let other = super::node::home_on(&node.tpm);
        other.ok(&["id", "init", "--algorithm", algorithm, "--no-pin"], b"");
        let theirs: Value = serde_json::from_str(&other.read("identity.json")).unwrap();
        let good = node.home.read("identity.json");
        node.home.edit_header("/locator", theirs["locator"].clone());
        node.fails(&["sign"], &[theirs["did"].as_str().unwrap()]);
        node.home.write("identity.json", &good);
        node.home.edit_header("/storage/object", theirs["storage"]["object"].clone());
        node.fails(&["sign"], &["the age file is damaged, or was made for another"]);
        node.home.write("identity.json", &good);
        node.home.edit_header("/did", theirs["did"].clone());
        node.fails(&["sign"], &["the configuration pins did:"]);
        node.home.write("identity.json", &good);
        node.signs();
    }
}

#[test]
fn a_policy_that_is_edited_is_refused_and_no_pin_is_sent() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]).with("ICN_PIN", WRONG);
        let good = node.home.read("identity.json");
        node.tpm.extend_pcr(16);
        let present = json!(node.tpm.read_pcr(16));
        for object in ["locator", "storage/object"] {
            let name = if object == "locator" { "key object" } else { "storage key's object" };
            let wanted = format!("the policy of the {name} is not the one that is written beside");
            for (field, value) in [
                ("pcr/0/values/16", present.clone()),
                ("pcr/0/values/16", json!("00")),
                ("pcr/0/values", json!({ "16": "00".repeat(32), "17": "00".repeat(32) })),
                ("pcr/0/values", json!({})),
                ("pcr/0/bank", json!("sha1")),
                ("pcr", json!([])),
                ("pin", Value::Null),
            ] {
                node.home.edit_header(&format!("/{object}/policy/{field}"), value);
                node.fails(&["tpm", "check"], &[&wanted]);
                if object == "locator" {
                    node.fails(&["sign"], &[&wanted, "restore identity.json"]);
                }
                node.home.write("identity.json", &good);
            }
        }
        for log_n in [9, 40] {
            node.home.edit_header("/locator/policy/pin/log_n", json!(log_n));
            node.fails(&["sign"], &["the work factor of the PIN in the header is damaged"]);
        }
    }
}

#[test]
fn an_older_copy_of_the_header_is_caught_before_anything_is_signed() {
    let node = Node::with_identity("ed25519", &["--no-pin"]);
    let old = node.home.read("identity.json");
    node.ok(&["id", "reseal"]);
    node.home.write("identity.json", &old);
    node.fails(&["sign"], &["does not belong to this identity's payload", "backup"]);
}
