//! The files of an identity, of a book of peers, and `icn.toml`.

mod toml;

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::made::{did, hex, text};
use super::{Bytes, aes_gcm, ecdh, tpm_object, with_some, written};
use crate::backend::ObjectNames;
use crate::encoding::base64;
use crate::{IdentityBundle, Key, Software, Unlocked};

pub(super) fn of(name: &str) -> Bytes {
    match name {
        "peers" => written(peers()),
        "seen" => written(seen()),
        "header" => written(header()),
        "payload" => written(payload()),
        "backup" => crate::keystore::formats::made_up_backup(),
        "recovery-keys" => any::<[u8; 32]>()
            .prop_map(|key| {
                let key = crate::encoding::age::secret_key(&key).unwrap();
                format!("# created: today\n{}\n", key.as_str()).into_bytes()
            })
            .boxed(),
        "journal" => written(journal()),
        "unfinished" => written(unfinished()),
        "given-up" => written(prop::collection::vec(did(), 0..4).prop_map(
            |dids| json!({"format": "icn-identity-given-up", "version": 1, "successors": dids}),
        )),
        "refused" => written(refused()),
        "legacy" => written(legacy()),
        "icn-toml" => toml::config(),
        name => panic!("no values of the format {name}"),
    }
}

fn peers() -> BoxedStrategy<Value> {
    prop::collection::hash_map(any::<[u8; 32]>(), (text(60), any::<bool>()), 0..4)
        .prop_map(|peers| {
            let peers: Vec<Value> = peers
                .into_iter()
                .map(|(seed, (name, allowed))| {
                    let did = Key::<Software, Unlocked>::from_seed(&seed).did().clone();
                    match name.is_empty() {
                        true => json!({"did": did, "allowed": allowed}),
                        false => json!({"did": did, "name": name, "allowed": allowed}),
                    }
                })
                .collect();
            json!({"version": 1, "peers": peers})
        })
        .boxed()
}

fn seen() -> BoxedStrategy<Value> {
    let numbers = prop::collection::btree_map(hex(16, 16), any::<u64>(), 0..5);
    (did(), any::<u64>(), numbers)
        .prop_map(|(did, epoch, numbers)| {
            let numbers: Vec<Value> = numbers
                .into_iter()
                .map(|(instance, sequence)| json!({"instance": instance, "sequence": sequence}))
                .collect();
            json!({"version": 1, "did": did, "epoch": epoch, "instances": numbers})
        })
        .boxed()
}

fn header() -> BoxedStrategy<Value> {
    let place = prop_oneof![
        Just(("age", Value::Null)),
        (text(32), "[ -~]{0,16}", text(60), hex(1, 40)).prop_map(|(token, serial, label, id)| {
            ("pkcs11", json!({"token": token, "serial": serial, "label": label, "id": id}))
        }),
        tpm_object().prop_map(|object| ("tpm", object)),
    ];
    let storage = prop_oneof![
        Just(json!({"kind": "passphrase"})),
        aes_gcm().prop_map(|it| json!({"kind": "pkcs11-aes-gcm", "wrapped": it})),
        ecdh().prop_map(|it| json!({"kind": "pkcs11-ecdh", "wrapped": it})),
        tpm_object().prop_map(|it| json!({"kind": "tpm-sealed", "object": it})),
    ];
    let facts = prop::collection::btree_map("CKA_[A-Z]{1,9}", "true|false|unknown", 0..6);
    let evidence = with_some(
        (prop::option::of(text(30)), facts).prop_map(|(device, facts)| {
            json!({"provenance": "device-held", "assurance": "claimed", "hardware_backed": true,
                "device": device, "facts": facts})
        }),
        vec![("words", Just(json!({"CKA_LOCAL": "module"})).boxed())],
    );
    let whole = (did(), place, storage, evidence, any::<(u64, u64)>(), hex(32, 32)).prop_map(
        |(did, (backend, locator), storage, evidence, (generation, until), x25519)| {
            json!({"format": "icn-identity-header", "version": 1, "generation": generation,
                "did": did, "algorithm": did.verifying_key().algorithm(), "backend": backend,
                "locator": locator, "evidence": evidence, "storage": storage,
                "certificate": base64::encode(&[1, 2, 3]), "tls_not_after": until,
                "x25519_public": x25519})
        },
    );
    with_some(
        whole,
        vec![
            ("in_file_until", any::<u64>().prop_map(Value::from).boxed()),
            ("did_document", Just(json!({"id": "did:icn:z", "more": [1, null, "a"]})).boxed()),
        ],
    )
}

/// Whatever JSON there can be that is carried along.
fn carried() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        text(60).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let map = prop::collection::btree_map("[a-z]{1,6}", inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            map.prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
    .boxed()
}

fn payload() -> BoxedStrategy<Value> {
    static BINDING: LazyLock<Value> = LazyLock::new(|| {
        let bundle = IdentityBundle::issue(Key::<Software, Unlocked>::from_seed(&[1; 32])).unwrap();
        serde_json::to_value(bundle.binding()).unwrap()
    });
    let seed = || any::<[u8; 32]>().prop_map(|seed| Value::from(base64::encode(&seed)));
    let retired = prop::collection::vec((did(), any::<u64>(), seed()), 1..3).prop_map(|keys| {
        let one = |(did, at, seed)| json!({"did": did, "retired": at, "x25519_secret": seed});
        Value::from(keys.into_iter().map(one).collect::<Vec<_>>())
    });
    let whole = (did(), prop::collection::vec(carried(), 0..3)).prop_map(|(did, chain)| {
        json!({"version": 5, "did": did, "rotation_chain": chain, "did_document": null})
    });
    let tls = json!({"private_key": base64::encode(&[7; 32]), "certificate": "AAEC"});
    with_some(
        whole,
        vec![
            ("header_sha256", hex(32, 32).prop_map(Value::from).boxed()),
            ("seed", seed().boxed()),
            ("tls", Just(tls).boxed()),
            ("x25519_secret", seed().boxed()),
            ("binding", Just(BINDING.clone()).boxed()),
            ("in_file_until", any::<u64>().prop_map(Value::from).boxed()),
            ("retired_decryption_keys", retired.boxed()),
            ("device_id", carried()),
            ("more", carried()),
        ],
    )
}

