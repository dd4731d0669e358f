//! What happened, then what to try.

use std::io;
use std::path::PathBuf;

use icn_identity::AlgorithmId;
use icn_identity::Error;
use icn_identity::backend::BackendKind;
use icn_identity::error::{
    CredentialError, DeviceError, KeystoreError, MigrationError, Pkcs11Error,
};
use icn_identity::sshsig::InvalidSshSignature;

use crate::daemon_error::DaemonError;
use crate::help::Help as _;
use crate::safe::{one_line, word};
use crate::terminal::NotAnswered;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Identity(Error),
    #[error("there is no home directory")]
    NoHome,
    #[error("the configuration {} does not exist", path.display())]
    NoConfig { path: PathBuf },
    #[error("no {what}{whose} was given, and there is no terminal to ask on")]
    NoCredential {
        what: &'static str,
        /// ` of token node-1`, or nothing.
        whose: String,
        flag: &'static str,
        variable: &'static str,
        #[source]
        source: io::Error,
    },
    #[error(
        "the PIN of {device} is wanted, which the key was moved to; --pin-file is of the device that \
         it moves away from"
    )]
    PinOfWhich { device: String },
    #[error("no {what} was entered: {problem}")]
    NotTyped {
        what: &'static str,
        flag: &'static str,
        variable: &'static str,
        problem: NotAnswered,
    },
    #[error("cannot read {what}")]
    Input {
        what: String,
        #[source]
        source: io::Error,
    },
    #[error("cannot write to standard output")]
    Output {
        #[source]
        source: io::Error,
    },
    #[error("the reason for the rotation is missing")]
    NoReason,
    #[error("the chain was made and stored, but not written to a file")]
    ChainFile {
        #[source]
        source: Box<CliError>,
    },
    #[error("the chain that was followed before, {}, cannot be compared with", path.display())]
    KnownChain {
        path: PathBuf,
        #[source]
        source: icn_identity::rotation::RotationError,
    },
    #[error("{did} has taken over from no other key: there is no chain to be written")]
    NoRotation { did: String },
    #[error("{did} is not in the book of peers")]
    NoPeer { did: String },
    #[error("there is no identity in {}, and no book of peers", home.display())]
    NoBook { home: PathBuf },
    #[error("nobody in the book of peers is led on by this chain")]
    NobodyFollowed,
    #[error(
        "the message begins with `icn-identity/` or `SSHSIG`, as what the identity signs itself does"
    )]
    Reserved,
    #[error("{first} and {second} cannot both be read from standard input")]
    TwiceStandardInput { first: &'static str, second: &'static str },
    #[error("{what} {problem}")]
    Standard { what: &'static str, problem: &'static str },
    #[error("${variable} is not an absolute path: {}", value.display())]
    RelativeVariable { variable: &'static str, value: PathBuf },
    #[error("{} is not an SSH signature", path.display())]
    SshSignature { path: PathBuf, source: InvalidSshSignature },
    #[error("{} is a signature for a context", path.display())]
    SignatureForContext { path: PathBuf },
    #[error("--signature takes the 64 bytes of a bare signature, and this is an SSH signature")]
    SshSignatureGiven,
    #[error("--format did-document is for `id show`")]
    FormatOfShow,
    #[error("this identity has no DID document yet")]
    NoDocument,
    #[error("{} already exists", path.display())]
    OutputExists { path: PathBuf },
    #[error("{} is not a regular file, and is not replaced", path.display())]
    OutputSpecial { path: PathBuf },
    #[error("cannot write {}", path.display())]
    OutputFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the file was not decrypted to its end; nothing of it was written to {}", path.display())]
    NotDecrypted {
        path: PathBuf,
        #[source]
        source: Error,
    },
    #[error("the file was not decrypted to its end: do not use what was printed of it")]
    PartlyDecrypted {
        #[source]
        source: Error,
    },
    #[error("the signature is not 64 bytes in base64")]
    SignatureEncoding,
    #[error("an older keystore is imported as a software key, the configured backend is {backend}")]
    ImportsSoftware { backend: BackendKind },
    #[error("P-256 keys have no did:icn")]
    NoIcnDid,
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "of that backend"))]
    #[error("the key that --key names is {found}, --algorithm says {demanded}")]
    OtherAlgorithm { found: AlgorithmId, demanded: AlgorithmId },
    #[error("{option} is for the pkcs11 backend")]
    OptionForPkcs11 { option: &'static str, asking: Asking },
    #[error("{option} is for the tpm backend")]
    OptionForTpm { option: &'static str, asking: Asking },
    #[error("the age backend has no device to be looked at")]
    NoDevice,
    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "of that backend"))]
    #[error("this command is for a key in a TPM; that of this identity is {}", place(*backend))]
    OnlyForTpm { backend: BackendKind },
    #[cfg_attr(not(feature = "attestation"), allow(dead_code, reason = "of attestations"))]
    #[error("--quote is for a key in a TPM; that of this identity is {}", place(*backend))]
    Quote { backend: BackendKind },
    #[cfg_attr(not(feature = "attestation"), allow(dead_code, reason = "of attestations"))]
    #[error("--certificate is not for a key in a TPM: its certificate is read from the TPM")]
    CertificateOfTpm,
    #[cfg_attr(not(feature = "attestation"), allow(dead_code, reason = "of attestations"))]
    #[error("the key of this identity is in a file: no device vouches for it")]
    NoDeviceVouches,
    #[cfg_attr(not(feature = "attestation"), allow(dead_code, reason = "of attestations"))]
    #[error("an activation is answered by the TPM that made the attestation; the key of this identity is {}", place(*backend))]
    AnsweredByTpm { backend: BackendKind },
    #[cfg_attr(not(feature = "attestation"), allow(dead_code, reason = "of attestations"))]
    #[error("{} already exists", path.display())]
    NewFileExists { path: PathBuf, option: &'static str },
    #[cfg_attr(not(feature = "attestation"), allow(dead_code, reason = "of attestations"))]
    #[error("there is no {}; it is removed once it was used", path.display())]
    NoSecret { path: PathBuf },
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "of that backend"))]
    #[error("{command} is for a key in a token; that of this identity is {}", place(*backend))]
    OnlyForTokens { command: &'static str, backend: BackendKind },
    #[error(transparent)]
    NotApproved(Error),
    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "of that backend"))]
    #[error("an approval is for a key in a TPM; that of this backup is {}", place(*backend))]
    ApprovalOfNoTpm { backend: BackendKind },
    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "of that backend"))]
    #[error("a new PIN is given, and {} says `pin = false`: the key has none", path.display())]
    NoNewPin { path: PathBuf },
    #[error("none of the recipients is that of the key in {}", path.display())]
    KeyOfNoRecipient { path: PathBuf },
    #[error("the successor's key is not the one that was committed to")]
    OtherCommitted { key: String, source: Error },
    #[error("the successor cannot be used")]
    Successor { home: PathBuf, source: Box<CliError> },
    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "of that backend"))]
    #[error("{what} cannot be read as PCR values")]
    PcrValues { what: String },
    #[error("--pcr-indices is no list of PCRs, 0 to 23, like 0,7")]
    PcrIndices,
    /// Options of a TPM that do not go together.
    #[error("{problem}")]
    TpmOptions { problem: &'static str, help: &'static str },
    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "of that backend"))]
    #[error("this is no request for an approval")]
    NoRequest,
    #[error("--key is not a pkcs11 URI")]
    Key {
        #[source]
        source: icn_identity::backend::uri::InvalidPkcs11Uri,
    },
    #[error("a backup goes to a file, from where it is read back, not to standard output")]
    ToAFile,
    #[error("it is not said where the identity goes, and no migration is under way")]
    NowhereTo,
    #[error("--key names a key, and a migration makes a new one")]
    NamesAKey,
    /// Why a move makes no new key on the token that it goes to.
    #[error(transparent)]
    NoNewKey(Error),
    /// A token that a move wants is not there, or has another name than is written down.
    #[error(transparent)]
    NoTokenOfMove(Error),
    #[error("--backup names a backup, and not the recovery key that opens it")]
    BackupWithoutKey,
    #[error("--commit-next is given, and an import makes no statement that could hold it")]
    ImportStatesNothing,
    #[error("it was not confirmed, so nothing was done")]
    NotConfirmed {
        #[source]
        source: Option<io::Error>,
    },
    #[error("the process ended with {status}")]
    Child { status: String },
    #[error("the identity was made, and that could not be written into the audit log")]
    MadeWithoutLine { source: Box<CliError> },
    #[error(transparent)]
    Daemon(Box<DaemonError>),
    #[error("icnd (process {number}) has the identity open, and does not listen at {}", socket.display())]
    DaemonElsewhere { number: u32, socket: PathBuf, is_use_of_key: bool },
    #[error("this home is of a client of icnd: the key of the identity is with the icnd at {}", socket.display())]
    HomeOfClient { socket: PathBuf, has_did: bool },
    #[error("this machine knows no user {name:?}, whom `owner` in [daemon] of icn.toml names")]
    NoOwner { name: String, source: Option<io::Error> },
    #[error("{holder} has the identity in {} open, and would go on with it as it was", home.display())]
    HeldByDaemon { home: PathBuf, holder: String, number: Option<u32> },
    #[error("icnd does not let its client {client} unlock it")]
    NoAdmin { client: String },
    #[error("no PKCS#11 module is given")]
    NoModule { asking: Asking },
    #[error("the path of the PKCS#11 module, {}, is not UTF-8: icn.toml cannot name it", path.display())]
    ModuleNotUtf8 { path: PathBuf },
    #[error("a backup does not say which library is loaded, and there is no icn.toml")]
    ModuleNotNamed { was: String },
}

