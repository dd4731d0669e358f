//! A TPM that is a program: what a genuine one marshals and signs, each part to be changed. It reads
//! credentials by code of its own.

use aes::cipher::KeyIvInit as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::SecretKey;
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use sha2::{Digest as _, Sha256};
use support::maker::{Form, Signer, authority, key_usage, purpose, spki, tpm_model};
use zeroize::Zeroizing;

use super::made::{P256Key, challenge, later, now};
use crate::attestation::evidence::Parts;
use crate::attestation::*;
use crate::encoding::hex;
use crate::key::{External, Key, Unlocked};

pub(crate) const EK_USE: &str = "2.23.133.8.1";
pub(crate) const AK_USE: &str = "2.23.133.8.3";
const P256: &str = "1.2.840.10045.3.1.7";

/// fixedTPM, fixedParent, sensitiveDataOrigin, and what else.
pub(super) const BORN_THERE: u32 = 1 << 1 | 1 << 4 | 1 << 5;
pub(super) const USER_WITH_AUTH: u32 = 1 << 6;
pub(super) const RESTRICTED: u32 = 1 << 16;
pub(super) const DECRYPT: u32 = 1 << 17;
pub(super) const SIGN: u32 = 1 << 18;
pub(super) const IDENTITY: u32 = BORN_THERE | USER_WITH_AUTH | SIGN;
pub(super) const AK: u32 = BORN_THERE | USER_WITH_AUTH | RESTRICTED | SIGN | 1 << 10;

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn point(key: &SecretKey) -> Vec<u8> {
    key.public_key().to_sec1_point(false).as_bytes().to_vec()
}

/// `TPMT_PUBLIC` of a key that signs.
pub(super) fn signing_public(attributes: u32, key: &SecretKey) -> Vec<u8> {
    let (x, y) = (&point(key)[1..33], &point(key)[33..]);
    // ECDSA with SHA-256.
    public_with(attributes, [0, 0x0b], vec![0, 0x18, 0, 0x0b], x, y)
}

/// The same, with this algorithm for its Name and this scheme: no policy, no cipher, P-256, no
/// derivation of keys.
pub(super) fn public_with(
    attributes: u32,
    name_algorithm: [u8; 2],
    scheme: Vec<u8>,
    x: &[u8],
    y: &[u8],
) -> Vec<u8> {
    let head = [&[0, 0x23][..], &name_algorithm, &attributes.to_be_bytes(), &[0, 0, 0, 0x10]];
    [&head.concat()[..], &scheme, &[0, 3, 0, 0x10], &sized(x), &sized(y)].concat()
}

/// What a TPM makes its endorsement key of: template L-2.
pub(super) fn ek_template() -> Vec<u8> {
    let key = SecretKey::from_slice(&[1; 32]).unwrap();
    let mut template = ek_public(&key, false, false);
    let length = template.len();
    template[length - 66..length - 34].fill(0);
    template[length - 32..].fill(0);
    template
}

/// The same of TCG's template L-2, or of H-2; with all of its first coordinate, or as some TPMs
/// marshal it.
fn ek_public(key: &SecretKey, is_high: bool, leaves_zeros_away: bool) -> Vec<u8> {
    let sha256 = |parts: &[&[u8]]| Sha256::digest(parts.concat()).to_vec();
    let by_secret = sha256(&[&[0; 32], &0x151_u32.to_be_bytes(), &0x4000_000b_u32.to_be_bytes()]);
    let policy_a = sha256(&[&by_secret]);
    // `PolicyAuthorizeNV` of index 0x01c07f01 (EK Credential Profile, section B.6.5).
    let policy_c = "3767e2edd43ff45a3a7e1eaefcef78643dca964632e7aad82c673a30d8633fde";
    let policy_c = hex::decode(policy_c).unwrap();
    let (attributes, policy) = match is_high {
        false => (0xb2, policy_a),
        true => {
            (0xf2, sha256(&[&[0; 32], &0x171_u32.to_be_bytes(), &policy_a, policy_c.as_slice()]))
        }
    };
    let (x, y) = (ek_x(key, leaves_zeros_away), sized(&point(key)[33..]));
    let rest = [0, 6, 0, 0x80, 0, 0x43, 0, 0x10, 0, 3, 0, 0x10];
    let head = [0, 0x23, 0, 0x0b, 0, 3, 0, attributes];
    [&head[..], &sized(&policy), &rest, &sized(&x), &y].concat()
}

