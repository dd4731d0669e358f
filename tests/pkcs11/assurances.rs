//! What stands behind a token, by what it and its module say of themselves.

use icn_identity::backend::Backend as _;
use icn_identity::backend::doctor::Outcome;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::pkcs11::doctor::examine;
use icn_identity::config::Pkcs11Config;
use icn_identity::evidence::{Fact, Unmet, Word};
use icn_identity::{
    Assurance, DidKey, DidSignerExt as _, IdentityBundle, ProvenanceKind, Requirement,
};
use support::softhsm::{SoftHsm, alone};

use crate::ed25519::new_key;
use crate::{TOKEN, faulty_config, pin};

/// A key on the token as it is scripted now, opened as it is configured.
fn made(config: &Pkcs11Config, label: &str) -> DidKey {
    let backend = Pkcs11Backend::open(config).unwrap();
    backend.create(&new_key().with_label(Some(label.into())), &pin()).unwrap().key
}

fn scripted(hsm: &SoftHsm, script: &str) -> DidKey {
    hsm.script(script);
    made(&faulty_config(hsm), script)
}

fn history(key: &DidKey) -> Vec<(Fact, Word)> {
    let facts = key.evidence().unwrap().facts();
    let past = ["local", "always_sensitive", "never_extractable"];
    facts.filter(|fact| past.contains(&fact.name)).map(|fact| (fact.fact, fact.word)).collect()
}

/// `CKF_HW_SLOT` is set by the script `hardware`, and by nothing else here.
#[test]
fn a_token_is_software_a_remote_service_hardware_or_says_nothing() {
    use Assurance::{Claimed, RemoteService, SoftToken, Unstated};
    alone(|hsm| {
        hsm.token(TOKEN);
        for (script, expected) in [
            // openCryptoki sets the flag for its soft token.
            ("hardware\nmanufacturer IBM\nmodel Soft\nlibrary IBM", SoftToken),
            ("hardware\nmanufacturer Kryoptic_Project\nmodel v1", SoftToken),
            ("", SoftToken),
            ("hardware\nmanufacturer aws_kms\nlibrary none", RemoteService),
            ("manufacturer Nitrokey\nmodel NetHSM\nlibrary Nitrokey", Unstated),
            ("hardware\nmanufacturer Acme\nmodel HSM", Claimed),
        ] {
            let key = scripted(hsm, script);
            assert_eq!(key.evidence().unwrap().assurance(), expected, "{script}");
            assert_eq!(key.assurance(), expected, "{script}");
            assert_eq!(key.is_hardware_backed(), expected == Claimed, "{script}");
            for least in [SoftToken, RemoteService, Unstated, Claimed] {
                let met = Requirement::any().at_least(least).check(&key);
                assert_eq!(met.is_ok(), expected >= least, "{script} {least}");
                if let Err(unmet) = met {
                    assert_eq!(unmet, Unmet::Assurance { required: least, found: expected });
                }
            }
            let bundle = IdentityBundle::issue(key).unwrap();
            assert_eq!(bundle.assurance(), expected, "{script}");
            let report = examine(&faulty_config(hsm)).unwrap();
            let verdict = report.tokens[0].verdicts().into_iter().last().unwrap();
            assert_eq!(verdict.state == Outcome::Ok, expected == Claimed, "{verdict:?}");
        }
    });
}

#[test]
fn an_operator_can_take_a_token_for_less_and_not_for_more() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for (script, at_most, expected) in [
            ("hardware", Assurance::RemoteService, Assurance::RemoteService),
            ("hardware", Assurance::Claimed, Assurance::Claimed),
            ("", Assurance::Claimed, Assurance::SoftToken),
        ] {
            hsm.script(script);
            let config = faulty_config(hsm).with_assurance_at_most(at_most);
            let key = made(&config, &format!("{script} {at_most}"));
            assert_eq!(key.evidence().unwrap().assurance(), expected, "{script} {at_most}");
            assert_eq!(examine(&config).unwrap().tokens[0].assurance, expected);
        }
    });
}

#[test]
fn a_history_that_the_operator_does_not_trust_is_nobodys_word() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let trusted = scripted(hsm, "hardware");
        assert_eq!(trusted.provenance(), ProvenanceKind::Hardware);
        assert_eq!(history(&trusted), [(Fact::True, Word::Module); 3]);
        let config = faulty_config(hsm).with_trust_key_history(false);
        let doubted = made(&config, "doubted");
        assert_eq!(doubted.provenance(), ProvenanceKind::DeviceHeld);
        assert_eq!(history(&doubted), [(Fact::Unknown, Word::Nobody); 3]);
    });
}
