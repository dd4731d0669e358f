//! What a migration will do, and what will be lost: nothing is changed for it.

pub(super) mod checks;
mod words;

use std::path::PathBuf;

use serde::Serialize;

use self::checks::{check_device, check_possible};
use super::Migration;
use super::request::MigrationRequest;
use crate::algorithm::AlgorithmId;
use crate::backend::BackendKind;
use crate::bundle::check_clock;
use crate::config::{PcrIndices, PcrPolicy};
use crate::did::Did;
use crate::error::{Error, MigrationError};
use crate::evidence::ProvenanceKind;
use crate::file::{self, names};
use crate::home::Home;
use crate::keystore::{Header, MigrationMode, MigrationState, Storage};
use crate::rotation::{KeyCommitment, RotationChain, RotationError, RotationReason};

/// One step that will be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedStep {
    /// Its name: `import`, `backup`, `make`, `prove`, `state`, `switch`, `finish`.
    pub name: &'static str,
    /// In words.
    pub what: String,
    /// It was done before.
    pub done: bool,
}

/// What will open the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedOpening {
    /// A PIN: that of the token, or one that is chosen for a key in a TPM.
    pub pin: bool,
    /// A passphrase beside that: the token keeps no storage key.
    pub passphrase: bool,
    /// The PCRs of a TPM whose present values it will be bound to.
    pub pcrs: Option<PcrIndices>,
    /// How they are bound.
    pub policy: Option<PcrPolicy>,
}

/// What a migration will do, and what will be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// How.
    pub mode: MigrationMode,
    /// How far it is, if it is under way.
    pub state: Option<MigrationState>,
    /// The identity; `None` for an older keystore, which shows it under its passphrase only.
    pub did: Option<Did>,
    /// The older keystore of which the identity is made first.
    pub keystore: Option<PathBuf>,
    /// Where its key is.
    pub from: BackendKind,
    /// Where it will be.
    pub to: BackendKind,
    /// The algorithm of the key there.
    pub algorithm: AlgorithmId,
    /// Whether the DID stays.
    pub keeps_did: bool,
    /// Whether copies of the key that is used afterwards may exist.
    pub copies_may_exist: bool,
    /// What the key can be shown to be afterwards: one of these, by what the device shows.
    pub provenance: Vec<ProvenanceKind>,
    /// What will open it.
    pub opens_with: PlannedOpening,
    /// What the statement to peers gives as its reason, if the device shows the first of
    /// [`Self::provenance`]; `None` for an import, which makes no statement.
    pub reason: Option<RotationReason>,
    /// The commitment to the key after the new one that the statement makes.
    pub commit_next: Option<KeyCommitment>,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// What will be lost, or will not be what one might expect, in words.
    pub lost: Vec<String>,
}

/// What is moved.
pub(super) struct Moved {
    pub(super) did: Option<Did>,
    pub(super) keystore: Option<PathBuf>,
    pub(super) backend: BackendKind,
    pub(super) algorithm: AlgorithmId,
    pub(super) provenance: ProvenanceKind,
    /// Before it came into its device.
    pub(super) in_file_until: Option<u64>,
}

impl From<&Header> for Moved {
    fn from(header: &Header) -> Self {
        Self {
            did: Some(header.did().clone()),
            keystore: None,
            backend: header.backend(),
            algorithm: header.algorithm(),
            provenance: header.claimed_evidence().provenance(),
            in_file_until: header.in_file_until(),
        }
    }
}

impl Migration {
    /// **Blocks** on device and files. What a migration will do. Uses no credential, and
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`MigrationError::Impossible`], and whatever else can be known before a credential is
    /// asked for: that the device is not there, has no such keys or has the label already;
    /// that the identity has handed over to another one; that the clock is not set.
    pub fn plan(home: &Home, request: &MigrationRequest) -> Result<Plan, Error> {
        home.store().check_not_kept()?;
        let header = home.header()?;
        let journal = home.store().journal()?;
        let state = journal.as_ref().map(|journal| journal.state);
        let moved = Moved::from(&header);
        check_possible(&moved, request)?;
        // Later it is the new one that is in use, and no backup is made or named.
        if state.is_none_or(|state| state < MigrationState::Switching) {
            request.backup.check_fit(&moved, Some(&header))?;
        }
        check_clock()?;
        if let Some(next) = &request.commit_next {
            let chain = home.store().handed_over(header.did())?;
            let before = chain.iter().flat_map(RotationChain::dids);
            check_unused(next, before.chain([header.did()]))?;
        }
        if journal.is_none() {
            check_begins(home, request)?;
        }
        // It may be made, and not be written down yet.
        let is_made = state.is_some_and(|state| state >= MigrationState::Made)
            || home.store().staging().header().is_ok();
        if !is_made {
            check_device(home, &moved, request)?;
        }
        let mut plan = Plan::of(&moved, request, state);
        plan.opens_with.passphrase = wants_passphrase(home, request)?;
        Ok(plan)
    }
}

/// That none of these has the key that is committed to: that could never be honoured.
pub(super) fn check_unused<'a>(
    next: &KeyCommitment,
    mut used: impl Iterator<Item = &'a Did>,
) -> Result<(), RotationError> {
    match used.find(|did| next.is_to(did.verifying_key())) {
        Some(did) => Err(RotationError::CommitmentToUsedKey { did: did.clone() }),
        None => Ok(()),
    }
}