fn token_key() -> BoxedStrategy<Value> {
    (text(60), text(32), "[ -~]{0,16}", prop::collection::vec(hex(1, 20), 0..3))
        .prop_map(|(uri, token, serial, ids)| {
            json!({"uri": uri, "token": token, "serial": serial, "ids": ids})
        })
        .boxed()
}

fn journal() -> BoxedStrategy<Value> {
    const STATES: [&str; 10] = [
        "planned",
        "backed-up",
        "made",
        "proved",
        "stated",
        "switching",
        "switched",
        "returning",
        "rolling-back",
        "finishing",
    ];
    let side = || {
        let backend = prop::sample::select(vec!["age", "pkcs11", "tpm"]);
        let side = backend.prop_map(|backend| json!({"backend": backend}));
        with_some(side, vec![("did", did().prop_map(|did| json!(did)).boxed())])
    };
    let state = prop::sample::select(STATES.to_vec());
    let mode = prop::sample::select(vec!["rotate", "import"]);
    let whole = (state, mode, (side(), side()), text(60), any::<[u64; 3]>()).prop_map(
        |(state, mode, (from, to), config, [begun, device, inode])| {
            json!({"format": "icn-identity-migration", "version": 1, "mode": mode, "state": state,
                "begun": begun, "from": from, "to": to, "algorithm": "ed25519", "config": config,
                "begun_in": {"path": "/h", "device": device, "inode": inode}})
        },
    );
    let yes = || Just(Value::from(true)).boxed();
    let words = || text(60).prop_map(Value::from).boxed();
    let backup = (text(60), hex(32, 32));
    let backup = backup.prop_map(|(file, sha256)| json!({"file": file, "sha256": sha256}));
    let asked = json!({"opened": true, "file": "/a", "recipients": ["age1"]});
    with_some(
        whole,
        vec![
            ("old_key", token_key()),
            ("new_key", token_key()),
            ("may_be", token_key()),
            ("new_module", words()),
            ("did_key", yes()),
            ("backup", backup.boxed()),
            ("backup_asked", Just(asked).boxed()),
            ("commit_next", hex(32, 32).prop_map(Value::from).boxed()),
            ("again", yes()),
            ("handed_over_before", words()),
            ("unstated", yes()),
            ("not_carried", yes()),
            ("proved", words()),
            ("was_in_use", yes()),
            ("key_removed", yes()),
        ],
    )
}

fn unfinished() -> BoxedStrategy<Value> {
    let until = prop::option::of(0..4_000_000_000_u64);
    let device = (text(32), "[ -~]{0,16}", until).prop_map(|(token, serial, until)| {
        let names = ObjectNames::new(&token, &serial).unwrap();
        let names = match until {
            Some(until) => names.of_imported(until),
            None => names,
        };
        serde_json::to_value(names).unwrap()
    });
    let whole = prop::collection::vec(did(), 0..3)
        .prop_map(|dids| json!({"format": "icn-identity-unfinished", "version": 1, "dids": dids}));
    with_some(whole, vec![("device", device.boxed())])
}

fn refused() -> BoxedStrategy<Value> {
    let file = (text(40), prop::option::of(text(20)));
    let mark = prop_oneof![
        text(20).prop_map(|name| json!({"source": "variable", "name": name})),
        file.prop_map(|(path, at)| json!({"source": "file", "path": path, "version": at})),
    ];
    let words = || "[a-z0-9 -]{1,20}".prop_map(Value::from).boxed();
    let yes = || Just(Value::from(true)).boxed();
    let one = (text(32), mark, any::<u64>());
    let one = one.prop_map(|(token, mark, at)| json!({"token": token, "mark": mark, "at": at}));
    let tag = (10..=15_u8, hex(16, 16), hex(2, 2));
    let tag = tag.prop_map(|(work, salt, tag)| format!("{work}:{salt}:{tag}").into());
    let slot = any::<u64>().prop_map(|at| json!({"module": "/m.so", "number": at}));
    let one = with_some(
        one,
        vec![
            ("id", words()),
            ("copies", (2..9_u8).prop_map(Value::from).boxed()),
            ("serial", words()),
            ("key", words()),
            ("maker", words()),
            ("shares_serial", yes()),
            ("shares_name", yes()),
            ("slot", slot.boxed()),
            ("shown", Just(json!(["a", "b"])).boxed()),
            ("salt", hex(16, 16).prop_map(Value::from).boxed()),
            ("in_doubt", yes()),
            ("none_counted", yes()),
            ("group", (0..8_u8).prop_map(Value::from).boxed()),
            ("pin", tag.boxed()),
            ("outlived", yes()),
        ],
    );
    let whole = prop::collection::vec(one, 0..4).prop_map(|all| json!({"refused": all}));
    with_some(whole, vec![("forgotten", Just(json!(["a"])).boxed())])
}

/// The one that has least: version 1.
fn legacy() -> BoxedStrategy<Value> {
    any::<[u8; 32]>()
        .prop_map(|seed| {
            let key = Key::<Software, Unlocked>::from_seed(&seed);
            json!({"secret_bytes": seed.to_vec(), "public_bytes": key.verifying_key().as_bytes(),
                "did": key.did()})
        })
        .boxed()
}
