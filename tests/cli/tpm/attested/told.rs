//! What is said of a TPM that relying parties refuse, and of options and files that do not fit.

use std::fs;

use support::ek_maker::{EkMaker, P256_INDEX};
use support::home::{Home, PASSPHRASE, Ran};
use support::maker::pem;

use super::way::{AUDIENCE, Way};
use crate::tpm::node::{Node, WRONG};

/// Said by `id show`, and by `create` before a PIN is sent.
#[test]
fn a_tpm_that_relying_parties_refuse_is_told_of_before_a_pin_is_sent() {
    let way = Way::new(&[]);
    let ibm = EkMaker::ek_by("id:49424D00", &way.node.tpm.ek_spki()).sign(&way.maker.sub_key);
    way.node.tpm.store(P256_INDEX, &ibm);
    way.node.set("attestation", "true");
    let note =
        "relying parties will refuse an attestation by this TPM: the TPM is a virtual one (IBM,";
    let shown = way.node.ok(&["id", "show"]);
    assert!(shown.contains(note) && !shown.contains("The TPM can be attested"), "{shown}");
    let shown = way.node.json(&["id", "show"])["attestation"].clone();
    assert_eq!(shown["possible"], true);
    assert!(shown["refused"].as_str().unwrap().contains("a virtual one"), "{shown}");
    let [option, file] = way.node.pin_file(WRONG);
    let args = ["attestation", "create", "--audience", AUDIENCE];
    let warning = "warning: relying parties will refuse this attestation: the TPM is a virtual one";
    let ran = way.node.ends(77, 1, &[&args[..], &[&option, &file]].concat(), &[warning]);
    let pin = ran.err.find("the TPM refused the PIN").unwrap();
    assert!(ran.err.find(warning).unwrap() < pin, "{}", ran.err);
    let create = |options: &[&str]| {
        let ran = way.node.icnctl(&[&args[..], options].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.err
    };
    let refused = "warning: by what is known here, these certificates are refused";
    // By these anchors: another maker's, and the right root for attestation keys alone.
    way.maker.endorse(&way.node.tpm);
    let shown = way.node.ok(&["id", "show"]);
    assert!(shown.contains("The TPM can be attested") && !shown.contains("note:"), "{shown}");
    let anchors = way.file("anchors");
    fs::write(way.party.beside("anchors/tpm/root.pem"), pem(&EkMaker::new().root)).unwrap();
    assert!(create(&["--anchors", &anchors]).contains(refused));
    fs::remove_file(way.party.beside("anchors/tpm/sub.pem")).unwrap();
    fs::write(way.party.beside("anchors/tpm/root.pem"), pem(&way.maker.root)).unwrap();
    assert!(create(&["--anchors", &anchors]).contains(refused));
    let chain = way.node.file("chain.pem", &pem(&way.maker.sub));
    let all = ["--chain", &chain, "--anchors", &anchors];
    assert!(!create(&all).contains("warning"));
    way.node.fails(&[&args[..], &["--anchors", "/nonexistent"]].concat(), &["/nonexistent"]);
}

#[test]
fn what_does_not_fit_a_key_in_a_tpm_or_in_a_file_is_refused_by_name() {
    let node = Node::with_identity("p256", &[]);
    let certificate = node.file("leaf.pem", "");
    let create = ["attestation", "create", "--audience", AUDIENCE];
    let wrong = [&create[..], &["--certificate", &certificate]].concat();
    node.ends(2, 0, &wrong, &["read from the TPM", "go into --chain FILE"]);
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    home.fails(&create, b"", &["is in a file: no device vouches for it", "icnctl id migrate --to"]);
}

/// A question for a TPM, given to an identity in a file, and to a home that others may enter.
#[test]
fn an_activation_is_answered_on_the_node_that_made_the_attestation() {
    let way = Way::new(&[]);
    let challenge = way.challenge("challenge.json");
    let attestation = way.create(&challenge, "attestation.json", &[]);
    let (secret, question) = (way.file("secret.json"), way.file("activation.json"));
    let files = ["--secret", &secret, "-o", &question];
    assert_eq!(way.judge("activate", &attestation, &challenge, &files).code, 0);
    let answer = ["attestation", "answer", &question];
    let told = ["is answered by the TPM that made the attestation", "in a file", "--home DIR"];
    let ran = way.party.fails(&answer, b"", &told);
    assert!(!ran.err.contains("change-passphrase"), "{}", ran.err);
    // Each new file is named with its own option.
    let again = way.judge("activate", &attestation, &challenge, &files);
    let told = ["secret.json already exists", "name another file with --secret, or move"];
    assert!(told.iter().all(|text| again.err.contains(text)), "{}", again.err);
    let other = way.file("other.json");
    let files = ["--secret", &other, "-o", &question];
    let again = way.judge("activate", &attestation, &challenge, &files);
    assert!(again.err.contains("name another file with --output, or move"), "{}", again.err);
    assert!(!again.err.contains("decrypt"), "{}", again.err);
    // A time of an endorsement has its unit.
    let files = ["--secret", &secret, "--answer", &other, "--valid-for", "90"];
    let ran = way.judge("endorse", &attestation, &challenge, &files);
    assert!(ran.code == 2 && ran.err.contains("not a time like 90s"), "{}", ran.err);
}

/// A certificate that was issued anew for the same key, with an endorsement of the one before.
#[test]
fn an_endorsement_of_another_certificate_is_refused_by_that_name_before_a_pin_is_sent() {
    let way = Way::new(&[]);
    let challenge = way.challenge("challenge.json");
    let attestation = way.create(&challenge, "attestation.json", &[]);
    let (secret, answer) = way.activate(&attestation, &challenge, "first");
    let endorsement = way.file("endorsement.json");
    let files = ["--secret", &secret, "--answer", &answer, "--valid-for", "1d", "-o", &endorsement];
    let said = |ran: Ran, code: i32| assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    said(way.judge("endorse", &attestation, &challenge, &files), 0);
    way.create(&challenge, "before.json", &["--endorsement", &endorsement]);
    way.maker.endorse(&way.node.tpm);
    let [option, file] = way.node.pin_file(WRONG);
    let create = ["attestation", "create", "--challenge", &challenge, &option, &file];
    let told = ["the EK certificate is another one than that which was endorsed", "endorsed again"];
    way.node.fails(&[&create[..], &["--endorsement", &endorsement]].concat(), &told);
}
