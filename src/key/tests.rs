//! Devices that lie, each in one way: what is checked of every key in one, without one.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use sha2::{Digest as _, Sha256};

use super::device::{DeviceKey, DeviceSigner, OpenedDevice};
use super::tpm_sealed::SealedSeed;
use super::*;
use crate::algorithm::{AlgorithmId, P256};
use crate::evidence::{
    DeviceIdentity, Evidence, Fact, Pkcs11Attributes, ProvenanceKind, TpmAttributes, Trust, Word,
};
use crate::fault::{OpenError, SignError};
use crate::secret::{Pin, SigningSeed};
use crate::signer::{Custody, DidSignerExt as _, verifies};

/// The seeds of two keys.
const OURS: u8 = 7;
const ANOTHER: u8 = 8;

fn public(algorithm: AlgorithmId, seed: u8) -> VerifyingKey {
    let bytes = match algorithm {
        AlgorithmId::Ed25519 => dalek(seed).verifying_key().to_bytes().to_vec(),
        AlgorithmId::P256 => p256(seed).verifying_key().to_sec1_point(true).as_bytes().to_vec(),
    };
    VerifyingKey::from_bytes(algorithm, &bytes).unwrap()
}

fn dalek(seed: u8) -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[seed; 32])
}

fn p256(seed: u8) -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap()
}

fn sign_hash(key: &p256::ecdsa::SigningKey, digest: &[u8; 32]) -> Signature {
    let signature: p256::ecdsa::Signature = key.sign_prehash(digest).unwrap();
    Signature::from_p256_bytes(signature.to_bytes().into()).to_low_s().unwrap()
}

fn did(algorithm: AlgorithmId, seed: u8) -> Did {
    Did::fitting(DidMethod::default(), &public(algorithm, seed))
}

fn token() -> DeviceIdentity {
    DeviceIdentity {
        manufacturer: "Acme".into(),
        model: String::new(),
        library: String::new(),
        module: String::new(),
        slot: String::new(),
        serial: String::new(),
        label: String::new(),
        firmware: String::new(),
        hardware_slot: true,
    }
}

fn evidence(local: Fact) -> Evidence {
    let attributes = Pkcs11Attributes {
        local,
        sensitive: Fact::True,
        always_sensitive: Fact::True,
        extractable: Fact::False,
        never_extractable: Fact::True,
    };
    Evidence::from_pkcs11(token(), attributes, Trust::default()).unwrap()
}

/// A device with one key.
#[derive(Debug, Clone)]
struct Device(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    algorithm: AlgorithmId,
    shows: u8,
    /// Can be another one at any time.
    signs_with: AtomicU8,
    local: Fact,
    verify_after_sign: bool,
    is_shown: bool,
    signed: Mutex<Vec<Vec<u8>>>,
}

/// What is true of it unless a test says otherwise.
fn honest(algorithm: AlgorithmId) -> Inner {
    Inner {
        algorithm,
        shows: OURS,
        signs_with: AtomicU8::new(OURS),
        local: Fact::True,
        verify_after_sign: true,
        is_shown: true,
        signed: Mutex::new(Vec::new()),
    }
}

impl Device {
    fn opened(&self) -> OpenedDevice {
        OpenedDevice {
            handle: Arc::new(self.clone()),
            shown: public(self.0.algorithm, self.0.shows),
            evidence: evidence(self.0.local),
            signer: Box::new(self.clone()),
            verify_after_sign: self.0.verify_after_sign,
        }
    }

    /// Found for the key that is ours.
    fn sealed(&self) -> SealedKey {
        SealedKey::new(did(self.0.algorithm, OURS), Arc::new(self.clone()))
    }

    fn note(&self, message: &[u8]) {
        self.0.signed.lock().unwrap().push(message.to_vec());
    }

    fn signed(&self) -> Vec<Vec<u8>> {
        self.0.signed.lock().unwrap().clone()
    }
}

impl DeviceKey for Device {
    fn open(&self, _: &Pin) -> Result<OpenedDevice, OpenError> {
        Ok(self.opened())
    }
    fn is_shown(&self) -> bool {
        self.0.is_shown
    }
    fn check_sendable(&self) -> Result<(), OpenError> {
        if self.0.is_shown { Ok(()) } else { Err(OpenError::NotItsKey) }
    }
}

