//! The files of an identity, each read and written again.

use std::path::Path;

use super::backup;
use super::given_up;
use super::header::Header;
use super::journal::Journal;
use super::legacy::LegacyIdentity;
use super::payload::Payload;
use super::refusals;
use super::unfinished::Unfinished;
use crate::algorithm::X25519PublicKey;

const PLACE: &str = "/of/a/test";

pub(crate) fn header(bytes: &[u8]) -> Option<Vec<u8>> {
    let header = Header::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    header.to_json().ok().map(String::into_bytes)
}

pub(crate) fn payload(bytes: &[u8]) -> Option<Vec<u8>> {
    Payload::from_json(bytes).ok()?.to_json().ok().map(|json| json.to_vec())
}

pub(crate) fn backup(bytes: &[u8]) -> Option<Vec<u8>> {
    backup::reread(bytes)
}

pub(crate) fn recovery_keys(bytes: &[u8]) -> Option<Vec<u8>> {
    backup::reads_keys(bytes).then(|| bytes.to_vec())
}

/// Whom a backup is for.
pub(crate) fn recipient(text: &str) -> Option<X25519PublicKey> {
    text.parse::<backup::RecoveryRecipient>().ok().map(|recipient| *recipient.public_key())
}

pub(crate) fn journal(bytes: &[u8]) -> Option<Vec<u8>> {
    serde_json::to_vec_pretty(&Journal::parse(bytes, Path::new(PLACE)).ok()?).ok()
}

pub(crate) fn unfinished(bytes: &[u8]) -> Option<Vec<u8>> {
    Unfinished::parse(bytes, Path::new(PLACE)).ok()?.to_json().ok()
}

pub(crate) fn given_up(bytes: &[u8]) -> Option<Vec<u8>> {
    given_up::to_json(given_up::parse(bytes)?).ok()
}

pub(crate) fn refused(bytes: &[u8]) -> Option<Vec<u8>> {
    refusals::reread(bytes)
}

pub(crate) fn legacy(bytes: &[u8]) -> Option<Vec<u8>> {
    LegacyIdentity::parse(bytes, false).is_ok().then(|| bytes.to_vec())
}

/// The JSON of backups that verify.
#[cfg(test)]
pub(crate) fn made_up_backup() -> proptest::strategy::BoxedStrategy<Vec<u8>> {
    use proptest::strategy::Strategy as _;
    static MADE: std::sync::LazyLock<Vec<Vec<u8>>> =
        std::sync::LazyLock::new(|| vec![backup::made_up(), backup::made_up(), backup::made_up()]);
    proptest::sample::select(MADE.clone()).boxed()
}
