//! `[identity.pkcs11]`: which token, by which module.

use std::num::NonZeroU16;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::encoding::objects::object_only;
use crate::evidence::{Assurance, Trust};
use crate::locator::Pkcs11Uri;

/// `[identity.pkcs11]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Pkcs11Config {
    /// Absolute path of the PKCS#11 module.
    pub module: PathBuf,
    /// What the module wants in `pReserved` of `C_Initialize`, for the few that want
    /// parameters: NSS (`configdir='sql:/etc/node/nssdb' flags=…`). It is no place for
    /// a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_args: Option<String>,
    /// Label of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Serial number of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// RFC 7512 URI of the token, or of the key on it. Beside `token` and
    /// `serial`, all must agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Pkcs11Uri>,
    /// Whether the token shows the public key of the identity without a login (default
    /// false: not known). Then one that does not show it gets no PIN. Written when the
    /// identity is made or found.
    #[serde(skip_serializing_if = "is_false")]
    pub key_shown: bool,
    /// Slot number; only where neither label nor serial will do. Slot numbers
    /// change when tokens are added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u64>,
    /// `CKA_LABEL` of a new key (default `icn-identity`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_label: Option<String>,
    /// Most sessions that sign at the same time (default: one for each core,
    /// within what the token says it has).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<NonZeroU16>,
    /// Whether a signature is verified before it is given out (default true).
    #[serde(skip_serializing_if = "is_true")]
    pub verify_after_sign: bool,
    /// Whether a PIN may be sent when the token says that one try is left.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_final_try: bool,
    /// Whether a PIN may be sent where no disk takes the note that it is tried, and the
    /// token does not show wrong ones (default false): a wrong one costs a try at each
    /// start then.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_unnoted_try: bool,
    /// Whether what the module says of a key's history counts: `CKA_LOCAL`,
    /// `CKA_ALWAYS_SENSITIVE`, `CKA_NEVER_EXTRACTABLE` (default true). If false, keys
    /// are `device-held` at most. What a module is known to make up counts in no case.
    #[serde(skip_serializing_if = "is_true")]
    pub trust_key_history: bool,
    /// What the token is taken for at most: `soft-token`, `remote-service`, `unstated`
    /// or `claimed` (the default). Nothing becomes more than what is found.
    #[serde(skip_serializing_if = "is_claimed")]
    pub assurance_at_most: Assurance,
    /// Whether keys may be made on a card that has a fixed number of places for them,
    /// where a new one may take the place of one that is there (default false): PIV by
    /// ykcs11, PIV and OpenPGP by OpenSC. Keys that are there work without it.
    #[serde(skip_serializing_if = "is_false")]
    pub make_keys_in_slots: bool,
    /// The audit log, where nodes of ICN name it: the same as
    /// [`AuditConfig::path`](super::AuditConfig::path).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_log: Option<PathBuf>,
    /// As nodes of ICN name it: the same as
    /// [`AuditConfig::log_all_operations`](super::AuditConfig::log_all_operations).
    #[serde(skip_serializing_if = "is_false")]
    pub log_all_operations: bool,
}

/// As it is read.
#[derive(Deserialize)]
#[serde(remote = "Pkcs11Config", deny_unknown_fields)]
struct Fields {
    module: PathBuf,
    init_args: Option<String>,
    token: Option<String>,
    serial: Option<String>,
    key: Option<Pkcs11Uri>,
    #[serde(default)]
    key_shown: bool,
    slot: Option<u64>,
    key_label: Option<String>,
    sessions: Option<NonZeroU16>,
    #[serde(default = "yes")]
    verify_after_sign: bool,
    #[serde(default)]
    allow_final_try: bool,
    #[serde(default)]
    allow_unnoted_try: bool,
    #[serde(default = "yes")]
    trust_key_history: bool,
    #[serde(default = "claimed")]
    assurance_at_most: Assurance,
    #[serde(default)]
    make_keys_in_slots: bool,
    audit_log: Option<PathBuf>,
    #[serde(default)]
    log_all_operations: bool,
}

object_only!(Pkcs11Config as Fields);

const fn is_claimed(value: &Assurance) -> bool {
    matches!(value, Assurance::Claimed | Assurance::Attested)
}

const fn claimed() -> Assurance {
    Assurance::Claimed
}

const fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_true(value: &bool) -> bool {
    *value
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(super) const fn is_false(value: &bool) -> bool {
    !*value
}

impl Pkcs11Config {
    /// A module, with everything else left to its default.
    #[must_use]
    pub fn new(module: impl Into<PathBuf>) -> Self {
        Self {
            module: module.into(),
            init_args: None,
            token: None,
            serial: None,
            key: None,
            key_shown: false,
            slot: None,
            key_label: None,
            sessions: None,
            verify_after_sign: true,
            allow_final_try: false,
            allow_unnoted_try: false,
            trust_key_history: true,
            assurance_at_most: Assurance::Claimed,
            make_keys_in_slots: false,
            audit_log: None,
            log_all_operations: false,
        }
    }

    #[cfg_attr(not(feature = "pkcs11"), expect(dead_code, reason = "asked by that backend"))]
    pub(crate) const fn trust(&self) -> Trust {
        Trust { history: self.trust_key_history, at_most: self.assurance_at_most }
    }

    /// Initialises the module with parameters.
    #[must_use]
    pub fn with_init_args(mut self, parameters: impl Into<String>) -> Self {
        self.init_args = Some(parameters.into());
        self
    }

    /// The token of this label.
    #[must_use]
    pub fn with_token(mut self, label: impl Into<String>) -> Self {
        self.token = Some(label.into());
        self
    }

    /// The token of this serial number.
    #[must_use]
    pub fn with_serial(mut self, serial: impl Into<String>) -> Self {
        self.serial = Some(serial.into());
        self
    }

    /// The token, or the key on it, that a URI names.
    #[must_use]
    pub fn with_key(mut self, key: Pkcs11Uri) -> Self {
        self.key = Some(key);
        self
    }

    /// At most this many sessions that sign at the same time.
    #[must_use]
    pub const fn with_sessions(mut self, sessions: NonZeroU16) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Whether a PIN may be sent when one try is left.
    #[must_use]
    pub const fn with_allow_final_try(mut self, allow: bool) -> Self {
        self.allow_final_try = allow;
        self
    }

    /// Whether a PIN may be sent where nothing tells the next process that it was.
    #[must_use]
    pub const fn with_allow_unnoted_try(mut self, allow: bool) -> Self {
        self.allow_unnoted_try = allow;
        self
    }

    /// Whether signatures are verified before they are given out.
    #[must_use]
    pub const fn with_verify_after_sign(mut self, verify: bool) -> Self {
        self.verify_after_sign = verify;
        self
    }

    /// Whether what the module says of a key's history counts.
    #[must_use]
    pub const fn with_trust_key_history(mut self, trust: bool) -> Self {
        self.trust_key_history = trust;
        self
    }

    /// Whether keys may be made on a card where they may take the place of others.
    #[must_use]
    pub const fn with_make_keys_in_slots(mut self, make: bool) -> Self {
        self.make_keys_in_slots = make;
        self
    }

    /// What the token is taken for at most.
    #[must_use]
    pub const fn with_assurance_at_most(mut self, assurance: Assurance) -> Self {
        self.assurance_at_most = assurance;
        self
    }
}