fn ek_x(key: &SecretKey, leaves_zeros_away: bool) -> Vec<u8> {
    let x = point(key)[1..33].to_vec();
    let zeros = x.iter().take_while(|byte| leaves_zeros_away && **byte == 0).count();
    x[zeros..].to_vec()
}

pub(super) fn name_of(public: &[u8]) -> Vec<u8> {
    [&[0, 0x0b][..], &Sha256::digest(public)].concat()
}

fn ek_form(ek: &SecretKey) -> Form {
    Form::new("EK", "TPM Maker", spki(P256, &point(ek)))
        .with(key_usage(0x08))
        .with(purpose(EK_USE))
        .with(tpm_model("id:53544D20", "ST33TEST", "id:00490004", false))
}

/// A maker of TPMs, one of its TPMs, and an identity's key there.
pub(crate) struct Tpm {
    pub(super) maker_key: Signer,
    pub(crate) maker: Vec<u8>,
    /// Once: each signature would be another certificate.
    ek_certificate: Vec<u8>,
    pub(super) ek: SecretKey,
    pub(super) ak: SecretKey,
    pub(super) id: SecretKey,
    pub(super) ak_attributes: u32,
    pub(super) id_attributes: u32,
    /// Of the attestation key.
    pub(super) hierarchy: u32,
    /// How often it was switched on.
    pub(super) resets: u32,
    /// Of the endorsement key.
    pub(super) is_high: bool,
    pub(super) leaves_zeros_away: bool,
}

impl Tpm {
    pub(crate) fn new() -> Self {
        let maker_key = Signer::p384();
        let maker = Form::new("TPM Maker", "TPM Maker", maker_key.spki())
            .with(authority(None))
            .with(key_usage(0x04))
            .sign(&maker_key);
        let [ek, ak, id] = [3, 5, 9].map(|seed| SecretKey::from_slice(&[seed; 32]).unwrap());
        let (ak_attributes, id_attributes) = (AK, IDENTITY);
        let hierarchy = 0x4000_000b;
        let ek_certificate = ek_form(&ek).sign(&maker_key);
        Self {
            ek_certificate,
            maker_key,
            maker,
            ek,
            ak,
            id,
            ak_attributes,
            id_attributes,
            hierarchy,
            resets: 9,
            is_high: false,
            leaves_zeros_away: false,
        }
    }

    /// The identity.
    pub(crate) fn key(&self) -> Key<External, Unlocked, crate::P256> {
        let signer = P256Key(SigningKey::from(&self.id));
        Key::<External, Unlocked, crate::P256>::from_external_p256(signer).unwrap()
    }

    /// With another endorsement key.
    pub(super) fn with_ek(mut self, ek: SecretKey) -> Self {
        self.ek_certificate = ek_form(&ek).sign(&self.maker_key);
        self.ek = ek;
        self
    }

    pub(super) fn ek_public(&self) -> Vec<u8> {
        ek_public(&self.ek, self.is_high, self.leaves_zeros_away)
    }

    pub(super) fn ak_public(&self) -> Vec<u8> {
        signing_public(self.ak_attributes, &self.ak)
    }

    pub(super) fn ek_form(&self) -> Form {
        ek_form(&self.ek)
    }

    pub(super) fn ak_form(&self) -> Form {
        Form::new("AK", "TPM Maker", spki(P256, &point(&self.ak)))
            .with(key_usage(0x80))
            .with(purpose(AK_USE))
            .with(tpm_model("id:53544D20", "ST33TEST", "id:00490004", true))
    }

    /// `TPM2_Certify` of an object of this Name: the statement.
    pub(super) fn statement(&self, name: &[u8], qualifying: &[u8]) -> Vec<u8> {
        let qualified = name_of(&[&self.qualified_signer()[..], name].concat());
        self.stated(0x17, qualifying, &[sized(name), sized(&qualified)].concat())
    }

    fn qualified_signer(&self) -> Vec<u8> {
        let ak = name_of(&self.ak_public());
        name_of(&[&self.hierarchy.to_be_bytes()[..], &ak].concat())
    }

