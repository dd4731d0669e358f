//! One's own key, with the word of its device's maker.

use std::time::{Duration, SystemTime};

use icn_identity::attestation::{
    Anchors, Attestation, AttestationRefusal, Attested, AttestedKey, Challenge, DeviceCertificates,
    DeviceClass, Fresh, Verdict, Verifier,
};
use icn_identity::backend::Backend as _;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::config::Pkcs11Config;
use icn_identity::evidence::Unmet;
use icn_identity::rotation::{RotationReason, RotationTerms};
use icn_identity::{
    Assurance, DidKey, DidSigner, DidSignerExt as _, Hardware, HardwareBacked, HardwareKey,
    IdentityBundle, Key, NeverExposed, Pin, ProvenanceKind, Requirement, RotationStatement,
    Software, Unlocked,
};
use support::maker::Maker;
use support::softhsm::{PIN, SoftHsm, alone};

use crate::ed25519::new_key;
use crate::{TOKEN, faulty_config, pin};

const CLAIMS: &str = "hardware\nmanufacturer Acme\nmodel HSM";

fn made(config: &Pkcs11Config, label: &str) -> DidKey {
    let backend = Pkcs11Backend::open(config).unwrap();
    backend.create(&new_key().with_label(Some(label.into())), &pin()).unwrap().key
}

/// A key on a token that says this of itself.
fn scripted(hsm: &SoftHsm, script: &str) -> HardwareKey {
    hsm.script(script);
    made(&faulty_config(hsm), script).try_into().unwrap()
}

/// What the maker attests of this key, verified by the node itself. `origin`: made (1) or imported (2).
fn verdict(key: &impl DidSigner, origin: u8) -> Verdict {
    let (maker, now) = (Maker::yubihsm(), SystemTime::now());
    let leaf = Maker::yubihsm_leaf(&key.verifying_key().to_spki_der())
        .having("1.3.6.1.4.1.41482.4.3", &[3, 2, 0, origin])
        .sign(&maker.device_key);
    let issuers = [&maker.device[..], &maker.sub];
    let certificates = DeviceCertificates::parse(&leaf, &issuers).unwrap();
    let challenge = Challenge::fresh("myself", Duration::from_secs(60), now).unwrap();
    let attestation = Attestation::create(key, &challenge, certificates, now).unwrap();
    let mut anchors = Anchors::none();
    anchors.add(DeviceClass::YubiHsm, &maker.root).unwrap();
    Verifier::new(anchors).verify(&attestation, Fresh::To(&challenge), now).unwrap()
}

fn proof(key: &impl DidSigner) -> Attested<Hardware> {
    verdict(key, 1).into_hardware().unwrap()
}

fn treasury<K: DidSigner + NeverExposed>(key: &K) -> Assurance {
    key.assurance()
}

