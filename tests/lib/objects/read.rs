//! Every public type that serde can read, as a program that uses this crate reads it: by
//! `serde_json` alone.

use icn_identity::backend::tpm::{Approval, ApprovalRequest};
use icn_identity::backend::{
    AesGcmWrapped, Authorized, BackendKind, EcdhWrapped, Owner, PcrBank, PcrValues, PinStretching,
    Pkcs11Locator, Pkcs11Uri, TpmObject, TpmParent, TpmPolicy, WrappedKey,
};
use icn_identity::bundle::{Instance, UnverifiedBinding};
use icn_identity::config::{
    AgeConfig, AuditConfig, ClientRule, Config, ContextPattern, DaemonConfig, IdentityConfig,
    PcrIndices, PcrPolicy, Permission, Pkcs11Config, Rate, SocketMode, TlsPeers, TpmConfig,
};
use icn_identity::daemon::ProblemCode;
use icn_identity::evidence::{Fact, Word};
use icn_identity::keystore::{MigrationMode, MigrationPart, MigrationState, Storage};
use icn_identity::rotation::{KeyCommitment, RotationReason};
use icn_identity::{
    AlgorithmId, Assurance, Did, DidMethod, IdentityBundle, Key, ProvenanceKind, Software, Unlocked,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::node::Node;

type Reader = fn(&str) -> bool;
type Row = (&'static str, Reader, fn() -> Value, &'static [&'static str]);

fn reads<T: DeserializeOwned>(json: &str) -> bool {
    serde_json::from_str::<T>(json).is_ok()
}

const DID: &str = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";

/// In hex.
fn bytes(length: usize) -> Value {
    "01".repeat(length).into()
}

fn pcr_values() -> Value {
    json!({"bank": "sha256", "values": {"7": bytes(32)}})
}

fn stretching() -> Value {
    json!({"salt": bytes(16), "log_n": 17})
}

fn authorized() -> Value {
    json!({"approver": bytes(33), "policy_ref": bytes(32), "owner": bytes(32)})
}

fn policy() -> Value {
    json!({"pcr": [pcr_values()], "authorized": authorized(), "pin": stretching()})
}

fn parent() -> Value {
    json!({"handle": 0x8100_0001_u32, "name": bytes(34)})
}

fn object() -> Value {
    json!({"parent": parent(), "public": bytes(5), "private": bytes(5), "policy": policy()})
}

fn aes() -> Value {
    json!({"key_id": bytes(2), "iv": bytes(12), "ciphertext": bytes(20)})
}

fn ecdh() -> Value {
    json!({"key_id": bytes(2), "ephemeral": bytes(65), "ciphertext": bytes(20)})
}

fn locator() -> Value {
    json!({"token": "t", "serial": "1", "id": "01", "label": "l"})
}

fn request() -> Value {
    json!({"did": DID, "approver": bytes(33), "owner": bytes(32), "pcr": pcr_values()})
}

fn approval() -> Value {
    let signature = json!({"policy_ref": bytes(32), "signature": bytes(64)});
    json!({
        "format": "icn-tpm-approval", "did": DID, "approver": bytes(33), "pcr": pcr_values(),
        "signatures": [signature],
    })
}

fn age() -> Value {
    json!({"work_factor": 18, "max_work_factor": 20})
}

fn token() -> Value {
    json!({
        "module": "/m.so", "init_args": "", "token": "t", "serial": "1", "key": "pkcs11:token=t",
        "slot": 1, "key_label": "l", "sessions": 1, "verify_after_sign": true,
        "allow_final_try": false, "trust_key_history": true, "assurance_at_most": "claimed",
        "make_keys_in_slots": false, "audit_log": "/a.log", "log_all_operations": true,
    })
}

fn tpm() -> Value {
    json!({
        "device_path": "/dev/tpmrm0", "key_handle": 0x8100_0001_u32, "parent_name": bytes(34),
        "platform_binding": true, "pcr_bank": "sha256", "pcr_indices": "7", "pin": true,
        "policy": "literal", "approver": "/a.pem", "pin_work_factor": 17,
        "allow_final_try": false, "attestation": false,
    })
}

fn identity() -> Value {
    json!({"backend": "age", "did": DID, "age": age(), "pkcs11": token(), "tpm": tpm()})
}

fn client() -> Value {
    json!({
        "name": "a", "uid": 1, "gid": 2, "may": ["sign"], "contexts": ["a"], "rate": "1/s",
    })
}

fn daemon() -> Value {
    json!({
        "socket": "/a.sock", "socket_mode": "0660", "start_locked": true, "verify_interval": 1,
        "max_connections": 1, "max_queued": 1, "monitor": "127.0.0.1:1", "tls": "0.0.0.0:1",
        "tls_peers": "book", "client": [client()],
    })
}

fn audit() -> Value {
    json!({"path": "/a.log", "log_all_operations": true})
}

fn binding() -> Value {
    let bundle = IdentityBundle::issue(Key::<Software, Unlocked>::generate().unwrap()).unwrap();
    serde_json::to_value(bundle.binding()).unwrap()
}

/// The name, how it is read, one with all that it may have, and its fields in their order:
/// an array of their values is what serde would take.
pub(crate) const READ: &[Row] = &[
    ("AesGcmWrapped", reads::<AesGcmWrapped>, aes, &["key_id", "iv", "ciphertext"]),
    ("AgeConfig", reads::<AgeConfig>, age, &["work_factor", "max_work_factor"]),
    ("AlgorithmId", reads::<AlgorithmId>, || "ed25519".into(), &[]),
    ("Approval", reads::<Approval>, approval, &["format", "did", "approver", "pcr", "signatures"]),
    ("ApprovalRequest", reads::<ApprovalRequest>, request, &["did", "approver", "owner", "pcr"]),
    ("Assurance", reads::<Assurance>, || "claimed".into(), &[]),
    ("AuditConfig", reads::<AuditConfig>, audit, &["path", "log_all_operations"]),
    ("Authorized", reads::<Authorized>, authorized, &["approver", "policy_ref", "owner"]),
    ("BackendKind", reads::<BackendKind>, || "tpm".into(), &[]),
    ("ClientRule", reads::<ClientRule>, client, &["name", "uid", "gid", "may", "contexts", "rate"]),
    (
        "Config",
        reads::<Config>,
        || json!({"identity": identity(), "daemon": daemon(), "audit": audit()}),
        &["identity", "daemon", "audit"],
    ),
    ("ContextPattern", reads::<ContextPattern>, || "a-*".into(), &[]),
    (
        "DaemonConfig",
        reads::<DaemonConfig>,
        daemon,
        &[
            "socket",
            "socket_mode",
            "start_locked",
            "verify_interval",
            "max_connections",
            "max_queued",
            "monitor",
            "tls",
            "tls_peers",
            "client",
        ],
    ),
    ("Did", reads::<Did>, || DID.into(), &[]),
    ("DidMethod", reads::<DidMethod>, || "icn".into(), &[]),
    ("EcdhWrapped", reads::<EcdhWrapped>, ecdh, &["key_id", "ephemeral", "ciphertext"]),
    ("Fact", reads::<Fact>, || "true".into(), &[]),
    (
        "IdentityConfig",
        reads::<IdentityConfig>,
        identity,
        &["backend", "did", "age", "pkcs11", "tpm"],
    ),
    ("Instance", reads::<Instance>, || bytes(16), &[]),
    ("KeyCommitment", reads::<KeyCommitment>, || bytes(32), &[]),
    ("Owner", reads::<Owner>, || bytes(32), &[]),
    ("PcrBank", reads::<PcrBank>, || "sha256".into(), &[]),
    ("PcrIndices", reads::<PcrIndices>, || "0,7".into(), &[]),
    ("PcrPolicy", reads::<PcrPolicy>, || "literal".into(), &[]),
    ("PcrValues", reads::<PcrValues>, pcr_values, &["bank", "values"]),
    ("PinStretching", reads::<PinStretching>, stretching, &["salt", "log_n"]),
    (
        "Pkcs11Config",
        reads::<Pkcs11Config>,
        token,
        &[
            "module",
            "init_args",
            "token",
            "serial",
            "key",
            "slot",
            "key_label",
            "sessions",
            "verify_after_sign",
            "allow_final_try",
            "trust_key_history",
            "assurance_at_most",
            "make_keys_in_slots",
            "audit_log",
            "log_all_operations",
        ],
    ),
    ("Pkcs11Locator", reads::<Pkcs11Locator>, locator, &["token", "serial", "id", "label"]),
    ("Permission", reads::<Permission>, || "sign".into(), &[]),
    ("Pkcs11Uri", reads::<Pkcs11Uri>, || "pkcs11:token=t".into(), &[]),
    ("ProblemCode", reads::<ProblemCode>, || "locked".into(), &[]),
    ("ProvenanceKind", reads::<ProvenanceKind>, || "hardware".into(), &[]),
    ("MigrationMode", reads::<MigrationMode>, || "rotate".into(), &[]),
    ("MigrationPart", reads::<MigrationPart>, || "old".into(), &[]),
    ("MigrationState", reads::<MigrationState>, || "planned".into(), &[]),
    ("Rate", reads::<Rate>, || "60/min".into(), &[]),
    ("RotationReason", reads::<RotationReason>, || "scheduled".into(), &[]),
    ("SocketMode", reads::<SocketMode>, || "0660".into(), &[]),
    ("TlsPeers", reads::<TlsPeers>, || "book".into(), &[]),
    (
        "Storage",
        reads::<Storage>,
        || json!({"kind": "tpm-sealed", "object": object()}),
        &["kind", "object"],
    ),
    (
        "TpmConfig",
        reads::<TpmConfig>,
        tpm,
        &[
            "device_path",
            "key_handle",
            "parent_name",
            "platform_binding",
            "pcr_bank",
            "pcr_indices",
            "pin",
            "policy",
            "approver",
            "pin_work_factor",
            "allow_final_try",
            "attestation",
        ],
    ),
    ("TpmObject", reads::<TpmObject>, object, &["parent", "public", "private", "policy"]),
    ("TpmParent", reads::<TpmParent>, parent, &["handle", "name"]),
    ("TpmPolicy", reads::<TpmPolicy>, policy, &["pcr", "authorized", "pin"]),
    (
        "UnverifiedBinding",
        reads::<UnverifiedBinding>,
        binding,
        &[
            "did",
            "tls_spki",
            "x25519_public",
            "not_before",
            "not_after",
            "sequence",
            "instance",
            "epoch",
            "signature",
        ],
    ),
    ("Word", reads::<Word>, || "device".into(), &[]),
    ("WrappedKey", reads::<WrappedKey>, aes, &["key_id", "iv", "ciphertext"]),
];

#[test]
fn each_public_type_is_an_object_or_a_string_whoever_reads_it() {
    for (name, is_read, value, fields) in READ {
        let value = value();
        assert!(is_read(&value.to_string()), "{name}: {value}");
        let mut others = vec![json!([value]), json!(0), json!([])];
        if let Some(word) = value.as_str() {
            assert!(fields.is_empty(), "{name}");
            others.push(json!({word: null}));
        } else {
            let object = value.as_object().unwrap();
            assert_eq!(object.len(), fields.len(), "{name}");
            others.push(fields.iter().map(|field| object[*field].clone()).collect());
        }
        for other in others {
            // Which is a list for people.
            if (*name, &other) != ("PcrIndices", &json!([])) {
                assert!(!is_read(&other.to_string()), "{name}: {other}");
            }
        }
        // Each in it too, in any order, and no member twice.
        let whole = Node::parse(&value.to_string());
        for place in whole.objects() {
            let reversed = whole.with(&place, Node::reversed);
            assert!(is_read(&reversed.to_string()), "{name} at {place:?}: {reversed}");
            for member in 0..whole.at(&place).len() {
                let doubled = whole.with(&place, |object| object.doubled(member));
                assert!(!is_read(&doubled.to_string()), "{name} at {place:?}: {doubled}");
            }
        }
    }
}
