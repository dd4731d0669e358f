//! `icnctl attestation`

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use icn_identity::attestation::{DeviceClass, Firmware, MAX_AGE, MAX_ENDORSEMENT};
use icn_identity::config::PcrIndices;

use super::value::{a_file, encoded, number_up_to};

#[derive(Debug, Subcommand)]
pub(crate) enum AttestationCommand {
    /// Make a challenge for a peer, and keep it: an answer to it is verified with this file
    Challenge(ChallengeArgs),
    /// Answer a challenge: show that the identity's key is in a device, by what its maker certified
    /// (wants the PIN)
    Create(CreateArgs),
    /// Ask a TPM to show that its attestation key is the maker's: verify all else of an attestation, keep
    /// a secret, and make the question that is sent; exit 1 if it is not valid, 2 if it could not be told
    Activate(ActivateArgs),
    /// Answer such a question, with the configured TPM (no PIN is used)
    Answer(AnswerArgs),
    /// State by the identity here that a peer's attestation key is in its TPM, once that has answered (wants
    /// the credential of the identity)
    Endorse(EndorseArgs),
    /// Verify a peer's attestation, offline: exit 0 if valid, 1 if not, 2 if it could not be told
    Verify(VerifyArgs),
    /// Show what an attestation file says, without verifying it
    Show(ShowArgs),
}

impl AttestationCommand {
    /// Whether it works anywhere: all but what wants the key or its device.
    pub(crate) const fn is_homeless(&self) -> bool {
        !matches!(self, Self::Create(_) | Self::Answer(_) | Self::Endorse(_))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct ChallengeArgs {
    /// Who will verify the answer, like treasury@coop.example
    #[arg(long, value_name = "NAME")]
    pub(crate) audience: String,

    /// How long until its answer has to be verified, like 90s, 10m, 12h or 30d, which is the most; a number
    /// alone is of seconds
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = seconds_or_time)]
    pub(crate) valid_for: u64,

    /// A new file for it [default: standard output]
    #[arg(long, short, value_name = "FILE", value_parser = a_file())]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// File with the challenge that the peer sent
    #[arg(long, value_name = "FILE", required_unless_present = "audience")]
    pub(crate) challenge: Option<PathBuf>,

    /// Whom it is for, where there is no challenge: worth less, as it can be shown again
    #[arg(long, value_name = "NAME", conflicts_with = "challenge")]
    pub(crate) audience: Option<String>,

    /// The certificate that the device wrote for the key, PEM or DER [default: looked for on the token]
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,

    /// Certificates of its issuers, from the device's on, in order: PEM, or one in DER each
    #[arg(long, value_name = "FILE")]
    pub(crate) chain: Vec<PathBuf>,

    /// For a TPM: the word of somebody who has activated its attestation key, as `endorse` wrote it
    #[arg(long, value_name = "FILE", conflicts_with = "certificate")]
    pub(crate) endorsement: Option<PathBuf>,

    /// For a TPM: PCRs of the SHA-256 bank that it states the digest of as well, like 0,7
    #[arg(long, value_name = "LIST", conflicts_with = "certificate", value_parser = pcrs)]
    pub(crate) quote: Option<PcrIndices>,

    /// Folder with more certificates of makers, as of `verify`: to warn of what would be refused
    #[arg(long, value_name = "DIR")]
    pub(crate) anchors: Option<PathBuf>,

    /// A new file for the attestation [default: standard output]
    #[arg(long, short, value_name = "FILE", value_parser = a_file())]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ActivateArgs {
    #[command(flatten)]
    pub(crate) judged: JudgedArgs,

    /// A new file for what is kept until the answer is verified, once; nobody else may read it
    #[arg(long, value_name = "FILE", value_parser = a_file())]
    pub(crate) secret: PathBuf,

    /// A new file for the question that is sent [default: standard output]
    #[arg(long, short, value_name = "FILE", value_parser = a_file())]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AnswerArgs {
    /// The question, as `activate` made it; `-` or nothing for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// A new file for the answer [default: standard output]
    #[arg(long, short, value_name = "FILE", value_parser = a_file())]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EndorseArgs {
    #[command(flatten)]
    pub(crate) judged: JudgedArgs,

    /// The file that `activate` kept: it is used once, and removed
    #[arg(long, value_name = "FILE")]
    pub(crate) secret: PathBuf,

    /// The answer of the TPM
    #[arg(long, value_name = "FILE")]
    pub(crate) answer: PathBuf,

    /// How long it is stated for, from now on, like 12h or 90d; 366d at most
    #[arg(long, value_name = "TIME", value_parser = time_of_endorsement)]
    pub(crate) valid_for: u64,

    /// A new file for the statement [default: standard output]
    #[arg(long, short, value_name = "FILE", value_parser = a_file())]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) judged: JudgedArgs,

    /// Whose word is believed that an attestation key is in a TPM, where you have not activated it
    #[arg(long, value_name = "DID", value_parser = encoded())]
    pub(crate) endorsed_by: Vec<String>,

    /// The file that `activate` kept: it is used once, and removed
    #[arg(long, value_name = "FILE", requires = "answer")]
    pub(crate) secret: Option<PathBuf>,

    /// The answer of the TPM
    #[arg(long, value_name = "FILE", requires = "secret")]
    pub(crate) answer: Option<PathBuf>,
}

/// An attestation, and what is demanded of it.
#[derive(Debug, clap::Args)]
pub(crate) struct JudgedArgs {
    /// The attestation; `-` or nothing for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// File with the challenge that was made for this peer, and kept
    #[arg(long, value_name = "FILE", required_unless_present = "audience")]
    pub(crate) challenge: Option<PathBuf>,

