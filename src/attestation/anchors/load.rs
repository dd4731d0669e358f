//! Anchors from a folder that the operator keeps.

use std::ffi::OsString;
use std::path::Path;

use super::{Anchors, Certificate, Use};
use crate::attestation::{AttestationError, AttestationRefusal, DeviceClass};
use crate::fault::KeystoreError;
use crate::file::TrustedFolder;

impl Anchors {
    /// **Blocks** on the disk. Reads `DIRECTORY/CLASS/*.pem` of each class of devices
    /// ([`DeviceClass::as_str`]): `yubihsm`, `yubikey-piv`, `tpm` for the makers of TPMs and `tpm-ak` for
    /// who certifies attestation keys; and adds them to these: a certificate that has signed itself as a root, another one as an
    /// intermediate. A class without a folder gets none.
    ///
    /// Whoever can write there chooses who is believed: these folders have to belong to this
    /// user or to root and be written by nobody else, no other user may be able to exchange a step
    /// on the way to them, and a link of another user's is not followed.
    ///
    /// # Errors
    ///
    /// [`AttestationError::Folder`] if other users could change what is read, or it cannot be
    /// read; [`AttestationError::Load`] with the file that holds no certificate of an authority,
    /// or more than one root; [`AttestationError::NoAnchors`] if there is no file at all. Then none is
    /// added.
    pub fn load(&mut self, directory: &Path) -> Result<(), AttestationError> {
        let mut loaded = self.clone();
        let before = loaded.0.len();
        if let Some(folder) = TrustedFolder::open(directory).map_err(AttestationError::folder)? {
            for class in DeviceClass::ALL {
                let files = pem_files(&folder, class).map_err(AttestationError::folder)?;
                for (name, text) in files {
                    let path = directory.join(class.as_str()).join(name);
                    loaded.add_file(class, text.as_bytes()).map_err(|source| {
                        AttestationError::Load { path, source: Box::new(source) }
                    })?;
                }
            }
        }
        if loaded.0.len() == before {
            return Err(AttestationError::NoAnchors { directory: directory.to_owned() });
        }
        *self = loaded;
        Ok(())
    }

    /// One root in a file, or none: makers publish bundles of the roots of all their products, and
    /// each of these would be believed for this class.
    fn add_file(&mut self, class: DeviceClass, text: &[u8]) -> Result<(), AttestationError> {
        let before = self.0.len();
        self.add_all(class, text, purpose)?;
        let added = self.0.iter().skip(before);
        match added.filter(|anchor| anchor.purpose == Use::Root).count() {
            0 | 1 => Ok(()),
            roots => Err(AttestationError::ManyRoots { roots }),
        }
    }
}

/// What is in the folder of a class, in the order of the names; nothing if there is none.
fn pem_files(
    all: &TrustedFolder,
    class: DeviceClass,
) -> Result<Vec<(OsString, String)>, KeystoreError> {
    let Some(folder) = all.folder(class.as_str().as_ref())? else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for name in folder.names()? {
        if Path::new(&name).extension().is_some_and(|extension| extension == "pem") {
            let text = folder.read(&name)?;
            files.push((name, text));
        }
    }
    Ok(files)
}

/// What has signed itself is a root. One that only names itself as its issuer, as where an
/// authority changes its key, is believed no more than another intermediate.
fn purpose(read: &Certificate<'_>) -> Result<Use, AttestationRefusal> {
    if read.subject() != read.issuer() {
        return Ok(Use::Intermediate);
    }
    match read.check_signed_by(read) {
        Ok(()) => Ok(Use::Root),
        Err(AttestationRefusal::Signature { .. }) => Ok(Use::Intermediate),
        // It cannot be told which of both it is.
        Err(why) => Err(why),
    }
}
