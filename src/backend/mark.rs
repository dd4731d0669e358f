//! What the `CKA_ID` of a key tells, of one that was in a file before it came into its token.
//!
//! The files of an identity say so, too; but an identity can be made around the key anew, in
//! another home. A token need not know that a key was written into it, and one that does may
//! forget it with its next module. The id goes with the key wherever the token's own means copy
//! it, and nobody changes it by accident.

use super::Locator;

/// How the id of such a key begins.
const MARK: &[u8; 4] = b"file";

/// An id of 16 bytes that tells until when the key was in a file (Unix time, seconds), and is
/// `unique` for the rest.
#[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "of keys on tokens"))]
pub(crate) fn id(in_file_until: u64, unique: &[u8]) -> Vec<u8> {
    let until = u32::try_from(in_file_until).unwrap_or(u32::MAX).to_be_bytes();
    MARK.iter().chain(&until).chain(unique).copied().take(16).collect()
}

/// Until when the key with this id was in a file, if it says so: Unix time, seconds.
pub(crate) fn in_file_until(id: &[u8]) -> Option<u64> {
    let rest = id.strip_prefix(MARK).filter(|_| id.len() == 16)?;
    Some(u32::from_be_bytes(*rest.first_chunk()?).into())
}

/// The same of the key at a locator.
pub(crate) fn of_locator(locator: &Locator) -> Option<u64> {
    match locator {
        Locator::Pkcs11(locator) => in_file_until(&locator.id),
        // The blob is in the header, which says it.
        Locator::AgeFile(_) | Locator::Tpm(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_until_when_its_key_was_in_a_file_and_another_id_does_not() {
        let marked = id(1_800_000_000, &[7; 16]);
        assert_eq!((marked.len(), in_file_until(&marked)), (16, Some(1_800_000_000)));
        assert_eq!(in_file_until(&id(u64::MAX, &[7; 16])), Some(u32::MAX.into()));
        for other in
            [&marked[1..], &marked[..8], &[7; 16], &[], b"file", &[&marked[..], b"x"].concat()]
        {
            assert_eq!(in_file_until(other), None, "{other:?}");
        }
    }
}
