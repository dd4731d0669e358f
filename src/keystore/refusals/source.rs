//! Where a PIN is kept, and what tells one version of it from the next.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::file;

/// In the place of a path.
const PIPE: &str = "pipe";

/// Where a PIN is kept, and stays after it was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    File(PathBuf),
    /// By its name. It does not show whether it has changed.
    Variable(String),
}

impl Place {
    /// Whether it is a pipe that this process was given: it can be read once.
    pub(crate) fn is_a_pipe(&self) -> bool {
        matches!(self, Self::File(path) if file::is_inherited_pipe(path))
    }

    /// What tells this version of the source from a later one, where the PIN itself is not
    /// compared: of a note without a tag or a group.
    ///
    /// A pipe is gone once it was read, and the next one goes by that it is one, too.
    /// A file is another one when it was written or replaced; not when it was looked at,
    /// linked, or had its mode changed. Files that others make anew with the same content
    /// go by their name: credentials of systemd (`$CREDENTIALS_DIRECTORY`), with each
    /// start, and secrets of Kubernetes, whenever `..data` is exchanged.
    pub(super) fn mark(&self) -> Mark {
        match self {
            Self::Variable(name) => Mark::Variable { name: name.clone() },
            Self::File(_) if self.is_a_pipe() => {
                Mark::File { path: PathBuf::from(PIPE), version: None }
            }
            Self::File(path) => {
                let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                if file::is_from_systemd(&path) {
                    return Mark::File { path, version: None };
                }
                if let Some(path) = file::name_in_kubernetes(&path) {
                    return Mark::File { path, version: None };
                }
                let version = fs::metadata(&path).ok().map(|metadata| {
                    let changed = (metadata.mtime(), metadata.mtime_nsec());
                    format!(
                        "{}:{}:{}:{}.{:09}",
                        metadata.dev(),
                        metadata.ino(),
                        metadata.len(),
                        changed.0,
                        changed.1
                    )
                });
                Mark::File { path, version }
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => write!(f, "${name}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "source", deny_unknown_fields)]
pub(super) enum Mark {
    Variable { name: String },
    File { path: PathBuf, version: Option<String> },
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable { name } => write!(f, "${name}"),
            Self::File { path, .. } if path.as_os_str() == PIPE => f.write_str("a pipe"),
            Self::File { path, .. } => path.display().fmt(f),
        }
    }
}
