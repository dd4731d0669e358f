//! A PCR that moves while an identity is made: an error, or one state for both of
//! its objects.

use serde_json::Value;
use support::wire::Wire;

use super::node::{BOTH, Node};

#[test]
fn a_pcr_that_moves_while_init_runs_gives_an_error_or_one_state() {
    for algorithm in BOTH {
        let node = Node::new();
        let wire = Wire::new(&node.tpm);
        node.set("device_path", &format!("\"{}\"", wire.tcti()));
        let before = node.home.read("icn.toml");
        node.init(algorithm, &["--no-pin"]);
        let commands = wire.commands().len();
        assert!(wire.names().iter().filter(|name| *name == "Create").count() == 2);
        let (mut made, mut refused) = (0, 0);
        for at in 1..=commands {
            empty(&node, &before);
            wire.clear();
            wire.after(at, node.tpm.extender(16));
            let init = ["id", "init", "--algorithm", algorithm, "--no-pin"];
            let ran = node.icnctl(&init);
            let what = format!("{algorithm}, after {at} of {commands}: {}", ran.err);
            let names = names(&node);
            if ran.code == 0 {
                made += 1;
                let header: Value = serde_json::from_str(&node.home.read("identity.json")).unwrap();
                let key = &header["locator"]["policy"]["pcr"];
                let storage = &header["storage"]["object"]["policy"]["pcr"];
                assert!(key.is_array() && key == storage, "{what}: {header}");
                assert_eq!(names, [".lock", "icn.toml", "identity.age", "identity.json"], "{what}");
            } else {
                refused += 1;
                assert!(ran.err.contains("PCR"), "{what}");
                assert_eq!(names, [".lock", "icn.toml"], "{what}");
                assert_eq!(node.home.read("icn.toml"), before, "{what}");
            }
        }
        assert!(made > 1 && refused > 3, "{algorithm}: {made} made, {refused} refused");
    }
}

/// No identity, and PCR 16 as the TPM starts.
fn empty(node: &Node, config: &str) {
    for name in ["identity.json", "identity.age"] {
        let _ = std::fs::remove_file(node.home.path(name));
    }
    node.home.write("icn.toml", config);
    node.tpm.tool("tpm2_pcrreset", &["16"]);
}

fn names(node: &Node) -> Vec<String> {
    let entries = std::fs::read_dir(node.home.path("")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
