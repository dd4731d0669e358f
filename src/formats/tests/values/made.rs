//! Keys, and what is signed or encrypted by them.

use std::error::Error as StdError;
use std::io::Write as _;
use std::sync::LazyLock;

use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use proptest::prelude::*;

use super::{Bytes, parent, tpm};
use crate::algorithm::{P256VerifyingKey, Signature, VerifyingKey};
use crate::audit::{AuditKey, Entry, Event, MessageHash, RequestId, Requester};
use crate::backend::{PcrBank, PcrValues, PinStretching, TpmObject, TpmPolicy};
use crate::did::{Did, DidMethod};
use crate::key::{External, ExternalSigner, Key, Software, Unlocked};
use crate::signer::DidSigner;
use crate::{IdentityBundle, P256};

struct Outside(SigningKey);

impl ExternalSigner for Outside {
    fn verifying_key(&self) -> VerifyingKey {
        let point = self.0.verifying_key().to_sec1_point(true);
        P256VerifyingKey::from_bytes(point.as_bytes().try_into().unwrap()).unwrap().into()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn StdError + Send + Sync>> {
        let signature: p256::ecdsa::Signature = self.0.sign(message);
        Ok(Signature::from_p256_bytes(signature.normalize_s().to_bytes().into()))
    }
}

fn p256(byte: u8) -> Key<External, Unlocked, P256> {
    let key = SigningKey::from_slice(&[byte; 32]).unwrap();
    Key::<External, Unlocked, P256>::from_external_p256(Outside(key)).unwrap()
}

/// Of both algorithms and both methods.
pub(super) static KEYS: LazyLock<[Box<dyn DidSigner>; 4]> = LazyLock::new(|| {
    let software = |byte| Key::<Software, Unlocked>::from_seed(&[byte; 32]);
    [Box::new(software(1)), Box::new(p256(2)), Box::new(software(3)), Box::new(p256(4))]
});

pub(super) fn signer() -> BoxedStrategy<usize> {
    (0..4_usize).boxed()
}

pub(super) fn key() -> BoxedStrategy<VerifyingKey> {
    let ed25519 = any::<[u8; 32]>()
        .prop_map(|seed| *Key::<Software, Unlocked>::from_seed(&seed).verifying_key());
    let p256 = (1_u8..=250).prop_map(|byte| *p256(byte).verifying_key());
    prop_oneof![ed25519, p256].boxed()
}

pub(super) fn did() -> BoxedStrategy<Did> {
    let method = prop::sample::select(vec![DidMethod::Icn, DidMethod::Key]);
    (method, key()).prop_map(|(method, key)| Did::fitting(method, &key)).boxed()
}

/// Of at most so many bytes, with letters of all kinds.
pub(super) fn text(most: usize) -> BoxedStrategy<String> {
    "[a-zA-Z0-9 ;,/%&=?\"'\\\\é€\u{1f600}._-]{0,60}"
        .prop_map(move |mut text| {
            while text.len() > most || text.ends_with(' ') {
                text.pop();
            }
            text
        })
        .boxed()
}

pub(super) fn hex(least: usize, most: usize) -> BoxedStrategy<String> {
    prop::collection::vec(any::<u8>(), least..=most)
        .prop_map(|bytes| crate::encoding::hex::encode(&bytes))
        .boxed()
}

pub(super) fn certificate() -> Bytes {
    static MADE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let of = |byte| {
            let key = Key::<Software, Unlocked>::from_seed(&[byte; 32]);
            IdentityBundle::issue(key).unwrap().certificate_der().to_vec()
        };
        let p256 = IdentityBundle::issue(p256(2)).unwrap().certificate_der().to_vec();
        vec![of(1), of(2), p256]
    });
    prop::sample::select(MADE.clone()).boxed()
}

pub(super) fn tpm_object(salt: &[u8; 16], signs: bool) -> TpmObject {
    let policy = TpmPolicy {
        pcr: vec![PcrValues {
            bank: PcrBank::Sha256,
            values: [(7, crate::encoding::hex::encode(&[salt.as_slice(), salt].concat()))].into(),
        }],
        authorized: None,
        pin: Some(PinStretching { salt: *salt, log_n: 17 }),
    };
    tpm::formats::made_up(parent(), policy, salt.to_vec(), signs).unwrap()
}