/// Which command names a device, and so by which option its kind is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// `id init` and others: `--backend`.
    Init,
    /// `id migrate`: `--to`.
    Migrate,
    /// `backend doctor`, which looks at one device.
    Doctor,
}

impl<E: Into<Error>> From<E> for CliError {
    fn from(error: E) -> Self {
        match error.into() {
            // What our own prompt said.
            Error::Credential(CredentialError::NotAsked { what, source }) => {
                match source.downcast() {
                    Ok(ours) => *ours,
                    Err(source) => {
                        Self::Identity(CredentialError::NotAsked { what, source }.into())
                    }
                }
            }
            error => Self::Identity(error),
        }
    }
}

impl From<DaemonError> for CliError {
    fn from(error: DaemonError) -> Self {
        Self::Daemon(error.into())
    }
}

fn place(backend: BackendKind) -> &'static str {
    match backend {
        BackendKind::Age => "in a file",
        BackendKind::Pkcs11 => "in a token",
        BackendKind::Tpm => "in a TPM",
        _ => "elsewhere",
    }
}

impl CliError {
    pub(crate) fn is_wrong_credential(&self) -> bool {
        match self {
            Self::Identity(error) => error.is_wrong_credential(),
            Self::Daemon(error) => error.is_wrong_credential(),
            _ => false,
        }
    }

