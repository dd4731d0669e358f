//! A plan in words, for people whom nobody tells otherwise.

use super::{Moved, Plan};
use crate::algorithm::AlgorithmId;
use crate::backend::BackendKind;
use crate::clock;
use crate::config::{PcrIndices, PcrPolicy};
use crate::evidence::ProvenanceKind;
use crate::keystore::{MigrationMode, MigrationState};
use crate::migrate::request::BackupFirst;

impl Plan {
    const fn rotates(&self) -> bool {
        matches!(self.mode, MigrationMode::Rotate)
    }

    pub(super) fn add_steps(&mut self, backup: &BackupFirst) {
        use MigrationState::{BackedUp, Made, Proved, Stated, Switched};
        let rotates = self.rotates();
        let place = place(self.to);
        let reached = self.state.filter(|state| *state <= Switched);
        let mut steps = Vec::new();
        let mut add = |name, reaches: Option<MigrationState>, what: String| {
            let done = reaches.is_some_and(|reaches| reached.is_some_and(|state| state >= reaches));
            steps.push(super::PlannedStep { name, what, done });
        };
        if let Some(keystore) = &self.keystore {
            let what = format!(
                "an identity is made of {}, in a file under the same passphrase; that keystore is \
                 only read",
                keystore.display()
            );
            add("import", None, what);
        }
        add("backup", Some(BackedUp), backup_in_words(backup));
        add("make", Some(Made), self.make_in_words());
        add(
            "prove",
            Some(Proved),
            "a new process opens the new identity, signs with it and verifies that".into(),
        );
        if let Some(reason) = self.reason {
            let what = format!(
                "the old key hands over to the new one by a statement that both sign (reason: \
                 {reason}), for peers to follow; the old decryption key is taken along{}",
                self.commit_next.map_or_else(String::new, |next| format!(
                    "; it commits to the key that comes next, SHA-256 {next}"
                ))
            );
            add("state", Some(Stated), what);
        }
        add(
            "switch",
            Some(Switched),
            match rotates {
                true => {
                    "the new identity is in use from then on; the old one stays whole in `previous`"
                        .into()
                }
                false => format!(
                    "the key in {place} is in use from then on; the file with it stays whole in \
                     `previous`"
                ),
            },
        );
        add(
            "finish",
            None,
            match rotates {
                true => "the old identity is removed: later, and only when you say so".into(),
                false => {
                    "the file in `previous` is removed: later, and only when you say so".into()
                }
            },
        );
        self.steps = steps;
    }

    fn make_in_words(&self) -> String {
        let (place, algorithm) = (place(self.to), self.algorithm);
        match (self.mode, self.to, algorithm) {
            (MigrationMode::Rotate, BackendKind::Tpm, AlgorithmId::Ed25519) => format!(
                "a new {algorithm} key is made and sealed to the TPM, with new keys for TLS and \
                 encryption beside it, in an encrypted file"
            ),
            (MigrationMode::Rotate, _, _) => format!(
                "a new {algorithm} key is made in {place}, with new keys for TLS and encryption \
                 beside it, in an encrypted file"
            ),
            (MigrationMode::Import, _, _) => format!(
                "the key is written into {place}; beside it, in an encrypted file, are the same key \
                 for encryption and a new one for TLS"
            ),
        }
    }

    pub(super) fn losses(&self, moved: &Moved) -> Vec<String> {
        let mut lost: Vec<String> = match self.mode {
            MigrationMode::Rotate => vec![
                "the DID: the new identity has another one, and peers who know the old one have \
                 to follow the statement"
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
        lost.extend(self.lost_provenance(moved.provenance));
        let this = if self.rotates() { "the old DID" } else { "this DID" };
        if moved.backend == BackendKind::Age {
            let what = match moved.keystore {
                Some(_) => "the keystore, and backups and copies of it,",
                None => "backups and copies of the file",
            };
            lost.push(format!("{what} still sign as {this}, also after the end of the move"));
        }
        if let Some(until) = moved.in_file_until {
            let until = clock::rfc3339(until).unwrap_or_else(|| format!("Unix time {until}"));
            lost.push(format!(
                "the old key was in a file until {until}: copies and backups of that file still \
                 sign as {this}, also after the end of the move"
            ));
        }
        if let Some(pcrs) = &self.opens_with.pcrs {
            lost.push(self.bound_to(pcrs));
        }
        lost.push(match (self.mode, self.to) {
            (_, BackendKind::Tpm) => {
                "a backup that is made afterwards holds the key only as it is sealed to the TPM: it \
                 is useless without that TPM"
                    .into()
            }
            (MigrationMode::Import, _) => format!(
                "a backup of the identity that is made afterwards does not hold its key, which is \
                 in {}; one of the file, made before, does",
                place(self.to)
            ),
            (MigrationMode::Rotate, _) => format!(
                "a backup of the new identity does not hold its key: that is in {}, and only there",
                place(self.to)
            ),
        });
        lost
    }

    /// Of a key that a TPM gives out, or uses, by the values of these PCRs.
    fn bound_to(&self, pcrs: &PcrIndices) -> String {
        let is_approved = self.opens_with.policy == Some(PcrPolicy::Authorized);
        let (by, next) = match (is_approved, self.algorithm) {
            (true, AlgorithmId::Ed25519) => (
                ", or others that the approver signs",
                "before a firmware update the approver has to sign the coming ones, or the identity \
                 is sealed anew",
            ),
            (true, AlgorithmId::P256) => (
                ", or others that the approver signs",
                "before a firmware update the approver has to sign the coming ones: the policy of a \
                 P-256 key stays, and it cannot be sealed anew",
            ),
            (false, AlgorithmId::Ed25519) => {
                ("", "before a firmware update it has to be sealed anew")
            }
            (false, AlgorithmId::P256) => (
                "",
                "a P-256 key cannot be sealed anew, and is lost when they change for good (a firmware \
                 update); with the policy `authorized` an approver can sign other values",
            ),
        };
        format!("the identity opens only while PCRs {pcrs} have the values of then{by}: {next}")
    }

    /// Of a move from one device to another.
    fn lost_provenance(&self, old: ProvenanceKind) -> Option<String> {
        use ProvenanceKind::{DeviceHeld, Hardware, TpmSealed};
        match (old, self.provenance.as_slice()) {
            (Hardware | DeviceHeld, [TpmSealed]) => Some(format!(
                "the provenance: the old key is {old}, and stays behind its device; the new one is \
                 tpm-sealed: it is in the memory of this machine while it is unlocked"
            )),
            (Hardware, [Hardware, DeviceHeld]) => Some(
                "the provenance, if the token does not show that the new key was born in it: the \
                 old one is hardware, and the new one is device-held then (reason: manual)"
                    .into(),
            ),
            _ => None,
        }
    }
}

fn backup_in_words(backup: &BackupFirst) -> String {
    match backup {
        BackupFirst::Make { output, .. } => {
            format!("the old identity is opened, and backed up to {}", output.display())
        }
        BackupFirst::Opened(backup) => format!(
            "the old identity is opened; the backup of {} has opened, and is of {}",
            backup.created(),
            backup.did()
        ),
        BackupFirst::Unsaid => {
            "the old identity is opened, and backed up as you have to say".into()
        }
        BackupFirst::None => "the old identity is opened; no backup is made".into(),
    }
}

const fn place(backend: BackendKind) -> &'static str {
    match backend {
        BackendKind::Age => "a file",
        BackendKind::Pkcs11 => "the token",
        BackendKind::Tpm => "the TPM",
    }
}