impl DeviceSigner for Device {
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        match self.0.algorithm {
            AlgorithmId::P256 => self.sign_sha256(&Sha256::digest(message).into()),
            AlgorithmId::Ed25519 => {
                self.note(message);
                let key = dalek(self.0.signs_with.load(Ordering::Relaxed));
                Ok(Signature::from_ed25519_bytes(key.sign(message).to_bytes()))
            }
        }
    }
    fn sign_sha256(&self, digest: &[u8; 32]) -> Result<Signature, SignError> {
        self.note(digest);
        let key = p256(self.0.signs_with.load(Ordering::Relaxed));
        Ok(sign_hash(&key, digest))
    }
}

const BOTH: [AlgorithmId; 2] = [AlgorithmId::Ed25519, AlgorithmId::P256];

#[test]
fn a_device_that_shows_another_key_is_refused_before_it_signs() {
    for algorithm in BOTH {
        let device = Device(Arc::new(Inner {
            shows: ANOTHER,
            signs_with: AtomicU8::new(ANOTHER),
            ..honest(algorithm)
        }));
        let refused = device.sealed().unseal(&Pin::new("1234")).unwrap_err();
        let (key, reason) = refused.into_parts();
        assert!(matches!(reason, OpenError::WrongKey { .. }), "{reason:?}");
        assert_eq!(*key.did(), did(algorithm, OURS), "given back");
        let reason = device.opened().into_material(&did(algorithm, OURS)).unwrap_err();
        assert!(matches!(reason, OpenError::WrongKey { .. }), "{reason:?}");
        assert!(device.signed().is_empty());
    }
}

#[test]
fn a_device_that_cannot_sign_with_the_key_it_shows_is_refused() {
    for algorithm in BOTH {
        let device =
            Device(Arc::new(Inner { signs_with: AtomicU8::new(ANOTHER), ..honest(algorithm) }));
        let reason = device.sealed().unseal(&Pin::new("1234")).unwrap_err().into_parts().1;
        assert!(matches!(reason, OpenError::NotItsKey), "{reason:?}");
        // A key that was just made is checked as one that is opened.
        let made = DidKey::from_new_device_key(device.opened(), DidMethod::default());
        assert!(matches!(made, Err(OpenError::NotItsKey)), "{made:?}");
    }
}

#[test]
fn no_two_challenges_are_the_same() {
    let device = Device(Arc::new(honest(AlgorithmId::Ed25519)));
    for _ in 0..2 {
        drop(device.sealed().unseal(&Pin::new("1234")).unwrap());
    }
    let [first, second] = <[Vec<u8>; 2]>::try_from(device.signed()).unwrap();
    assert_ne!(first, second, "a signature that was seen once would open it for ever");
    assert!(second.ends_with(public(AlgorithmId::Ed25519, OURS).as_bytes()));
}

/// A device may have another key by then.
#[test]
fn what_a_device_signs_is_verified_before_it_is_given_out() {
    for algorithm in BOTH {
        let device = Device(Arc::new(honest(algorithm)));
        let key = device.sealed().unseal(&Pin::new("1234")).unwrap();
        assert!(verifies(&key), "so nobody has to do it again");
        key.sign(b"hello").unwrap();
        device.0.signs_with.store(ANOTHER, Ordering::Relaxed);
        key.sign(b"hello").unwrap_err();
        let by_hash = key.__sign_sha256(&[1; 32], Token::new());
        match algorithm {
            AlgorithmId::Ed25519 => assert!(by_hash.is_none()),
            AlgorithmId::P256 => assert!(by_hash.unwrap().is_err()),
        }
    }
}

