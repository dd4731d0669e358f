//! What a client is told that is not given what it asked for: RFC 9457.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use icn_identity::Error;
use icn_identity::audit::{AuditError, RequestId};
use icn_identity::daemon::{Denied, InvalidRequest, ProblemCode, ReservedForm};
use icn_identity::error::{DeviceError, ErrorKind, OpenError, Pkcs11Error, in_full};
use icn_identity::evidence::Lockout;
use serde_json::{Value, json};

use crate::words::of_operator;

/// Why a request was not done.
///
/// As a response it is without its body: that is written where the number of the request is
/// known.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) code: ProblemCode,
    detail: String,
    help: Option<String>,
    retry_after: Option<Duration>,
    status: Option<StatusCode>,
    /// It came to no call that would write it down.
    wants_line: bool,
    /// What the audit log calls it, where its code would say something else.
    reason: Option<ErrorKind>,
}

impl Problem {
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        let retry_after = match code {
            ProblemCode::Busy | ProblemCode::DeviceAway | ProblemCode::Stopping => 1,
            ProblemCode::AuditUnwritable => 5,
            _ => 0,
        };
        let retry_after = (retry_after > 0).then(|| Duration::from_secs(retry_after));
        let (detail, wants_line) = (detail.into(), false);
        let help = step(code).map(str::to_owned);
        Self { code, detail, help, retry_after, status: None, wants_line, reason: None }
    }

    /// Why, for the audit log.
    pub(crate) fn reason(&self) -> &'static str {
        self.reason.map_or(self.code.as_str(), ErrorKind::as_str)
    }

    pub(crate) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status: Some(status), ..self }
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::Malformed, detail)
            .with_help("correct the request: docs/operations.md lists each call with its fields")
            .of_no_call()
    }

    /// What was asked for is no call that would write down that it is refused.
    pub(crate) fn of_no_call(self) -> Self {
        Self { wants_line: true, ..self }
    }

    pub(crate) const fn wants_line(&self) -> bool {
        self.wants_line
    }

    /// A body that is not what the call takes.
    pub(crate) fn invalid(error: &InvalidRequest) -> Self {
        let problem = Self::malformed(error.to_string());
        match error.help() {
            Some(help) => problem.with_help(help),
            None => problem,
        }
    }

    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::Internal, detail).with_help("look at the log of icnd")
    }

    pub(crate) fn locked() -> Self {
        Self::new(ProblemCode::Locked, "icnd is locked").with_help(
            "have a client with \"admin\" unlock it: POST /v1/unlock with the PIN or passphrase",
        )
    }

    /// Why policy does not allow it.
    pub(crate) fn denied(denied: &Denied, uid: u32, gid: u32) -> Self {
        let wanted = denied.permission.map(|permission| format!("{:?}", permission.as_str()));
        let detail = match (denied.code, denied.form) {
            (ProblemCode::NotAClient, _) => {
                format!("no [[daemon.client]] is user {uid} of group {gid}")
            }
            (_, Some(form)) => format!("the message could be taken for {form}"),
            (code, None) => {
                let title = code.title().trim_end_matches('.');
                wanted.as_ref().map_or(title.to_owned(), |it| format!("{title}, which wants {it}"))
            }
        };
        let help = match denied.code {
            ProblemCode::NotAClient => {
                "add a [[daemon.client]] to icn.toml, then reload icnd".to_owned()
            }
            ProblemCode::NotPermitted => {
                let wanted = wanted.as_deref().unwrap_or("the permission");
                format!("add {wanted} to `may` of this client in icn.toml, then reload icnd")
            }
            ProblemCode::ContextNotAllowed => {
                "add the context to `contexts` of this client in icn.toml, then reload icnd"
                    .to_owned()
            }
            ProblemCode::ReservedMessage if denied.form == Some(ReservedForm::Digest) => {
                "sign the message itself, or its SHA-512 for a context: POST /v1/sign".to_owned()
            }
            ProblemCode::ReservedMessage => "sign it for a context: POST /v1/sign".to_owned(),
            ProblemCode::Rate => match denied.retry_after.map(whole_seconds) {
                Some(1) => "wait 1 second, then ask again".to_owned(),
                Some(seconds) => format!("wait {seconds} seconds, then ask again"),
                None => "wait, then ask again".to_owned(),
            },
            _ => return Self::new(denied.code, detail),
        };
        let mut problem = Self::new(denied.code, detail).with_help(help);
        problem.retry_after = denied.retry_after.or(problem.retry_after);
        problem
    }

    /// Why the key did not do it. What a device says may name what is none of a client's
    /// business: that is for the log.
    pub(crate) fn of_key(error: &Error) -> Self {
        if error.kind() == ErrorKind::LockedOut {
            return Self::locked_out(error);
        }
        if error.is_wrong_credential() {
            let help = match is_passphrase(error) {
                true => "check the passphrase, and the keyboard layout, then unlock it again",
                false if never_locks(error) => "check the PIN, then unlock it again",
                false => "do not send the same one again: each wrong PIN counts",
            };
            return Self::new(ProblemCode::CredentialRefused, error.to_string()).with_help(help);
        }
        if let Error::Decrypt(error) = error {
            return Self::new(ProblemCode::NotARecipient, error.to_string())
                .with_help("encrypt it to this identity: the DID document has its key");
        }
        match error.kind() {
            ErrorKind::DeviceAbsent | ErrorKind::DeviceFailed | ErrorKind::Busy => {
                Self::new(ProblemCode::DeviceAway, "the device with the key cannot be used now")
                    .with_help("wait, then ask again; the log of icnd says what the device said")
            }
            ErrorKind::InUse => Self::new(ProblemCode::Busy, "another process holds the identity")
                .with_help("wait, then ask again"),
            kind @ ErrorKind::CredentialMissing => Self {
                reason: Some(kind),
                ..Self::new(ProblemCode::Locked, error.to_string())
                    .with_help("unlock with the credential that is wanted")
            },
            // A use of the key has a line that says so.
            ErrorKind::InvalidInput => {
                Self { wants_line: false, ..Self::malformed(error.to_string()) }
            }
            kind => Self { reason: Some(kind), ..Self::internal("the key could not be used") },
        }
    }

    /// The device takes no PIN, or icnd does not send it the last one that it takes: with the
    /// step that a start names. A TPM that frees itself with time has a pause.
    fn locked_out(error: &Error) -> Self {
        let detail = error.device().map_or_else(|| error.to_string(), ToString::to_string);
        let mut problem = Self::new(ProblemCode::LockedOut, detail);
        if let Some(help) = error.help() {
            problem = problem.with_help(of_operator(&help));
        }
        if !error.is_wrong_credential() {
            problem.retry_after = Some(Duration::from_secs(60));
        }
        problem
    }

    /// With the step that its operator has in the log, file and command: for a client, see
    /// [`Self::of_stranger`].
    pub(crate) fn audit(error: &AuditError) -> Self {
        let step = error.help().map(|help| of_operator(&help));
        let in_log = step.as_ref().map_or_else(String::new, |step| format!("; {step}"));
        tracing::error!("the audit log cannot be written: {}{in_log}", in_full(error));
        let problem = Self::new(ProblemCode::AuditUnwritable, UNWRITABLE).of_stranger();
        match step {
            Some(step) => problem.with_help(step),
            None => problem,
        }
    }

    /// Who is no client is told of no file of icnd's.
    pub(crate) fn of_stranger(self) -> Self {
        match self.code {
            ProblemCode::AuditUnwritable => {
                self.with_help("have the operator of icnd look at its log, which says what to do")
            }
            _ => self,
        }
    }

    fn status(&self) -> StatusCode {
        let of_code = || StatusCode::from_u16(self.code.status()).ok();
        self.status.or_else(of_code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What is sent of it, with the number of a request that was read.
    pub(crate) fn body(&self, request: Option<RequestId>) -> Value {
        let seconds = self.retry_after.map(whole_seconds);
        let mut body = json!({
            "type": self.code.urn(),
            "title": self.code.title(),
            "status": self.status().as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        if let Some(object) = body.as_object_mut() {
            let request = request.map(|request| request.to_string());
            object.extend(request.map(|request| ("request".to_owned(), request.into())));
            let help = self.help.as_deref();
            object.extend(help.map(|help| ("help".to_owned(), help.into())));
            object.extend(seconds.map(|seconds| ("retry_after".to_owned(), seconds.into())));
        }
        body
    }

    /// As it is sent.
    pub(crate) fn respond(self, request: RequestId) -> Response<Body> {
        let body = self.body(Some(request));
        let (code, status) = (self.code, self.status());
        let seconds = self.retry_after.map(whole_seconds);
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        // What was not read of a request is not taken for the next one.
        if matches!(code, ProblemCode::Stopping | ProblemCode::TooLarge)
            || status == StatusCode::REQUEST_TIMEOUT
        {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

const UNWRITABLE: &str = "the audit log cannot be written, so nothing was done";

/// What to do about it, where the problem itself says nothing.
const fn step(code: ProblemCode) -> Option<&'static str> {
    match code {
        ProblemCode::NotFound => {
            Some("ask for another one: docs/operations.md lists each call with its path")
        }
        ProblemCode::MethodNotAllowed => {
            Some("make the call by the method that the header Allow names")
        }
        ProblemCode::Deadline | ProblemCode::Busy => Some("wait, then ask again"),
        ProblemCode::Stopping => Some("wait until icnd is started again, then ask again"),
        ProblemCode::Locked => Some("unlock it again, if it is still to be open: POST /v1/unlock"),
        _ => None,
    }
}

/// Not too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Whether the device has said that wrong PINs do not lock it.
fn never_locks(error: &Error) -> bool {
    matches!(
        error.device(),
        Some(DeviceError::Pkcs11(Pkcs11Error::WrongPin { lockout: Some(Lockout::Never), .. }))
    )
}

/// Whether a passphrase was refused, which no device counts, and not a PIN.
const fn is_passphrase(error: &Error) -> bool {
    matches!(error, Error::Open(OpenError::WrongPassphrase | OpenError::OddPassphrase { .. }))
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}
