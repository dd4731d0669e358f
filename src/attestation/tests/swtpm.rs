//! What a TPM itself signs and refuses, beside [`super::soft_tpm`], which is a program of ours: swtpm,
//! with an endorsement key that the test's maker certifies.

use std::sync::Arc;

use p256::SecretKey;
use p256::ecdsa::Signature as Ecdsa;
use support::ek_maker::EkMaker;
use support::maker::NOW;
use support::swtpm::Swtpm;
use support::tpm_commands::{ENDORSEMENT, Loaded, OWNER};

use super::made::{challenge, now};
use super::soft_tpm::{
    AK, BORN_THERE, IDENTITY, RESTRICTED, SIGN, USER_WITH_AUTH, ek_template, name_of, public_with,
    signing_public,
};
use super::tpm::refused;
use crate::algorithm::{AlgorithmId, P256VerifyingKey, Signature, VerifyingKey};
use crate::attestation::*;
use crate::key::{External, ExternalSigner, Key, Unlocked};

const PLATFORM: u32 = 0x4000_000c;
/// Of the TCG Algorithm Registry.
const ECDSA: [u8; 2] = [0, 0x18];
const SHA256: [u8; 2] = [0, 0x0b];
const SHA1: [u8; 2] = [0, 4];

/// What is stated with this qualifying data: a statement and a signature.
type State<'a> = dyn Fn(&[u8]) -> (Vec<u8>, Vec<u8>) + 'a;

struct Machine {
    tpm: Arc<Swtpm>,
    maker: EkMaker,
    ek: Loaded,
    certificate: Vec<u8>,
}

/// The coordinates at the end of a public part on P-256.
fn point(public: &[u8]) -> [u8; 65] {
    let (x, y) = public[public.len() - 68..].split_at(34);
    [&[4], &x[2..], &y[2..]].concat().try_into().unwrap()
}

/// A template for a key that signs.
fn template(attributes: u32) -> Vec<u8> {
    public_with(attributes, SHA256, [ECDSA, SHA256].concat(), &[0; 32], &[0; 32])
}

impl Machine {
    fn new() -> Self {
        let tpm = Swtpm::start();
        let maker = EkMaker::new();
        let ek = tpm.create_primary(ENDORSEMENT, &ek_template()).unwrap();
        let certificate =
            EkMaker::ek(&support::maker::spki("1.2.840.10045.3.1.7", &point(&ek.public)));
        let certificate = certificate.sign(&maker.sub_key);
        Self { tpm: Arc::new(tpm), maker, ek, certificate }
    }

    fn primary(&self, hierarchy: u32, template: &[u8]) -> Loaded {
        self.tpm.create_primary(hierarchy, template).unwrap()
    }

    /// As this crate makes it.
    fn ak(&self) -> Loaded {
        self.primary(ENDORSEMENT, &template(AK))
    }

    fn identity(&self) -> Loaded {
        self.primary(OWNER, &template(IDENTITY))
    }

    /// The DID's key, in the TPM.
    fn key(&self, identity: &Loaded) -> Key<External, Unlocked, crate::P256> {
        let signer = InTpm { tpm: Arc::clone(&self.tpm), key: identity.clone() };
        Key::<External, Unlocked, crate::P256>::from_external_p256(signer).unwrap()
    }

    fn verifier(&self) -> Verifier {
        let mut anchors = Anchors::none();
        anchors.add(DeviceClass::Tpm, &self.maker.root).unwrap();
        Verifier::new(anchors)
    }

    /// What `state` says, signed by the identity's key; nothing of it is looked at here.
    fn attestation(
        &self,
        identity: &Loaded,
        ak: &Loaded,
        state: impl FnOnce(&[u8]) -> (Vec<u8>, Vec<u8>),
    ) -> (Attestation, Challenge) {
        let (key, challenge) = (self.key(identity), challenge());
        let (audience, nonce) = (challenge.audience.clone(), challenge.nonce);
        let qualifying = signing::qualifying_data(key.did(), &audience, &nonce, NOW);
        let (statement, signature) = state(&qualifying);
        let evidence = TpmEvidence::new(
            identity.public.clone(),
            statement,
            signature,
            ak.public.clone(),
            Some(self.ek.public.clone()),
            vec![self.certificate.clone(), self.maker.sub.clone()],
        );
        let evidence = evidence::Evidence::Tpm2Certify(Box::new(evidence.unwrap().0));
        let did = key.did().clone();
        let (created, signature) = (NOW, [0; 64]);
        let mut made = Attestation { did, audience, nonce, created, evidence, signature };
        let signature = crate::signer::sign_statement(&key, &made.signed_bytes()).unwrap();
        made.signature = *signature.as_bytes();
        (made, challenge)
    }

