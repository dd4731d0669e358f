//! What a daemon says of why it did not do something (RFC 9457).

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::daemon::ProblemCode;
use crate::encoding::objects;
use crate::kind::ErrorKind;

/// More of a text is cut off.
const MAX_TEXT: usize = 500;

/// Longer pauses are taken for this one.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// What a daemon says of why it did not do something.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The reason. `None` if it is one that this version does not know, or if the daemon gave
    /// none.
    pub code: Option<ProblemCode>,
    /// The status of the answer (RFC 9110).
    pub status: u16,
    /// What it says of this case, in a sentence, without control characters.
    pub detail: String,
    /// What it advises.
    pub help: Option<String>,
    /// After how long it may be tried again: at most an hour.
    pub retry_after: Option<Duration>,
    /// Under which number it is in the daemon's audit log.
    pub request: Option<String>,
}

#[derive(Deserialize)]
struct Told {
    code: Option<String>,
    title: Option<String>,
    detail: Option<String>,
    help: Option<String>,
    request: Option<String>,
    retry_after: Option<u64>,
}

impl Problem {
    /// Of an answer that is not 200. What is not JSON says nothing but its status.
    pub(super) fn read(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let told = objects::from_slice::<Told>(body).ok();
        let nothing = Told {
            code: None,
            title: None,
            detail: None,
            help: None,
            request: None,
            retry_after: None,
        };
        let told = told.unwrap_or(nothing);
        let pause = retry_after.or_else(|| told.retry_after.map(Duration::from_secs));
        let detail = told.detail.or(told.title).map(|text| shown(&text));
        Self {
            code: told.code.and_then(|code| code.parse().ok()),
            status,
            detail: detail.unwrap_or_else(|| format!("it answered with the status {status}")),
            help: told.help.map(|text| shown(&text)),
            retry_after: pause.map(|pause| pause.min(MAX_PAUSE)),
            request: told.request.map(|text| shown(&text)),
        }
    }

    #[cfg(test)]
    pub(crate) fn made_up(status: u16) -> Self {
        Self::read(status, None, b"")
    }

    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        use ProblemCode as Code;
        let Some(code) = self.code else { return self.kind_of_status() };
        match code {
            Code::Malformed | Code::MethodNotAllowed => ErrorKind::Unsupported,
            Code::NotAClient | Code::NotPermitted | Code::ContextNotAllowed => {
                ErrorKind::Permission
            }
            Code::ReservedMessage | Code::TooLarge => ErrorKind::InvalidInput,
            Code::CredentialRefused => ErrorKind::WrongCredential,
            Code::LockedOut => ErrorKind::LockedOut,
            Code::NotFound => ErrorKind::NotFound,
            Code::InstanceInUse | Code::TooManyInstances | Code::HandedOver => {
                ErrorKind::AlreadyExists
            }
            Code::NotARecipient => ErrorKind::OtherIdentity,
            Code::Deadline | Code::Busy | Code::Rate | Code::Stopping => ErrorKind::Busy,
            Code::Locked => ErrorKind::CredentialMissing,
            Code::DeviceAway => ErrorKind::DeviceAbsent,
            Code::AuditUnwritable => ErrorKind::Storage,
            Code::Internal => ErrorKind::External,
        }
    }

    const fn kind_of_status(&self) -> ErrorKind {
        match self.status {
            403 => ErrorKind::Permission,
            404 => ErrorKind::NotFound,
            413 => ErrorKind::InvalidInput,
            408 | 429 | 503 | 504 => ErrorKind::Busy,
            _ => ErrorKind::External,
        }
    }

    /// What to try next: what the daemon advises.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let seen = || "see why in the daemon's log".to_owned();
        Some(self.help.clone().unwrap_or_else(seen))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = self.detail.trim_end_matches('.');
        match self.code {
            Some(code) => write!(f, "{detail} ({code})"),
            None => f.write_str(detail),
        }
    }
}

/// On one line.
fn shown(text: &str) -> String {
    let safe = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    text.chars().take(MAX_TEXT).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_its_code_help_and_pause() {
        let body = br#"{"type": "urn:icn-identity:problem:rate", "title": "Too often.",
            "status": 429, "detail": "payments may ask 10 times a second.", "code": "rate",
            "help": "wait", "request": "0123456789abcdef", "retry_after": 7, "later": {}}"#;
        let problem = Problem::read(429, None, body);
        assert_eq!(problem.code, Some(ProblemCode::Rate));
        assert_eq!(problem.to_string(), "payments may ask 10 times a second (rate)");
        assert_eq!(problem.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(problem.help().as_deref(), Some("wait"));
        assert_eq!(problem.request.as_deref(), Some("0123456789abcdef"));
        assert_eq!(problem.kind(), ErrorKind::Busy);
        let header = Some(Duration::from_secs(1_000_000));
        assert_eq!(Problem::read(429, header, body).retry_after, Some(MAX_PAUSE));
    }

    #[test]
    fn what_is_no_problem_is_told_by_its_status() {
        for (status, kind) in [
            (403, ErrorKind::Permission),
            (429, ErrorKind::Busy),
            (503, ErrorKind::Busy),
            (500, ErrorKind::External),
            (200, ErrorKind::External),
        ] {
            for body in [&b""[..], b"<html>", b"[]", br#"{"code": "of-later"}"#, br#"{"code": 1}"#]
            {
                let problem = Problem::read(status, None, body);
                assert_eq!((problem.code, problem.kind()), (None, kind), "{status}");
                assert!(problem.to_string().contains(&status.to_string()));
                assert!(problem.help().is_some());
            }
        }
    }

    #[test]
    fn a_text_of_the_daemon_stays_on_its_line_and_short() {
        let detail = format!("a\\nerror: b\\u001b[2J{}", "x".repeat(10_000));
        let body = format!(r#"{{"detail": "{detail}", "code": "internal"}}"#);
        let shown = Problem::read(500, None, body.as_bytes()).to_string();
        assert!(shown.starts_with("a\u{fffd}error: b\u{fffd}[2Jx"), "{shown}");
        assert!(shown.chars().count() < 600 && !shown.contains(char::is_control), "{shown}");
    }

    /// No program sends a PIN again for it, and what passes by itself is told so.
    #[test]
    fn each_code_has_its_kind() {
        let unknown = "".parse::<ProblemCode>().unwrap_err();
        assert!(unknown.known().len() > 15);
        for code in unknown.known() {
            let code: ProblemCode = code.parse().unwrap();
            let body = format!(r#"{{"code": "{code}"}}"#);
            let problem = Problem::read(code.status(), None, body.as_bytes());
            assert_eq!(problem.code, Some(code));
            use ProblemCode as Code;
            let passes = [Code::Deadline, Code::Busy, Code::Rate, Code::Stopping, Code::DeviceAway];
            assert_eq!(problem.kind().is_transient(), passes.contains(&code), "{code}");
        }
    }
}
