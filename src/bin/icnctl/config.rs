//! `icnctl config`

mod check;
mod report;

use std::process::ExitCode;

use icn_identity::config::Config;
use serde_json::json;

pub(crate) use self::check::Given;
use crate::args::ConfigCommand;
use crate::context::Context;
use crate::error::CliError;

pub(crate) fn run(
    context: &Context,
    command: &ConfigCommand,
    given: Given,
) -> Result<ExitCode, CliError> {
    match command {
        ConfigCommand::Template => {
            let template = Config::template();
            context.format.print(|| json!({ "template": template }), || template.clone())?;
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Check => {
            let checked = check::check(context, given)?;
            context.format.print(
                || report::as_json(context, &checked),
                || report::as_text(context, &checked),
            )?;
            Ok(crate::yes(checked.problems.is_empty()))
        }
    }
}