    fn certified(&self, identity: &Loaded, ak: &Loaded) -> (Attestation, Challenge) {
        self.attestation(identity, ak, |data| self.tpm.certify(identity, ak, data).unwrap())
    }

    /// The name of the refusal, where all but the activation is verified.
    fn begun(&self, (attestation, challenge): &(Attestation, Challenge)) -> String {
        match self.verifier().begin(attestation, Fresh::To(challenge), now()) {
            Err(AttestationError::Refused(refusal)) => refused::<()>(Err(*refusal)),
            Err(other) => panic!("{other:?}"),
            Ok(_) => "accepted".into(),
        }
    }

    /// Whether the TPM tells a secret that was encrypted here for its EK and a key with this public
    /// part.
    fn activates(&self, ak: &Loaded) -> bool {
        let ek = P256VerifyingKey::from_uncompressed(&point(&self.ek.public)).unwrap();
        let name = name_of(&ak.public).try_into().unwrap();
        let (blob, secret) = tpm::credential_for_tests(&ek, &name, &[0x5e; 32]);
        let told = self.tpm.activate_credential(ak, &self.ek, &blob, &secret);
        told.is_ok_and(|told| told == [0x5e; 32])
    }

    fn forget(&self, loaded: Loaded) {
        self.tpm.flush_handle(loaded.handle);
    }
}

/// A key in the TPM, that signs also if it is restricted: what was hashed by the TPM.
struct InTpm {
    tpm: Arc<Swtpm>,
    key: Loaded,
}