    /// What only the command line is wrong about, whatever is there.
    pub(crate) fn is_wrong_usage(&self) -> bool {
        match self {
            Self::OptionForPkcs11 { .. }
            | Self::OptionForTpm { .. }
            | Self::NoModule { .. }
            | Self::NowhereTo
            | Self::NamesAKey
            | Self::BackupWithoutKey
            | Self::ImportStatesNothing
            | Self::PcrIndices
            | Self::CertificateOfTpm
            | Self::Quote { .. } => true,
            Self::Identity(Error::Keystore(KeystoreError::Migration(error))) => {
                matches!(**error, MigrationError::NoBackupSaid)
            }
            _ => false,
        }
    }

    pub(crate) fn help(&self) -> Option<String> {
        let help = match self {
            Self::Identity(error) => return error.on_the_command_line(),
            Self::Key { source } => return source.on_the_command_line(),
            Self::Daemon(error) => return error.help(),
            Self::MadeWithoutLine { source } => return source.help(),
            Self::HeldByDaemon { number, .. } => {
                let by_number =
                    number.map(|number| format!(" (kill {number})")).unwrap_or_default();
                return Some(format!(
                    "stop it{by_number}, run this command again, then start icnd"
                ));
            }
            Self::HomeOfClient { has_did: true, .. } => {
                "have icnd use the key, without options that say how it is opened: icnctl sign, icnctl \
                 decrypt; all else is done in the home that icnd runs on (--home DIR)"
            }
            Self::HomeOfClient { has_did: false, .. } => {
                "set `did` under [identity] in icn.toml to the DID of that icnd"
            }
            Self::DaemonElsewhere { is_use_of_key: false, .. } => {
                "if it has just been started, or told to stop, try again; otherwise restart icnd"
            }
            Self::DaemonElsewhere { is_use_of_key: true, .. } => {
                "if it has just been started, or told to stop, try again; if icn.toml was changed since, \
                 restart icnd; or have the key used here, past icnd and what it allows: --direct"
            }
            Self::NoOwner { .. } => {
                "set owner under [daemon] in icn.toml to the user that icnd runs as, or to their \
                 number (id -u USER)"
            }
            Self::NoAdmin { .. } => {
                "add \"admin\" to `may` of that client in icn.toml, then reload icnd"
            }
            Self::KnownChain { source, .. } => return source.on_the_command_line(),
            Self::PinOfWhich { .. } => "give it with --to-pin-file FILE",
            Self::NoHome => "name one with --home or $ICN_HOME",
            Self::NoConfig { .. } => "check the path given with --config",
            Self::NoCredential { flag, variable, .. } => {
                let or = match (*variable, *flag) {
                    ("", "--new-passphrase-file") => "; $ICN_PASSPHRASE is the present one".into(),
                    ("", "--new-pin-file") => "; $ICN_PIN is the present one".into(),
                    ("", _) => String::new(),
                    (variable, _) => format!(" or in ${variable}"),
                };
                return Some(format!("give it with {flag} FILE{or}"));
            }
            Self::NotTyped { what, flag, variable, problem } => {
                let or =
                    if variable.is_empty() { String::new() } else { format!(" or in ${variable}") };
                return Some(match problem {
                    NotAnswered::NotUtf8 => format!(
                        "set the terminal to UTF-8, as `locale charmap` has to say, and type it \
                         again; or give it with {flag} FILE{or}, as UTF-8"
                    ),
                    NotAnswered::TooLong => format!("give it with {flag} FILE{or}"),
                    _ => {
                        format!("type the {what} and press Enter, or give it with {flag} FILE{or}")
                    }
                });
            }
            Self::Reserved => {
                "such bytes could be taken for a statement of the identity itself and are never \
                 signed for others: sign it for a context of your protocol, --context NAME"
            }
            Self::TwiceStandardInput { .. } => "name a file for one of them",
            Self::SshSignature { .. } => {
                "give the file that `icnctl sign --context NAME` wrote; what it wrote without --context is \
                 for none, and is verified without --context"
            }
            Self::SignatureForContext { .. } => "name what it has to be for: --context CONTEXT",
            Self::SshSignatureGiven => {
                "give the file that it is in, and what it has to be for: --signature-file FILE \
                 --context CONTEXT"
            }
            Self::FormatOfShow => "give --format text or --format json",
            Self::NoDocument => {
                "open it once, for example by `icnctl sign`: that makes one and signs it"
            }
            Self::OutputExists { .. } => {
                "name another file with --output, or move that one away (`decrypt`: or give --force)"
            }
            Self::OutputSpecial { .. } => {
                "name another file; without --output it goes to standard output"
            }
            Self::NotDecrypted { source, .. } | Self::PartlyDecrypted { source } => {
                return source.on_the_command_line();
            }
            Self::SignatureEncoding => "give it exactly as `icnctl sign` prints it",
            Self::ImportsSoftware { .. } => {
                "name another --home, or set `backend = \"age\"` under [identity] in icn.toml: an older \
                 keystore becomes an identity in a file first, which `icnctl id migrate` moves into a \
                 device"
            }
            Self::ChainFile { .. } => {
                "the chain is stored in the identity: `icnctl id rotation show -o FILE` writes it again"
            }
            Self::NoReason => {
                "give --reason scheduled, compromised, upgrade or manual; only a rotation to this \
                 successor that was stated before has its own"
            }
            Self::NoRotation { .. } => {
                "make one first, of the identity that it takes over from: icnctl --home OLD id \
                 rotation create --successor NEW --reason scheduled"
            }
            Self::NoBook { .. } => {
                "name the home of the identity with --home, or the directory of a book with --book"
            }
            Self::NoPeer { .. } | Self::NobodyFollowed => "`icnctl peer list` shows who is in it",
            Self::NoIcnDid => "leave --did-method out, or give --did-method key",
            Self::ToAFile => "name the file: -o FILE",
            Self::OtherAlgorithm { .. } => "leave --algorithm out, or name another key",
            Self::OptionForPkcs11 { asking: Asking::Init, .. } => {
                "it is for keys in tokens; `id init` takes it with --backend pkcs11"
            }
            Self::OptionForPkcs11 { asking: Asking::Doctor, .. } => {
                "it is for tokens, and a TPM is looked at: leave it out, or give --backend pkcs11 \
                 and no --device"
            }
            Self::OptionForTpm { asking: Asking::Doctor, .. } => {
                "it is for TPMs, and a token is looked at: leave it out, or give --backend tpm, and \
                 nothing that names a token"
            }
            Self::OptionForPkcs11 { asking: Asking::Migrate, .. } => {
                "it is for keys in tokens: leave it out, or give --to pkcs11"
            }
            Self::NoDevice => "name one: --backend pkcs11 or --backend tpm",
            Self::OptionForTpm { asking: Asking::Init, .. } => "add --backend tpm",
            Self::OptionForTpm { asking: Asking::Migrate, .. } => {
                "it is for keys in a TPM: leave it out, or give --to tpm"
            }
            Self::OnlyForTpm { backend: BackendKind::Age } => {
                "nothing is sealed to a TPM here: its passphrase is changed by `icnctl id \
                 change-passphrase`"
            }
            Self::OnlyForTpm { .. } => {
                "nothing is sealed to a TPM here: its PIN is changed by the token's own tool"
            }
            Self::Quote { .. } => "leave --quote out: no other device states PCRs",
            Self::CertificateOfTpm => {
                "leave --certificate out; certificates of its issuers go into --chain FILE"
            }
            Self::NoDeviceVouches => {
                "move the identity to a device first: icnctl id migrate --to tpm, or --to pkcs11"
            }
            Self::AnsweredByTpm { .. } => {
                "run it on the node that made the attestation, or name the home of that identity there \
                 with --home DIR"
            }
            Self::NewFileExists { option, .. } => {
                return Some(format!("name another file with {option}, or move that one away"));
            }
            Self::NoSecret { .. } => {
                "make a new one, and have the peer answer it: icnctl attestation activate ATTESTATION \
                 --challenge FILE --did DID --anchors DIR --secret NEW -o NEW"
            }
            Self::NotApproved(_) => {
                "if firmware or boot loader were updated, have these values approved: `icnctl --format \
                 json id restore FILE --identity-file KEYFILE --check > request.json` prints the \
                 request for `icnctl tpm approve`; run this command again with --approval and the \
                 file that that prints. If nothing was updated, find out what has changed"
            }
            Self::ApprovalOfNoTpm { .. } => "leave --approval out",
            Self::OnlyForTokens { backend: BackendKind::Tpm, .. } => {
                "nothing has to be found again: only this TPM opens the key. Where the TPM is another \
                 one, or was cleared, make another identity; there is no way to another TPM"
            }
            Self::OnlyForTokens { .. } => {
                "nothing has to be found again: its key is where its files are. To have it on another \
                 machine, restore a backup there (`icnctl id restore`)"
            }
            Self::NoNewPin { .. } => {
                "leave the new PIN out; or, to give the key one, set `pin = true` under \
                 [identity.tpm], then run the command again"
            }
            Self::OtherCommitted { key, .. } => {
                return Some(format!(
                    "name the home of the key that was committed to, by --successor: that one where \
                     `icnctl --home DIR id show` says Key SHA-256 {key}. No other is ever valid"
                ));
            }
            Self::KeyOfNoRecipient { .. } => {
                "add its public key (`age-keygen -y FILE`) with --recipient, or verify with the key \
                 of one that you name"
            }
            Self::Successor { home, source } => {
                let missing = matches!(
                    source.as_ref(),
                    Self::Identity(Error::Keystore(KeystoreError::NoIdentity { .. }))
                );
                return if missing {
                    Some(format!(
                        "make it first, in a home of its own: `icnctl --home {} id init`; or name \
                         its home with --successor",
                        word(&home.to_string_lossy())
                    ))
                } else {
                    source.help()
                };
            }
            Self::PcrValues { .. } => {
                "give what `tpm2_pcrread sha256:7` prints, or {\"bank\": \"sha256\", \"values\": \
                 {\"7\": \"…\"}}"
            }
            Self::PcrIndices => "give it like --pcr-indices 0,7",
            Self::TpmOptions { help, .. } => help,
            Self::NoRequest => {
                "give what `icnctl --format json tpm check` prints on the node; its policy must be \
                 \"authorized\""
            }
            Self::NowhereTo => {
                "name it: --to pkcs11 or --to tpm, with the options of `icnctl id init`"
            }
            Self::NamesAKey => {
                "name only its token; or make an identity around that key in a home of its own \
                 (icnctl --home DIR id init --key URI), and hand over to it (icnctl id rotation create --successor DIR --reason scheduled)"
            }
            Self::NoNewKey(Error::Device(DeviceError::Pkcs11(Pkcs11Error::LabelTaken {
                ..
            }))) => {
                "a move makes a new key, which has to have another label: --key-label LABEL. To go on \
                 with the key that is there, make an identity around it in a home of its own (icnctl \
                 --home OTHER id init --key URI), and hand over to it (icnctl id rotation create \
                 --successor OTHER)"
            }
            Self::NoNewKey(_) => {
                "make the key with the card's own tool, then an identity around it in a home of its \
                 own (icnctl --home OTHER id init --key URI), and hand over to it (icnctl id rotation \
                 create --successor OTHER); or set `make_keys_in_slots = true` under \
                 [identity.pkcs11] if no key on the card is of any use"
            }
            Self::NoTokenOfMove(_) => {
                "plug the token in, or give it its name again (two tokens of one serial number are \
                 told apart by nothing else), and go on: icnctl id migrate; or undo the move: icnctl \
                 id migrate --roll-back; if the token of the new key is gone for good: icnctl id \
                 migrate --roll-back --keep-new-key"
            }
            Self::BackupWithoutKey => {
                "name it, to show that the backup opens: --identity-file KEYFILE"
            }
            Self::ImportStatesNothing => {
                "leave it out; or make a new key, which commits to the next: --mode rotate"
            }
            Self::NotConfirmed { .. } => {
                "run it again, and type yes where it asks; without a terminal give --yes"
            }
            Self::Child { .. } => "see what it has said above",
            Self::NoModule { asking: Asking::Init | Asking::Doctor } => {
                "give the token's module: --module PATH, or `module` under [identity.pkcs11] in \
                 icn.toml; for a TPM give --backend tpm"
            }
            Self::NoModule { asking: Asking::Migrate } => {
                "give the module of the token that it goes to: --module PATH; for a TPM give --to tpm"
            }
            Self::ModuleNotUtf8 { .. } => "give the module a path that is UTF-8",
            Self::ModuleNotNamed { was } => {
                // A backup says so.
                let was = one_line(was);
                return Some(format!(
                    "give the token's PKCS#11 module with --module PATH; it was {was} when the \
                     backup was made"
                ));
            }
            Self::Input { .. } => "name a file that is there and that you may read",
            Self::OutputFile { .. } => {
                "name a file in a directory that is there, that you may write to, and that has room"
            }
            Self::Standard { what: "standard input", .. } => {
                "name a file, or give it a file or a pipe: icnctl … < FILE"
            }
            Self::Standard { .. } => "give it a file or a pipe to write to: icnctl … > FILE",
            Self::RelativeVariable { variable, value } => {
                let tilde = if value.starts_with("~") {
                    "; a shell replaces ~ only outside of quotes"
                } else {
                    ""
                };
                return Some(format!(
                    "set ${variable} to a path that begins with `/`{tilde}; or name the directory \
                     with --home"
                ));
            }
            Self::Output { .. } => {
                "see where standard output goes; but for what it prints, the command is done"
            }
        };
        Some(help.to_owned())
    }
}
