//! Is this TPM fit for an identity?

use std::time::Instant;

use serde::Serialize;
use tss_esapi::constants::{CapabilityType, EccCurveIdentifier};
use tss_esapi::structures::CapabilityData;

use super::chip::{Chip, Reconnect, Work, flushing};
use super::failure::{Doing as _, Failed};
use super::object::{self, New, Stored};
use super::pin::Purpose;
use super::properties::{self, Lockout};
use super::satisfy::Way;
use super::{parent, pcr, session};
use crate::algorithm::AlgorithmId;
use crate::backend::doctor::{Outcome, Remedy, Verdict, verdict};
use crate::backend::{PcrBank, TpmParent, TpmPolicy};
use crate::config::TpmConfig;
use crate::encoding::hex;
use crate::error::DeviceError;
use crate::evidence::{Assurance, tpm_assurance};

/// `TPM_ECC_NIST_P256`
const P256: u16 = 0x0003;

/// What a TPM is, and what it can do.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct TpmReport {
    /// The configured device.
    pub device: String,
    /// Manufacturer, four letters of the TCG's registry.
    pub manufacturer: String,
    /// Vendor strings.
    pub model: String,
    /// Firmware version.
    pub firmware: String,
    /// Of keys in it.
    pub assurance: Assurance,
    /// Whether it makes P-256 keys.
    pub p256: bool,
    /// Banks of PCRs that have a value of the configured registers.
    pub banks: Vec<PcrBank>,
    /// Wrong PINs of all programs so far.
    pub lockout_counter: Option<u32>,
    /// How many lock it.
    pub max_tries: Option<u32>,
    /// Seconds after which one is forgotten; 0: none are counted.
    pub lockout_interval: Option<u32>,
    /// How many wrong PINs it takes before it locks, where it tells.
    pub tries_left: Option<u32>,
    /// Objects that can be loaded now.
    pub free_objects: Option<u32>,
    /// Sessions that can be started now.
    pub free_sessions: Option<u32>,
    /// The storage key.
    pub storage_key: Option<StorageKey>,
    /// Why there is none.
    pub storage_key_error: Option<String>,
    /// How long each step took, if they were tried out.
    pub latency: Option<Vec<Step>>,
    /// Why they could not be tried out.
    pub probe_error: Option<String>,
}

/// One step, timed once.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// What was done.
    pub step: &'static str,
    /// How long it took.
    pub milliseconds: f64,
}

/// A storage key that is there.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct StorageKey {
    /// Its persistent handle, if it has one.
    pub handle: Option<u32>,
    /// Its Name, hex.
    pub name: String,
    /// Whether it is the one that the configuration pins, if it pins one.
    pub pinned: Option<bool>,
}

/// **Blocks** on the device. Looks at the configured TPM; with `probe`, makes keys,
/// uses them and forgets them. No PIN is used.
///
/// # Errors
///
/// If the TPM cannot be reached at all.
pub fn examine(config: &TpmConfig, probe: bool) -> Result<TpmReport, DeviceError> {
    let chip = Chip::open(&config.device_path)?;
    let identity = chip.identity()?;
    let storage_root =
        chip.work(Reconnect::Once, |work| parent::present(work.context, config.key_handle));
    let mut report = chip.work(Reconnect::Once, |work| {
        let lockout = Lockout::read(work.context)?;
        let slots = properties::free_slots(work.context)?;
        Ok(TpmReport {
            device: config.device_path.clone(),
            manufacturer: identity.manufacturer.clone(),
            model: identity.model.clone(),
            firmware: identity.firmware.clone(),
            assurance: tpm_assurance(&identity),
            p256: has_p256(work)?,
            banks: banks(work, config),
            lockout_counter: lockout.counter,
            max_tries: lockout.max_tries,
            lockout_interval: lockout.interval,
            tries_left: lockout.tries_left(),
            free_objects: slots.0,
            free_sessions: slots.1,
            storage_key: None,
            storage_key_error: storage_root.as_ref().err().map(ToString::to_string),
            latency: None,
            probe_error: None,
        })
    })?;
    if let (true, Ok(root)) = (probe, &storage_root) {
        let measured = chip.work(Reconnect::Once, |work| measure(work, root, config));
        report.probe_error = measured.as_ref().err().map(ToString::to_string);
        report.latency = measured.ok();
    }
    report.storage_key = storage_root.ok().map(|root| StorageKey {
        handle: root.handle,
        name: hex::encode(&root.name),
        pinned: config.parent_name.as_ref().map(|pinned| *pinned == root.name),
    });
    Ok(report)
}