impl ExternalSigner for InTpm {
    fn verifying_key(&self) -> VerifyingKey {
        P256VerifyingKey::from_uncompressed(&point(&self.key.public)).unwrap().into()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn std::error::Error + Send + Sync>> {
        let signature =
            self.tpm.sign_hashed(&self.key, message).map_err(|code| format!("{code:#x}"))?;
        assert_eq!(signature[..4], [ECDSA, SHA256].concat());
        let length = usize::from(signature[5]);
        let (r, s) = (&signature[6..6 + length], &signature[8 + length..]);
        let padded = |number: &[u8]| [vec![0; 32 - number.len()], number.to_vec()].concat();
        let found = Ecdsa::from_slice(&[padded(r), padded(s)].concat())?;
        Ok(Signature::from_bytes(AlgorithmId::P256, found.normalize_s().to_bytes().into()))
    }
}

/// `TPM2_MakeCredential` of ours against `TPM2_ActivateCredential` of a TPM, and a tool's against
/// that of the tests' own TPM, the secret being the same in each.
#[test]
fn a_tpm_reads_the_credential_that_was_made_without_one_and_a_tool_makes_the_same() {
    let machine = Machine::new();
    let (ak, identity) = (machine.ak(), machine.identity());
    let answer = machine.certified(&identity, &ak);
    assert_eq!(machine.begun(&answer), "accepted");
    let (attestation, challenge) = &answer;
    let (verifier, fresh) = (machine.verifier(), Fresh::To(challenge));
    let (activation, request) = verifier.begin(attestation, fresh, now()).unwrap();
    let (blob, secret) = (request.credential_blob(), request.encrypted_secret());
    let told = machine.tpm.activate_credential(&ak, &machine.ek, blob, secret).unwrap();
    let told = zeroize::Zeroizing::new(told.try_into().unwrap());
    let told = ActivationAnswer::new(told);
    let activated = verifier.finish(activation, &told, attestation, fresh, now()).unwrap();
    assert_eq!(activated.verdict().root(), &Root::Activated);
    // Not for another key of the same TPM, nor by another EK.
    let code = machine.tpm.activate_credential(&identity, &machine.ek, blob, secret);
    assert!(code.is_err(), "{code:?}");
    // The other way round.
    let soft = super::soft_tpm::Tpm::new();
    let name = name_of(&soft.ak_public());
    let (blob, secret) = machine.tpm.make_credential(&soft.ek_public(), &name, &[9; 32]);
    assert_eq!(soft.read(&name, &blob, &secret), Some([9; 32]));
}

/// Rule 2, of a TPM that does activate it.
#[test]
fn a_software_key_that_a_tpm_has_loaded_activates_and_is_refused() {
    let machine = Machine::new();
    let identity = machine.identity();
    let private = [5; 32];
    let key = SecretKey::from_slice(&private).unwrap();
    // A TPM loads none that would say that it was born there, or signs statements alone.
    for attributes in [AK, AK & !BORN_THERE] {
        let loaded = machine.tpm.load_external(&signing_public(attributes, &key), &private);
        assert!(loaded.is_err(), "{attributes:#x}: {loaded:?}");
    }
    let public = signing_public(USER_WITH_AUTH | SIGN, &key);
    let ak = machine.tpm.load_external(&public, &private).unwrap();
    assert!(machine.activates(&ak));
    let answer = machine.certified(&identity, &ak);
    assert_eq!(machine.begun(&answer), "AttributeClear");
    // With the public part of a genuine one it is another key to the TPM.
    let pretended = Loaded { public: signing_public(AK, &key), ..ak.clone() };
    let answer = machine.certified(&identity, &pretended);
    assert!(!machine.activates(&pretended));
    // What the statement says of who signed is of the key that is loaded.
    assert_eq!(machine.begun(&answer), "Hierarchy");
}

/// Rule 2, of what nobody who verifies can see: a TPM loads a public part alone with whatever
/// attributes it has, and whoever has the private one signs what looks like a TPM's statement. It
/// helps nobody, as a TPM activates no key that it could not use.
#[test]
fn the_public_part_of_a_software_key_is_loaded_with_any_attributes_and_never_activated() {
    /// `TPM_RC_AUTH_UNAVAILABLE`.
    const UNAVAILABLE: u32 = 0x12f;
    let machine = Machine::new();
    let key = SecretKey::from_slice(&[5; 32]).unwrap();
    let ek = P256VerifyingKey::from_uncompressed(&point(&machine.ek.public)).unwrap();
    for attributes in [AK, AK & !USER_WITH_AUTH] {
        let ak = machine.tpm.load_public(&signing_public(attributes, &key)).unwrap();
        let name = name_of(&ak.public).try_into().unwrap();
        let (blob, secret) = tpm::credential_for_tests(&ek, &name, &[0x5e; 32]);
        let told = machine.tpm.activate_credential(&ak, &machine.ek, &blob, &secret);
        assert_eq!(told, Err(UNAVAILABLE), "{attributes:#x}");
        machine.forget(ak);
    }
    let ak = machine.ak();
    assert!(machine.activates(&ak));
}

/// Rule 2: all attributes are right, and the TPM says itself where the key is.
#[test]
fn an_attestation_key_in_another_hierarchy_activates_and_is_refused() {
    let machine = Machine::new();
    let identity = machine.identity();
    for hierarchy in [OWNER, PLATFORM] {
        let ak = machine.primary(hierarchy, &template(AK));
        assert!(machine.activates(&ak));
        let answer = machine.certified(&identity, &ak);
        assert_eq!(machine.begun(&answer), "Hierarchy", "{hierarchy:#x}");
        machine.forget(ak);
    }
}

#[test]
fn an_identitys_key_that_was_imported_or_is_restricted_is_refused() {
    let machine = Machine::new();
    let ak = machine.ak();
    let restricted = machine.primary(OWNER, &template(IDENTITY | RESTRICTED));
    let answer = machine.certified(&restricted, &ak);
    assert_eq!(machine.begun(&answer), "AttributeSet");
    machine.forget(restricted);
    let private = [5; 32];
    let key = SecretKey::from_slice(&private).unwrap();
    // An import is done below a storage key, with room for no other.
    machine.forget(ak);
    let mut storage = ek_template();
    // userWithAuth
    storage[7] |= 0x40;
    let parent = machine.primary(OWNER, &storage);
    // It may say that the TPM has made it, and not that it cannot leave it.
    let public = signing_public(1 << 5 | USER_WITH_AUTH | SIGN, &key);
    for attributes in [BORN_THERE, 1 << 1, 1 << 4] {
        let claims = signing_public(attributes | USER_WITH_AUTH | SIGN, &key);
        assert!(machine.tpm.import(&parent, &claims, &private).is_err(), "{attributes:#x}");
    }
    let imported = machine.tpm.import(&parent, &public, &private).unwrap();
    machine.forget(parent);
    let ak = machine.ak();
    let answer = machine.certified(&imported, &ak);
    assert_eq!(machine.begun(&answer), "AttributeClear");
    // Or with what a genuine one says of itself.
    let pretended = Loaded { public: signing_public(IDENTITY, &key), ..imported };
    assert_eq!(machine.begun(&machine.certified(&pretended, &ak)), "OtherObject");
}

/// Rule 4: a restricted key signs what others give it too, but nothing that begins as a statement.
#[test]
fn what_a_tpm_signs_is_no_statement_unless_it_made_it_and_of_the_right_type() {
    let machine = Machine::new();
    let (ak, identity) = (machine.ak(), machine.identity());
    let genuine = |data: &[u8]| machine.tpm.certify(&identity, &ak, data).unwrap().0;
    let attested = |state: &State<'_>| machine.begun(&machine.attestation(&identity, &ak, state));
    assert_eq!(attested(&|data| machine.tpm.certify(&identity, &ak, data).unwrap()), "accepted");
    // The TPM refuses to sign what begins with its magic number...
    let forged = machine.tpm.sign_hashed(&ak, &genuine(&[7; 32]));
    assert!(forged.is_err(), "{forged:?}");
    // ... and signs all else: a genuine signature of the attestation key.
    for at in 0..4 {
        let forged = attested(&|data| {
            let mut statement = genuine(data);
            statement[at] ^= 1;
            let signature = machine.tpm.sign_hashed(&ak, &statement).unwrap();
            (statement, signature)
        });
        assert_eq!(forged, "Magic", "{at}");
    }
    assert_eq!(attested(&|data| machine.tpm.quote(&ak, data).unwrap()), "Statement");
    // A key that is not restricted signs forged statements: as that of an IDevID does.
    let forged = attested(&|data| {
        let statement = genuine(data);
        let signature = machine.tpm.sign_hashed(&identity, &[&[0], &statement[..]].concat());
        (statement, signature.unwrap())
    });
    assert_eq!(forged, "Signature");
}

/// Rule 7, in what a TPM makes itself.
#[test]
fn sha1_and_other_kinds_of_keys_of_a_tpm_are_refused_by_name() {
    let machine = Machine::new();
    let with = |name_algorithm, scheme: [[u8; 2]; 2], attributes| {
        public_with(attributes, name_algorithm, scheme.concat(), &[0; 32], &[0; 32])
    };
    let (ak, identity) = (machine.ak(), machine.identity());
    let told = |answer: &(Attestation, Challenge)| {
        let (attestation, challenge) = answer;
        let found = machine.verifier().begin(attestation, Fresh::To(challenge), now());
        match found.unwrap_err() {
            AttestationError::Refused(refusal) => crate::error::in_full(&*refusal),
            other => panic!("{other:?}"),
        }
    };
    // The Name of the identity's key, and of the attestation key, by SHA-1.
    machine.forget(identity);
    let by_sha1 = machine.primary(OWNER, &with(SHA1, [ECDSA, SHA256], IDENTITY));
    let found = told(&machine.certified(&by_sha1, &ak));
    assert!(found.contains("`pubArea`") && found.contains("SHA-1"), "{found}");
    machine.forget(ak);
    machine.forget(by_sha1);
    let identity = machine.identity();
    let ak = machine.primary(ENDORSEMENT, &with(SHA1, [ECDSA, SHA256], AK));
    let found = told(&machine.certified(&identity, &ak));
    assert!(found.contains("`ak`") && found.contains("SHA-1"), "{found}");
    machine.forget(ak);
    // It signs with SHA-1.
    let ak = machine.primary(ENDORSEMENT, &with(SHA256, [ECDSA, SHA1], AK));
    let answer = machine.certified(&identity, &ak);
    let found = told(&answer);
    assert!(found.contains("`ak`") && found.contains("SHA-1"), "{found}");
    // The same under the public part of one that would not.
    let pretended = Loaded {
        public: public_with(
            AK,
            SHA256,
            [ECDSA, SHA256].concat(),
            &point(&ak.public)[1..33],
            &point(&ak.public)[33..],
        ),
        ..ak.clone()
    };
    let found = told(&machine.certified(&identity, &pretended));
    assert!(found.contains("`sig`") && found.contains("SHA-1"), "{found}");
    machine.forget(ak);
    // P-384, and RSA: no such key is read.
    let mut p384 = template(AK);
    let curve = p384.len() - 72;
    assert_eq!(p384[curve..curve + 2], [0, 3]);
    p384[curve + 1] = 4;
    let coordinates = curve + 4;
    p384.truncate(coordinates);
    p384.extend([0, 0, 0, 0]);
    let ak = machine.primary(ENDORSEMENT, &p384);
    let found = told(&machine.certified(&identity, &ak));
    assert!(found.contains("`ak`") && found.contains("P-384"), "{found}");
    machine.forget(ak);
    let head = [&[0, 1][..], &SHA256, &AK.to_be_bytes(), &[0, 0]].concat();
    let rsa = [&head[..], &[0, 0x10, 0, 0x14, 0, 0x0b, 8, 0, 0, 0, 0, 0, 0, 0]].concat();
    let ak = machine.primary(ENDORSEMENT, &rsa);
    let found = told(&machine.certified(&identity, &ak));
    assert!(found.contains("`ak`") && found.contains("RSA"), "{found}");
}

/// Rule 10: a small TPM takes no more than 34 bytes, and this one no more than its largest digest.
#[test]
fn qualifying_data_is_no_longer_than_every_tpm_takes() {
    let machine = Machine::new();
    let (ak, identity) = (machine.ak(), machine.identity());
    let did = machine.key(&identity).did().clone();
    let audience = "x".repeat(1024);
    let data = signing::qualifying_data(&did, &audience, &[1; 32], NOW);
    assert!(data.len() <= 34, "{}", data.len());
    machine.tpm.certify(&identity, &ak, &data).unwrap();
    assert!(machine.tpm.certify(&identity, &ak, &[1; 67]).is_err());
}