    /// A statement of this type, with what it states at its end.
    fn stated(&self, kind: u8, qualifying: &[u8], what: &[u8]) -> Vec<u8> {
        let clock = [&[0; 8][..], &self.resets.to_be_bytes(), &[0; 4], &[1]].concat();
        let firmware = [0, 7, 0, 85, 0x11, 0xcb, 0, 0];
        let signer = sized(&self.qualified_signer());
        let head = [0xff, 0x54, 0x43, 0x47, 0x80, kind];
        [&head[..], &signer, &sized(qualifying), &clock, &firmware, what].concat()
    }

    /// `TPM2_Quote` of registers of these banks, by their numbers and bit maps: the statement.
    pub(super) fn quoted(&self, banks: &[(u16, &[u8])], digest: &[u8], data: &[u8]) -> Vec<u8> {
        let mut what = u32::try_from(banks.len()).unwrap().to_be_bytes().to_vec();
        for (hash, bitmap) in banks {
            what.extend(hash.to_be_bytes());
            what.push(u8::try_from(bitmap.len()).unwrap());
            what.extend_from_slice(bitmap);
        }
        what.extend(sized(digest));
        self.stated(0x18, data, &what)
    }

    /// What it adds to its evidence: a statement of its own, signed.
    pub(super) fn quote(&self, quoted: Vec<u8>) -> Option<evidence::Quote> {
        let sig = bytes::Der(self.signature(&quoted));
        Some(evidence::Quote { quoted: bytes::Der(quoted), sig })
    }

    pub(super) fn signature(&self, statement: &[u8]) -> Vec<u8> {
        let signature: Signature = SigningKey::from(&self.ak).sign(statement);
        let (r, s) = (signature.r().to_bytes(), signature.s().to_bytes());
        [&[0, 0x18, 0, 0x0b][..], &sized(&r), &sized(&s)].concat()
    }

    pub(crate) fn evidence(&self, qualifying: &[u8]) -> TpmEvidence {
        let public = signing_public(self.id_attributes, &self.id);
        let statement = self.statement(&name_of(&public), qualifying);
        let signature = self.signature(&statement);
        let x5c = vec![self.ek_certificate.clone()];
        let ek = Some(self.ek_public());
        TpmEvidence::new(public, statement, signature, self.ak_public(), ek, x5c).unwrap()
    }

    pub(crate) fn attestation(&self) -> (Attestation, Challenge) {
        let challenge = challenge();
        (self.answering(&challenge), challenge)
    }

    /// Nothing of it is looked at here.
    pub(crate) fn answering(&self, challenge: &Challenge) -> Attestation {
        let key = self.key();
        let (audience, nonce) = (challenge.audience.clone(), challenge.nonce);
        let created = support::maker::NOW;
        let qualifying = signing::qualifying_data(key.did(), &audience, &nonce, created);
        let evidence = evidence::Evidence::Tpm2Certify(Box::new(self.evidence(&qualifying).0));
        let did = key.did().clone();
        let signature = [0; 64];
        self.signed(Attestation { did, audience, nonce, created, evidence, signature })
    }

    /// Signed by the identity's key, whatever it is.
    pub(super) fn signed(&self, mut attestation: Attestation) -> Attestation {
        let signature =
            crate::signer::sign_statement(&self.key(), &attestation.signed_bytes()).unwrap();
        attestation.signature = *signature.as_bytes();
        attestation
    }

    pub(crate) fn verifier(&self) -> Verifier {
        let mut anchors = Anchors::none();
        anchors.add(DeviceClass::Tpm, &self.maker).unwrap();
        Verifier::new(anchors)
    }

    /// `TPM2_ActivateCredential`: as a genuine TPM, it takes any attestation key that is loaded.
    pub(crate) fn activate(&self, request: &ActivationRequest) -> Option<ActivationAnswer> {
        let name = name_of(&self.ak_public());
        let secret = self.read(&name, request.credential_blob(), request.encrypted_secret())?;
        Some(ActivationAnswer::new(Zeroizing::new(secret)))
    }

