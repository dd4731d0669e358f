//! `icn.toml`, with its tables or without them.

use proptest::prelude::*;

use super::super::made::{did, text};
use super::Bytes;

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

fn identity() -> BoxedStrategy<String> {
    let backend = prop::sample::select(vec!["age", "pkcs11", "tpm"]);
    (backend, prop::option::of(did()), 10..=20_u8)
        .prop_map(|(backend, did, work)| {
            let did = did.map_or(String::new(), |did| format!("did = \"{did}\"\n"));
            format!(
                "[identity]\nbackend = \"{backend}\"\n{did}[identity.age]\nwork_factor = {work}\n\
                 max_work_factor = 22\n"
            )
        })
        .boxed()
}

fn token() -> BoxedStrategy<String> {
    let flags = any::<(bool, bool)>();
    (text(32), "[ -~]{0,15}x", flags, 0..=i64::MAX, 1..=u16::MAX)
        .prop_map(|(token, serial, (verify, trust), slot, sessions)| {
            let (token, serial) = (quoted(&token), quoted(&serial));
            format!(
                "[identity.pkcs11]\nmodule = \"/m.so\"\ntoken = {token}\nserial = {serial}\n\
                 verify_after_sign = {verify}\ntrust_key_history = {trust}\nslot = {slot}\n\
                 sessions = {sessions}\nkey = \"pkcs11:object=a;id=%01\"\n"
            )
        })
        .boxed()
}

fn chip() -> BoxedStrategy<String> {
    (prop::collection::btree_set(0_u8..24, 1..5), any::<bool>(), 10..=20_u8)
        .prop_map(|(pcrs, pin, work)| {
            let pcrs: Vec<String> = pcrs.iter().map(ToString::to_string).collect();
            let (pcrs, name) = (pcrs.join(","), "07".repeat(32));
            format!(
                "[identity.tpm]\npcr_indices = \"{pcrs}\"\npin = {pin}\npin_work_factor = {work}\n\
                 key_handle = 0x81000001\nparent_name = \"000b{name}\"\n"
            )
        })
        .boxed()
}

fn daemon() -> BoxedStrategy<String> {
    let per = prop::sample::select(vec!["s", "min", "h"]);
    let client =
        (0..9_u8, any::<u32>(), 1..=1_000_000_u32, per).prop_map(|(name, uid, count, per)| {
            format!(
                "[[daemon.client]]\nname = \"c{name}\"\nuid = {uid}\nmay = [\"sign\", \"tls\"]\n\
                 contexts = [\"a*\", \"b\"]\nrate = \"{count}/{per}\"\n"
            )
        });
    let mode = prop::sample::select(vec!["0600", "0660", "0666"]);
    (1..86_400_u32, mode, prop::option::of(client))
        .prop_map(|(interval, mode, client)| {
            let client = client.unwrap_or_default();
            format!(
                "[daemon]\nsocket = \"/run/a.sock\"\nverify_interval = {interval}\n\
                 socket_mode = \"{mode}\"\ntls_peers = \"book\"\n{client}"
            )
        })
        .boxed()
}

pub(super) fn config() -> Bytes {
    let audit = any::<bool>()
        .prop_map(|all| format!("[audit]\npath = \"/a.log\"\nlog_all_operations = {all}\n"));
    let some = |part| prop::option::of(part).prop_map(Option::unwrap_or_default);
    (identity(), some(token()), some(chip()), some(daemon()), some(audit.boxed()))
        .prop_map(|(identity, token, chip, daemon, audit)| {
            format!("{identity}{token}{chip}{daemon}{audit}").into_bytes()
        })
        .boxed()
}
