//! What is advised where a TPM's certificate, or a maker, is missing; and what a file says of a TPM.

use std::fs;

use support::ek_maker::{EkMaker, P256_INDEX};
use support::maker::pem;

use super::way::{AUDIENCE, Way};
use crate::tpm::node::Node;

/// Runs each command of a help as it stands there, with what is put in the place of words.
fn follow(node: &Node, help: &str, words: &[(&str, &str)]) -> usize {
    let commands = help.split('`').filter(|code| code.starts_with("tpm2_nv"));
    let run = |command: &str| {
        let filled = |word: &str| {
            let put = words.iter().find(|(name, _)| *name == word);
            put.map_or_else(|| word.trim_matches('\'').to_owned(), |(_, put)| (*put).to_owned())
        };
        let all: Vec<String> = command.split_whitespace().map(filled).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let (program, args) = all.split_first().unwrap();
        node.tpm.tool(program, args);
    };
    commands.map(run).count()
}

#[test]
fn a_certificate_is_stored_as_it_is_advised_where_there_is_none_or_one_that_is_not_read() {
    let (node, maker) = (Node::with_identity("p256", &[]), EkMaker::new());
    let der = EkMaker::ek(&node.tpm.ek_spki()).sign(&maker.sub_key);
    let (file, size) = (node.home.beside("ek.der"), der.len().to_string());
    fs::write(&file, &der).unwrap();
    let words = [("SIZE", size.as_str()), ("FILE", file.to_str().unwrap())];
    let create = ["attestation", "create", "--audience", AUDIENCE];
    let ran = node.fails(&create, &["holds no certificate of its endorsement key"]);
    assert_eq!(follow(&node, &ran.err, &words), 2, "{}", ran.err);
    node.ok(&create);
    node.tpm.store_as(P256_INDEX, &der, "ownerwrite|authread", "theirs");
    let ran = node.fails(&create, &["was not read", "With `platformcreate`"]);
    assert_eq!(follow(&node, &ran.err, &words), 4, "{}", ran.err);
    node.ok(&create);
    // Of version 1: the second number of the certificate, which has no other.
    let at = der.windows(5).position(|window| window == [0xa0, 3, 2, 1, 2]).unwrap();
    let mut old = der;
    old[at + 4] = 0;
    node.tpm.store(P256_INDEX, &old);
    let told = ["cannot be used as a certificate", "is of X.509 version 1; expected 3"];
    node.fails(&create, &told);
}

#[test]
fn a_maker_that_is_missing_and_a_step_that_is_missing_are_told_by_what_to_do() {
    let way = Way::new(&[]);
    let challenge = way.challenge("challenge.json");
    let attestation = way.create(&challenge, "attestation.json", &[]);
    let verify = |more: &[&str], texts: &[&str]| {
        let ran = way.judge("verify", &attestation, &challenge, more);
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        assert!(texts.iter().all(|text| ran.out.contains(text)), "{}", ran.out);
    };
    verify(&[], &["nobody vouches", "icnctl attestation activate ATTESTATION --challenge FILE"]);
    let policy = way.file("policy.txt");
    fs::write(&policy, way.node.tpm.tool("tpm2_pcrread", &["sha256:0,7"])).unwrap();
    let stated = "no PCRs are stated; expected a statement of PCRs 0,7 of the SHA-256 bank";
    verify(&["--pcr-policy", &policy], &[stated, "icnctl attestation create --challenge FILE"]);
    // Nobody's, then by an authority for attestation keys alone.
    for file in ["root.pem", "sub.pem"] {
        let stranger = EkMaker::new();
        fs::write(way.party.beside("anchors/tpm").join(file), pem(&stranger.root)).unwrap();
    }
    verify(&[], &["the issuer of the EK certificate is not known: CN=TPM Sub", "tpm/NAME.pem"]);
    let ran = way.judge("verify", &attestation, &challenge, &[]);
    assert!(!ran.out.contains("yubihsm/NAME.pem"), "{}", ran.out);
    let folder = way.party.beside("anchors/tpm-ak");
    fs::rename(way.party.beside("anchors/tpm"), &folder).unwrap();
    fs::write(folder.join("root.pem"), pem(&way.maker.root)).unwrap();
    let chain = way.node.file("chain.pem", &pem(&way.maker.sub));
    let whole = way.create(&challenge, "whole.json", &["--chain", &chain]);
    let ran = way.judge("verify", &whole, &challenge, &[]);
    assert!(ran.out.contains("put it into tpm/ too"), "{}", ran.out);
}

#[test]
fn a_file_says_of_which_tpm_it_is_and_an_activation_that_could_not_be_told_of_is_2() {
    let way = Way::new(&[]);
    let challenge = way.challenge("challenge.json");
    let output = way.file("attestation.json");
    let args = ["attestation", "create", "--challenge", &challenge, "-o", &output];
    assert!(way.node.ok(&args).contains("alone: it identifies the TPM.\n"));
    let shown = way.party.ok(&["attestation", "show", &output], b"");
    for text in [
        "tpm2-certify, 1 certificate\n",
        "Device      TPM, STM TEST TPM, certified with version id:00010002\n",
        "Issuer      CN=TPM Sub\nVouched for nobody\n",
    ] {
        assert!(shown.contains(text), "{shown}");
    }
    let shown = way.party.ok(&["--format", "json", "attestation", "show", &output], b"");
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let tpm = &shown["tpm"];
    assert_eq!((&tpm["maker"], &tpm["issuer"]), (&"STM".into(), &"CN=TPM Sub".into()));
    assert!(tpm["endorser"].is_null());
    let (secret, question) = (way.file("secret.json"), way.file("activation.json"));
    let files = ["--secret", &secret, "-o", &question];
    let ran = way.judge("activate", &output, &way.file("absent.json"), &files);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert_eq!(way.judge("activate", &output, &challenge, &files).code, 0);
}
