//! `icnctl id migrate --from-keystore`: an identity is made of the older keystore first.

use std::path::Path;

use icn_identity::audit::Event;
use icn_identity::backend::BackendKind;
use icn_identity::config::Config;
use icn_identity::error::MigrationError;
use icn_identity::keystore::{LegacyIdentity, LegacyOptions};
use icn_identity::migrate::{Migration, MigrationRequest};

use super::report;
use crate::args::migrate::MigrateArgs;
use crate::audit;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{advise, say};

/// The identity that is moved then; nothing if only the plan was asked for. What can be refused
/// is refused before there is one.
pub(super) fn import(
    context: &Context,
    args: &MigrateArgs,
    file: &Path,
    request: &MigrationRequest,
) -> Result<Option<Context>, CliError> {
    let backend = context.config.identity.backend;
    if backend != BackendKind::Age {
        return Err(CliError::ImportsSoftware { backend });
    }
    let mut home = context.home()?;
    let plan = Migration::plan_of_keystore(&home, file, request)?;
    if args.plan {
        report::plan(context, &plan)?;
        return Ok(None);
    }
    if args.output.is_none() && args.backup.is_none() && !args.no_backup {
        return Err(MigrationError::NoBackupSaid.into());
    }
    if let Some(pin) = Migration::wants_for_new(&home, request)?.pin()
        && !pin.is_at_pin_pad()
    {
        super::target(context, args, request, None).check_pin_source()?;
    }
    let passphrase = context.passphrase(&format!("Passphrase of {}: ", file.display()))?;
    let options = LegacyOptions::new(&context.config.identity.age);
    let old = LegacyIdentity::read(file, &passphrase, &options)?;
    let did = old.did().clone();
    Migration::import_first(&mut home, file, old, &passphrase, request)?;
    let context = Context { config: Config::load(&context.config_path)?, ..context.clone() };
    // There was no identity yet when the command's own line was due.
    for event in [Event::Import, Event::Change] {
        audit::made_by(&context, event, &did)?;
    }
    Ok(Some(context))
}

/// The move was cut off after that.
pub(super) fn say_what_stays(context: &Context, file: &Path) {
    let (home, file) = (context.home.display(), file.display());
    if !context.store().header().is_ok_and(|header| header.backend() == BackendKind::Age) {
        return;
    }
    say(&format!(
        "note: the identity that was made of {file} stays in {home}, in a file under the same \
         passphrase; its move is not done"
    ));
    advise("go on with it: icnctl id migrate; or undo the move: icnctl id migrate --roll-back");
}