fn has_p256(work: &mut Work<'_>) -> Result<bool, Failed> {
    let told = work.context.execute_without_session(|context| {
        context.get_capability(CapabilityType::EccCurves, P256.into(), 1)
    });
    Ok(match told.doing("tell its curves")? {
        (CapabilityData::EccCurves(curves), _) => curves.contains(&EccCurveIdentifier::NistP256),
        _ => false,
    })
}

fn banks(work: &mut Work<'_>, config: &TpmConfig) -> Vec<PcrBank> {
    let all = [PcrBank::Sha1, PcrBank::Sha256, PcrBank::Sha384, PcrBank::Sha512];
    let has = |bank: &PcrBank| {
        let indices: Vec<u8> = config.pcr_indices.iter().collect();
        let indices = if indices.is_empty() { vec![0] } else { indices };
        pcr::read(work.context, *bank, indices.into_iter()).is_ok()
    };
    all.into_iter().filter(has).collect()
}

/// Goes the steps of an unlock and of a signature once, without a PIN.
fn measure(work: &mut Work<'_>, root: &TpmParent, config: &TpmConfig) -> Result<Vec<Step>, Failed> {
    let mut clock = Clock { last: Instant::now(), steps: Vec::new() };
    // Bound to PCRs also where the configuration does not: only for a moment.
    let (bank, mut indices) = match config.platform_binding {
        true => (config.pcr_bank, config.pcr_indices.iter().take(8).collect()),
        false => (PcrBank::default(), Vec::new()),
    };
    if indices.is_empty() {
        indices.push(0_u8);
    }
    let values = pcr::read(work.context, bank, indices.into_iter())?;
    clock.lap("read PCRs");
    let policy = TpmPolicy { pcr: vec![values], authorized: None, pin: None };
    parent::under(work.context, root, |context, key| {
        clock.lap("storage key");
        let sealed = object::create(context, root, key, &policy, None, &New::Sealed(&[0; 32]))?;
        clock.lap("seal");
        let born = object::create(context, root, key, &policy, None, &New::SigningKey)?;
        clock.lap("make P-256 key");
        let stored = Stored::read(&sealed, Purpose::Key)?;
        let session = session::policy(context, key)?;
        flushing(context, session::handle(session), |context| {
            clock.lap("start a session");
            Way::find(context, session, &policy, &[])?;
            clock.lap("PCR policy");
            let loaded = stored.load(context, key, Purpose::Key)?;
            flushing(context, loaded, |context| {
                clock.lap("load");
                let opened = context.execute_with_session(Some(session.into()), |context| {
                    context.unseal(loaded.into())
                });
                opened.doing("unseal a key")?;
                clock.lap("unseal");
                Ok(())
            })?;
            let stored = Stored::read(&born, Purpose::Key)?;
            let loaded = stored.load(context, key, Purpose::Key)?;
            flushing(context, loaded, |context| {
                session::for_signatures(context, session)?;
                clock.last = Instant::now();
                Way::find(context, session, &policy, &[])?;
                super::key::sign(context, loaded, session, &[0; 32])?;
                clock.lap("sign with P-256");
                Ok(())
            })
        })
    })?;
    Ok(clock.steps)
}

struct Clock {
    last: Instant,
    steps: Vec<Step>,
}

impl Clock {
    /// What has been done since the last lap.
    fn lap(&mut self, step: &'static str) {
        let milliseconds = (self.last.elapsed().as_secs_f64() * 1e5).round() / 1e2;
        self.steps.push(Step { step, milliseconds });
        self.last = Instant::now();
    }
}

