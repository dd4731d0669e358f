//! Parts of what is said of a token.

use crate::algorithm::AlgorithmId;
use crate::did::Did;
use crate::evidence::Lockout;
use crate::locator::Pkcs11Locator;

/// ` (that of did:icn:z…)`
pub(super) fn of(keys: &[(Did, Pkcs11Locator)]) -> String {
    let dids: Vec<_> = keys.iter().map(|(did, _)| did.to_string()).collect();
    if dids.is_empty() { String::new() } else { format!(" (that of {})", dids.join(", ")) }
}

pub(super) fn list(items: &[String]) -> String {
    if items.is_empty() { "none".into() } else { items.join(", ") }
}

/// What a wrong PIN has cost, as far as that is known.
pub(super) const fn tries(
    final_try: bool,
    count_low: bool,
    lockout: Option<Lockout>,
) -> &'static str {
    match (final_try, lockout) {
        (true, _) => ", and one try is left",
        (false, Some(Lockout::Never)) => "; wrong PINs do not lock this token",
        (false, Some(Lockout::Tpm)) => ", and the TPM behind the token counts wrong PINs",
        _ if count_low => ", and the token counts wrong PINs",
        _ => "",
    }
}

/// What a search without a login does not see.
pub(super) const fn seen(logged_in: bool) -> &'static str {
    if logged_in { "" } else { ", as far as is seen without a login" }
}

/// `P-256`
pub(super) const fn spoken(algorithm: AlgorithmId) -> &'static str {
    match algorithm {
        AlgorithmId::Ed25519 => "Ed25519",
        AlgorithmId::P256 => "P-256",
    }
}

pub(super) fn locked(token: &str, of_tpm: bool) -> String {
    match of_tpm {
        true => {
            format!("the TPM behind token {token} is locked after wrong PINs, and takes none now")
        }
        false => format!("the user PIN of token {token} is locked"),
    }
}
