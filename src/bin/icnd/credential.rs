//! Where the PIN or passphrase comes from: a file, the service manager, the environment, a
//! person.

use std::path::{Path, PathBuf};

use icn_identity::daemon::UnlockRequest;
use icn_identity::home::{CredentialSource, PromptError, Wanted};
use icn_identity::secret::LockedText;

use crate::args::Args;
use crate::terminal;

/// For the start.
pub(crate) fn at_start(args: &Args) -> CredentialSource<'static> {
    let pin = source(args.pin_file.as_deref(), "pin", "ICN_PIN");
    pin.and_passphrase(source(args.passphrase_file.as_deref(), "passphrase", "ICN_PASSPHRASE"))
}

fn source(file: Option<&Path>, name: &str, variable: &str) -> CredentialSource<'static> {
    if let Some(file) = file {
        return CredentialSource::file(file);
    }
    if given_by_manager(name).is_some() {
        return CredentialSource::systemd(name);
    }
    match std::env::var_os(variable) {
        Some(_) => CredentialSource::variable(variable),
        None => CredentialSource::prompt(ask),
    }
}

/// Of `LoadCredential=` and `LoadCredentialEncrypted=`.
fn given_by_manager(name: &str) -> Option<PathBuf> {
    let path = Path::new(&std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name);
    path.exists().then_some(path)
}

fn ask(wanted: &Wanted) -> Result<LockedText, PromptError> {
    let text = match wanted.whose() {
        Some(device) => format!("PIN of {device}{}: ", wanted.warning()),
        None => "Passphrase: ".to_owned(),
    };
    // Labels of devices are others' words.
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    terminal::ask(&text).map_err(|error| {
        format!("nobody answered ({error}): give a file with --pin-file or --passphrase-file")
            .into()
    })
}

/// Of a client that may unlock: sent once.
pub(crate) fn of_request(request: UnlockRequest) -> CredentialSource<'static> {
    let source = CredentialSource::given(request.credential);
    match request.passphrase {
        Some(passphrase) => source.and_passphrase(CredentialSource::given(passphrase)),
        None => source,
    }
}
