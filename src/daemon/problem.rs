//! Why a daemon did not do what it was asked.

use crate::encoding::named;

/// Why a daemon did not do what it was asked: the `code` of its problem details (RFC 9457).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemCode {
    /// The request is not one: not HTTP, not JSON, a field that is missing or unknown.
    Malformed,
    /// No client of the configuration is the process that asks.
    NotAClient,
    /// The client may not have this done.
    NotPermitted,
    /// The client may not have signed for this context.
    ContextNotAllowed,
    /// The message could be taken for one of another protocol.
    ReservedMessage,
    /// A passphrase or PIN was refused. It was sent once.
    CredentialRefused,
    /// The device is locked; or it has one try left, for which the PIN was not sent.
    LockedOut,
    /// There is no such call, or nothing to answer with.
    NotFound,
    /// The call is not made by this method.
    MethodNotAllowed,
    /// The request did not come in time, or was not answered in time.
    Deadline,
    /// The instance of a TLS certificate is the daemon's own, or another client's.
    InstanceInUse,
    /// The client has TLS certificates as so many instances as it may, or all clients have.
    TooManyInstances,
    /// The identity has handed over to another one.
    HandedOver,
    /// The request is longer than is taken.
    TooLarge,
    /// The file was not encrypted to this identity, or its header was changed.
    NotARecipient,
    /// Too many requests wait already.
    Busy,
    /// The client has asked as often as it may.
    Rate,
    /// It failed in a way that says no more.
    Internal,
    /// No key is open.
    Locked,
    /// The device with the key cannot be reached now.
    DeviceAway,
    /// The audit log cannot be written, so that nothing is done.
    AuditUnwritable,
    /// The daemon is about to stop.
    Stopping,
}

impl ProblemCode {
    /// Each of them.
    pub const ALL: &'static [Self] = &[
        Self::Malformed,
        Self::NotAClient,
        Self::NotPermitted,
        Self::ContextNotAllowed,
        Self::ReservedMessage,
        Self::CredentialRefused,
        Self::LockedOut,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Deadline,
        Self::InstanceInUse,
        Self::TooManyInstances,
        Self::HandedOver,
        Self::TooLarge,
        Self::NotARecipient,
        Self::Busy,
        Self::Rate,
        Self::Internal,
        Self::Locked,
        Self::DeviceAway,
        Self::AuditUnwritable,
        Self::Stopping,
    ];
}

named! {
    /// The name in the field `code`: `not-a-client`, `rate`, …
    ProblemCode, "the code of a problem":
    Malformed => "malformed", NotAClient => "not-a-client", NotPermitted => "not-permitted",
    ContextNotAllowed => "context-not-allowed", ReservedMessage => "reserved-message",
    CredentialRefused => "credential-refused", LockedOut => "locked-out",
    NotFound => "not-found",
    MethodNotAllowed => "method-not-allowed", Deadline => "deadline",
    InstanceInUse => "instance-in-use", TooManyInstances => "too-many-instances",
    HandedOver => "handed-over", TooLarge => "too-large",
    NotARecipient => "not-a-recipient", Busy => "busy", Rate => "rate", Internal => "internal",
    Locked => "locked", DeviceAway => "device-away", AuditUnwritable => "audit-unwritable",
    Stopping => "stopping",
}

impl ProblemCode {
    /// The status of the answer (RFC 9110). One that was not ready in time is 504, and of a
    /// request that did not come in time 408 instead.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::NotAClient
            | Self::NotPermitted
            | Self::ContextNotAllowed
            | Self::ReservedMessage
            | Self::CredentialRefused
            | Self::LockedOut => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::InstanceInUse | Self::TooManyInstances | Self::HandedOver => 409,
            Self::TooLarge => 413,
            Self::NotARecipient => 422,
            Self::Busy | Self::Rate => 429,
            Self::Internal => 500,
            Self::Locked | Self::DeviceAway | Self::AuditUnwritable | Self::Stopping => 503,
            Self::Deadline => 504,
        }
    }

    /// What it means, the same for each problem of this code.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Malformed => "The request is not valid.",
            Self::NotAClient => "This process is no client of the daemon.",
            Self::NotPermitted => "This client may not make this call.",
            Self::ContextNotAllowed => "This client may not sign for this context.",
            Self::ReservedMessage => "The message could be taken for one of another protocol.",
            Self::CredentialRefused => "The passphrase or PIN was refused.",
            Self::LockedOut => "The device takes no PIN until somebody sees to it.",
            Self::NotFound => "There is nothing here.",
            Self::MethodNotAllowed => "This call is made by another method.",
            Self::Deadline => "The time for this request is over.",
            Self::InstanceInUse => "This instance is the daemon's own, or another client's.",
            Self::TooManyInstances => "There are as many instances as there may be.",
            Self::HandedOver => "This identity has handed over to another one.",
            Self::TooLarge => "The request is too long.",
            Self::NotARecipient => "This identity cannot open the file.",
            Self::Busy => "Too many requests wait already.",
            Self::Rate => "This client has asked too often.",
            Self::Internal => "The daemon failed.",
            Self::Locked => "No key is open.",
            Self::DeviceAway => "The device with the key cannot be reached.",
            Self::AuditUnwritable => "The audit log cannot be written, so nothing was done.",
            Self::Stopping => "The daemon is about to stop.",
        }
    }

    /// `urn:icn-identity:problem:<code>`
    #[must_use]
    pub fn urn(self) -> String {
        format!("urn:icn-identity:problem:{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_left_out_of_all() {
        let source = include_str!("problem.rs");
        let (_, body) = source.split_once("pub enum ProblemCode {\n").unwrap();
        let (body, _) = body.split_once("\n}").unwrap();
        let named = body.lines().filter(|line| line.ends_with(',')).count();
        let different: std::collections::HashSet<_> = ProblemCode::ALL.iter().collect();
        assert_eq!((ProblemCode::ALL.len(), different.len()), (named, named));
    }

    #[test]
    fn what_may_succeed_later_is_told_by_its_status() {
        for (code, status) in [
            ("busy", 429),
            ("rate", 429),
            ("device-away", 503),
            ("audit-unwritable", 503),
            ("locked", 503),
            ("not-a-client", 403),
            ("credential-refused", 403),
            ("locked-out", 403),
            ("malformed", 400),
        ] {
            let code: ProblemCode = code.parse().unwrap();
            assert_eq!(code.status(), status, "{code}");
            assert_eq!(code.urn(), format!("urn:icn-identity:problem:{code}"));
            assert!(code.title().ends_with('.'));
        }
    }
}
