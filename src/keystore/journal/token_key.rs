//! A key of a move that is on a token, by the journal.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::backend::{ObjectNames, Pkcs11Locator};
use crate::config::Pkcs11Config;
use crate::encoding::hex;
use crate::keystore::header::Header;

/// Where a key is, on its token: written down beside the header that says so, since the end of
/// the move, or its rollback, has to name the key or destroy it, also where that header is gone.
///
/// `Display` is the RFC 7512 URI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenKey {
    uri: String,
    pub(crate) token: String,
    pub(crate) serial: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    /// `CKA_ID`s in hex: of the key, and of what keeps its storage key.
    pub(crate) ids: Vec<String>,
    /// Its token has let go of it, and so it was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) destroyed: bool,
}

impl TokenKey {
    /// By the header of its identity; `None` if the key is on no token.
    pub(crate) fn of(header: &Header) -> Option<Self> {
        let locator = header.locator()?;
        let ids = [Some(locator.id.as_slice()), header.storage_key_id()].into_iter().flatten();
        Some(Self {
            uri: locator.to_string(),
            token: locator.token.clone(),
            serial: locator.serial.clone(),
            label: Some(locator.label.clone()).filter(|label| !label.is_empty()),
            ids: ids.map(hex::encode).collect(),
            destroyed: false,
        })
    }

    /// Of one that is about to be made.
    pub(crate) fn noted(names: &ObjectNames) -> Self {
        let (token, serial, id) = (names.token.clone(), names.serial.clone(), names.key_id());
        let ids = [&id, &names.storage_id()].map(|id| hex::encode(id)).into();
        let (label, shown) = (String::new(), false);
        let uri = Pkcs11Locator { token, serial, id, label, shown }.to_string();
        let (token, serial) = (names.token.clone(), names.serial.clone());
        Self { uri, token, serial, label: None, ids, destroyed: false }
    }

    /// Of one of which no more is known than where it was to be made.
    pub(crate) fn wanted(config: &Pkcs11Config) -> Self {
        let (token, serial) = (config.token.clone(), config.serial.clone());
        Self {
            uri: String::new(),
            token: token.unwrap_or_default(),
            serial: serial.unwrap_or_default(),
            label: config.key_label.clone(),
            ids: Vec::new(),
            destroyed: false,
        }
    }

    /// The same, after that.
    pub(crate) fn destroyed(self) -> Self {
        Self { destroyed: true, ..self }
    }
}

impl fmt::Display for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)
    }
}
