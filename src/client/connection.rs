//! HTTP/1.1 over a Unix socket: one request after the other, each with an end.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

use super::{ClientError, Problem};
use crate::encoding::objects;

/// The longest head of an answer.
const MAX_HEAD: usize = 16 * 1024;
/// The longest body of an answer.
const MAX_BODY: usize = 1024 * 1024;
const MAX_HEADERS: usize = 32;
/// The longest body of a request that a daemon takes.
const MAX_REQUEST: usize = 64 * 1024;

/// When a call has to be done.
pub(super) struct Deadline {
    end: Instant,
    limit: Duration,
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        let now = Instant::now();
        // One that no clock reaches is as far as none.
        Self { end: now.checked_add(limit).unwrap_or(now), limit }
    }

    /// Never nothing, which would be "for ever" to the system.
    pub(super) fn left(&self) -> Result<Duration, ClientError> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(self.is_over()) } else { Ok(left.max(Duration::from_millis(1))) }
    }

    pub(super) const fn is_over(&self) -> ClientError {
        ClientError::Deadline { limit: self.limit }
    }

    fn of(&self, error: io::Error) -> ClientError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.is_over(),
            _ => ClientError::Io(error),
        }
    }
}

/// Why a request has no answer.
pub(super) enum Lost {
    /// The daemon had closed the connection while nothing was under way: it has not done
    /// anything.
    Idle,
    Failed(ClientError),
}

impl From<ClientError> for Lost {
    fn from(error: ClientError) -> Self {
        Self::Failed(error)
    }
}

pub(super) struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// The body of an answer that says yes.
    pub(super) fn body(self) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        match self.status {
            200 => Ok(self.body),
            status => {
                let problem = Problem::read(status, self.retry_after, &self.body);
                Err(ClientError::Problem(problem.into()))
            }
        }
    }

    pub(super) fn read<T: for<'de> Deserialize<'de>>(self) -> Result<T, ClientError> {
        read(&self.body()?)
    }
}

/// Reads a JSON object. Members that this version does not know are passed over.
pub(super) fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, ClientError> {
    let malformed =
        |_| ClientError::Malformed { expected: "a JSON object with the fields of this call" };
    objects::from_slice(body).map_err(malformed)
}

pub(super) struct Connection {
    stream: UnixStream,
    /// Room for the head of an answer, and for what comes with it.
    head: Zeroizing<Vec<u8>>,
    /// Whether it has been answered by the daemon that has the key.
    pub(super) is_proven: bool,
    /// Whether an answer has come on it before.
    has_answered: bool,
    /// Whether another request may be sent.
    pub(super) is_open: bool,
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> Self {
        let head = Zeroizing::new(vec![0; MAX_HEAD]);
        Self { stream, head, is_proven: false, has_answered: false, is_open: true }
    }

    /// **Blocks** until the answer is complete or the time is over. After an error the
    /// connection is not to be used again.
    pub(super) fn exchange(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
        deadline: &Deadline,
    ) -> Result<Answer, Lost> {
        self.is_open = false;
        if body.is_some_and(|body| body.len() > MAX_REQUEST) {
            return Err(ClientError::RequestTooLong { limit: MAX_REQUEST }.into());
        }
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        if let Some(body) = body {
            let length = body.len();
            head.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {length}\r\n"
            ));
        }
        head.push_str("\r\n");
        let sent = self.send(head.as_bytes(), deadline);
        let sent = sent.and_then(|()| self.send(body.unwrap_or_default(), deadline));
        match sent {
            // The answer may have come already, as that the request is too long.
            Ok(()) | Err(ClientError::Closed) => self.answer(deadline),
            Err(error) => Err(error.into()),
        }
    }

    fn send(&self, mut bytes: &[u8], deadline: &Deadline) -> Result<(), ClientError> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(deadline.left()?)).map_err(ClientError::Io)?;
            // No signal kills the program when the other end is closed.
            match send(&self.stream, bytes, SendFlags::NOSIGNAL) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(ClientError::Closed),
                Err(error) => return Err(deadline.of(error.into())),
            }
        }
        Ok(())
    }

    fn answer(&mut self, deadline: &Deadline) -> Result<Answer, Lost> {
        let mut filled = 0;
        let (length, head) = loop {
            let place = self.head.get_mut(filled..).unwrap_or_default();
            if place.is_empty() {
                return Err(ClientError::AnswerTooLong { limit: MAX_HEAD }.into());
            }
            let received = receive(&self.stream, place, deadline)?;
            if received == 0 {
                return Err(match filled == 0 && self.has_answered {
                    true => Lost::Idle,
                    false => ClientError::Closed.into(),
                });
            }
            filled += received;
            if let Some(found) = Head::parse(self.head.get(..filled).unwrap_or_default())? {
                break found;
            }
        };
        let mut body = Zeroizing::new(vec![0; head.body]);
        let come = self.head.get(length..filled).unwrap_or_default();
        match body.split_at_mut_checked(come.len()) {
            Some((first, mut rest)) => {
                first.copy_from_slice(come);
                while !rest.is_empty() {
                    let received = receive(&self.stream, rest, deadline)?;
                    if received == 0 {
                        return Err(ClientError::Closed.into());
                    }
                    rest = rest.get_mut(received..).unwrap_or_default();
                }
            }
            None => {
                let expected = "one answer, and nothing after it";
                return Err(ClientError::Malformed { expected }.into());
            }
        }
        self.head.get_mut(..filled).unwrap_or_default().zeroize();
        (self.has_answered, self.is_open) = (true, head.stays_open);
        Ok(Answer { status: head.status, retry_after: head.retry_after, body })
    }
}

