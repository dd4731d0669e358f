//! What is known of where a key is: by evidence alone, whatever form it has.

use icn_identity::key::{Observed, SigningObserver};
use icn_identity::{
    Assurance, DeviceHeld, DidKey, DidSigner, DidSignerExt as _, Ed25519, External, Hardware,
    IdentityBundle, Key, P256, ProvenanceKind, Requirement, Software, TpmSealed, Unlocked,
};
use serde_json::Value;

use crate::conformance::fixture::{Shows, in_each_form};
use crate::conformance::kept::{given, identity, opened};
use crate::conformance::{Fixture, Kept};

struct Nobody;
impl SigningObserver for Nobody {}

pub(crate) fn is_as_shown<F: Fixture>(it: &F) {
    in_each_form!(it, F, key => {
        shows::<F, _>(&key);
        let observed = Observed::new(key, Nobody);
        shows::<F, _>(&observed);
        // Where there is a bundle of it.
        if let Ok(bundle) = IdentityBundle::issue(observed) {
            shows::<F, _>(&bundle);
        }
    });
}

fn shows<F: Fixture, S: DidSigner>(signer: &S) {
    assert_eq!(Shows::of(signer), F::CUSTODY);
    let (provenance, assurance) = (F::CUSTODY.provenance(), F::CUSTODY.assurance());
    assert_eq!((signer.provenance(), signer.assurance()), (provenance, assurance));
    let is_claimed = assurance >= Assurance::Claimed;
    let meets = |requirement: Requirement| requirement.check(signer).is_ok();
    assert_eq!(meets(Requirement::any().confined()), provenance.is_confined());
    let is_hardware = provenance == ProvenanceKind::Hardware;
    assert_eq!(meets(Requirement::any().never_exposed()), is_hardware);
    assert_eq!(meets(Requirement::any().at_least(Assurance::Claimed)), is_claimed);
    assert_eq!(signer.is_hardware_backed(), provenance.is_confined() && is_claimed);
}

/// How many static types an erased key comes back to: its own alone. Each of the others gives
/// it back.
pub(crate) fn types_of(mut key: DidKey) -> usize {
    let mut fits = 0;
    macro_rules! try_each {
        ($($provenance:ident<$algorithm:ident>)+) => {$(
            key = match Key::<$provenance, Unlocked, $algorithm>::try_from(key) {
                Ok(key) => {
                    fits += 1;
                    key.into()
                }
                Err(wrong) => wrong.into_key(),
            };
        )+};
    }
    try_each!(
        Software<Ed25519> TpmSealed<Ed25519> DeviceHeld<Ed25519> Hardware<Ed25519>
        External<Ed25519> DeviceHeld<P256> Hardware<P256> External<P256>
    );
    drop(key);
    fits
}

/// A header is what anybody may have written.
pub(crate) fn header_is_not_believed<F: Kept>(it: &F) {
    assert_eq!(types_of(F::erase(it.key("one"))), 1);
    let home = it.home();
    drop(identity(it, &home, "identity"));
    let honest = home.read("identity.json");
    let evidence = &serde_json::from_str::<Value>(&honest).unwrap()["evidence"];
    let more =
        [("provenance", ["hardware", "device-held"]), ("assurance", ["claimed", "unstated"])];
    for (field, claims) in more {
        let said = evidence[field].as_str().unwrap();
        // Of what has all of it already, the header says less.
        let claim = claims.into_iter().find(|claim| said != *claim).unwrap();
        let line = |value: &str| format!("\"{field}\": \"{value}\"");
        let forged = honest.replacen(&line(said), &line(claim), 1);
        assert_ne!(forged, honest);
        home.write("identity.json", &forged);
        let refused = opened(&home).unlock(given::<F>());
        assert!(refused.is_err(), "{field} {said} was changed to {claim}, and is believed");
    }
    home.write("identity.json", &honest);
    let unlocked = opened(&home).unlock(given::<F>()).unwrap();
    assert_eq!(Shows::of(&unlocked.bundle), F::CUSTODY);
}
