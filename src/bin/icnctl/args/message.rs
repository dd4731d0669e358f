//! `icnctl sign`, `verify` and `decrypt`

use std::path::PathBuf;

use super::value::encoded;

#[derive(Debug, clap::Args)]
pub(crate) struct SignArgs {
    /// What the signature is for, like `payments@coop.example`: it is valid for nothing
    /// else. Prints an SSH signature, which `ssh-keygen -Y verify -n CONTEXT` takes, too
    /// [default: exactly the bytes of the message are signed]
    #[arg(long, value_name = "CONTEXT")]
    pub(crate) context: Option<String>,

    /// File to sign; `-` or nothing for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A signature for a context, and one of the bare bytes:

  icnctl sign --context payments@coop.example message.txt > message.sig
  icnctl verify --did DID --context payments@coop.example --signature-file message.sig message.txt

  icnctl sign message.txt > bare.sig
  icnctl verify --did DID --signature-file bare.sig message.txt")]
pub(crate) struct VerifyArgs {
    /// Whose signature it is
    #[arg(long, value_parser = encoded())]
    pub(crate) did: String,

    /// The signature of the bare bytes, 64 bytes in base64: what `icnctl sign` prints without
    /// --context
    #[arg(long, value_name = "BASE64", required_unless_present = "signature_file")]
    // One in the form of SSH begins with dashes, and is told what it is.
    #[arg(value_parser = encoded(), allow_hyphen_values = true)]
    pub(crate) signature: Option<String>,

    /// What the signature must be for, if it is for a context; it is in the file --signature-file
    #[arg(long, value_name = "CONTEXT", requires = "signature_file", conflicts_with = "signature")]
    pub(crate) context: Option<String>,

    /// File with what `icnctl sign` printed
    #[arg(long, value_name = "FILE", conflicts_with = "signature")]
    pub(crate) signature_file: Option<PathBuf>,

    /// File that was signed; `-` or nothing for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Whoever gets this identity's encryption key opens everything that was ever
/// encrypted to it: there is no forward secrecy.
#[derive(Debug, clap::Args)]
pub(crate) struct DecryptArgs {
    /// File to decrypt, binary or armored; `-` or nothing for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Write to this file (mode 0600), which appears only when everything was decrypted and
    /// authenticated [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Replace the output file if it exists
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
}