    pub(super) fn read(&self, ak_name: &[u8], blob: &[u8], encrypted: &[u8]) -> Option<[u8; 32]> {
        let (x, y) = (&encrypted[2..34], &encrypted[36..]);
        let theirs = p256::PublicKey::from_sec1_bytes(&[&[4], x, y].concat()).ok()?;
        let shared = p256::ecdh::diffie_hellman(self.ek.to_nonzero_scalar(), theirs.as_affine());
        let z = shared.raw_secret_bytes();
        let ours = ek_x(&self.ek, self.leaves_zeros_away);
        let seed = Sha256::digest([&[0, 0, 0, 1], z.as_slice(), b"IDENTITY\0", x, &ours].concat());
        let hmac = |key: &[u8], message: &[u8]| {
            let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message);
            mac.finalize().into_bytes().to_vec()
        };
        let key = hmac(&seed, &[b"\0\0\0\x01INTEGRITY\0", &[0, 0, 1, 0][..]].concat());
        let (integrity, identity) = (&blob[2..34], &blob[34..]);
        if hmac(&key, &[identity, ak_name].concat()) != integrity {
            return None;
        }
        let key = hmac(&seed, &[b"\0\0\0\x01STORAGE\0", ak_name, &[0, 0, 0, 0x80]].concat());
        let mut plain = identity.to_vec();
        let key: [u8; 16] = key[..16].try_into().unwrap();
        cfb_mode::Decryptor::<aes::Aes128>::new(&key.into(), &[0; 16].into()).decrypt(&mut plain);
        plain.strip_prefix(&[0, 32])?.try_into().ok()
    }

    /// By a relying party that has activated it.
    pub(crate) fn endorsed(&self, by: &Key<crate::key::Software, Unlocked>) -> Endorsement {
        let (attestation, challenge) = self.attestation();
        let fresh = Fresh::To(&challenge);
        let verifier = self.verifier();
        let (activation, request) = verifier.begin(&attestation, fresh, now()).unwrap();
        let answer = self.activate(&request).unwrap();
        let activated = verifier.finish(activation, &answer, &attestation, fresh, now()).unwrap();
        activated.endorse(by, now(), later(90 * 24 * 3600)).unwrap()
    }

    /// What is signed by the maker instead of a genuine maker's certificate.
    pub(super) fn with_certificate(&self, attestation: &Attestation, form: &Form) -> Attestation {
        let der = form.sign(&self.maker_key);
        self.changed(attestation, |parts| parts.x5c = vec![bytes::Der(der)])
    }

    pub(super) fn changed(
        &self,
        attestation: &Attestation,
        change: impl FnOnce(&mut Parts),
    ) -> Attestation {
        let mut changed = attestation.clone();
        let evidence::Evidence::Tpm2Certify(parts) = &mut changed.evidence else { panic!() };
        change(parts);
        self.signed(changed)
    }

    /// One value of each format that it gives.
    pub(crate) fn sample(&self, format: &str, seed: &[u8; 32]) -> Vec<u8> {
        let statement = self.statement(&name_of(seed), seed);
        let activation = || {
            let (attestation, challenge) = self.attestation();
            self.verifier().begin(&attestation, Fresh::To(&challenge), now()).unwrap()
        };
        match format {
            "attestation-tpm-public" => self.ak_public(),
            "attestation-tpm-statement" => statement,
            "attestation-tpm-quote" => {
                self.quoted(&[(0x0b, &[seed[0] | 1, seed[1], 0])], seed, seed)
            }
            "attestation-pcr-policy" => {
                format!("  sha256:\n    0 : 0x{0}\n    7 : 0x{0}\n", hex::encode(seed)).into_bytes()
            }
            "attestation-tpm-signature" => self.signature(&statement),
            "attestation-tpm-nv" => {
                [&self.ek_certificate[..], &seed[..usize::from(seed[0] % 32)]].concat()
            }
            "attestation-endorsement" => self.endorsed(&Key::from_seed(seed)).to_json().into(),
            "attestation-activation" => activation().1.to_json().into(),
            "attestation-secret" => activation().0.to_secret_json().as_bytes().to_vec(),
            "attestation-answer" => {
                ActivationAnswer::new(Zeroizing::new(*seed)).to_json().as_bytes().to_vec()
            }
            other => panic!("{other}"),
        }
    }
}
