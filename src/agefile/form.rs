//! What shows of an age file without its secret.

use ::age::Decryptor;

use super::{ANY_HEADER, OUR_HEADER, check_header, slow};
use crate::fault::OpenError;

/// After the header: a nonce, and the last chunk, which is not empty and has a tag.
const SHORTEST: usize = 16 + 1 + 16;

/// Whether a file can be one of ours, for a passphrase or for a storage key: its header is
/// whole, asks for no more work than is allowed, and something follows it.
pub(crate) fn check_form(
    file: &[u8],
    has_passphrase: bool,
    max_work_factor: u8,
) -> Result<(), OpenError> {
    let damaged = |what: &'static str| Err(OpenError::Damaged(what.into()));
    if file.is_empty() {
        return damaged("it is empty");
    }
    if !file.starts_with(b"age-encryption.org/") {
        return damaged("it does not begin like an age file");
    }
    let whole = check_header(file, OUR_HEADER).and_then(|()| Decryptor::new_buffered(file));
    let Ok(whole) = whole else { return damaged("its header is damaged or cut short") };
    if whole.is_scrypt() != has_passphrase {
        return damaged(match has_passphrase {
            true => "it was encrypted to a key, and not with a passphrase",
            false => "it was encrypted with a passphrase, and not to the storage key",
        });
    }
    if body_of(file).len() < SHORTEST {
        return damaged("it is cut short");
    }
    match slow::work_of(file).filter(|work| has_passphrase && *work > max_work_factor) {
        Some(required) => Err(OpenError::ExcessiveWork { required, limit: max_work_factor }),
        None => Ok(()),
    }
}

/// Whether an age file is for a passphrase; `None` if its header is not whole.
pub(crate) fn is_for_passphrase(file: &[u8]) -> Option<bool> {
    check_header(file, ANY_HEADER).ok()?;
    Some(Decryptor::new_buffered(file).ok()?.is_scrypt())
}

/// What follows the line with the MAC.
fn body_of(file: &[u8]) -> &[u8] {
    let mut rest = file;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        if line.starts_with(b"--- ") {
            return rest;
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agefile::{
        WorkFactor, encrypt_with_passphrase, encrypt_with_storage_key, new_storage_key,
    };
    use crate::secret::{LockedText, Passphrase};

    #[test]
    fn a_whole_file_is_taken_and_none_that_is_cut_or_something_else() {
        let work = WorkFactor::new(12).unwrap();
        let passphrase = Passphrase::from(LockedText::from("a horse"));
        let locked = encrypt_with_passphrase(b"{}", &passphrase, work).unwrap();
        let stored = encrypt_with_storage_key(b"{}", &new_storage_key()).unwrap();
        for (file, has_passphrase) in [(&locked, true), (&stored, false)] {
            assert!(check_form(file, has_passphrase, 12).is_ok());
            assert!(check_form(file, !has_passphrase, 12).is_err());
            // A cut in the last chunk shows with the secret only.
            for length in 0..file.len() - 2 {
                assert!(check_form(&file[..length], has_passphrase, 12).is_err(), "{length}");
            }
        }
        assert!(matches!(
            check_form(&locked, true, 11),
            Err(OpenError::ExcessiveWork { required: 12, limit: 11 })
        ));
        for other in [&b"{}"[..], b"\xff\x00", b"-----BEGIN AGE ENCRYPTED FILE-----\n"] {
            assert!(check_form(other, true, 20).is_err());
        }
    }
}
