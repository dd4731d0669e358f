//! Anchors from a folder that the operator keeps.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Anchors, Use};
use crate::attestation::{AttestationError, DeviceClass};
use crate::file;

impl Anchors {
    /// **Blocks** on the disk. Reads `DIRECTORY/yubihsm/*.pem` and `DIRECTORY/yubikey-piv/*.pem`, and adds
    /// them to these: a certificate whose issuer is its own subject as a root, another one as an
    /// intermediate. A class without a folder gets none.
    ///
    /// # Errors
    ///
    /// [`AttestationError::Load`] with the file that cannot be read, holds no certificate of an
    /// authority, or could be changed by other users; [`AttestationError::NoAnchors`] if there
    /// is no file at all. Then none is added.
    pub fn load(&mut self, directory: &Path) -> Result<(), AttestationError> {
        let mut loaded = self.clone();
        let before = loaded.0.len();
        for class in DeviceClass::ALL {
            for path in pem_files(&directory.join(class.as_str()))? {
                let failed = |source| AttestationError::Load { path: path.clone(), source };
                let text = file::read_trusted(&path).map_err(|error| failed(error.into()))?;
                let text = text.unwrap_or_default();
                let purpose = |read: &super::Certificate<'_>| {
                    if read.subject() == read.issuer() { Use::Root } else { Use::Intermediate }
                };
                loaded.add_all(class, text.as_bytes(), purpose).map_err(|e| failed(e.into()))?;
            }
        }
        if loaded.0.len() == before {
            return Err(AttestationError::NoAnchors { directory: directory.to_owned() });
        }
        *self = loaded;
        Ok(())
    }
}

/// In the order of their names; none if there is no folder.
fn pem_files(directory: &Path) -> Result<Vec<PathBuf>, AttestationError> {
    let failed = |source: std::io::Error| AttestationError::Load {
        path: directory.to_owned(),
        source: Box::new(source),
    };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let metadata = std::fs::metadata(directory).map_err(failed)?;
    let (owner, me) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if (owner != me && owner != 0) || metadata.mode() & 0o022 != 0 {
        // Whoever writes there chooses whom we believe.
        return Err(AttestationError::OthersWrite { directory: directory.to_owned() });
    }
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