impl TpmReport {
    /// What it means for an identity.
    #[must_use]
    pub fn verdicts(&self, config: &TpmConfig) -> Vec<Verdict> {
        let hardware = self.assurance >= Assurance::Claimed;
        let mut verdicts = vec![
            verdict(
                "Ed25519",
                Outcome::Warning,
                "absent, as in every TPM that is known",
                "an Ed25519 key is sealed to the TPM and signs in memory; for a key that never \
                 leaves the chip use a P-256 key",
            )
            .remedied_by(Remedy::Algorithm(AlgorithmId::P256)),
            verdict(
                "P-256",
                if self.p256 { Outcome::Ok } else { Outcome::Fail },
                if self.p256 { "there" } else { "absent" },
                "the storage key needs it as well: use another TPM",
            ),
            self.storage_verdict(),
            self.bank_verdict(config),
            self.lockout_verdict(config),
            self.slots_verdict(),
            verdict(
                "hardware",
                if hardware { Outcome::Ok } else { Outcome::Warning },
                if hardware { "by its own word" } else { "it is a virtual TPM" },
                "whoever runs the host can copy it: for tests only",
            ),
        ];
        if let Some(error) = &self.probe_error {
            let advice = "what could not be done when it was tried out is said above";
            verdicts.push(verdict("probe", Outcome::Fail, error, advice));
        }
        verdicts
    }

    fn storage_verdict(&self) -> Verdict {
        let (state, found) = match &self.storage_key {
            Some(StorageKey { pinned: Some(false), name, .. }) => {
                (Outcome::Fail, format!("{name}, which is not the pinned one"))
            }
            Some(key) => match key.handle {
                Some(handle) => (Outcome::Ok, format!("at {handle:#010x}")),
                None => (Outcome::Ok, "made from the owner's seed each time".to_owned()),
            },
            None => (Outcome::Fail, self.storage_key_error.clone().unwrap_or_default()),
        };
        verdict(
            "storage key",
            state,
            found,
            "this is another TPM or a cleared one, or `key_handle` or `parent_name` under \
             [identity.tpm] is wrong; one that is made from the owner's seed wants an empty owner's \
             password",
        )
    }

    fn bank_verdict(&self, config: &TpmConfig) -> Verdict {
        let there = self.banks.contains(&config.pcr_bank);
        let banks: Vec<&str> = self.banks.iter().map(|bank| bank.as_str()).collect();
        let needed = config.platform_binding;
        verdict(
            "PCR bank",
            if there || !needed { Outcome::Ok } else { Outcome::Fail },
            format!("{} (of {})", config.pcr_bank, banks.join(", ")),
            "choose another `pcr_bank`, or enable it in the firmware's setup",
        )
    }

    fn lockout_verdict(&self, config: &TpmConfig) -> Verdict {
        let state = match (self.tries_left, config.pin) {
            (Some(0), true) => Outcome::Fail,
            (Some(0 | 1) | None, _) => Outcome::Warning,
            _ => Outcome::Ok,
        };
        let found = match (self.tries_left, self.max_tries, self.lockout_interval) {
            (Some(left), Some(most), Some(interval)) => {
                format!("{left} of {most} left; one comes back in {interval} s")
            }
            (None, _, Some(0)) => "wrong ones are not counted: a PIN can be guessed".to_owned(),
            _ => "the TPM does not tell".to_owned(),
        };
        verdict(
            "PIN tries",
            state,
            found,
            "wait, or have the owner reset the count: tpm2_dictionarylockout -c",
        )
    }

    fn slots_verdict(&self) -> Verdict {
        let [objects, sessions] =
            [self.free_objects, self.free_sessions].map(|free| free.unwrap_or(u32::MAX));
        // Storage key and key; one session.
        let enough = objects >= 2 && sessions >= 1;
        let told = |free: Option<u32>| free.map_or("?".to_owned(), |free| free.to_string());
        verdict(
            "room",
            if enough { Outcome::Ok } else { Outcome::Fail },
            format!(
                "{} objects and {} sessions at least",
                told(self.free_objects),
                told(self.free_sessions)
            ),
            "use the kernel's resource manager (/dev/tpmrm0), or flush what other programs left: \
             objects by `tpm2_flushcontext -t`, sessions by `tpm2_flushcontext -l` and \
             `tpm2_flushcontext -s`",
        )
    }
}
