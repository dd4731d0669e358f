//! A node with a TPM, and a relying party.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use support::ek_maker::EkMaker;
use support::home::{Home, PASSPHRASE, Ran, run};
use support::maker::pem;

use crate::tpm::node::Node;

pub(super) const AUDIENCE: &str = "treasury@coop.example";

/// A node with a TPM, its maker, and a relying party with an identity in a file.
pub(super) struct Way {
    pub(super) node: Node,
    pub(super) maker: EkMaker,
    pub(super) party: Home,
}

impl Way {
    pub(super) fn new(more: &[&str]) -> Self {
        Self::with(more, Home::new())
    }

    /// With this home for the relying party.
    pub(super) fn with(more: &[&str], party: Home) -> Self {
        let (node, maker) = (Node::with_identity("p256", more), EkMaker::new());
        maker.endorse(&node.tpm);
        let party = party.with("ICN_PASSPHRASE", PASSPHRASE);
        party.ok(&["id", "init"], b"");
        let way = Self { node, maker, party };
        let folder = way.party.beside("anchors");
        fs::create_dir_all(folder.join("tpm")).unwrap();
        for (name, der) in [("root.pem", &way.maker.root), ("sub.pem", &way.maker.sub)] {
            fs::write(folder.join("tpm").join(name), pem(der)).unwrap();
            let mode = Permissions::from_mode(0o644);
            fs::set_permissions(folder.join("tpm").join(name), mode).unwrap();
        }
        for folder in [folder.join("tpm"), folder] {
            fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
        }
        way
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.party.beside(name).to_str().unwrap().to_owned()
    }

    pub(super) fn challenge(&self, name: &str) -> String {
        let file = self.file(name);
        let args = ["attestation", "challenge", "--audience", AUDIENCE, "-o", &file];
        self.party.ok(&args, b"");
        file
    }

    pub(super) fn create(&self, challenge: &str, output: &str, more: &[&str]) -> String {
        let output = self.file(output);
        let args = ["attestation", "create", "--challenge", challenge, "-o", &output];
        self.node.ok(&[&args[..], more].concat());
        output
    }

    /// By the relying party, with its anchors.
    pub(super) fn judge(
        &self,
        command: &str,
        attestation: &str,
        challenge: &str,
        more: &[&str],
    ) -> Ran {
        run(&mut self.judging(command, attestation, challenge, more), b"")
    }

    pub(super) fn judging(
        &self,
        command: &str,
        attestation: &str,
        challenge: &str,
        more: &[&str],
    ) -> Command {
        let (anchors, did) = (self.file("anchors"), self.did());
        let args = ["attestation", command, attestation, "--challenge", challenge];
        let demands = ["--anchors", &anchors, "--did", &did];
        self.party.command(&[&args[..], &demands, more].concat())
    }

    pub(super) fn did(&self) -> String {
        self.node.home.show()["did"].as_str().unwrap().to_owned()
    }

    pub(super) fn activate(
        &self,
        attestation: &str,
        challenge: &str,
        name: &str,
    ) -> (String, String) {
        let (secret, question) =
            (self.file(&format!("{name}-secret.json")), self.file(&format!("{name}.json")));
        let files = ["--secret", &secret, "-o", &question];
        let ran = self.judge("activate", attestation, challenge, &files);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let answer = self.file(&format!("{name}-answer.json"));
        self.node.ok(&["attestation", "answer", &question, "-o", &answer]);
        (secret, answer)
    }
}
