//! The file in which it is kept whose an instance is: `icnd.instances` in the home.
//!
//! A line for each: instance, client, the last number, and until when it counts.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use icn_identity::error::KeystoreError;
use icn_identity::file::{Existing, NewFile};
use icn_identity::peer::Instance;
use rustix::fs::OFlags;

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

    /// Removes what a writer has left that was killed. Called by the one daemon of the home.
    pub(super) fn sweep(&self) {
        let begin = format!(".{NAME}.");
        let is_left = |name: &str| {
            let random = name.strip_prefix(&begin);
            random.is_some_and(|it| it.len() == 24 && it.bytes().all(|it| it.is_ascii_hexdigit()))
        };
        let entries = self.0.parent().and_then(|home| fs::read_dir(home).ok());
        for entry in entries.into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(is_left)
                && let Err(error) = fs::remove_file(entry.path())
            {
                tracing::debug!("{} was left behind: {error}", entry.path().display());
            }
        }
    }

    /// What is no such file is not passed over: another client could be given what is in it.
    pub(super) fn read(&self) -> Result<HashMap<Instance, Given>, StartError> {
        let failed = |source| StartError::File { what: "read", path: self.0.clone(), source };
        // A FIFO in its place must not hang us.
        let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(&self.0)
            .and_then(checked);
        let file = match opened {
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

/// It is ours, as each file of the identity.
fn checked(file: File) -> io::Result<File> {
    let found = file.metadata()?;
    let (own, mode) = (rustix::process::geteuid().as_raw(), found.mode() & 0o7777);
    let problem = if !found.is_file() {
        "it is not a regular file".to_owned()
    } else if found.uid() != own {
        format!("it belongs to user {}, not to user {own}", found.uid())
    } else if mode & 0o077 != 0 {
        format!("others can use it: its mode is {mode:04o}, expected 0600")
    } else {
        return Ok(file);
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, problem))
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
            sequence: number_of(sequence)?,
            counts_until: number_of(counts_until)?,
            is_kept: true,
            pending: 0,
        };
        if client.is_empty() || all.insert(instance, given).is_some() {
            return None;
        }
    }
    lines.next().is_none().then_some(all)
}

/// As it is written; after the last one there is no next.
fn number_of(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number != u64::MAX && number.to_string() == text).then_some(number)
}

/// 32 digits of hex.
fn instance_of(text: &str) -> Option<Instance> {
    let are_digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32 && are_digits)?;
    Some(Instance::from_bytes(number.to_be_bytes()))
}
