//! The file in which it is kept whose an instance is: `icnd.instances` in the home.
//!
//! A line for each: instance, client, the last number, and until when it counts.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use icn_identity::error::KeystoreError;
use icn_identity::file::{Existing, NewFile};
use icn_identity::peer::Instance;

use super::Given;
use crate::error::StartError;

const NAME: &str = "icnd.instances";
/// Its first line, and its last, without which it was cut off.
const FIRST: &str = "icnd-instances 1";
const LAST: &str = "end";
/// Far more than can come together in years.
const LONGEST: u64 = 64 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Kept(PathBuf);

impl Kept {
    pub(super) fn of(home: &Path) -> Self {
        Self(home.join(NAME))
    }

    /// What is no such file is not passed over: another client could be given what is in it.
    pub(super) fn read(&self) -> Result<HashMap<Instance, Given>, StartError> {
        let failed = |source| StartError::File { what: "read", path: self.0.clone(), source };
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut text = Vec::new();
        file.take(LONGEST).read_to_end(&mut text).map_err(failed)?;
        let all = str::from_utf8(&text).ok().and_then(parse);
        all.ok_or_else(|| StartError::Instances { path: self.0.clone() })
    }

    /// Of what is to be on disk.
    pub(super) fn text(all: &HashMap<Instance, Given>) -> String {
        let kept = all.iter().filter(|(_, given)| given.is_kept);
        let mut lines: Vec<String> = kept
            .map(|(instance, Given { client, sequence, counts_until, .. })| {
                format!("{instance} {client} {sequence} {counts_until}\n")
            })
            .collect();
        lines.sort_unstable();
        format!("{FIRST}\n{}{LAST}\n", lines.concat())
    }

    /// Durably, in one step.
    pub(super) fn write(&self, text: &str) -> Result<(), KeystoreError> {
        let mut file = NewFile::create(&self.0)?;
        file.put(text.as_bytes())?;
        file.keep(Existing::Replace)
    }
}

fn parse(text: &str) -> Option<HashMap<Instance, Given>> {
    let lines = text.strip_prefix(FIRST)?.strip_prefix('\n')?.strip_suffix('\n')?;
    let mut all = HashMap::new();
    let mut lines = lines.split('\n');
    loop {
        let line = lines.next()?;
        if line == LAST {
            break;
        }
        let [instance, client, sequence, counts_until] =
            line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let instance = instance_of(instance)?;
        let given = Given {
            client: client.to_owned(),
            sequence: sequence.parse().ok()?,
            counts_until: counts_until.parse().ok()?,
            is_kept: true,
            pending: 0,
        };
        if client.is_empty() || all.insert(instance, given).is_some() {
            return None;
        }
    }
    lines.next().is_none().then_some(all)
}

/// 32 digits of hex.
fn instance_of(text: &str) -> Option<Instance> {
    let are_digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32 && are_digits)?;
    Some(Instance::from_bytes(number.to_be_bytes()))
}
