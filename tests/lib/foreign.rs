//! Signers written elsewhere: what they claim counts for nothing, and what
//! they change later cannot make a bundle lie.

use std::error::Error as StdError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use icn_identity::algorithm::P256VerifyingKey;
use icn_identity::bundle::BundleError;
use icn_identity::error::{OpenError, SignError};
use icn_identity::evidence::Unmet;
use icn_identity::key::{Observed, Signing, SigningObserver, SigningPurpose};
use icn_identity::keystore::age::WorkFactor;
use icn_identity::{
    AlgorithmId, Assurance, AtRest, Custody, DeviceHeld, Did, DidKey, DidMethod, DidSigner,
    DidSignerExt as _, Error, External, ExternalSigner, Hardware, IdentityBundle, Key, P256,
    Passphrase, ProvenanceKind, Requirement, Signature, Software, TpmSealed, Unlocked,
    VerifyingKey,
};
use signature::{Keypair as _, Signer as _};

fn software() -> Key<Software, Unlocked> {
    Key::generate().unwrap()
}

/// Signs whatever it is given, as a signer written elsewhere does.
fn by_hand(key: &Key<Software, Unlocked>, message: &[u8]) -> Signature {
    let signing = ed25519_dalek::SigningKey::from_bytes(key.expose_secret());
    let signature = ed25519_dalek::Signer::sign(&signing, message);
    Signature::from_ed25519_bytes(signature.to_bytes())
}

/// A signer that is honest for `honest` signatures, then shows and uses
/// another key.
struct Turncoat {
    keys: [Key<Software, Unlocked>; 2],
    signed: AtomicUsize,
    honest: usize,
}

impl Turncoat {
    fn after(honest: usize) -> Self {
        Self { keys: [software(), software()], signed: AtomicUsize::new(0), honest }
    }
    fn key(&self) -> &Key<Software, Unlocked> {
        let [before, after] = &self.keys;
        if self.signed.load(Ordering::Relaxed) < self.honest { before } else { after }
    }
    fn next(&self, message: &[u8]) -> Signature {
        let signature = by_hand(self.key(), message);
        self.signed.fetch_add(1, Ordering::Relaxed);
        signature
    }
}

impl DidSigner for Turncoat {
    fn did(&self) -> &Did {
        self.key().did()
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.key().verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        Ok(self.next(message))
    }
}

impl ExternalSigner for Turncoat {
    fn verifying_key(&self) -> VerifyingKey {
        *self.key().verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn StdError + Send + Sync>> {
        Ok(self.next(message))
    }
}

/// A signer that claims everything it can.
struct Braggart(Key<Software, Unlocked>);

impl Braggart {
    fn custody(&self) -> &'static str {
        "hardware"
    }
    fn is_hardware_backed(&self) -> bool {
        true
    }
}

impl DidSigner for Braggart {
    fn did(&self) -> &Did {
        self.0.did()
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        Ok(by_hand(&self.0, message))
    }
}

fn unproven(signer: &dyn DidSigner) {
    assert_eq!(signer.custody(), Custody::Unproven);
    assert_eq!(signer.provenance(), ProvenanceKind::External);
    assert!(!signer.is_hardware_backed());
    assert!(signer.evidence().is_none());
    assert_eq!(Requirement::any().check(signer), Ok(()));
    for demand in [
        Requirement::any().confined(),
        Requirement::any().never_exposed(),
        Requirement::any().at_least(Assurance::SoftToken),
    ] {
        assert_eq!(demand.check(signer), Err(Unmet::Unproven));
    }
}

#[test]
fn a_foreign_signer_that_claims_hardware_is_unproven() {
    let braggart = Braggart(software());
    assert!(braggart.is_hardware_backed() && braggart.custody() == "hardware");
    unproven(&braggart);
    let boxed: Box<dyn DidSigner> = Box::new(braggart);
    unproven(&boxed);
    unproven(&Arc::new(boxed));
}