pub(super) fn audit_line() -> Bytes {
    static BUNDLE: LazyLock<IdentityBundle<Key<Software, Unlocked>>> = LazyLock::new(|| {
        IdentityBundle::issue(Key::<Software, Unlocked>::from_seed(&[1; 32])).unwrap()
    });
    let event = prop::sample::select(vec![Event::Sign, Event::Tls, Event::Unlock, Event::SignRaw]);
    let words = ("\\PC{0,40}", "\\PC{0,40}");
    (event, 0..1_u64 << 52, any::<[u8; 32]>(), words, any::<Option<u32>>())
        .prop_map(|(event, seq, hash, (client, context), uid)| {
            let mut entry = match uid {
                Some(_) => Entry::failed(event, "device-absent"),
                None => Entry::allowed(event),
            };
            entry = entry.with_client(&client).with_context(&context);
            if let Some(uid) = uid {
                entry = entry
                    .with_request(RequestId::fresh().unwrap())
                    .with_requester(&Requester::new(uid, uid, uid))
                    .with_message(AuditKey::of(&BUNDLE).tag(&MessageHash::of(&hash)))
                    .with_length(seq)
                    .with_count(seq)
                    .with_tls_key(BUNDLE.binding().instance().unwrap(), &hash);
            }
            crate::audit::formats::made_up_line(BUNDLE.did(), seq, hash, &entry)
        })
        .boxed()
}

/// Of some recipients.
pub(super) fn age_file() -> Bytes {
    let keys = prop::collection::vec(1_u8..=255, 1..4);
    (keys, prop::collection::vec(any::<u8>(), 0..100))
        .prop_map(|(keys, plain)| {
            let recipients: Vec<::age::x25519::Recipient> = keys
                .into_iter()
                .map(|byte| {
                    let key = x25519_dalek::StaticSecret::from([byte; 32]);
                    let key = x25519_dalek::PublicKey::from(&key);
                    crate::encoding::age::recipient(key.as_bytes()).parse().unwrap()
                })
                .collect();
            let recipients = recipients.iter().map(|one| {
                let one: &dyn ::age::Recipient = one;
                one
            });
            let encryptor = ::age::Encryptor::with_recipients(recipients).unwrap();
            let mut file = Vec::new();
            let mut writer = encryptor.wrap_output(&mut file).unwrap();
            writer.write_all(&plain).unwrap();
            writer.finish().unwrap();
            file
        })
        .boxed()
}

pub(super) fn header_of(file: &[u8]) -> Vec<u8> {
    let mac = file.windows(5).position(|bytes| bytes == b"\n--- ").unwrap();
    let end = file[mac + 1..].iter().position(|byte| *byte == b'\n').unwrap();
    file[..=mac + 1 + end].to_vec()
}

pub(super) fn armored(file: &[u8]) -> Vec<u8> {
    use ::age::armor::{ArmoredWriter, Format};
    let mut text = Vec::new();
    let mut writer = ArmoredWriter::wrap_output(&mut text, Format::AsciiArmor).unwrap();
    writer.write_all(file).unwrap();
    writer.finish().unwrap();
    text
}

/// To a storage key, and with a passphrase at the least work.
pub(super) fn identity_age() -> Bytes {
    use crate::agefile::{
        WorkFactor, encrypt_with_passphrase, encrypt_with_storage_key, new_storage_key,
    };
    use crate::secret::Passphrase;
    static MADE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let passphrase = Passphrase::new("of a test");
        let work = WorkFactor::new(10).unwrap();
        let storage = || encrypt_with_storage_key(b"plain", &new_storage_key()).unwrap();
        vec![storage(), encrypt_with_passphrase(b"plain", &passphrase, work).unwrap(), storage()]
    });
    prop::sample::select(MADE.clone()).boxed()
}