/// Of a bundle, which pins its key, or of whoever else asks.
#[test]
fn what_a_device_signs_unverified_is_verified_by_whoever_pins_its_key() {
    for algorithm in BOTH {
        let device = Device(Arc::new(Inner { verify_after_sign: false, ..honest(algorithm) }));
        let key = device.sealed().unseal(&Pin::new("1234")).unwrap();
        assert!(!verifies(&key));
        assert!(!verifies(&&key) && !verifies(&Observed::new(&key, Quiet)));
        device.0.signs_with.store(ANOTHER, Ordering::Relaxed);
        let signature = key.sign(b"hello").unwrap();
        assert!(key.verifying_key().verify(b"hello", &signature).is_err());
        match key {
            DidKey::Hardware(key) => {
                let key = HardwareBacked::check(key).unwrap();
                assert!(!verifies(&key));
                assert!(!verifies(&HardwareKey::Ed25519(key.into_inner())));
            }
            DidKey::HardwareP256(key) => {
                let key = HardwareBacked::check(key).unwrap();
                assert!(!verifies(&key));
                assert!(!verifies(&HardwareKey::P256(key.into_inner())));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// An observer has to see each message, so nobody signs a hash past it.
#[test]
fn what_is_around_a_key_shows_its_evidence_and_hides_no_message_from_an_observer() {
    let token = Token::new;
    let open = || Device(Arc::new(honest(AlgorithmId::P256))).sealed().unseal(&Pin::new("1234"));
    let Ok(DidKey::HardwareP256(key)) = open() else { panic!("hardware") };
    let shows = |signer: &dyn DidSigner| {
        let provenance = signer.__evidence(token()).map(Evidence::provenance);
        assert_eq!(provenance, Some(ProvenanceKind::Hardware));
        signer.__takes_hashes(token())
    };
    assert!(shows(&key) && shows(&open().unwrap()));
    assert!(key.__sign_sha256(&[1; 32], token()).unwrap().is_ok());
    let key = HardwareBacked::check(key).unwrap();
    assert!(shows(&key));
    assert!(key.__sign_sha256(&[1; 32], token()).unwrap().is_ok());
    let key = HardwareKey::P256(key.into_inner());
    assert!(shows(&key));
    assert!(key.__sign_sha256(&[1; 32], token()).unwrap().is_ok());
    let observed = HardwareBacked::check(Observed::new(key, Quiet)).unwrap();
    assert!(!shows(&observed));
    assert!(observed.__sign_sha256(&[1; 32], token()).is_none());
}

/// A signer that shows no evidence.
struct Unseen {
    key: Key<Software, Unlocked>,
    is_remote: bool,
}

impl DidSigner for Unseen {
    fn did(&self) -> &Did {
        self.key.did()
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.key.sign(message)
    }
    fn __is_remote(&self, _: Token) -> bool {
        self.is_remote
    }
}

/// What a daemon reports of its key is told from what nobody says anything about.
#[test]
fn an_observer_leaves_custody_what_it_is() {
    let custody = |is_remote| {
        let signer = Unseen { key: Key::generate().unwrap(), is_remote };
        Observed::new(signer, Quiet).custody()
    };
    assert!(matches!(custody(true), Custody::Reported));
    assert!(matches!(custody(false), Custody::Unproven));
}

/// A locked file says whose key it is, and holds a seed.
#[cfg(feature = "keystore")]
#[test]
fn a_file_opens_only_as_the_key_that_it_names_and_holds() {
    let (ours, another) = (did(AlgorithmId::Ed25519, OURS), did(AlgorithmId::Ed25519, ANOTHER));
    let file = Key::<Software, Locked>::from_age_file(ours.clone(), Vec::new());
    let seed = |of: u8| Some(SigningSeed::from_bytes(&[of; 32]));
    assert_eq!(*file.with_seed(&ours, seed(OURS)).unwrap().did(), ours);
    for (named, seed) in [(&ours, seed(ANOTHER)), (&another, seed(OURS)), (&another, seed(ANOTHER))]
    {
        let refused = file.with_seed(named, seed).unwrap_err();
        assert!(matches!(refused, OpenError::WrongKey { .. }), "{named}: {refused:?}");
    }
    assert!(matches!(file.with_seed(&ours, None), Err(OpenError::NoSeed)));
}

struct Quiet;
impl SigningObserver for Quiet {}

#[test]
fn a_type_is_opened_by_the_evidence_that_it_demands_and_no_other() {
    for (local, found) in
        [(Fact::True, ProvenanceKind::Hardware), (Fact::False, ProvenanceKind::DeviceHeld)]
    {
        let device = Device(Arc::new(Inner { local, ..honest(AlgorithmId::Ed25519) }));
        let pin = Pin::new("1234");
        let hardware = device.sealed().demand_hardware().unwrap().unseal(&pin);
        let held = device.sealed().demand_device_held().unwrap().unseal(&pin);
        assert_eq!(hardware.is_ok(), found == ProvenanceKind::Hardware);
        assert_eq!(held.is_ok(), found == ProvenanceKind::DeviceHeld);
        if let Some(reason) = hardware.err().map(|refused| refused.into_parts().1) {
            let names =
                matches!(reason, OpenError::WrongProvenance { found: is, .. } if is == found);
            assert!(names, "{reason:?}");
        }
    }
}

#[test]
fn a_sealed_key_becomes_a_type_of_its_own_algorithm_only() {
    for algorithm in BOTH {
        let sealed = || Device(Arc::new(honest(algorithm))).sealed();
        let ed25519 = sealed().demand_hardware().is_ok();
        let p256 = Key::<Hardware, Sealed, P256>::try_from(sealed()).is_ok();
        assert_eq!(
            (ed25519, p256),
            (algorithm == AlgorithmId::Ed25519, algorithm == AlgorithmId::P256)
        );
    }
}

#[test]
fn what_was_seen_of_a_key_decides_whether_a_credential_is_sent() {
    for is_shown in [true, false] {
        let device = Device(Arc::new(Inner { is_shown, ..honest(AlgorithmId::Ed25519) }));
        assert_eq!(device.sealed().is_shown(), is_shown);
        assert_eq!(device.sealed().check_shown().is_ok(), is_shown);
    }
    // Of a device that looks for nothing, nothing was seen.
    let blind = SealedKey::new(did(AlgorithmId::Ed25519, OURS), Arc::new(Blind));
    assert!(!blind.is_shown() && blind.check_shown().is_ok());
}

#[derive(Debug)]
struct Blind;

impl DeviceKey for Blind {
    fn open(&self, _: &Pin) -> Result<OpenedDevice, OpenError> {
        Err(OpenError::NotItsKey)
    }
}

/// The type of a key that was recorded as one which was in a file, or not born in its device.
#[test]
fn a_key_that_was_not_hardware_does_not_become_it_by_what_its_device_says_later() {
    for algorithm in BOTH {
        let open =
            || Device(Arc::new(honest(algorithm))).sealed().unseal(&Pin::new("1234")).unwrap();
        let provenance = |key: &DidKey| key.__evidence(Token::new()).unwrap().provenance();
        let is_hardware =
            |key: &DidKey| matches!(key, DidKey::Hardware(_) | DidKey::HardwareP256(_));
        assert!(is_hardware(&open()));
        let same = open().remembering(|_| Some((Fact::True, Word::Module)));
        assert!(is_hardware(&same) && provenance(&same) == ProvenanceKind::Hardware);
        let unknown = open().remembering(|_| None);
        assert!(is_hardware(&unknown) && provenance(&unknown) == ProvenanceKind::Hardware);
        let less =
            open().remembering(|name| (name == "local").then_some((Fact::False, Word::Module)));
        assert!(!is_hardware(&less) && provenance(&less) == ProvenanceKind::DeviceHeld);
        let imported = open().known_to_be_imported();
        assert!(!is_hardware(&imported) && provenance(&imported) == ProvenanceKind::DeviceHeld);
    }
}

/// A TPM that unseals what it is told to.
#[derive(Debug)]
struct Tpm(u8, TpmAttributes);

const SEALED: TpmAttributes = TpmAttributes {
    sealed: true,
    fixed_tpm: true,
    fixed_parent: true,
    sensitive_data_origin: false,
    user_with_auth: false,
    no_da: false,
    restricted: false,
    decrypt: false,
    sign: false,
};

fn shown_by_tpm(attributes: TpmAttributes) -> Evidence {
    Evidence::from_tpm(token(), attributes).unwrap()
}

impl SealedSeed for Tpm {
    fn unseal(&self, _: &Pin) -> Result<(SigningSeed, Evidence), OpenError> {
        Ok((SigningSeed::from_bytes(&[self.0; 32]), shown_by_tpm(self.1)))
    }
}

#[test]
fn a_seed_that_a_tpm_unseals_has_to_be_that_of_its_did() {
    let ours = did(AlgorithmId::Ed25519, OURS);
    let open = |tpm: Tpm| SealedKey::of_seed(ours.clone(), Arc::new(tpm)).unseal(&Pin::new("1234"));
    let key = open(Tpm(OURS, SEALED)).unwrap();
    let signature = key.sign(b"hello").unwrap();
    public(AlgorithmId::Ed25519, OURS).verify(b"hello", &signature).unwrap();
    let reason = open(Tpm(ANOTHER, SEALED)).unwrap_err().into_parts().1;
    assert!(matches!(reason, OpenError::WrongKey { .. }), "{reason:?}");
    // What is no sealed object gives no key of that type.
    let key_of_the_chip =
        TpmAttributes { sealed: false, sensitive_data_origin: true, sign: true, ..SEALED };
    let reason = open(Tpm(OURS, key_of_the_chip)).unwrap_err().into_parts().1;
    assert!(matches!(reason, OpenError::WrongProvenance { .. }), "{reason:?}");
    let sealed = SealedKey::of_seed(ours.clone(), Arc::new(Tpm(OURS, SEALED)));
    assert!(!sealed.is_shown() && sealed.check_shown().is_ok());
    assert!(sealed.demand_hardware().is_err());
}