/// Whether the device keeps no storage key, so that a passphrase is wanted beside its PIN. Of
/// one that is made, its header says so.
pub(super) fn wants_passphrase(home: &Home, request: &MigrationRequest) -> Result<bool, Error> {
    if request.to() != BackendKind::Pkcs11 {
        return Ok(false);
    }
    let (new, staged) = (home.header().ok(), home.store().staging().header().ok());
    let is_made = |header: &Header| Some(header.backend()) == Some(BackendKind::Pkcs11);
    let state = home.store().journal()?.map(|journal| journal.state);
    let made = match state {
        Some(state) if state >= MigrationState::Switched => new.filter(is_made),
        _ => staged,
    };
    match made {
        Some(header) => Ok(matches!(header.storage(), Storage::Passphrase {})),
        None => {
            let staged = home.store().staging();
            // What was begun is made anew by its own configuration.
            let is_begun =
                staged.noted_objects()?.is_some() && home.store().staged_config()?.is_some();
            let new = home.staging((!is_begun).then(|| request.to.clone()))?;
            let wants = new.by_serial().unwrap_or(new).wants_for_new()?;
            Ok(wants.passphrase().is_some())
        }
    }
}

/// That nothing is in the way of one that begins.
pub(super) fn check_begins(home: &Home, request: &MigrationRequest) -> Result<(), Error> {
    for name in [names::STAGING, names::OLD] {
        let path = home.directory().join(name);
        if !file::is_bare(&path)? {
            return Err(MigrationError::InTheWay { path }.into());
        }
    }
    request.backup.check_vacant(home)
}

/// How well a key is kept.
const fn rank(provenance: ProvenanceKind) -> u8 {
    match provenance {
        ProvenanceKind::Software | ProvenanceKind::External => 0,
        ProvenanceKind::TpmSealed => 1,
        ProvenanceKind::DeviceHeld => 2,
        ProvenanceKind::Hardware => 3,
    }
}

/// Why a key hands over to one of this provenance: a worse place is no upgrade.
pub(super) const fn reason(old: ProvenanceKind, new: ProvenanceKind) -> RotationReason {
    match rank(new) >= rank(old) {
        true => RotationReason::Upgrade,
        false => RotationReason::Manual,
    }
}

impl PlannedOpening {
    fn of(request: &MigrationRequest) -> Self {
        let tpm = request.to.identity.tpm.clone().unwrap_or_default();
        match request.to() {
            BackendKind::Tpm if tpm.platform_binding => {
                let (pcrs, policy) = (Some(tpm.pcr_indices), Some(tpm.policy));
                Self { pin: tpm.pin, passphrase: false, pcrs, policy }
            }
            BackendKind::Tpm => Self { pin: tpm.pin, passphrase: false, pcrs: None, policy: None },
            BackendKind::Age | BackendKind::Pkcs11 => {
                let pin = request.to() == BackendKind::Pkcs11;
                Self { pin, passphrase: false, pcrs: None, policy: None }
            }
        }
    }
}

impl Plan {
    pub(super) fn of(
        moved: &Moved,
        request: &MigrationRequest,
        state: Option<MigrationState>,
    ) -> Self {
        let (to, mode, algorithm) = (request.to(), request.mode, request.key.algorithm);
        let rotates = mode == MigrationMode::Rotate;
        let provenance = match (mode, to, algorithm) {
            (_, BackendKind::Tpm, AlgorithmId::Ed25519) => vec![ProvenanceKind::TpmSealed],
            (MigrationMode::Rotate, BackendKind::Tpm, _) => vec![ProvenanceKind::Hardware],
            (MigrationMode::Rotate, _, _) => {
                vec![ProvenanceKind::Hardware, ProvenanceKind::DeviceHeld]
            }
            (MigrationMode::Import, _, _) => vec![ProvenanceKind::DeviceHeld],
        };
        let best = provenance.first().filter(|_| rotates);
        let mut plan = Self {
            mode,
            state,
            did: moved.did.clone(),
            keystore: moved.keystore.clone(),
            from: moved.backend,
            to,
            algorithm,
            keeps_did: !rotates,
            copies_may_exist: !rotates,
            reason: best.map(|best| reason(moved.provenance, *best)),
            provenance,
            commit_next: request.commit_next.filter(|_| rotates),
            opens_with: PlannedOpening::of(request),
            steps: Vec::new(),
            lost: Vec::new(),
        };
        plan.add_steps(&request.backup);
        plan.lost = plan.losses(moved);
        if rotates && state.is_none_or(|state| state < MigrationState::BackedUp) {
            plan.lost.push(
                "an identity that has committed to its next key is not moved to another one, which \
                 only shows when it is opened: it hands over to that key first"
                    .into(),
            );
        }
        if rotates && request.unstated {
            plan.lost.push(
                "if the old key cannot sign any more: its statement, without which no peer follows to \
                 the new DID, and what was encrypted to the old one"
                    .into(),
            );
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_to_a_worse_place_is_no_upgrade() {
        use ProvenanceKind::{DeviceHeld, Hardware, Software, TpmSealed};
        for better in [TpmSealed, DeviceHeld, Hardware] {
            assert_eq!(reason(Software, better), RotationReason::Upgrade);
            assert_eq!(reason(better, better), RotationReason::Upgrade);
        }
        for (old, new) in [(Hardware, TpmSealed), (Hardware, DeviceHeld), (DeviceHeld, TpmSealed)] {
            assert_eq!(reason(old, new), RotationReason::Manual);
            assert_eq!(reason(new, old), RotationReason::Upgrade);
        }
    }
}
