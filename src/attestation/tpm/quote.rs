//! The state that a TPM states beside where a key is.

use std::collections::BTreeSet;

use super::attest::{Bank, Stated};
use super::{Attest, rules, signature::Signature};
use crate::algorithm::VerifyingKey;
use crate::attestation::evidence::Quote;
use crate::attestation::tpm_algorithm::SHA256;
use crate::attestation::{PcrState, TpmAlgorithm, TpmField, TpmRefusal as Refusal};

/// The statement alone: what it is of, and nothing that is verified.
pub(in crate::attestation) fn read_quote(quote: &Quote) -> Result<PcrState, Refusal> {
    pcr_state(&Attest::read(&quote.quoted.0, TpmField::Quoted)?)
}

/// The same, by the key that certified the identity's, of the same boot and for the same answer.
pub(super) fn check_quote(
    quote: &Quote,
    certified: &Attest,
    ak: &VerifyingKey,
) -> Result<PcrState, Refusal> {
    let field = TpmField::Quoted;
    let attest = Attest::read(&quote.quoted.0, field)?;
    let signature = Signature::read(&quote.sig.0, TpmField::QuoteSig)?;
    signature.check(ak, &quote.quoted.0, field)?;
    if attest.extra_data != certified.extra_data {
        return Err(Refusal::QualifyingData { field });
    }
    // Of one key, whose hierarchy was looked at in the other statement.
    if attest.qualified_signer != certified.qualified_signer {
        return Err(Refusal::Hierarchy);
    }
    rules::check_same_boot(certified, &attest)?;
    pcr_state(&attest)
}

/// The SHA-256 bank alone: of another one values could be made to fit, or it holds none.
fn pcr_state(attest: &Attest) -> Result<PcrState, Refusal> {
    let field = TpmField::Quoted;
    let Stated::Quote { selection, digest } = &attest.stated else {
        return Err(Refusal::Statement { field, found: attest.kind() });
    };
    let bank = match selection.as_slice() {
        [] => return Err(Refusal::NoPcr),
        [bank] => bank,
        banks => return Err(Refusal::PcrBanks { count: banks.len() }),
    };
    if bank.hash != SHA256 {
        return Err(Refusal::PcrBank { found: TpmAlgorithm(bank.hash) });
    }
    // By an attestation key that signs with SHA-256 it has no other length.
    let digest = digest.as_slice().try_into().map_err(|_| Refusal::Malformed { field })?;
    PcrState::stated(indices(bank), digest).ok_or(Refusal::NoPcr)
}

/// Eight registers a byte, from its lowest bit on (`TPMS_PCR_SELECT`, part 2, section 10.6.1).
fn indices(bank: &Bank) -> BTreeSet<u8> {
    let bytes = bank.bitmap.iter().zip((0_u8..).step_by(8));
    let bits =
        bytes.flat_map(|(byte, first)| (0..8).map(move |bit| (byte >> bit & 1, first + bit)));
    bits.filter(|(set, _)| *set == 1).map(|(_, index)| index).collect()
}
