//! The commands of docs/attestation.md for a TPM, by all roles, as they stand there.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use support::ek_maker::EkMaker;
use support::home::{Home, PASSPHRASE};
use support::maker::pem;
use tempfile::TempDir;

use crate::pages::markdown::{Piece, Said, pages};
use crate::tpm::node::{Node, PIN};

const THIS: &str = "the_page_on_attestation_is_played_from_top_to_bottom_by_all_roles";

/// Roles and commands, in the order of the page.
fn lines() -> Vec<(String, String)> {
    let page = pages().into_iter().find(|page| page.name == "docs/attestation.md").unwrap();
    let blocks = page.pieces.into_iter().filter_map(|piece| match piece {
        Piece::Block(block) if block.said == Said::TestedBy(THIS.into()) => Some(block.text),
        _ => None,
    });
    let text: Vec<_> = blocks.collect();
    let read = |line: &str| {
        let (role, command) = line.split_once("$ ").unwrap();
        (role.to_owned(), command.trim().to_owned())
    };
    text.iter().flat_map(|text| text.lines()).map(read).collect()
}

/// The folder in which all files change hands, with the maker's certificates in `anchors`.
fn table(maker: &EkMaker) -> TempDir {
    let table = tempfile::tempdir().unwrap();
    let class = table.path().join("anchors/tpm");
    fs::create_dir_all(&class).unwrap();
    fs::create_dir(table.path().join("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_icnctl"), table.path().join("bin/icnctl")).unwrap();
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, der) in [("root.pem", &maker.root), ("sub.pem", &maker.sub)] {
        fs::write(class.join(name), pem(der)).unwrap();
        set(&class.join(name), 0o644);
    }
    set(&class, 0o755);
    set(&table.path().join("anchors"), 0o755);
    table
}

#[test]
fn the_page_on_attestation_is_played_from_top_to_bottom_by_all_roles() {
    let (node, maker) = (Node::new(), EkMaker::new());
    maker.endorse(&node.tpm);
    let table = table(&maker);
    let party = || Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    let (relying, endorser) = (party(), party());
    endorser.ok(&["id", "init"], b"");
    let voucher = endorser.show()["did"].as_str().unwrap().to_owned();

    let lines = lines();
    let roles: BTreeSet<_> = lines.iter().map(|(role, _)| role.as_str()).collect();
    assert_eq!(roles, BTreeSet::from(["endorser", "node", "reference", "relying"]));
    let path = std::env::var("PATH").unwrap();
    let mut told = Vec::new();
    for (role, command) in lines {
        let mut filled = command.replace("did:icn:z…", &voucher);
        if filled.contains("did:key:zDn…") {
            filled = filled.replace("did:key:zDn…", node.home.show()["did"].as_str().unwrap());
        }
        let mut bash = Command::new("bash");
        bash.args(["-ec", &format!("set -o pipefail; {filled}")]).current_dir(table.path());
        bash.env_clear().env("PATH", format!("{}:{path}", table.path().join("bin").display()));
        match role.as_str() {
            "node" => bash.env("ICN_HOME", node.home.path("")).env("ICN_PIN", PIN),
            "endorser" => bash.env("ICN_HOME", endorser.path("")).env("ICN_PASSPHRASE", PASSPHRASE),
            // It has no identity.
            _ => bash.env("ICN_HOME", relying.path("")),
        };
        if role == "node" || role == "reference" {
            bash.env("TPM2TOOLS_TCTI", node.tpm.tcti());
        }
        let ran = bash.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&ran.stdout), text(&ran.stderr));
        assert!(ran.status.success(), "{role}$ {command}\n{out}{err}");
        if command.starts_with("icnctl attestation verify ") {
            told.push(out);
        }
    }
    // What the page says that the verdicts say.
    let said = [
        "; AK activated by you\n".to_owned(),
        format!("; AK vouched for by {voucher}\n"),
        "PCRs        0,7 (sha256), as in the policy\n".to_owned(),
    ];
    assert_eq!(told.len(), said.len());
    for (told, said) in told.iter().zip(said) {
        assert!(told.starts_with("valid\n") && told.contains(&said), "{told}");
    }
}
