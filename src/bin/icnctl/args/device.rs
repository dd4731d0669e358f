//! In which device a key is made, or into which it is written: for `icnctl id init` and
//! `icnctl id migrate`.

use std::path::PathBuf;

use clap::ValueEnum;
use icn_identity::{AlgorithmId, DidMethod};

use super::tpm::TpmArgs;
use super::value::Algorithm;
use crate::error::CliError;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DeviceArgs {
    /// Algorithm of the key; p256 is for devices without Ed25519 [default: ed25519; of a key that
    /// `id init --key` names, its own]
    #[arg(long, value_enum)]
    pub(crate) algorithm: Option<Algorithm>,

    /// How the key is written as a DID [default: icn; key for p256, which has no other]
    #[arg(long, value_enum)]
    pub(crate) did_method: Option<Method>,

    /// PKCS#11 module (absolute path)
    #[arg(long, value_name = "PATH")]
    pub(crate) module: Option<PathBuf>,

    /// Label of the token
    #[arg(long, value_name = "LABEL")]
    pub(crate) token: Option<String>,

    /// Label of the new key on the token [default: icn-identity]
    #[arg(long, value_name = "LABEL")]
    pub(crate) key_label: Option<String>,

    #[command(flatten)]
    pub(crate) tpm: TpmArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    Icn,
    Key,
}

impl DeviceArgs {
    pub(crate) fn algorithm(&self) -> Option<AlgorithmId> {
        self.algorithm.map(AlgorithmId::from)
    }

    /// The method that keys of this algorithm are to have.
    pub(crate) fn did_method(&self, algorithm: AlgorithmId) -> Result<DidMethod, CliError> {
        let method = match self.did_method {
            Some(Method::Icn) => DidMethod::Icn,
            Some(Method::Key) => DidMethod::Key,
            None if DidMethod::Icn.fits(algorithm) => DidMethod::Icn,
            None => DidMethod::Key,
        };
        if method.fits(algorithm) { Ok(method) } else { Err(CliError::NoIcnDid) }
    }
}
