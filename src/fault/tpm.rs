//! What can go wrong with a TPM.

mod help;
mod pcr_difference;
mod state;

use std::error::Error as StdError;
use std::path::PathBuf;

pub use self::pcr_difference::PcrDifference;
pub use self::state::TpmState;
use super::scrypt_memory;
use crate::kind::ErrorKind;

/// Why a TPM did not do what was asked. The TPM's own code is in the source
/// chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TpmError {
    /// There is no such device.
    #[error("there is no TPM at {device}")]
    NoDevice {
        /// The configured device.
        device: String,
        /// What the system said.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The name of the device is none.
    #[error("{device:?} is no TPM: {reason}")]
    BadDevice {
        /// What is configured.
        device: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The device may not be opened by this user.
    #[error("no permission to use the TPM at {device}")]
    NoPermission {
        /// The configured device.
        device: String,
    },
    /// Another program has the device.
    #[error("the TPM at {device} is in use by another program")]
    Busy {
        /// The configured device.
        device: String,
    },
    /// The library that talks to such devices is not installed.
    #[error("the library that talks to {device} is missing")]
    NoTcti {
        /// The configured device.
        device: String,
        /// What the loader said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The TPM takes no commands as it is now.
    #[error("the TPM takes no commands: {state}")]
    NotReady {
        /// What it is in.
        state: TpmState,
        /// What the TPM said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The owner has set a password, with which alone a storage key can be made.
    #[error("the owner of the TPM has set a password, and its storage key cannot be made without")]
    OwnerPassword {
        /// What the TPM said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The owner's hierarchy is switched off.
    #[error("the owner's hierarchy of the TPM is switched off")]
    NoHierarchy {
        /// What the TPM said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The endorsement hierarchy has a password, with which alone its keys can be made.
    #[error("the TPM's endorsement hierarchy has a password, and its keys cannot be used without")]
    EndorsementPassword {
        /// What the TPM said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The endorsement hierarchy is switched off.
    #[error("the endorsement hierarchy of the TPM is switched off")]
    NoEndorsementHierarchy {
        /// What the TPM said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// No certificate of its maker is in it.
    #[error("the TPM holds no certificate of its endorsement key")]
    NoEkCertificate,
    /// It has certificates of its maker, but none for an endorsement key that is used here.
    #[error("the TPM holds no certificate of a P-256 endorsement key, only of {found}")]
    OtherEkCertificate {
        /// The types of keys that it has certificates for, as `RSA-2048`.
        found: String,
    },
    /// What is stored where a certificate should be is none, or one that is not used.
    #[error("what the TPM has stored at NV index {index:#010x} cannot be used as a certificate")]
    EkCertificateUnreadable {
        /// The NV index.
        index: u32,
        /// Why it cannot be read.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The certificate of its endorsement key is there, and is not to be read freely.
    #[error(
        "the certificate at NV index {index:#010x} of the TPM was not read: the index {reason}"
    )]
    EkCertificateGuarded {
        /// The NV index.
        index: u32,
        /// What of the index's attributes or state is in the way.
        reason: &'static str,
        /// What the TPM said, if it was asked.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The certificate that is there is not that of this TPM's endorsement key.
    #[error(
        "the certificate at NV index {index:#010x} is not that of the endorsement key of this TPM"
    )]
    ForeignEkCertificate {
        /// The NV index.
        index: u32,
        /// What it is of, or that it is of another key.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A TPM vouches that sealed data exists, not for what is in it.
    #[error(
        "an Ed25519 key is sealed data to the TPM, which vouches that the data exists, not for what \
         is in it"
    )]
    NotAttestable,
    /// An activation that this TPM does not answer.
    #[error("the activation is for another attestation key than this TPM has")]
    OtherActivation {
        /// What the TPM said, if it was asked.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// PCRs have other values than the policy wants.
    #[error("the TPM's PCRs have changed: {}", list(differences))]
    PcrMismatch {
        /// Each register that differs.
        differences: Vec<PcrDifference>,
        /// Whether an approval of other values could open the key.
        authorized: bool,
    },
    /// PCRs have changed between the key and its storage key.
    #[error("the TPM's PCRs have changed while the identity was made: {}", list(differences))]
    PcrMoved {
        /// Each register that differs.
        differences: Vec<PcrDifference>,
    },
    /// A bank that the TPM does not have, or does not fill.
    #[error("the TPM has no PCR bank {bank}")]
    NoBank {
        /// The bank.
        bank: &'static str,
    },
    /// The TPM states no digest of PCRs that it was asked for: its SHA-256 bank is off, or has not
    /// all of them.
    #[error("the TPM does not quote the PCRs {pcrs} of its SHA-256 bank")]
    NotQuoted {
        /// Those asked for, like `0,7`.
        pcrs: String,
    },
    /// The TPM refused the PIN. It was tried once.
    #[error("the TPM refused the PIN; it was tried once{}", left(*tries_left))]
    WrongPin {
        /// How many more wrong PINs it takes before it locks.
        tries_left: Option<u32>,
        /// What the TPM said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// This PIN was refused before in this process, and is not tried again.
    #[error("this PIN was refused by the TPM before and was not tried again")]
    PinKnownWrong,
    /// This PIN was sent before in this process, the answer was lost, and the TPM's count
    /// does not show that it was not refused.
    #[error(
        "this PIN was sent to the TPM before, and whether it was refused is not known; it was not \
         sent again"
    )]
    PinInDoubt,
    /// Nothing would tell the next process that the PIN was sent: no disk takes the note,
    /// and the TPM has counted wrong ones already, of whatever program; or the disk is full
    /// or fails, and may take the next one.
    #[error("the PIN was not sent to the TPM, since it could not be noted that it is tried")]
    PinNotNoted {
        /// What to do so that it can be noted.
        repair: String,
        /// Why not.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The key wants a PIN, and none was given.
    #[error("this key wants a PIN, and none was given")]
    PinMissing,
    /// An empty PIN, or one that is to be entered at a PIN pad.
    #[error("a TPM takes no such PIN: {reason}")]
    PinUnusable {
        /// Why not.
        reason: &'static str,
    },
    /// scrypt needs memory that the system does not give.
    #[error(
        "there is no memory for the PIN: scrypt with the work 2^{log_n} needs {}; it was not sent",
        scrypt_memory(*log_n)
    )]
    NoMemory {
        /// log2 of the work.
        log_n: u8,
    },
    /// The next wrong PIN would lock the TPM.
    #[error("one wrong PIN more locks the TPM; the PIN was not sent")]
    FinalTry,
    /// The owner allows no wrong PIN, whatever was counted: waiting changes nothing.
    #[error("{}; the PIN was not sent", no_spare_try(*allowed))]
    NoSpareTry {
        /// Wrong PINs that lock the TPM: one; or none, and then it takes no PIN at all.
        allowed: u32,
    },
    /// Too many wrong PINs, of whatever program.
    #[error("the TPM is locked after too many wrong PINs{}", wait(*recovery_seconds))]
    LockedOut {
        /// Seconds until it takes one PIN more, at most.
        recovery_seconds: Option<u32>,
        /// What the TPM said, if it was asked.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The owner's storage key is not the one that the identity was made
    /// under: another TPM, or this one after a clear.
    #[error("this is another TPM, or it was cleared: its storage key is {found}, not {expected}")]
    OtherTpm {
        /// Name of the storage key, as pinned.
        expected: String,
        /// Name of the one that is there.
        found: String,
    },
    /// The header of the identity has another storage key than the configuration pins. The
    /// TPM was not asked.
    #[error("the storage key of the identity is {found}, and `parent_name` pins {configured}")]
    NotConfiguredParent {
        /// Name of the storage key, as pinned.
        configured: String,
        /// Name in the header.
        found: String,
    },
    /// At the configured handle is another key.
    #[error("the storage key at {handle:#010x} is {found}, not {expected}")]
    ParentChanged {
        /// The persistent handle.
        handle: u32,
        /// Name of the storage key, as pinned.
        expected: String,
        /// Name of the one that is there.
        found: String,
    },
    /// At the configured handle is nothing.
    #[error("there is no storage key at {handle:#010x}")]
    NoParent {
        /// The persistent handle.
        handle: u32,
        /// What the TPM said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// At the configured handle is a key that is no storage key of ours to use.
    #[error("the key at {handle:#010x} is no storage key: {reason}")]
    NotAParent {
        /// The persistent handle.
        handle: u32,
        /// Why not.
        reason: &'static str,
    },
    /// The object of this identity cannot be read, or not loaded by the TPM.
    #[error("the {what} in the header is damaged")]
    Damaged {
        /// Which object.
        what: &'static str,
        /// What the TPM said.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The policy of an object is not one that this crate makes.
    #[error("the policy of the {what} is not the one that is written beside it")]
    ForeignPolicy {
        /// Which object.
        what: &'static str,
    },
    /// The TPM did not accept the policy, and it was not for PCRs or the PIN.
    #[error("the TPM did not accept the policy")]
    PolicyRefused {
        /// What the TPM said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Everything that the TPM can hold at a time is in use.
    #[error("the TPM has no room for another {what}")]
    Full {
        /// Object or session.
        what: &'static str,
        /// What the TPM said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The key does not have the attributes of ours.
    #[error("the TPM's key is not one that is used here: {problem}")]
    Attributes {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A policy that cannot be made, or not for this key.
    #[error("no such policy: {reason}")]
    NoSuchPolicy {
        /// Why.
        reason: &'static str,
    },
    /// A P-256 key cannot be sealed anew.
    #[error(
        "the policy of a P-256 key is a part of the key and stays, and so does its PIN: it cannot \
         be sealed anew"
    )]
    NotResealable,
    /// The policy of the identity takes no approvals.
    #[error("the policy of this identity is literal: it takes no approvals")]
    TakesNoApproval,
    /// An approval does not fit.
    #[error("the approval cannot be used: {reason}")]
    Approval {
        /// Why.
        reason: &'static str,
    },
    /// The key that is to sign is not that of the approver whom the identity names.
    #[error("the identity names another approver than this key")]
    OtherApprover,
    /// A file is not the approver's key that it should be.
    #[error("{} is not the key that is wanted: {problem}", path.display())]
    ApproverKey {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        problem: &'static str,
    },
    /// A command failed.
    #[error("the TPM could not {doing}")]
    Command {
        /// What was being done.
        doing: &'static str,
        /// What the answer means for the program.
        kind: ErrorKind,
        /// What the TPM, or the library before it, said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

fn list(differences: &[PcrDifference]) -> String {
    let parts: Vec<String> = differences.iter().map(ToString::to_string).collect();
    parts.join("; ")
}

fn left(tries: Option<u32>) -> String {
    match tries {
        None => String::new(),
        Some(0) => ", and the TPM is locked now".into(),
        Some(1) => ", and one try is left".into(),
        Some(tries) => format!(", and {tries} tries are left"),
    }
}

const fn no_spare_try(allowed: u32) -> &'static str {
    match allowed {
        0 => "the TPM takes no PIN, since its owner allows no tries",
        _ => "the TPM is locked by the first wrong PIN",
    }
}

fn wait(seconds: Option<u32>) -> String {
    match seconds {
        None => String::new(),
        Some(seconds) => format!("; it takes one more in at most {seconds} seconds"),
    }
}
