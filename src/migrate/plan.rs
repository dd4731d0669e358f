//! What a migration will do, and what will be lost: nothing is changed for it.

use serde::Serialize;

use super::Migration;
use super::request::{BackupFirst, MigrationRequest};
use crate::algorithm::AlgorithmId;
use crate::backend::BackendKind;
use crate::bundle::check_clock;
use crate::did::Did;
use crate::error::{Error, MigrationError};
use crate::evidence::ProvenanceKind;
use crate::file::{self, names};
use crate::home::Home;
use crate::keystore::{Header, MigrationMode, MigrationState};
use crate::rotation::RotationError;

/// One step that will be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedStep {
    /// Its name: `backup`, `make`, `prove`, `state`, `switch`, `finish`.
    pub name: &'static str,
    /// In words.
    pub what: String,
    /// It was done before.
    pub done: bool,
}

/// What a migration will do, and what will be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// How.
    pub mode: MigrationMode,
    /// How far it is, if it is under way.
    pub state: Option<MigrationState>,
    /// The identity.
    pub did: Did,
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
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// What will be lost, or will not be what one might expect, in words.
    pub lost: Vec<String>,
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
        let header = home.header()?;
        let journal = home.store().journal()?;
        let state = journal.as_ref().map(|journal| journal.state);
        check_possible(&header, request)?;
        check_clock()?;
        if journal.is_none() {
            for name in [names::STAGING, names::OLD] {
                let path = home.directory().join(name);
                if file::is_there(&path)? {
                    return Err(MigrationError::InTheWay { path }.into());
                }
            }
        }
        // It may be made, and not be written down yet.
        let is_made = state.is_some_and(|state| state >= MigrationState::Made)
            || home.store().staging().header().is_ok();
        if !is_made {
            check_device(home, &header, request)?;
        }
        Ok(Plan::of(&header, request, state))
    }
}

/// What no device can do, and what this identity has done already.
fn check_possible(header: &Header, request: &MigrationRequest) -> Result<(), Error> {
    let (from, to) = (header.backend(), request.to());
    let impossible = |reason| Err(MigrationError::Impossible { from, to, reason }.into());
    match (from, to, request.mode) {
        (BackendKind::Age, BackendKind::Age, _) => {
            impossible("that is where it is; a backup moves it to another machine")
        }
        (_, BackendKind::Age, _) => {
            impossible("no device gives a key out, and a file keeps it less well")
        }
        (BackendKind::Tpm, BackendKind::Tpm, _) => {
            impossible("that is where it is; it is sealed anew there under another policy or PIN")
        }
        (BackendKind::Pkcs11 | BackendKind::Tpm, _, MigrationMode::Import) => {
            impossible("no device gives a key out: there is nothing to import")
        }
        (_, BackendKind::Tpm, MigrationMode::Import)
            if request.key.algorithm == AlgorithmId::P256 =>
        {
            impossible("a P-256 key in a TPM is made there, and cannot be written into it")
        }
        (_, _, MigrationMode::Import) if request.key.algorithm != header.algorithm() => {
            impossible("an import keeps the key, and the key is of another algorithm")
        }
        _ => Ok(()),
    }
}

fn check_device(home: &Home, header: &Header, request: &MigrationRequest) -> Result<(), Error> {
    if request.mode == MigrationMode::Rotate
        && !request.again
        && let Some(chain) = home.store().handed_over(header.did())?
    {
        let (did, to) = (header.did().clone(), chain.current().clone());
        let staged = home.store().staging().header();
        if staged.is_err() || staged.is_ok_and(|staged| staged.did() != chain.current()) {
            let given_up = home.store().gave_up(&to);
            return Err(RotationError::HandedOver { did, to, given_up }.into());
        }
    }
    if let BackupFirst::Opened(backup) = &request.backup {
        backup.is_of(header.did())?;
    }
    if let BackupFirst::Make { request, .. } = &request.backup {
        request.check(header)?;
    }
    let staging = home.staging(Some(request.to.clone()))?;
    staging.check_algorithm(request.key.algorithm)?;
    // What an earlier attempt has left is in nobody's way.
    if staging.store().unfinished()?.is_none_or(|left| left.objects().is_none()) {
        match request.mode {
            MigrationMode::Rotate => staging.check_device_for(&request.key)?,
            MigrationMode::Import => {
                staging.check_import(header.did(), staging.key_label().as_deref())?;
            }
        }
    }
    Ok(())
}