#[test]
fn custody_passes_through_pointers_and_not_through_wrappers() {
    let key = software();
    let shown = key.custody();
    let Custody::Shown(of_software) = shown else { panic!("{shown:?}") };
    assert_eq!(of_software.provenance(), ProvenanceKind::Software);
    assert_eq!(of_software.assurance(), Assurance::None);
    assert_eq!((&&key).custody(), shown);
    let boxed: Box<dyn DidSigner> = Box::new(key);
    assert_eq!(boxed.custody(), shown);
    let shared: Arc<dyn DidSigner> = Arc::from(boxed);
    assert_eq!(shared.custody(), shown);
    assert!(!shared.is_hardware_backed());
    let unmet = Requirement::any().confined().check(&shared).unwrap_err();
    assert_eq!(unmet.to_string(), "a key confined to a device is required, this one is software");
}

/// To make a bundle the signer signs four times: the challenge, the binding,
/// and the DID document's statement and proof.
const TO_BE_MADE: usize = 4;

#[test]
fn a_signer_that_changes_its_key_cannot_make_a_bundle_lie() {
    let turncoat = Turncoat::after(TO_BE_MADE);
    let did = DidSigner::did(&turncoat).clone();
    let bundle = IdentityBundle::issue(turncoat).unwrap();
    // From here on the signer shows and uses another key, and another DID.
    assert_ne!(DidSigner::did(bundle.signer()), &did);
    assert_eq!(bundle.did(), &did);
    assert_eq!(bundle.verifying_key(), did.verifying_key());
    assert_eq!(bundle.binding().did(), &did);
    let error = bundle.sign(b"hello").unwrap_err();
    assert!(matches!(error, SignError::BadSignature(_)), "{error}");
    bundle.verify_binding(std::time::SystemTime::now()).unwrap();
}

/// Writes down what is signed, and lets so many signatures pass.
struct Ledger {
    seen: Mutex<Vec<String>>,
    limit: usize,
}

impl SigningObserver for Ledger {
    fn before(&self, _: &Signing<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let signed = self.seen.lock().unwrap().len();
        if signed < self.limit { Ok(()) } else { Err("enough for today".into()) }
    }
    fn after(&self, signing: &Signing<'_>, failed: Option<&SignError>) {
        let purpose = match signing.purpose {
            SigningPurpose::Context(context) => context.to_owned(),
            purpose => format!("{purpose:?}"),
        };
        let outcome = failed.map_or("signed", |_| "refused");
        self.seen.lock().unwrap().push(format!("{purpose} {outcome}"));
    }
}

#[test]
fn an_observer_sees_every_signature_and_can_refuse_it() {
    let ledger = Ledger { seen: Mutex::default(), limit: 5 };
    let key = Observed::new(software(), ledger);
    assert_eq!(key.custody(), key.signer().custody());
    let bundle = IdentityBundle::issue(&key).unwrap();
    bundle.sign(b"hello").unwrap();
    bundle.sign(b"icn-identity/binding/v1\0").unwrap_err();
    bundle.sign_for("test", b"hello").unwrap();
    let boxed: Box<dyn DidSigner + '_> = Box::new(&key);
    let refused = boxed.sign(b"hello").unwrap_err();
    assert!(
        matches!(&refused, SignError::Refused(reason) if reason.to_string() == "enough for today")
    );
    let seen = key.observer().seen.lock().unwrap().clone();
    // A key of ours has proved itself when it was opened.
    let statements = ["Statement signed"; TO_BE_MADE - 1];
    let messages = ["Message signed", "test signed", "Message refused"];
    assert_eq!(seen[..statements.len()], statements);
    assert_eq!(seen[statements.len()..], messages);
}

