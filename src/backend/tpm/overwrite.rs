//! What the TSS library keeps of a secret that it was given or has given, overwritten: a secret that
//! has no encryption of its own, as no PIN is wanted for it.
//!
//! Where it was seen (tss2 3.2), and by what it goes:
//!
//! | place | overwritten by |
//! |---|---|
//! | the input of `TPM2_Create`, in the ESYS context | that of another command: the public part of `TPM2_LoadExternal` |
//! | the answer to `TPM2_Unseal`, decrypted, in the buffer of the SYS context | a longer command: `TPM2_Hash` |
//! | what `Esys_Unseal` has allocated, freed by `tss-esapi` as it is | blocks of the same length |

use std::hint::black_box;
use std::iter;

use mbox::MBox;
use tss_esapi::Context;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::structures::MaxBuffer;
use tss_esapi::tss2_esys::TPM2B_SENSITIVE_DATA;

use super::approver;
use super::chip::flushing;
use super::failure::{Doing as _, Failed};
use crate::algorithm::P256VerifyingKey;
use crate::error::TpmError;

/// The base point of P-256, which is a public key that nobody keeps secret.
const BASE_POINT: [u8; 33] = [
    0x03, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40,
    0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2,
    0x96,
];

/// More than is sealed.
const LONGEST: usize = 256;

const DOING: &str = "overwrite what was sealed";

/// More than the library has freed, of whatever length.
const BLOCKS: usize = 1024;

/// After something was sealed. What cannot be overwritten stays, which is logged: the object is
/// made.
pub(super) fn after_sealing(context: &mut Context) {
    let mut by_a_key = || -> Result<(), Failed> {
        let key = P256VerifyingKey::from_bytes(&BASE_POINT)
            .map_err(|_| TpmError::Approval { reason: "its approver's key is none" })?;
        let public = approver::public(&key).doing(DOING)?;
        let loaded = context
            .execute_without_session(|context| {
                context.load_external_public(public, Hierarchy::Null)
            })
            .doing(DOING)?;
        flushing(context, loaded, |_| Ok(()))
    };
    note(by_a_key());
}

/// After something was unsealed.
pub(super) fn after_unsealing(context: &mut Context) {
    let mut by_zeros = || -> Result<(), Failed> {
        let zeros = MaxBuffer::try_from(vec![0; LONGEST]).doing(DOING)?;
        let hashed = context.execute_without_session(|context| {
            context.hash(zeros, HashingAlgorithm::Sha256, Hierarchy::Null)
        });
        hashed.doing(DOING).map(drop)
    };
    note(by_zeros());
}

fn note(overwritten: Result<(), Failed>) {
    if let Err(failed) = overwritten {
        let error = failed.into_error();
        log::warn!("a copy of what a TPM keeps sealed may be in memory: {error}");
    }
}

/// Right after the library has freed what it gave: as many blocks of that length as take up whatever
/// the allocator of C has free by then.
pub(super) fn freed() {
    let blocks: Vec<_> =
        iter::repeat_with(|| MBox::new(TPM2B_SENSITIVE_DATA::default())).take(BLOCKS).collect();
    // They are written, although nobody reads them.
    black_box(&blocks);
}