    /// Whom it has to be for, where no challenge was made; with --within
    #[arg(long, value_name = "NAME", conflicts_with = "challenge", requires = "within")]
    pub(crate) audience: Option<String>,

    /// How many seconds old it may be, where no challenge was made, 30 days (2592000) at most; it may
    /// be as far ahead, 300 seconds at most, where the owner's clock is
    #[arg(long, value_name = "SECONDS", requires = "audience", value_parser = number_up_to(MAX_AGE.as_secs()))]
    pub(crate) within: Option<u64>,

    /// Whose it has to be: not valid if it is another's
    #[arg(long, value_name = "DID", value_parser = encoded())]
    pub(crate) did: Option<String>,

    /// Folder with more certificates of makers, in yubihsm/NAME.pem, yubikey-piv/NAME.pem, tpm/NAME.pem and
    /// tpm-ak/NAME.pem, where nobody but you and root can write; those of Yubico that are known are there without it
    #[arg(long, value_name = "DIR")]
    pub(crate) anchors: Option<PathBuf>,

    /// The oldest firmware that is accepted, like yubikey-piv=5.7.0, which is the default; of a YubiHSM
    /// that is yubihsm=2.4.0
    #[arg(long, value_name = "CLASS=VERSION", value_parser = firmware)]
    pub(crate) firmware: Vec<(DeviceClass, Firmware)>,

    /// The PCR values that the peer's TPM has to state, as `tpm2_pcrread sha256:0,7` prints them on a
    /// machine in that state, or as JSON: not valid if it states no PCRs, others, or other values
    #[arg(long, value_name = "FILE")]
    pub(crate) pcr_policy: Option<PathBuf>,

    /// Accept that the key's own certificate has ended, and say so
    #[arg(long)]
    pub(crate) allow_expired: bool,

    /// Accept a key that was imported into its device, so that copies may exist
    #[arg(long)]
    pub(crate) allow_imported: bool,
}

/// `90s`, `10m`, `12h` or `90d`, in seconds.
fn time(text: &str, most: Duration) -> Result<u64, String> {
    let units = [('s', 1), ('m', 60), ('h', 60 * 60), ('d', 24 * 60 * 60)];
    let found = units.iter().find_map(|(unit, seconds)| {
        text.strip_suffix(*unit)?.parse::<u64>().ok()?.checked_mul(*seconds)
    });
    let days = most.as_secs() / (24 * 60 * 60);
    match found {
        Some(seconds) if (1..=most.as_secs()).contains(&seconds) => Ok(seconds),
        Some(_) => Err(format!("not from 1s to {days}d")),
        None => Err(format!("not a time like 90s, 10m, 12h or {days}d")),
    }
}

/// Of a challenge: a number alone is of seconds.
fn seconds_or_time(text: &str) -> Result<u64, String> {
    let text = text.trim();
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => time(&format!("{text}s"), MAX_AGE),
        false => time(text, MAX_AGE),
    }
}

/// Of an endorsement: a number alone could be of seconds or of days.
fn time_of_endorsement(text: &str) -> Result<u64, String> {
    time(text.trim(), MAX_ENDORSEMENT)
}

/// `0,7`, and at least one.
fn pcrs(text: &str) -> Result<PcrIndices, String> {
    let pcrs = PcrIndices::parse(text).map_err(|error| error.to_string())?;
    if pcrs.iter().next().is_none() {
        return Err("no PCR, of 0 to 23, like 0,7".into());
    }
    Ok(pcrs)
}

fn firmware(text: &str) -> Result<(DeviceClass, Firmware), String> {
    let (class, version) = text.split_once('=').ok_or("not like yubikey-piv=5.7.0")?;
    let class = class.parse().map_err(|error| format!("{error}"))?;
    Ok((class, version.parse().map_err(|error| format!("{error}"))?))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use icn_identity::attestation::{AttestationError, AttestationRefusal};

    use super::*;
    use crate::help::Help as _;

    #[derive(clap::Parser)]
    struct Program {
        #[command(subcommand)]
        _command: AttestationCommand,
    }

    #[test]
    fn a_time_has_a_unit_and_a_challenge_takes_seconds_without_one() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("12h", 43_200), ("30d", 2_592_000)] {
            assert_eq!(seconds_or_time(text), Ok(seconds));
            assert_eq!(time_of_endorsement(text), Ok(seconds));
        }
        assert_eq!((seconds_or_time("600"), seconds_or_time(" 60 ")), (Ok(600), Ok(60)));
        assert_eq!(time_of_endorsement("366d"), Ok(366 * 24 * 60 * 60));
        for wrong in ["31d", "0", "0d", "", "d", "-1d", "1w", "10 m", "99999999999999999d"] {
            assert!(seconds_or_time(wrong).is_err(), "{wrong}");
        }
        for wrong in ["90", "367d", "0d", "", "d"] {
            assert!(time_of_endorsement(wrong).is_err(), "{wrong}");
        }
    }

    /// What is told of the folder of anchors.
    #[test]
    fn each_class_of_devices_has_its_folder_wherever_one_is_advised() {
        let mut program = Program::command();
        let verify = program.find_subcommand_mut("verify").unwrap();
        let directory = "anchors".into();
        let told = [
            verify.render_long_help().to_string(),
            AttestationError::NoAnchors { directory }.on_the_command_line().unwrap(),
        ];
        for class in DeviceClass::ALL {
            let issuer = "CN=x".into();
            let nobody = AttestationRefusal::NoIssuer { class, place: 0, issuer };
            let nobody = nobody.on_the_command_line().unwrap();
            for text in told.iter().chain([&nobody]) {
                assert!(text.contains(&format!("{class}/NAME.pem")), "{class}: {text}");
            }
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The attestation; `-` or nothing for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
