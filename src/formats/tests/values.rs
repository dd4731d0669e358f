//! Valid values of each format, as they are written.

mod attested;
mod files;
mod made;

use proptest::prelude::*;
use proptest::strategy::Union;
use serde_json::{Value, json};

use self::made::{KEYS, did, hex, key, text};
use crate::algorithm::X25519PublicKey;
use crate::backend::{Pkcs11Locator, TpmParent, tpm};
use crate::binding::{Binding, Extension, Holder, Instance, Terms, UnverifiedBinding};
use crate::did::DidDocument;
use crate::encoding::base64;
use crate::rotation::{
    KeyCommitment, RotationChain, RotationReason, RotationStatement, RotationTerms,
};
use crate::signer::{DidSigner, sign_statement};

pub(super) type Bytes = BoxedStrategy<Vec<u8>>;

pub(super) fn written(value: impl Strategy<Value = Value> + 'static) -> Bytes {
    value.prop_map(|value| value.to_string().into_bytes()).boxed()
}

/// Some of the members, at random: those that may be absent.
pub(super) fn with_some(
    value: impl Strategy<Value = Value> + 'static,
    optional: Vec<(&'static str, BoxedStrategy<Value>)>,
) -> BoxedStrategy<Value> {
    optional.into_iter().fold(value.boxed(), |value, (name, member)| {
        (value, proptest::option::of(member))
            .prop_map(move |(mut value, member)| {
                if let Some(member) = member {
                    value[name] = member;
                }
                value
            })
            .boxed()
    })
}

/// The same, in the order of a name and its body.
fn calls(all: Vec<(&'static str, BoxedStrategy<Value>)>) -> Bytes {
    let all = all.into_iter().map(|(path, value)| {
        value.prop_map(move |value| format!("{path}\n{value}").into_bytes()).boxed()
    });
    Union::new(all).boxed()
}

pub(super) fn of(name: &str) -> Bytes {
    match name {
        "did" => did().prop_map(|did| did.to_string().into_bytes()).boxed(),
        "did-document" => document(),
        "public-key-der" => key().prop_map(|key| key.to_spki_der()).boxed(),
        "public-key-pem" => key().prop_map(|key| key.to_public_key_pem().into_bytes()).boxed(),
        "public-key-jwk" => key().prop_map(|key| key.to_jwk().into_bytes()).boxed(),
        "age-recipient" => any::<[u8; 32]>()
            .prop_map(|key| X25519PublicKey::from_bytes(key).to_string().into_bytes())
            .boxed(),
        "ssh-signature" => ssh_signature().prop_map(|it| it.to_bytes()).boxed(),
        "ssh-signature-armor" => ssh_signature().prop_map(|it| it.to_string().into_bytes()).boxed(),
        "rotation-statement" => chain().prop_map(|chain| chain.last().to_json()).boxed(),
        "rotation-chain" => chain().prop_map(|chain| chain.to_json()).boxed(),
        "binding" => {
            binding().prop_map(|it| serde_json::to_vec(&UnverifiedBinding::of(it)).unwrap()).boxed()
        }
        "binding-extension" => {
            binding().prop_map(|binding| Extension::of(&binding).to_der()).boxed()
        }
        "certificate" => made::certificate(),
        "attestation" => attested::attestation(),
        "attestation-challenge" => attested::challenge(),
        "attestation-certificate" => attested::certificate(),
        "attestation-chain" => attested::chain(),
        name if name.starts_with("attestation-") => attested::of_a_tpm(name),
        "pkcs11-uri" => locator().prop_map(|it| it.to_string().into_bytes()).boxed(),
        "pkcs11-locator" => locator().prop_map(|it| serde_json::to_vec(&it).unwrap()).boxed(),
        "pkcs11-attribute" => attribute(),
        "pkcs11-point" => point(),
        "wrapped-key" => written(prop_oneof![aes_gcm(), ecdh(), tpm_object()]),
        "pcr-values" => written(pcr_values()),
        "tpm-public" => any::<([u8; 16], bool)>()
            .prop_map(|(salt, signs)| made::tpm_object(&salt, signs).public)
            .boxed(),
        "tpm-object" => written(tpm_object()),
        "tpm-approval" => written(approval()),
        "tpm-approvals" => written(prop::collection::vec(approval(), 0..3).prop_map(Value::from)),
        "tpm-approval-request" => written(approval_request()),
        "tpm-device" => prop_oneof![
            "/dev/[a-z0-9]{1,12}",
            "device:/dev/[a-z0-9]{1,12}",
            (1..=u16::MAX).prop_map(|port| format!("swtpm:host=127.0.0.1,port={port}")),
        ]
        .prop_map(String::into_bytes)
        .boxed(),
        "audit-line" => made::audit_line(),
        "audit-checkpoint" => (made::signer(), 0..1_u64 << 53, any::<[u8; 32]>())
            .prop_map(|(key, seq, hash)| {
                crate::audit::formats::made_up_checkpoint(&*KEYS[key], seq, hash)
            })
            .boxed(),
        "audit-head" => written(audit_head()),
        "daemon-request" => calls(requests()),
        "daemon-answer" => calls(answers()),
        "daemon-answer-head" => (200_u16..600, 0_u32..1 << 20, proptest::option::of(0_u32..9999))
            .prop_map(|(status, length, pause)| {
                let pause =
                    pause.map_or(String::new(), |pause| format!("Retry-After: {pause}\r\n"));
                format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n{pause}\r\n")
                    .into_bytes()
            })
            .boxed(),
        "identity-age" => made::identity_age(),
        "pkcs11-token-info" => (text(32), text(32), text(16), text(16), any::<u64>())
            .prop_map(|(label, maker, model, serial, flags)| {
                let texts = format!("{label:<32}{maker:<32}{model:<16}{serial:<16}");
                // Of letters with several bytes there is less padding.
                let texts: String = texts.chars().filter(char::is_ascii).collect();
                let mut bytes = format!("{texts:<96}").into_bytes();
                bytes.truncate(96);
                [bytes.as_slice(), &flags.to_le_bytes()].concat()
            })
            .boxed(),
        "age-file" => made::age_file(),
        "age-header" => made::age_file().prop_map(|file| made::header_of(&file)).boxed(),
        "age-armor" => made::age_file().prop_map(|file| made::armored(&file)).boxed(),
        name => files::of(name),
    }
}

fn document() -> Bytes {
    // To the end of the year 9999.
    (made::signer(), any::<[u8; 32]>(), 0..253_402_300_800_u64)
        .prop_map(|(signer, x25519, at)| {
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(at);
            let x25519 = X25519PublicKey::from_bytes(x25519);
            let signer = &*KEYS[signer];
            let sign = |message: &[u8]| sign_statement(signer, message);
            let document = DidDocument::sign(signer.did(), x25519, at, sign).unwrap();
            document.to_json().unwrap().into_bytes()
        })
        .boxed()
}

fn ssh_signature() -> BoxedStrategy<crate::SshSignature> {
    (made::signer(), "[a-z][a-z@.-]{0,30}", prop::collection::vec(any::<u8>(), 0..80))
        .prop_map(|(signer, context, message)| KEYS[signer].sign_for(&context, &message).unwrap())
        .boxed()
}

/// One to three statements, with every field.
fn chain() -> BoxedStrategy<RotationChain> {
    let reason = prop::sample::select(vec![
        RotationReason::Upgrade,
        RotationReason::Scheduled,
        RotationReason::Manual,
    ]);
    let times = (1_767_225_600..2_000_000_000_u64, any::<bool>(), 1..KEYS.len());
    (reason, times)
        .prop_map(|(reason, (time, commits, steps))| {
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time);
            let terms = RotationTerms::new(reason).at(at);
            let mut chain: Option<RotationChain> = None;
            for step in 0..steps {
                let next = KEYS.get(step + 2).filter(|_| commits);
                let terms = next.map_or_else(
                    || terms.clone(),
                    |next| terms.clone().commit_to(KeyCommitment::to(next.verifying_key())),
                );
                let [old, new] = [&*KEYS[step], &*KEYS[step + 1]];
                let one =
                    RotationStatement::sign_unguarded(old, new, chain.as_ref(), &terms).unwrap();
                chain = Some(match chain {
                    Some(chain) => chain.continued(one).unwrap(),
                    None => RotationChain::verify([one]).unwrap(),
                });
            }
            chain.unwrap()
        })
        .boxed()
}

fn binding() -> BoxedStrategy<Binding> {
    let holder = proptest::option::of(any::<([u8; 16], u64)>());
    let keys = (prop::collection::vec(any::<u8>(), 0..60), any::<[u8; 32]>());
    (made::signer(), keys, any::<[u64; 3]>(), holder)
        .prop_map(
            |(signer, (tls_spki, x25519_public), [not_before, not_after, sequence], holder)| {
                let signer = &*KEYS[signer];
                let holder = holder.map(|(instance, epoch)| Holder {
                    instance: Instance::from_bytes(instance),
                    epoch,
                });
                let terms =
                    Terms { tls_spki, x25519_public, not_before, not_after, sequence, holder };
                let binding = Binding::unverified(signer.did().clone(), terms, [0; 64]);
                let signature = sign_statement(signer, &binding.statement()).unwrap();
                binding.signed(&signature).unwrap()
            },
        )
        .boxed()
}

fn locator() -> BoxedStrategy<Pkcs11Locator> {
    (text(32), "[ -~]{0,16}", text(255), prop::collection::vec(any::<u8>(), 1..40))
        .prop_map(|(token, serial, label, id)| Pkcs11Locator {
            label,
            ..Pkcs11Locator::new(token, serial, id)
        })
        .boxed()
}

/// Numbers and booleans have their own length, other values theirs.
fn attribute() -> Bytes {
    let fixed = (prop::sample::select(vec![0_u8, 1]), any::<u64>()).prop_map(|(which, value)| {
        let value =
            if which == 0 { value.to_ne_bytes().to_vec() } else { vec![u8::from(value % 2 == 0)] };
        (which, if value.iter().all(|byte| *byte == 0xff) { vec![0; value.len()] } else { value })
    });
    let free = (2_u8..6, prop::collection::vec(any::<u8>(), 0..500));
    prop_oneof![fixed, free]
        .prop_map(|(which, value)| {
            let length = u64::try_from(value.len()).unwrap().to_le_bytes();
            [&[which], length.as_slice(), &value].concat()
        })
        .boxed()
}

fn point() -> Bytes {
    (key(), 0..3_u8)
        .prop_map(|(key, form)| {
            let (mark, raw) = match key {
                crate::VerifyingKey::P256(key) => (b'p', key.to_uncompressed().to_vec()),
                key => (b'e', key.as_bytes().to_vec()),
            };
            let length = u8::try_from(raw.len()).unwrap();
            let head = match form {
                0 => vec![],
                1 => vec![4, length],
                _ => vec![3, length + 1, 0],
            };
            [&[mark], head.as_slice(), &raw].concat()
        })
        .boxed()
}

pub(super) fn aes_gcm() -> BoxedStrategy<Value> {
    (hex(1, 32), hex(12, 12), hex(16, 80))
        .prop_map(|(id, iv, text)| json!({"key_id": id, "iv": iv, "ciphertext": text}))
        .boxed()
}

pub(super) fn ecdh() -> BoxedStrategy<Value> {
    (hex(1, 32), hex(65, 65), hex(16, 80))
        .prop_map(|(id, point, text)| json!({"key_id": id, "ephemeral": point, "ciphertext": text}))
        .boxed()
}

pub(super) fn tpm_object() -> BoxedStrategy<Value> {
    any::<([u8; 16], bool)>()
        .prop_map(|(salt, signs)| serde_json::to_value(made::tpm_object(&salt, signs)).unwrap())
        .boxed()
}

pub(super) fn parent() -> TpmParent {
    TpmParent { handle: Some(0x8100_0001), name: vec![7; 34] }
}

pub(super) fn pcr_values() -> BoxedStrategy<Value> {
    prop::collection::btree_map(0_u8..24, hex(32, 32), 1..5)
        .prop_map(|values| {
            let values: serde_json::Map<_, _> =
                values.into_iter().map(|(at, value)| (at.to_string(), value.into())).collect();
            json!({"bank": "sha256", "values": values})
        })
        .boxed()
}

fn approval_request() -> BoxedStrategy<Value> {
    let owner = vec![("owner", hex(32, 32).prop_map(Value::from).boxed())];
    let whole = (did(), hex(33, 33), pcr_values())
        .prop_map(|(did, approver, pcr)| json!({"did": did, "approver": approver, "pcr": pcr}));
    with_some(whole, owner)
}

fn approval() -> BoxedStrategy<Value> {
    let signature = (hex(32, 32), hex(64, 64))
        .prop_map(|(policy_ref, bytes)| json!({"policy_ref": policy_ref, "signature": bytes}));
    (did(), hex(33, 33), pcr_values(), prop::collection::vec(signature, 0..3))
        .prop_map(|(did, approver, pcr, signatures)| {
            json!({"format": "icn-tpm-approval", "did": did, "approver": approver, "pcr": pcr,
                "signatures": signatures})
        })
        .boxed()
}

fn audit_head() -> BoxedStrategy<Value> {
    (0..1_u64 << 53, hex(8, 8), hex(32, 32), any::<(u64, u64)>())
        .prop_map(|(seq, chain, hash, (device, inode))| {
            json!({"seq": seq, "chain": chain, "hash": hash, "device": device, "inode": inode})
        })
        .boxed()
}

fn encoded(length: std::ops::Range<usize>) -> BoxedStrategy<String> {
    prop::collection::vec(any::<u8>(), length).prop_map(|bytes| base64::encode(&bytes)).boxed()
}

fn requests() -> Vec<(&'static str, BoxedStrategy<Value>)> {
    let passphrase = vec![("passphrase", text(40).prop_map(Value::from).boxed())];
    vec![
        (
            "sign",
            (text(40), encoded(0..90))
                .prop_map(|(context, message)| json!({"context": context, "message": message}))
                .boxed(),
        ),
        (
            "sign",
            (text(40), hex(64, 64))
                .prop_map(|(context, digest)| json!({"context": context, "sha512": digest}))
                .boxed(),
        ),
        ("sign-raw", encoded(0..90).prop_map(|message| json!({"message": message})).boxed()),
        ("challenge", encoded(32..33).prop_map(|nonce| json!({"nonce": nonce})).boxed()),
        ("decrypt", text(90).prop_map(|header| json!({"header": header})).boxed()),
        (
            "tls",
            (encoded(0..90), hex(16, 16))
                .prop_map(|(spki, instance)| json!({"spki": spki, "instance": instance}))
                .boxed(),
        ),
        ("lock", Just(json!({})).boxed()),
        ("unlock", with_some(text(40).prop_map(|text| json!({"credential": text})), passphrase)),
    ]
}

fn answers() -> Vec<(&'static str, BoxedStrategy<Value>)> {
    let signed = || {
        (did(), encoded(64..65))
            .prop_map(|(did, signature)| json!({"did": did, "signature": signature}))
    };
    let status = (did(), any::<bool>(), text(20)).prop_map(|(did, locked, client)| {
        json!({"state": if locked { "locked" } else { "unlocked" }, "did": did, "backend": "age",
            "client": client, "version": "0.1.0", "may": ["sign"], "contexts": ["a*"]})
    });
    vec![
        ("status", status.boxed()),
        ("challenge", (signed(), any::<u32>()).prop_map(|(mut it, uid)| {
            it["uid"] = uid.into();
            it
        }).boxed()),
        ("sign-raw", signed().boxed()),
        ("sign", (did(), ssh_signature()).prop_map(|(did, signature)| {
            json!({"did": did, "signature": signature.to_string()})
        }).boxed()),
        ("decrypt", (did(), encoded(16..17))
            .prop_map(|(did, key)| json!({"did": did, "file_key": key})).boxed()),
        ("tls", (did(), encoded(0..90))
            .prop_map(|(did, start)| json!({"did": did, "certificate_start": start})).boxed()),
        ("lock", Just(json!({"state": "locked"})).boxed()),
        ("problem", (text(700), text(700), any::<Option<u64>>()).prop_map(|(detail, help, pause)| {
            json!({"code": "rate", "detail": detail, "help": help, "retry_after": pause})
        }).boxed()),
    ]
}