impl Plan {
    fn of(header: &Header, request: &MigrationRequest, state: Option<MigrationState>) -> Self {
        let (from, to, mode) = (header.backend(), request.to(), request.mode);
        let algorithm = request.key.algorithm;
        let rotates = mode == MigrationMode::Rotate;
        let provenance = match (mode, to, algorithm) {
            (_, BackendKind::Tpm, AlgorithmId::Ed25519) => vec![ProvenanceKind::TpmSealed],
            (MigrationMode::Rotate, BackendKind::Tpm, _) => vec![ProvenanceKind::Hardware],
            (MigrationMode::Rotate, _, _) => {
                vec![ProvenanceKind::Hardware, ProvenanceKind::DeviceHeld]
            }
            (MigrationMode::Import, _, _) => vec![ProvenanceKind::DeviceHeld],
        };
        let mut plan = Self {
            mode,
            state,
            did: header.did().clone(),
            from,
            to,
            algorithm,
            keeps_did: !rotates,
            copies_may_exist: !rotates,
            provenance,
            steps: Vec::new(),
            lost: lost(from, to, mode),
        };
        plan.add_steps(request);
        plan
    }

    fn add_steps(&mut self, request: &MigrationRequest) {
        use MigrationState::{BackedUp, Made, Proved, Stated, Switched};
        let rotates = self.mode == MigrationMode::Rotate;
        let reached = self.state.filter(|state| *state <= Switched);
        let mut add = |name, reaches: MigrationState, what: String| {
            let done = reached.is_some_and(|state| state >= reaches);
            self.steps.push(PlannedStep { name, what, done });
        };
        add(
            "backup",
            BackedUp,
            match &request.backup {
                BackupFirst::Make { output, .. } => {
                    format!("the old identity is opened, and backed up to {}", output.display())
                }
                BackupFirst::Opened(backup) => format!(
                    "the old identity is opened; the backup of {} has opened, and is of it",
                    backup.created()
                ),
                BackupFirst::Unsaid => {
                    "the old identity is opened, and backed up as you have to say".into()
                }
                BackupFirst::None => "the old identity is opened; no backup is made".into(),
            },
        );
        let (place, algorithm) = (place(self.to), self.algorithm);
        add(
            "make",
            Made,
            match rotates {
                true => format!("a new {algorithm} key is made in {place}, with companions"),
                false => format!("the key is written into {place}, with companions"),
            },
        );
        add("prove", Proved, "a new process opens it, signs and verifies".into());
        if rotates {
            add(
                "state",
                Stated,
                "the old key hands over to the new one, for peers to follow; its decryption key \
                 is taken along"
                    .into(),
            );
        }
        add(
            "switch",
            Switched,
            "the new identity is in use from then on; the old one stays whole in `previous`".into(),
        );
        self.steps.push(PlannedStep {
            name: "finish",
            what: "the old identity is removed: later, and only when you say so".into(),
            done: false,
        });
    }
}

/// For people, whom nobody tells otherwise.
fn lost(from: BackendKind, to: BackendKind, mode: MigrationMode) -> Vec<String> {
    let mut lost: Vec<String> = match mode {
        MigrationMode::Rotate => vec![
            "the DID: the new identity has another one, and peers who know the old one have to \
             follow the chain"
                .into(),
            "the TLS and age public keys of the old identity: the new one has others; what was \
             encrypted to the old one still decrypts"
                .into(),
        ],
        MigrationMode::Import => vec![
            "nothing makes the key one that was born there: it was in a file, copies of it may \
             exist, and its type says so for ever"
                .into(),
        ],
    };
    if from == BackendKind::Age {
        lost.push(
            "backups and copies of the file still sign as the old DID, also after the end of the \
             migration"
                .into(),
        );
    }
    lost.push(format!(
        "a backup of the new identity does not hold its key: that is in {}, and only there",
        place(to)
    ));
    lost
}

const fn place(backend: BackendKind) -> &'static str {
    match backend {
        BackendKind::Age => "a file",
        BackendKind::Pkcs11 => "the token",
        BackendKind::Tpm => "the TPM",
    }
}
