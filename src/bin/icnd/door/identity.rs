//! The identity: where it is, and how it is opened.

use std::path::PathBuf;

use icn_identity::audit::AuditKey;
use icn_identity::backend::PinState;
use icn_identity::daemon::verify_key;
use icn_identity::home::{CredentialSource, Home, HomeOptions};
use icn_identity::{Did, DidKey, Error, IdentityBundle};

/// An identity that is open.
pub(crate) struct Open {
    pub(crate) bundle: IdentityBundle<DidKey>,
    pub(crate) audit_key: AuditKey,
    /// As JSON.
    pub(crate) chain: Option<String>,
}

/// Where the identity is, for each time that it is opened.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) home: PathBuf,
    pub(crate) config: PathBuf,
}

impl Place {
    pub(crate) fn open(&self) -> Result<Home, Error> {
        let options = HomeOptions::new().with_config_file(&self.config);
        match HomeOptions::state_directory_of_user() {
            Some(directory) => options.with_state_directory(directory),
            None => options,
        }
        .open(&self.home)
    }

    /// Blocks. What the device says of its PIN, of which that takes no try; `None` where there
    /// is no PIN, or no device.
    pub(crate) fn pin_state(&self) -> Option<PinState> {
        Some(self.open().ok()?.wants().ok()?.pin()?.pin_state())
    }
}

/// Blocks. Sends the credential once, and has a challenge signed. Its certificate is renewed
/// later, where that is due: that is a use of the key of its own, with a line before it.
pub(crate) fn open(place: &Place, did: &Did, source: CredentialSource<'_>) -> Result<Open, Error> {
    let home = place.open()?;
    let opened = home.locate()?.ask(source)?.unlock_without_renewal()?;
    if opened.bundle.did() != did {
        let (expected, found) = (did.clone(), opened.bundle.did().clone());
        return Err(
            icn_identity::rotation::RotationError::NotThisIdentity { expected, found }.into()
        );
    }
    verify_key(&opened.bundle)?;
    let chain = opened.rotation_chain()?.map(|chain| chain.to_json());
    let chain = chain.and_then(|json| String::from_utf8(json).ok());
    let audit_key = AuditKey::of(&opened.bundle);
    Ok(Open { bundle: opened.bundle, audit_key, chain })
}