/// Generic code that takes a `DidSigner` gets the pinned way, too.
#[test]
fn a_bundle_as_a_signer_is_pinned() {
    let turncoat = Turncoat::after(TO_BE_MADE);
    let did = DidSigner::did(&turncoat).clone();
    let bundle = IdentityBundle::issue(turncoat).unwrap();
    let signer: &dyn DidSigner = &bundle;
    assert_eq!((signer.did(), signer.verifying_key()), (&did, did.verifying_key()));
    let error = signer.sign(b"hello").unwrap_err();
    assert!(matches!(error, SignError::BadSignature(_)), "{error}");
    let error = signer.sign_for("test", b"hello").unwrap_err();
    assert!(matches!(error, SignError::BadSignature(_)), "{error}");
    unproven(signer);
    let ours = IdentityBundle::issue(software()).unwrap();
    assert_eq!(ours.custody(), ours.signer().custody());
    let erased = IdentityBundle::issue(DidKey::from(software())).unwrap();
    let error = erased.into_hardware().unwrap_err();
    let told = error.reason().to_string();
    assert!(
        told.contains("hardware key of ed25519 was demanded, this one's is software"),
        "{told}"
    );
}

#[test]
fn a_signer_that_turns_before_the_binding_gets_no_bundle_and_is_given_back() {
    for honest in 1..TO_BE_MADE {
        let refused = IdentityBundle::issue(Turncoat::after(honest)).unwrap_err();
        let sign_error = matches!(refused.reason(), BundleError::Sign(SignError::BadSignature(_)));
        assert!(sign_error, "{:?}", refused.reason());
        assert_eq!(refused.into_key().signed.load(Ordering::Relaxed), honest + 1);
    }
}

#[test]
fn a_bundle_renewed_by_a_turned_signer_stays_as_it_was() {
    let bundle = IdentityBundle::issue(Turncoat::after(TO_BE_MADE)).unwrap();
    let before = bundle.binding();
    bundle.renew().unwrap_err();
    assert_eq!(bundle.binding(), before);
}

/// Another DID than that of the key it shows.
struct Impostor(Key<Software, Unlocked>, Did);

impl DidSigner for Impostor {
    fn did(&self) -> &Did {
        &self.1
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        Ok(by_hand(&self.0, message))
    }
}

#[test]
fn a_did_that_is_not_that_of_the_key_is_refused() {
    let impostor = Impostor(software(), software().did().clone());
    let refused = IdentityBundle::issue(impostor).unwrap_err();
    assert!(matches!(refused.reason(), BundleError::DidIsNotItsKey { .. }));
    let help = Error::from(refused).to_string();
    assert!(help.contains("is not that of the key it shows"), "{help}");
}

/// A P-256 signer that always gives the higher of the two signatures.
struct High(p256::ecdsa::SigningKey);

impl High {
    fn new() -> Self {
        Self(p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap())
    }
}

/// A key that is in nobody's device, for tests of P-256.
pub(crate) fn external_p256() -> Key<External, Unlocked, P256> {
    Key::from_external_p256(High::new()).unwrap()
}