fn receive(
    mut stream: &UnixStream,
    place: &mut [u8],
    deadline: &Deadline,
) -> Result<usize, ClientError> {
    loop {
        stream.set_read_timeout(Some(deadline.left()?)).map_err(ClientError::Io)?;
        match io::Read::read(&mut stream, place) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Closed with something unread at the other end.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(0),
            received => return received.map_err(|error| deadline.of(error)),
        }
    }
}

/// What the head of an answer says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Bytes that follow.
    body: usize,
    retry_after: Option<Duration>,
    stays_open: bool,
}

impl Head {
    /// With its length, once it is complete.
    fn parse(bytes: &[u8]) -> Result<Option<(usize, Self)>, ClientError> {
        let malformed = |expected| ClientError::Malformed { expected };
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(bytes).map_err(|_| malformed("an answer in HTTP/1.1"))?;
        let httparse::Status::Complete(length) = parsed else { return Ok(None) };
        let status = response.code.unwrap_or_default();
        let mut head =
            Self { status, body: 0, retry_after: None, stays_open: response.version == Some(1) };
        if !(200..=599).contains(&status) {
            return Err(malformed("a final status"));
        }
        let mut body = None;
        for header in response.headers.iter() {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                let length = number(header.value).filter(|_| body.is_none());
                body = Some(length.ok_or(malformed("one Content-Length"))?);
            } else if is("transfer-encoding") || is("content-encoding") {
                return Err(malformed("an answer with a length, as it is"));
            } else if is("connection") {
                let mut options = header.value.split(|byte| *byte == b',');
                head.stays_open &=
                    !options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
            } else if is("retry-after") {
                // A date is passed over.
                head.retry_after = number(header.value).map(Duration::from_secs);
            }
        }
        let body = body.ok_or(malformed("one Content-Length"))?;
        let body = usize::try_from(body).ok().filter(|body| *body <= MAX_BODY);
        head.body = body.ok_or(ClientError::AnswerTooLong { limit: MAX_BODY })?;
        Ok(Some((length, head)))
    }
}

/// A whole head, with what is taken from it alone.
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(super) fn reread_head(bytes: &[u8]) -> Option<Vec<u8>> {
    let (length, head) = Head::parse(bytes).ok()??;
    assert!(length <= bytes.len() && head.body <= MAX_BODY);
    let Head { status, body, retry_after, stays_open } = head;
    let mut text = format!("HTTP/1.1 {status} x\r\nContent-Length: {body}\r\n");
    if let Some(pause) = retry_after {
        text.push_str(&format!("Retry-After: {}\r\n", pause.as_secs()));
    }
    if !stays_open {
        text.push_str("Connection: close\r\n");
    }
    Some((text + "\r\n").into_bytes())
}

/// Digits alone.
fn number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?.trim_ascii();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &str) -> Result<Option<(usize, Head)>, ClientError> {
        Head::parse(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes())
    }

    #[test]
    fn a_head_says_how_long_its_answer_is_and_whether_another_may_follow() {
        let (length, whole) = head("content-length: 12\r\nRetry-After: 3\r\n").unwrap().unwrap();
        let retry_after = Some(Duration::from_secs(3));
        assert_eq!(whole, Head { status: 200, body: 12, retry_after, stays_open: true });
        assert_eq!(length, 55);
        let closes = head("Content-Length: 0\r\nConnection: keep-alive, Close\r\n");
        assert!(!closes.unwrap().unwrap().1.stays_open);
        let old = Head::parse(b"HTTP/1.0 503 x\r\nContent-Length: 0\r\n\r\n").unwrap().unwrap();
        assert_eq!((old.1.status, old.1.stays_open), (503, false));
        for part in 0..length {
            let text = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\nRetry-After: 3\r\n\r\n";
            assert!(matches!(Head::parse(&text[..part]), Ok(None)), "{part}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for lines in [
            "",
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 0x1\r\n",
            "Content-Length: 99999999999999999999999\r\n",
            "Content-Length:\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Content-Length: 1\r\nContent-Encoding: gzip\r\n",
            "Content-Length : 1\r\n",
            "\0: 1\r\n",
        ] {
            let refused = head(lines);
            assert!(matches!(refused, Err(ClientError::Malformed { .. })), "{lines:?} {refused:?}");
        }
        let long = head("Content-Length: 1048577\r\n");
        assert!(matches!(long, Err(ClientError::AnswerTooLong { limit: MAX_BODY })));
        let many: String = (0..=MAX_HEADERS).map(|number| format!("a{number}: b\r\n")).collect();
        assert!(matches!(head(&many), Err(ClientError::Malformed { .. })));
        for line in ["HTTP/2 200 OK", "HTTP/1.1 100 Continue", "HTTP/1.1 999 x", "SSH-2.0-x"] {
            let text = format!("{line}\r\nContent-Length: 0\r\n\r\n");
            assert!(
                matches!(Head::parse(text.as_bytes()), Err(ClientError::Malformed { .. })),
                "{line}"
            );
        }
    }
}
