//! What happened, then what to try.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use icn_identity::AlgorithmId;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Identity(icn_identity::Error),
    #[error("there is no home directory")]
    NoHome,
    #[error("the configuration {} does not exist", path.display())]
    NoConfig { path: PathBuf },
    #[error("no {what} was given, and there is no terminal to ask on")]
    NoCredential {
        what: &'static str,
        flag: &'static str,
        variable: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("the {what} is empty")]
    Empty { what: &'static str },
    #[error("the two {what}s differ")]
    Differ { what: &'static str },
    #[error("${variable} is not UTF-8")]
    NotUtf8 { variable: &'static str },
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
    #[error("the message begins with `icn-identity/`, as the identity's own statements do")]
    Reserved,
    #[error("the signature is not 64 bytes in base64")]
    SignatureEncoding,
    #[error("{} pins {did}, but there is no such identity", path.display())]
    AlreadyPinned { path: PathBuf, did: String },
    #[error("P-256 keys have no did:icn")]
    NoIcnDid,
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "of that backend"))]
    #[error("the key that --key names is {found}, --algorithm says {demanded}")]
    OtherAlgorithm { found: AlgorithmId, demanded: AlgorithmId },
    #[error("{option} is for the pkcs11 backend")]
    OptionForPkcs11 { option: &'static str },
    #[error("{option} is for the tpm backend")]
    OptionForTpm { option: &'static str },
    #[error("the age backend has no device to be looked at")]
    NoDevice,
    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "of that backend"))]
    #[error("this identity is not in a TPM")]
    OnlyForTpm,
    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "of that backend"))]
    #[error("{what} cannot be read as PCR values")]
    PcrValues { what: String },
    #[error("--pcr-indices is no list of PCRs, 0 to 23, like 0,7")]
    PcrIndices,
    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "of that backend"))]
    #[error("this is no request for an approval")]
    NoRequest,
    #[error("--key is not a pkcs11 URI")]
    Key {
        #[source]
        source: icn_identity::backend::uri::InvalidPkcs11Uri,
    },
    #[error("no PKCS#11 module is given")]
    NoModule,
    #[error("the identity {did} was made, but its files cannot be read again")]
    NotReread {
        did: String,
        #[source]
        source: Box<icn_identity::error::KeystoreError>,
    },
    #[error("the identity was written, but {} could not be updated", path.display())]
    NotRecorded {
        path: PathBuf,
        lines: String,
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl<E: Into<icn_identity::Error>> From<E> for CliError {
    fn from(error: E) -> Self {
        Self::Identity(error.into())
    }
}

impl CliError {
    pub(crate) fn is_wrong_credential(&self) -> bool {
        matches!(self, Self::Identity(error) if error.is_wrong_credential())
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Identity(error) => return error.help(),
            Self::Key { source } => return source.help(),
            Self::NoHome => "name one with --home or $ICN_HOME",
            Self::NoConfig { .. } => "check the path given with --config",
            Self::NoCredential { flag, variable, .. } => {
                let or =
                    if variable.is_empty() { String::new() } else { format!(" or in ${variable}") };
                return Some(format!("give it with {flag} FILE{or}"));
            }
            Self::Empty { .. } | Self::Differ { .. } => "run the command again",
            Self::Reserved => {
                "such bytes could be taken for a statement of the identity itself and are never \
                 signed for others: frame the message with a prefix of your own"
            }
            Self::SignatureEncoding => "give it exactly as `icnctl sign` prints it",
            Self::AlreadyPinned { .. } => {
                "restore that identity from a backup; or, to make a new one, remove the line `did` \
                 from the configuration"
            }
            Self::NoIcnDid => "leave --did-method out, or give --did-method key",
            Self::OtherAlgorithm { .. } => "leave --algorithm out, or name another key",
            Self::OptionForPkcs11 { .. } => "add --backend pkcs11",
            Self::NoDevice => "name one: --backend pkcs11 or --backend tpm",
            Self::OptionForTpm { .. } => "add --backend tpm",
            Self::OnlyForTpm => "set `backend = \"tpm\"` in icn.toml, if the identity is in one",
            Self::PcrValues { .. } => {
                "give what `tpm2_pcrread sha256:7` prints, or {\"bank\": \"sha256\", \"values\": \
                 {\"7\": \"…\"}}"
            }
            Self::PcrIndices => "give it like --pcr-indices 0,7",
            Self::NoRequest => {
                "give what `icnctl --format json tpm check` prints on the node; its policy must be \
                 \"authorized\""
            }
            Self::NoModule => {
                "give --module PATH, or set `module` under [identity.pkcs11] in icn.toml"
            }
            Self::NotRecorded { lines, .. } => {
                return Some(format!("add these lines to it:\n{lines}"));
            }
            Self::NotReread { source, .. } => return source.help(),
            Self::NotUtf8 { .. } | Self::Input { .. } | Self::Output { .. } => return None,
        };
        Some(help.to_owned())
    }

    pub(crate) fn report(&self) {
        eprintln!("error: {self}");
        explain(self, self.help());
    }
}

/// What did not keep the command from being done.
pub(crate) fn warn(what: &str, error: &icn_identity::Error) {
    eprintln!("warning: {what}: {error}");
    explain(error, error.help());
}

fn explain(error: &dyn StdError, help: Option<String>) {
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
    if let Some(help) = help {
        eprintln!("  try: {help}");
    }
}
