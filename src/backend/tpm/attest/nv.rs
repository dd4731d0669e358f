//! The maker's certificates, where a TPM keeps them: in its non-volatile storage, at the indices of
//! the TCG's EK Credential Profile (2.5, sections 2.2.1.4, 2.2.1.5 and 2.2.2).

use std::ops::RangeInclusive;

use tss_esapi::Context;
use tss_esapi::constants::{CapabilityType, PropertyTag};
use tss_esapi::handles::{NvIndexHandle, NvIndexTpmHandle, TpmHandle};
use tss_esapi::interface_types::resource_handles::NvAuth;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::CapabilityData;

use super::EkCertificate;
use crate::backend::tpm::failure::{Doing as _, Failed};
use crate::backend::tpm::properties;

const READ: &str = "read a certificate of its maker";

/// Where certificates of EKs are, and of their issuers.
const FIRST: u32 = 0x01c0_0000;
const CHAIN: RangeInclusive<u32> = 0x01c0_0100..=0x01c0_01ff;

/// What every TPM takes at a time, whatever it says (part 2, `MAX_NV_BUFFER_SIZE`, is 512 at least
/// in the PC Client profile); small discrete ones have less.
const CHUNK: u16 = 256;

/// More is no certificate.
const MAX_LEN: u16 = 8192;

/// The certificates of EKs that are there, ours first.
pub(super) fn kinds(context: &mut Context) -> Result<Vec<EkCertificate>, Failed> {
    let there = indices(context)?;
    Ok(EkCertificate::ALL.into_iter().filter(|kind| there.contains(&kind.index())).collect())
}

/// The certificate of an EK.
pub(super) fn certificate(context: &mut Context, kind: EkCertificate) -> Result<Vec<u8>, Failed> {
    read(context, kind.index())
}

/// The certificates of issuers, as on-die authorities (Intel's) leave them: one after the other,
/// over as many indices as it takes.
pub(super) fn chain(context: &mut Context) -> Result<Vec<Vec<u8>>, Failed> {
    let mut stored = Vec::new();
    for index in indices(context)?.into_iter().filter(|index| CHAIN.contains(index)) {
        stored.extend(read(context, index)?);
    }
    Ok(certificates_in(&stored).map(<[u8]>::to_vec).collect())
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

/// Reads a whole index by its own empty authorization, in chunks.
fn read(context: &mut Context, index: u32) -> Result<Vec<u8>, Failed> {
    let place = NvIndexTpmHandle::new(index).doing(READ)?;
    let opened = context
        .execute_without_session(|context| context.tr_from_tpm_public(TpmHandle::NvIndex(place)));
    let handle = opened.doing(READ)?;
    let done = read_open(context, handle.into());
    // Only the library's knowledge of it.
    let closed = context.tr_close(&mut { handle }).doing(READ);
    done.and_then(|done| closed.map(|()| done))
}

fn read_open(context: &mut Context, index: NvIndexHandle) -> Result<Vec<u8>, Failed> {
    let public = context.execute_without_session(|context| context.nv_read_public(index));
    let (public, _) = public.doing(READ)?;
    let size = u16::try_from(public.data_size()).unwrap_or(u16::MAX).min(MAX_LEN);
    let largest = properties::number(context, PropertyTag::NvBufferMax)?;
    let largest = largest.and_then(|most| u16::try_from(most).ok()).filter(|most| *most > 0);
    let chunk = largest.map_or(CHUNK, |most| most.min(CHUNK));
    let mut bytes = Vec::new();
    let mut offset = 0;
    while offset < size {
        let length = chunk.min(size - offset);
        let read = context.execute_with_session(Some(AuthSession::Password), |context| {
            context.nv_read(NvAuth::NvIndex(index), index, length, offset)
        });
        bytes.extend_from_slice(read.doing(READ)?.value());
        offset += length;
    }
    Ok(bytes)
}

/// The one certificate in what an index holds: before it may be the header of the PC Client profile
/// for TPM 1.2 (`10 01 00`, two bytes of length, then `10 02` or not), behind it padding of any
/// bytes.
pub(super) fn certificate_in(stored: &[u8]) -> Option<&[u8]> {
    let der = at(stored);
    let [0x30, 0x82, high, low, ..] = der else { return None };
    der.get(..usize::from(u16::from_be_bytes([*high, *low])).checked_add(4)?)
}

/// Behind the header.
const fn at(stored: &[u8]) -> &[u8] {
    match stored {
        [0x10, 0x01, 0x00, _, _, 0x10, 0x02, der @ ..] | [0x10, 0x01, 0x00, _, _, der @ ..] => der,
        der => der,
    }
}

/// All that follow one another, up to what is none.
fn certificates_in(stored: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut left = stored;
    std::iter::from_fn(move || {
        let certificate = certificate_in(left)?;
        // A header may be before it.
        let before = left.len() - at(left).len();
        left = left.get(before + certificate.len()..)?;
        Some(certificate)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_and_the_padding_of_nv_are_cut_off() {
        let certificate = [&[0x30, 0x82, 1, 0][..], &[7; 256]].concat();
        let cases: [(&[u8], &[u8]); 5] = [
            (&[], &[]),
            (&[], &[0xff; 431]),
            (&[], &[0x11, 0]),
            (&[0x10, 1, 0, 1, 4], &[0]),
            (&[0x10, 1, 0, 1, 6, 0x10, 2], &[0xff, 0xff]),
        ];
        for (before, behind) in cases {
            let stored = [before, &certificate, behind].concat();
            assert_eq!(certificate_in(&stored), Some(certificate.as_slice()), "{before:?}");
        }
        assert_eq!(certificate_in(&certificate[..259]), None);
        assert_eq!(certificate_in(&[0xff; 512]), None);
        assert_eq!(certificate_in(&[]), None);
        // As many as there are, the last of them whole.
        let all = [&certificate[..], &certificate, &[0xff; 9]].concat();
        assert_eq!(certificates_in(&all).count(), 2);
        assert_eq!(certificates_in(&all[..400]).count(), 1);
        assert_eq!(certificates_in(&[]).count(), 0);
    }
}
