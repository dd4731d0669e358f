//! What an operator should be told of, for monitoring.

use std::path::Path;

use icn_identity::backend::PinState;
use icn_identity::evidence::Lockout;
use serde_json::{Value, json};

use super::device::{Device, Looked};
use super::handover::Handover;
use super::validity::Validity;
use crate::output::{one_line, say};

/// What is wrong.
pub(super) struct Check {
    problems: Vec<String>,
    /// Of these, what is shown nowhere else.
    of_device: Vec<&'static str>,
    /// What the device does not tell of its PIN.
    not_told: &'static str,
}

impl Check {
    pub(super) fn new(
        validity: &Validity,
        hours: u64,
        looked: &Looked,
        handover: &Handover,
        lost_config: Option<&Path>,
    ) -> Self {
        let mut problems: Vec<_> = validity.problem(hours).into_iter().collect();
        problems.extend(lost_config.map(|path| {
            format!("{} is missing: nothing opens this identity without it", path.display())
        }));
        match &looked.device {
            Device::None | Device::JustMade | Device::Present | Device::NotSeen => {}
            Device::NotShown { reason, takes_none: Some(uri) } => problems.push(format!(
                "{reason}: this token takes no public key back; `icnctl id relocate --key '{uri}'` \
                 records that it does not show the key"
            )),
            Device::NotShown { reason, takes_none: None } => problems.push(format!(
                "{reason}: `icnctl id write-public-key` writes it back, `icnctl id relocate` finds it \
                 on another token; if the key is gone, put the token's own backup back"
            )),
            Device::Unreachable(reason) => problems.push(format!("the device: {reason}")),
            Device::Missing(reason) | Device::Wrong(reason) | Device::Closed { reason, .. } => {
                problems.push(reason.clone());
            }
        }
        let is_token = looked.is_token;
        let is_said = matches!(looked.device, Device::Closed { is_locked: true, .. });
        let of_pin = looked.pin.and_then(|pin| match pin {
            PinState { locked: true, .. } if is_said => None,
            PinState { locked: true, .. } => Some("the PIN is locked"),
            PinState { initialized: false, .. } if is_token => Some("no PIN is set"),
            PinState { to_be_changed: true, .. } => {
                Some("the PIN has to be changed before it is taken")
            }
            PinState { final_try: true, .. } => Some("one wrong PIN more locks the device"),
            // A TPM counts the times too that it was switched off.
            PinState { count_low: true, .. } if is_token => {
                Some("a wrong PIN was entered since the last right one")
            }
            _ => None,
        });
        let failed = "the token reports a failed self-test: see the vendor's manual";
        let self_test = looked.failed_self_test.then_some(failed);
        let of_device: Vec<_> = self_test.into_iter().chain(of_pin).collect();
        problems.extend(of_device.iter().map(|problem| (*problem).to_owned()));
        problems.extend(looked.payload.clone());
        if let Handover::Unknown(reason) = handover {
            problems.push(format!("handed-over.json cannot be read: {reason}"));
        }
        Self {
            problems: problems.iter().map(|problem| one_line(problem)).collect(),
            of_device,
            not_told: looked.pin.filter(|pin| pin.silent).map_or("", |pin| not_told(pin.lockout)),
        }
    }

    pub(super) const fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// Beside something else that is printed.
    pub(super) fn say(&self) {
        for problem in &self.problems {
            say(&format!("PROBLEM: {problem}"));
        }
    }

    pub(super) fn as_json(&self) -> Value {
        json!(self.problems)
    }

    /// Where nobody has asked, what is shown anyway is not said twice.
    pub(super) fn as_text(&self, asked: bool) -> String {
        let lines = |problems: &[String]| -> String {
            problems.iter().map(|problem| format!("PROBLEM: {problem}\n")).collect()
        };
        match asked {
            true if self.is_good() => {
                format!("\nNo problem was found; the key was not used.\n{}", self.not_told)
            }
            true => format!("\n{}", lines(&self.problems)),
            false => self.of_device.iter().map(|it| format!("\nPROBLEM: {it}\n")).collect(),
        }
    }
}

/// Of a token whose flags say nothing of wrong PINs.
const fn not_told(lockout: Option<Lockout>) -> &'static str {
    match lockout {
        Some(Lockout::Tpm) => {
            "The token does not tell whether its PIN is locked, nor of wrong PINs. The TPM behind it \
             does: tpm2_getcap properties-variable (inLockout)\n"
        }
        Some(Lockout::Never) => {
            "The token does not tell of wrong PINs. They do not lock it, however many are entered.\n"
        }
        _ => "The token does not tell whether its PIN is locked, nor of wrong PINs.\n",
    }
}