#[test]
fn a_key_is_attested_by_a_proof_of_this_very_key_and_loses_it_with_the_proof() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let attested = Requirement::any().attested();
        let key = scripted(hsm, CLAIMS);
        let unmet = Unmet::Assurance { required: Assurance::Attested, found: Assurance::Claimed };
        assert_eq!(attested.check(&key).unwrap_err(), unmet);
        let of_key = proof(&key);
        let key = AttestedKey::check(key, of_key.clone()).unwrap();
        assert!(attested.check(&key).is_ok() && key.is_hardware_backed());
        assert_eq!(
            (treasury(&key), key.provenance()),
            (Assurance::Attested, ProvenanceKind::Hardware)
        );
        assert_eq!(key.proof().at_unix(), of_key.at_unix());
        assert_eq!(key.sign(b"a").unwrap(), key.as_inner().sign(b"a").unwrap());
        let shown = format!("{key:?}");
        assert!(shown.starts_with("AttestedKey { key: ") && shown.contains("31650425"), "{shown}");
        // It is told to nobody as more than the device claims.
        let heir = Key::<Software, Unlocked>::generate().unwrap();
        let terms = RotationTerms::new(RotationReason::Upgrade);
        let statement = RotationStatement::sign_unguarded(&key, &heir, None, &terms).unwrap();
        assert_eq!(statement.old().claimed_assurance(), Assurance::Claimed);
        // In what holds it, and no longer than that.
        let key = HardwareBacked::check(key).unwrap().into_inner();
        let bundle = IdentityBundle::issue(key).unwrap();
        assert!(attested.check(&bundle).is_ok());
        let key = bundle.into_signer().into_inner();
        assert_eq!(key.assurance(), Assurance::Claimed);
        // One that was sealed and opened again shows its device's word.
        let HardwareKey::Ed25519(key) =
            AttestedKey::check(key, of_key.clone()).unwrap().into_inner()
        else {
            panic!("another algorithm")
        };
        let key = HardwareKey::from(key.seal().unseal(&Pin::new(PIN)).unwrap());
        assert_eq!(key.assurance(), Assurance::Claimed);
        // The proof of one key is none for another.
        hsm.script(CLAIMS);
        let other: HardwareKey = made(&faulty_config(hsm), "other").try_into().unwrap();
        let refused = AttestedKey::check(other, of_key).unwrap_err();
        assert!(matches!(refused.reason(), AttestationRefusal::OtherKey { .. }), "{refused:?}");
        let (other, _) = refused.into_parts();
        assert!(attested.check(&other).is_err());
    });
}

/// Rule 9: whatever a maker's certificate says of a key with this public part.
#[test]
fn a_device_that_is_known_to_be_software_is_attested_by_nobody() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for (script, found) in [
            ("", Assurance::SoftToken),
            ("hardware\nmanufacturer aws_kms\nlibrary none", Assurance::RemoteService),
        ] {
            let key = scripted(hsm, script);
            let of_key = proof(&key);
            let refused = AttestedKey::check(key, of_key).unwrap_err();
            let reason = refused.reason();
            assert!(
                matches!(reason, AttestationRefusal::OwnDevice { found: it } if *it == found),
                "{reason:?}"
            );
            assert_eq!(refused.into_key().assurance(), found);
        }
        // One that says nothing is raised by its maker's word.
        let key = scripted(hsm, "manufacturer Nitrokey\nmodel NetHSM\nlibrary Nitrokey");
        assert_eq!(key.assurance(), Assurance::Unstated);
        let of_key = proof(&key);
        assert_eq!(AttestedKey::check(key, of_key).unwrap().assurance(), Assurance::Attested);
        // An operator who takes it for less is right.
        hsm.script(CLAIMS);
        let config = faulty_config(hsm).with_assurance_at_most(Assurance::SoftToken);
        let key: HardwareKey = made(&config, "less").try_into().unwrap();
        let of_key = proof(&key);
        assert!(AttestedKey::check(key, of_key).is_err());
    });
}

#[test]
fn a_maker_who_says_imported_contradicts_a_device_that_says_born_there() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let key = scripted(hsm, CLAIMS);
        let Verdict::DeviceHeld(imported) = verdict(&key, 2) else { panic!("imported") };
        let refused = AttestedKey::check(key, imported).unwrap_err();
        let found = ProvenanceKind::DeviceHeld;
        assert!(
            matches!(refused.reason(), AttestationRefusal::OwnHistory { found: it } if *it == found),
            "{refused:?}"
        );
        // Where the device is not believed in that, both say the same.
        hsm.script(CLAIMS);
        let config = faulty_config(hsm).with_trust_key_history(false);
        let key = made(&config, "doubted");
        let held = Key::<icn_identity::DeviceHeld, Unlocked>::try_from(key).unwrap();
        let Verdict::DeviceHeld(imported) = verdict(&held, 2) else { panic!("imported") };
        let held = AttestedKey::check(held, imported).unwrap();
        let is = (held.assurance(), held.provenance());
        assert_eq!(is, (Assurance::Attested, ProvenanceKind::DeviceHeld));
        let demanded = Requirement::any().attested().never_exposed().check(&held);
        assert!(matches!(demanded, Err(Unmet::NeverExposed { .. })), "{demanded:?}");
    });
}
