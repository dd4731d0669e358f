//! Who gives the credentials of both identities, once each, and starts the process that
//! proves the new one.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use icn_identity::home::{CredentialSource, Wants};
use icn_identity::migrate::{Operator, ProofError, Staged};

use crate::context::Context;
use crate::credential::Kept;
use crate::error::CliError;

/// Both identities, and what opens them.
pub(super) struct Person {
    old: Side,
    new: Side,
}

struct Side {
    context: Context,
    pin: Kept,
    passphrase: Kept,
}

impl Person {
    pub(super) fn new(old: &Context, new: &Context) -> Self {
        Self { old: Side::of(old), new: Side::of(new) }
    }
}

impl Side {
    fn of(context: &Context) -> Self {
        Self { context: context.clone(), pin: Kept::default(), passphrase: Kept::default() }
    }

    fn source(&self, wants: &Wants) -> CredentialSource<'static> {
        self.context.source_kept(wants.pin(), &self.pin, &self.passphrase)
    }
}

impl Operator for Person {
    fn old_credential(&mut self, wants: &Wants) -> CredentialSource<'static> {
        self.old.source(wants)
    }

    fn new_credential(&mut self, wants: &Wants) -> CredentialSource<'static> {
        self.new.source(wants)
    }

    /// This very program once more, whatever has its name by now. Its credential comes by a
    /// pipe: arguments and environment are for all to read.
    fn prove(&mut self, staged: &Staged<'_>) -> Result<(), ProofError> {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("icnctl").arg("--home").arg(staged.directory()).args(["id", "prove-staged"]);
        for variable in ["ICN_PIN", "ICN_PASSPHRASE", "ICN_RECOVERY_PASSPHRASE"] {
            command.env_remove(variable);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        // One that ends before it has read it says why itself.
        let written = child.stdin.take().map(|mut pipe| {
            let written = staged.write_credentials(&mut pipe);
            written.and_then(|()| pipe.flush())
        });
        let status = child.wait()?;
        if !status.success() {
            return Err(CliError::Child { status: status.to_string() }.into());
        }
        written.transpose()?;
        Ok(())
    }
}