impl ExternalSigner for High {
    fn verifying_key(&self) -> VerifyingKey {
        let point = self.0.verifying_key().to_sec1_point(true);
        P256VerifyingKey::from_bytes(point.as_bytes().try_into().unwrap()).unwrap().into()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn StdError + Send + Sync>> {
        let signature: p256::ecdsa::Signature = self.0.try_sign(message)?;
        let (r, s) = signature.normalize_s().split_scalars();
        let high = p256::ecdsa::Signature::from_scalars(r, -*s)?;
        Ok(Signature::from_p256_bytes(high.to_bytes().into()))
    }
}

#[test]
fn an_external_p256_key_gives_the_lower_signature_whatever_its_signer_gives() {
    let signer = High::new();
    let shown = ExternalSigner::verifying_key(&signer);
    let high = ExternalSigner::sign(&signer, b"hello").unwrap();
    shown.verify(b"hello", &high).unwrap();
    shown.verify_strict(b"hello", &high).unwrap_err();

    let key = Key::<External, Unlocked, P256>::from_external_p256(signer).unwrap();
    unproven(&key);
    assert_eq!(key.verifying_key(), &shown);
    let low = key.sign(b"hello").unwrap();
    assert_ne!(low, high);
    shown.verify_strict(b"hello", &low).unwrap();

    let signer = key.as_signer();
    let adapted: p256::ecdsa::Signature = signer.try_sign(b"hello").unwrap();
    assert_eq!(adapted.to_bytes().as_slice(), low.as_bytes());
    signature::Verifier::verify(&signer.verifying_key(), b"hello", &adapted).unwrap();
    let other: Result<ed25519_dalek::Signature, _> = signer.try_sign(b"hello");
    assert!(other.is_err());
}

#[test]
fn a_bundle_over_an_external_p256_key_works() {
    let key = Key::<External, Unlocked, P256>::from_external_p256(High::new()).unwrap();
    let bundle = IdentityBundle::issue(key).unwrap();
    bundle.verify_binding(std::time::SystemTime::now()).unwrap();
    let signature = bundle.sign(b"hello").unwrap();
    bundle.verifying_key().verify_strict(b"hello", &signature).unwrap();
    bundle.verifying_key().verify(b"hullo", &signature).unwrap_err();
    let did = bundle.did().clone();
    assert_eq!(&did, bundle.signer().did());

    let wrong = Key::<External, Unlocked>::try_from(DidKey::from(bundle.into_signer()));
    let wrong = wrong.unwrap_err();
    let told = wrong.to_string();
    assert!(told.contains("ed25519 key was demanded, this one is external p256"), "{told}");
    let key = Key::<External, Unlocked, P256>::try_from(wrong.into_key()).unwrap();
    assert_eq!(key.did(), &did);
}

#[test]
fn a_signer_of_the_other_algorithm_is_refused_and_given_back() {
    let refused = Key::<External, Unlocked>::from_external(High::new()).unwrap_err();
    let OpenError::WrongAlgorithm { demanded, found } = *refused.reason() else {
        panic!("{:?}", refused.reason())
    };
    assert_eq!((demanded, found), (AlgorithmId::Ed25519, AlgorithmId::P256));
    let _key = Key::from_external_p256(refused.into_key()).unwrap();

    let honest = Turncoat::after(usize::MAX);
    let refused = Key::from_external_p256(honest).unwrap_err();
    let OpenError::WrongAlgorithm { demanded, found } = *refused.reason() else {
        panic!("{:?}", refused.reason())
    };
    assert_eq!((demanded, found), (AlgorithmId::P256, AlgorithmId::Ed25519));
    let given_back = refused.into_key();
    // Refused before it was asked for anything.
    assert_eq!(given_back.signed.load(Ordering::Relaxed), 0);
    let _key = Key::<External, Unlocked>::from_external(given_back).unwrap();
}

#[test]
fn the_cause_of_a_failing_external_signer_is_kept() {
    struct Broken(VerifyingKey);
    impl ExternalSigner for Broken {
        fn verifying_key(&self) -> VerifyingKey {
            self.0
        }
        fn sign(&self, _: &[u8]) -> Result<Signature, Box<dyn StdError + Send + Sync>> {
            Err("the cloud is down".into())
        }
    }
    let refused =
        Key::<External, Unlocked>::from_external(Broken(*software().verifying_key())).unwrap_err();
    let mut chain = vec![refused.to_string()];
    let mut cause = StdError::source(&refused);
    while let Some(error) = cause {
        chain.push(error.to_string());
        cause = error.source();
    }
    assert_eq!(
        chain,
        ["the key could not sign a challenge", "the external signer failed", "the cloud is down",]
    );
}

#[test]
fn one_bundle_code_serves_every_signer() {
    fn works<S: DidSigner>(signer: S) {
        let bundle = IdentityBundle::issue(signer).unwrap();
        bundle.verify_binding(std::time::SystemTime::now()).unwrap();
        let signature = bundle.sign(b"hello").unwrap();
        bundle.verifying_key().verify(b"hello", &signature).unwrap();
        bundle.verifying_key().verify(b"hullo", &signature).unwrap_err();
    }
    works(DidKey::from(software().with_did_method(DidMethod::Key)));
    let boxed: Box<dyn DidSigner> = Box::new(software());
    works(boxed);
    let shared: Arc<dyn DidSigner> = Arc::new(software());
    works(shared);
    let key = software();
    works(&key);
    works(key);
    works(Key::<External, Unlocked>::from_external(Turncoat::after(usize::MAX)).unwrap());
}

#[test]
fn an_erased_key_goes_back_to_its_own_type_only() {
    let did = |key: &DidKey| key.did().clone();
    let key = DidKey::from(software());
    let expected = did(&key);
    let wrong = Key::<Hardware, Unlocked>::try_from(key).unwrap_err();
    assert_eq!(
        (wrong.demanded(), wrong.found()),
        (ProvenanceKind::Hardware, ProvenanceKind::Software)
    );
    assert_eq!(wrong.to_string(), "a hardware key was demanded, this one is software");
    let wrong = Key::<DeviceHeld, Unlocked>::try_from(wrong.into_key()).unwrap_err();
    let wrong = Key::<TpmSealed, Unlocked>::try_from(wrong.into_key()).unwrap_err();
    let wrong = Key::<External, Unlocked>::try_from(wrong.into_key()).unwrap_err();
    let key = Key::<Software, Unlocked>::try_from(wrong.into_key()).unwrap();
    assert_eq!(key.did(), &expected);
    let external = Key::<External, Unlocked>::from_external(Turncoat::after(usize::MAX)).unwrap();
    assert!(Key::<Software, Unlocked>::try_from(DidKey::from(external)).is_err());
}

#[test]
fn a_bundle_goes_back_to_its_own_static_type_only() {
    let bundle = IdentityBundle::issue(DidKey::from(software())).unwrap();
    let refused = bundle.into_static::<Hardware>().unwrap_err();
    assert_eq!(
        refused.reason().to_string(),
        "a bundle over a hardware key of ed25519 was demanded, this one's is software, of ed25519"
    );
    assert!(refused.into_key().into_static::<Software>().is_ok());
}

#[test]
fn a_key_at_rest_is_given_back_by_a_wrong_credential() {
    fn open<K: AtRest>(key: K, wrong: &K::Credential, right: &K::Credential) -> K::Opened {
        let Err(refused) = key.open(wrong) else { panic!("opened with the wrong credential") };
        refused.into_key().open(right).unwrap_or_else(|refused| panic!("{:?}", refused.reason()))
    }
    let key = software();
    let seed = *key.expose_secret();
    let (right, wrong) = (Passphrase::new("right"), Passphrase::new("wrong"));
    let locked = key.lock_with(&right, WorkFactor::new(10).unwrap()).unwrap();
    assert!(locked.as_age_file().starts_with(b"age-encryption.org/v1\n"));
    assert_eq!(*open(locked, &wrong, &right).expose_secret(), seed);
    let refused = software().lock(&Passphrase::new("")).unwrap_err();
    assert!(matches!(refused.reason(), OpenError::EmptyPassphrase));
    let _unlocked: Key<Software, Unlocked> = refused.into_key();
}

#[test]
fn a_locked_file_of_another_key_is_refused() {
    let (one, two) = (software(), software());
    let passphrase = Passphrase::new("right");
    let fast = WorkFactor::new(10).unwrap();
    let did = one.did().clone();
    let file = two.lock_with(&passphrase, fast).unwrap().as_age_file().to_vec();
    let refused = Key::from_age_file(did, file).unlock(&passphrase).unwrap_err();
    assert!(matches!(refused.reason(), OpenError::WrongKey { .. }), "{:?}", refused.reason());
    let garbage = Key::from_age_file(one.did().clone(), b"not an age file".to_vec());
    let refused = garbage.unlock(&passphrase).unwrap_err();
    assert!(matches!(refused.reason(), OpenError::Damaged(_)), "{:?}", refused.reason());
}

#[test]
fn the_adapter_serves_rustcryptos_traits() {
    use ed25519_dalek::Verifier;
    let key = software();
    let signer = key.as_signer();
    let signature: ed25519_dalek::Signature = signer.try_sign(b"hello").unwrap();
    Verifier::verify(&signer.verifying_key(), b"hello", &signature).unwrap();
    let turned = Key::<External, Unlocked>::from_external(Turncoat::after(1)).unwrap();
    let failed: Result<ed25519_dalek::Signature, _> = turned.as_signer().try_sign(b"hello");
    assert!(StdError::source(&failed.unwrap_err()).is_some());
}
