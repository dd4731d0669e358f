//! The maker's certificates, where a TPM keeps them: in its non-volatile storage, at the indices of
//! the TCG's EK Credential Profile (2.5, sections 2.2.1.4, 2.2.1.5 and 2.2.2).
//!
//! An index is read only where that can cost nothing: a wrong authValue of an index without
//! `TPMA_NV_NO_DA` would count as a wrong PIN does (TPM 2.0 Library, part 1, section 19.8).

use std::ops::RangeInclusive;

use tss_esapi::Context;
use tss_esapi::attributes::NvIndexAttributes;
use tss_esapi::constants::{CapabilityType, PropertyTag};
use tss_esapi::handles::{NvIndexHandle, NvIndexTpmHandle, TpmHandle};
use tss_esapi::interface_types::resource_handles::NvAuth;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::CapabilityData;

use super::index::EkCertificateIndex;
use crate::attestation::EkCertificate;
use crate::backend::tpm::failure::{Doing as _, Failed, Meaning};
use crate::backend::tpm::properties;
use crate::error::TpmError;

const READ: &str = "read a certificate of its maker";

/// Where certificates of EKs are, and of their issuers.
const FIRST: u32 = 0x01c0_0000;
const CHAIN: RangeInclusive<u32> = 0x01c0_0100..=0x01c0_01ff;

/// What every TPM takes at a time, whatever it says (part 2, `MAX_NV_BUFFER_SIZE`, is 512 at least
/// in the PC Client profile); small discrete ones have less.
const CHUNK: u16 = 256;

/// More is no certificate.
const MAX_LEN: u16 = 8192;

/// The certificates of EKs that are there, those that are used first.
pub(super) fn certificates(context: &mut Context) -> Result<Vec<EkCertificateIndex>, Failed> {
    let there = indices(context)?;
    let all = EkCertificateIndex::ALL.into_iter();
    Ok(all.filter(|certificate| there.contains(&certificate.index())).collect())
}

/// The certificate of an EK.
pub(super) fn certificate(
    context: &mut Context,
    of: EkCertificateIndex,
) -> Result<EkCertificate, Failed> {
    let index = of.index();
    let stored = read(context, index)?;
    let stored = stored.map_err(|why| {
        let Guarded { reason, source } = why;
        let source = source.map(|failed| Box::new(failed.into_error()).into());
        Failed::from(TpmError::EkCertificateGuarded { index, reason, source })
    })?;
    EkCertificate::from_nv(&stored)
        .map_err(|why| TpmError::EkCertificateUnreadable { index, source: why.into() }.into())
}

/// The certificates of issuers, as on-die authorities (Intel's) leave them: one after the other,
/// over as many indices as it takes. Who verifies may have them: up to the first index that is not
/// to be read.
pub(super) fn chain(context: &mut Context) -> Result<Vec<Vec<u8>>, Failed> {
    let mut stored = Vec::new();
    for index in indices(context)?.into_iter().filter(|index| CHAIN.contains(index)) {
        match read(context, index)? {
            Ok(bytes) => stored.extend(bytes),
            Err(Guarded { reason, .. }) => {
                log::warn!(
                    "the issuers' certificates from NV index {index:#010x} on are left out: it {reason}"
                );
                break;
            }
        }
    }
    Ok(EkCertificate::issuers_from_nv(&stored))
}

fn indices(context: &mut Context) -> Result<Vec<u32>, Failed> {
    // As many as there can be of ours; other programs' have higher numbers.
    let asked = context.execute_without_session(|context| {
        context.get_capability(CapabilityType::Handles, FIRST, 512)
    });
    let (CapabilityData::Handles(handles), _) = asked.doing("tell what it has stored")? else {
        return Ok(Vec::new());
    };
    Ok(handles.into_inner().into_iter().map(u32::from).collect())
}

/// Why an index is not read.
struct Guarded {
    /// What follows "it".
    reason: &'static str,
    source: Option<Failed>,
}

impl From<&'static str> for Guarded {
    fn from(reason: &'static str) -> Self {
        Self { reason, source: None }
    }
}

/// Reads a whole index in chunks, without a password.
fn read(context: &mut Context, index: u32) -> Result<Result<Vec<u8>, Guarded>, Failed> {
    let place = NvIndexTpmHandle::new(index).doing(READ)?;
    let opened = context
        .execute_without_session(|context| context.tr_from_tpm_public(TpmHandle::NvIndex(place)));
    let handle = opened.doing(READ)?;
    let done = read_open(context, handle.into());
    // Only the library's knowledge of it.
    let closed = context.tr_close(&mut { handle }).doing(READ);
    done.and_then(|done| closed.map(|()| done))
}

fn read_open(
    context: &mut Context,
    index: NvIndexHandle,
) -> Result<Result<Vec<u8>, Guarded>, Failed> {
    let public = context.execute_without_session(|context| context.nv_read_public(index));
    let (public, _) = public.doing(READ)?;
    let ways = match ways(public.attributes(), index) {
        Ok(ways) => ways,
        Err(reason) => return Ok(Err(reason.into())),
    };
    let size = u16::try_from(public.data_size()).unwrap_or(u16::MAX).min(MAX_LEN);
    let largest = properties::number(context, PropertyTag::NvBufferMax)?;
    let largest = largest.and_then(|most| u16::try_from(most).ok()).filter(|most| *most > 0);
    let chunk = largest.map_or(CHUNK, |most| most.min(CHUNK));
    let mut refused = Guarded::from("has a way to be read that was not found");
    for way in ways {
        match read_by(context, way, index, size, chunk) {
            Ok(bytes) => return Ok(Ok(bytes)),
            Err(failed) if failed.meaning() == Some(Meaning::WrongAuth) => {
                let reason = "has a password, as its owner has";
                refused = Guarded { reason, source: Some(failed) };
            }
            Err(failed) => return Err(failed),
        }
    }
    Ok(Err(refused))
}

/// By whose empty password an index may be tried: a wrong one costs nothing. Else why not.
fn ways(attributes: NvIndexAttributes, index: NvIndexHandle) -> Result<Vec<NvAuth>, &'static str> {
    if !attributes.written() {
        return Err("was never written");
    }
    if attributes.read_locked() {
        return Err("is locked against reading until the TPM starts again");
    }
    let mut ways = Vec::new();
    if attributes.auth_read() && attributes.no_da() {
        ways.push(NvAuth::NvIndex(index));
    }
    // The owner's password is not protected by the lock-out (part 1, section 19.8.2).
    if attributes.owner_read() {
        ways.push(NvAuth::Owner);
    }
    match (ways.is_empty(), attributes.auth_read()) {
        (false, _) => Ok(ways),
        (true, true) => Err(
            "has no attribute `no_da` and no `ownerread`: a wrong password would cost a try of \
                 the lock-out",
        ),
        (true, false) => Err("has neither of the attributes `authread` and `ownerread`"),
    }
}

fn read_by(
    context: &mut Context,
    way: NvAuth,
    index: NvIndexHandle,
    size: u16,
    chunk: u16,
) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    let mut offset = 0;
    while offset < size {
        let length = chunk.min(size - offset);
        let read = context.execute_with_session(Some(AuthSession::Password), |context| {
            context.nv_read(way, index, length, offset)
        });
        bytes.extend_from_slice(read.doing(READ)?.value());
        offset += length;
    }
    Ok(bytes)
}
