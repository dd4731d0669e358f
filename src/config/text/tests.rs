use std::num::NonZeroU16;
use std::path::PathBuf;

use super::*;
use crate::config::{
    AgeConfig, AuditConfig, ClientRule, ContextPattern, Owner, PcrIndices, PcrPolicy, Permission,
    Pkcs11Config, Rate, SocketMode, TlsPeers, TpmConfig,
};
use crate::did::Did;
use crate::evidence::Assurance;
use crate::locator::{BackendKind, PcrBank};

const DID: &str = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";

/// Every field at another value than its default.
fn full() -> Config {
    let mut config = Config::default();
    let identity = &mut config.identity;
    identity.backend = BackendKind::Tpm;
    identity.did = Some(Did::parse(DID).unwrap());
    identity.age = AgeConfig { work_factor: 12, max_work_factor: 21 };
    identity.pkcs11 = Some(Pkcs11Config {
        module: "/usr/lib/a \"module\".so".into(),
        init_args: Some("configdir='sql:/a \"b\"' flags=".into()),
        token: Some("node 1".into()),
        serial: Some("0123".into()),
        key: Some("pkcs11:token=node%201;object=a%20key".parse().unwrap()),
        slot: Some(7),
        key_label: Some("schlüssel".into()),
        sessions: NonZeroU16::new(3),
        verify_after_sign: false,
        allow_final_try: true,
        allow_unnoted_try: true,
        trust_key_history: false,
        assurance_at_most: Assurance::SoftToken,
        key_shown: true,
        make_keys_in_slots: true,
        audit_log: Some("/var/log/audit.log".into()),
        log_all_operations: true,
    });
    identity.tpm = Some(TpmConfig {
        device_path: "swtpm:host=127.0.0.1,port=2321".into(),
        key_handle: Some(0x8100_0001),
        parent_name: Some(vec![0, 11, 255]),
        platform_binding: true,
        pcr_bank: PcrBank::Sha384,
        pcr_indices: PcrIndices::new([0, 7]).unwrap(),
        pin: false,
        policy: PcrPolicy::Authorized,
        approver: Some("approver.pem".into()),
        pin_work_factor: 11,
        allow_final_try: true,
        allow_unnoted_try: true,
        attestation: false,
    });
    config.audit =
        AuditConfig { path: Some("/var/log/audit.log".into()), log_all_operations: true };
    config.daemon.socket = Some("/run/icnd.sock".into());
    config.daemon.socket_mode = SocketMode::new(0o660).unwrap();
    config.daemon.owner = Some(Owner::Name("icnd".into()));
    config.daemon.start_locked = true;
    config.daemon.verify_interval = 7;
    config.daemon.max_connections = 8;
    config.daemon.max_queued = 9;
    config.daemon.monitor = Some("[::1]:9464".parse().unwrap());
    config.daemon.tls = Some("0.0.0.0:7443".parse().unwrap());
    config.daemon.tls_peers = TlsPeers::Book;
    let mut client = ClientRule::of_user("payments", 1001);
    client.may = vec![Permission::Sign, Permission::Admin];
    client.contexts =
        vec![ContextPattern::new("a-*").unwrap(), ContextPattern::new("git").unwrap()];
    client.rate = Some(serde_json::from_str::<Rate>("\"60/min\"").unwrap());
    client.instances = 2;
    config.daemon.client = vec![client, ClientRule::of_group("b", 0)];
    config
}

#[test]
fn a_configuration_goes_round_through_its_text() {
    let mut token = full();
    token.identity.tpm = None;
    let mut bare = Config::default();
    bare.identity.tpm = Some(TpmConfig::default());
    bare.identity.pkcs11 = Some(Pkcs11Config::new("/m.so"));
    for config in [Config::default(), full(), token, bare] {
        let text = config.to_toml().unwrap();
        assert_eq!(Config::parse(&text).unwrap(), config, "{text}");
    }
    assert_eq!(Config::default().to_toml().unwrap(), "[identity]\nbackend = \"age\"\n");
}

#[test]
fn what_toml_cannot_hold_is_an_error_and_not_written() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut config = full();
    let module = PathBuf::from(std::ffi::OsString::from_vec(vec![b'/', 0xff]));
    config.identity.pkcs11.as_mut().unwrap().module = module;
    assert!(matches!(config.to_toml(), Err(ConfigError::NotText)));
    let mut config = full();
    config.identity.pkcs11.as_mut().unwrap().slot = Some(u64::MAX);
    assert!(matches!(config.to_toml(), Err(ConfigError::NotText)));
}

#[test]
fn a_value_that_is_written_keeps_the_comments_and_all_else() {
    let text = format!(
        "# of the node in the cellar\n[network]\nport = 1 # theirs\n\n[identity] # ours\n  did = \
         \"{DID}\"   # pinned\nbackend = \"pkcs11\"\n# which token\n[identity.pkcs11]\ntoken = \
         \"old\" # moved\nmodule = '/m.so'\nslot = 0x07\n"
    );
    let edited = Config::edit(&text, |config| {
        let token = config.identity.pkcs11.as_mut().unwrap();
        token.token = Some("new".into());
        token.serial = Some("42".into());
        token.slot = None;
    });
    let wanted = text.replace("\"old\"", "\"new\"").replace("slot = 0x07", "serial = \"42\"");
    assert_eq!(edited.unwrap(), wanted);
    assert_eq!(Config::edit(&text, |_| ()).unwrap(), text);
}

#[test]
fn tables_that_are_missing_or_inline_are_made() {
    let text = "identity = { backend = \"age\" } # inline\n";
    let edited = Config::edit(text, |config| config.identity.age.work_factor = 12).unwrap();
    let config = Config::parse(&edited).unwrap();
    assert_eq!(config.identity.age.work_factor, 12);
    let edited = Config::edit("", |config| *config = full()).unwrap();
    assert_eq!(Config::parse(&edited).unwrap(), full());
}

#[test]
fn an_edit_that_makes_the_configuration_invalid_is_refused() {
    let refused = Config::edit("", |config| config.identity.age.work_factor = 99);
    assert!(matches!(refused, Err(ConfigError::WorkFactor { .. })));
    assert!(matches!(Config::edit("[[", |_| ()), Err(ConfigError::Parse { .. })));
}
