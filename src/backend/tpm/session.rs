//! Sessions, salted to the storage key: what is secret travels encrypted, and
//! nobody between us and the TPM changes a command.

use tss_esapi::Context;
use tss_esapi::attributes::{SessionAttributes, SessionAttributesBuilder, SessionAttributesMask};
use tss_esapi::constants::SessionType;
use tss_esapi::handles::{KeyHandle, ObjectHandle, SessionHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::SymmetricDefinition;

use super::failure::{Doing as _, Failed};

/// A session that encrypts the first parameter of a command, both ways.
pub(super) fn encrypting(context: &mut Context, salt: KeyHandle) -> Result<AuthSession, Failed> {
    start(context, salt, SessionType::Hmac, attributes(true, true, true))
}

/// A policy session that encrypts what comes back.
pub(super) fn policy(context: &mut Context, salt: KeyHandle) -> Result<PolicySession, Failed> {
    let session = start(context, salt, SessionType::Policy, attributes(false, true, true))?;
    PolicySession::try_from(session).doing("start a session")
}

pub(super) fn handle(session: impl Into<AuthSession>) -> ObjectHandle {
    SessionHandle::from(session.into()).into()
}

/// The TPM flushes the session together with the next command that succeeds.
pub(super) fn ends_with_the_next(
    context: &mut Context,
    session: PolicySession,
) -> Result<(), Failed> {
    let (attributes, mask) = attributes(false, true, false);
    context.tr_sess_set_attributes(session.into(), attributes, mask).doing("end a session")
}

/// Tells the library that the TPM has flushed a session.
pub(super) fn has_ended(context: &mut Context, session: PolicySession) {
    // It complains that this was not a flush; its lists are right then.
    let _ = context.tr_close(&mut handle(session));
}

/// For signatures: nothing of them is secret, and commands have no parameter
/// that could be encrypted.
pub(super) fn for_signatures(context: &mut Context, session: PolicySession) -> Result<(), Failed> {
    let (attributes, mask) = attributes(false, false, true);
    context.tr_sess_set_attributes(session.into(), attributes, mask).doing("start a session")
}

fn attributes(
    decrypt: bool,
    encrypt: bool,
    go_on: bool,
) -> (SessionAttributes, SessionAttributesMask) {
    let all = SessionAttributesBuilder::new()
        .with_decrypt(true)
        .with_encrypt(true)
        .with_continue_session(true)
        .build();
    let attributes = SessionAttributesBuilder::new()
        .with_decrypt(decrypt)
        .with_encrypt(encrypt)
        .with_continue_session(go_on)
        .build();
    (attributes.0, all.1)
}

fn start(
    context: &mut Context,
    salt: KeyHandle,
    kind: SessionType,
    (attributes, mask): (SessionAttributes, SessionAttributesMask),
) -> Result<AuthSession, Failed> {
    let started = context.execute_without_session(|context| {
        context.start_auth_session(
            Some(salt),
            None,
            None,
            kind,
            SymmetricDefinition::AES_128_CFB,
            HashingAlgorithm::Sha256,
        )
    });
    let session = started
        .and_then(|session| {
            session.ok_or(tss_esapi::Error::WrapperError(
                tss_esapi::WrapperErrorKind::WrongValueFromTpm,
            ))
        })
        .doing("start a session")?;
    context
        .tr_sess_set_attributes(session, attributes, mask)
        .doing("start a session")
        .inspect_err(|_| {
            let _ = context.flush_context(handle(session));
        })?;
    Ok(session)
}
