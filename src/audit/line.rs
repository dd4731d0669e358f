//! A line: how it is written, and read again.
//!
//! ```json
//! {"seq":17,"at":"2026-11-28T10:00:00.123Z","chain":"…","prev":"…","event":"sign",…,"hash":"…"}
//! ```
//!
//! `hash` is the SHA-256 of all that is before `,"hash"`; `prev` is the `hash` of the line
//! before. So a changed line is known by itself, and one that is not where it belongs by
//! its neighbours.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::entry::Entry;
use crate::did::Did;
use crate::encoding::{hex, objects};
use crate::secret::{NoRandomness, fill_random};

/// The highest number of a line: what JSON's numbers hold everywhere (RFC 8259, section 6).
pub(super) const MAX_SEQ: u64 = (1 << 53) - 1;

/// The longest line, in bytes. Those that are written are much shorter.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// What every line begins with.
pub(super) const START: &[u8] = b"{\"seq\":";

/// What comes before the hash of a line.
pub(super) const HASH: &str = ",\"hash\":\"";
/// With the hash, and what closes the line.
const END: usize = HASH.len() + 64 + 2;

/// What stands for a log that goes on from file to file: 8 random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChainId(pub(super) [u8; 8]);

impl ChainId {
    pub(super) fn fresh() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 8];
        fill_random(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

/// Which line: what the next one names as the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) chain: ChainId,
    pub(super) seq: u64,
    pub(super) hash: [u8; 32],
}

impl Link {
    /// Before the first line there is none: its number is 0, and its hash zeros.
    pub(super) fn before_first() -> Result<Self, NoRandomness> {
        Ok(Self { chain: ChainId::fresh()?, seq: 0, hash: [0; 32] })
    }
}

/// What a line is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content<'a> {
    /// Of the identity whose key it is about: several may write one log.
    Entry(&'a Did, &'a Entry),
    /// The first line of a log, and what is before it in its file.
    Begin(&'a Did, Option<Torn>),
    /// The first line of each later file, where the line before is in another one; and what
    /// is before it in its file.
    Continue(&'a Did, Option<Torn>),
    /// The bytes before it are none.
    Torn(Torn),
}

/// What is between two lines and is none: what a writer left that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Torn {
    pub(super) bytes: u64,
    pub(super) sha256: [u8; 32],
}

impl Torn {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let sha256 = Sha256::digest(bytes).into();
        Self { bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX), sha256 }
    }
}

pub(super) const BEGIN: &str = "begin";
pub(super) const CONTINUE: &str = "continue";
pub(super) const TORN: &str = "torn";

/// All that can be in a line, in its order.
#[derive(Serialize)]
struct Written<'a> {
    seq: u64,
    at: &'a str,
    chain: String,
    prev: String,
    event: &'a str,
    #[serde(flatten)]
    fields: Fields<'a>,
}

#[derive(Default, Serialize)]
struct Fields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exe: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    did: Option<&'a Did>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    torn: Option<String>,
}

impl<'a> Fields<'a> {
    fn of(content: Content<'a>) -> (&'static str, Self) {
        match content {
            Content::Begin(did, torn) => (BEGIN, Self { did: Some(did), ..Self::of_torn(torn) }),
            Content::Continue(did, torn) => {
                (CONTINUE, Self { did: Some(did), ..Self::of_torn(torn) })
            }
            Content::Torn(torn) => (TORN, Self::of_torn(Some(torn))),
            Content::Entry(did, entry) => {
                (entry.event.as_str(), Self { did: Some(did), ..Self::of_entry(entry) })
            }
        }
    }

    fn of_torn(torn: Option<Torn>) -> Self {
        Self {
            bytes: torn.map(|torn| torn.bytes),
            torn: torn.map(|torn| hex::encode(&torn.sha256)),
            ..Self::default()
        }
    }

    fn of_entry(entry: &'a Entry) -> Self {
        let requester = entry.requester.as_ref();
        Self {
            result: Some(entry.outcome.as_str()),
            reason: entry.outcome.reason(),
            request: entry.request.map(|request| request.to_string()),
            client: entry.client.as_deref(),
            uid: requester.map(|requester| requester.uid),
            gid: requester.map(|requester| requester.gid),
            pid: requester.map(|requester| requester.pid),
            exe: requester.and_then(|requester| requester.exe.as_deref()),
            unit: requester.and_then(|requester| requester.unit.as_deref()),
            context: entry.context.as_deref(),
            message: entry.message.map(|tag| tag.to_string()),
            length: entry.length,
            count: entry.count,
            instance: entry.instance.map(|instance| instance.to_string()),
            tls_key: entry.tls_key.map(|digest| hex::encode(&digest)),
            ..Self::default()
        }
    }
}

/// Writes the line after another one, with its end, and gives which one it is.
pub(super) fn write(into: &mut Vec<u8>, after: &Link, at: &str, content: Content<'_>) -> Link {
    let (event, fields) = Fields::of(content);
    let seq = after.seq.saturating_add(1);
    let (chain, prev) = (after.chain.to_string(), hex::encode(&after.hash));
    let written = Written { seq, at, chain, prev, event, fields };
    let start = into.len();
    // Text and numbers, into memory: nothing here can fail.
    let _ = serde_json::to_writer(&mut *into, &written);
    // The brace that closes it comes after the hash.
    into.pop();
    let hash: [u8; 32] = Sha256::digest(into.get(start..).unwrap_or_default()).into();
    into.extend_from_slice(HASH.as_bytes());
    into.extend_from_slice(hex::encode(&hash).as_bytes());
    into.extend_from_slice(b"\"}\n");
    Link { chain: after.chain, seq, hash }
}

/// A line that was read, and is as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) link: Link,
    pub(super) prev: [u8; 32],
    pub(super) read: Read,
}

/// What a line says. A newer version may say more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Read {
    seq: u64,
    pub(super) at: String,
    #[serde(with = "hex")]
    chain: [u8; 8],
    #[serde(with = "hex")]
    prev: [u8; 32],
    pub(super) event: String,
    pub(super) result: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) request: Option<String>,
    pub(super) client: Option<String>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) pid: Option<u32>,
    pub(super) exe: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) context: Option<String>,
    pub(super) message: Option<String>,
    pub(super) length: Option<u64>,
    pub(super) count: Option<u64>,
    pub(super) instance: Option<String>,
    pub(super) tls_key: Option<String>,
    pub(super) did: Option<String>,
    pub(super) bytes: Option<u64>,
    pub(super) torn: Option<String>,
}

/// Why bytes are no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoLine {
    /// It has an end as a line has one, and is not what that says: it was changed.
    Changed,
    /// It has no such end: it was cut off, or is something else.
    Incomplete,
}

impl Line {
    /// Reads a line, without its end.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, NoLine> {
        let split = bytes.len().checked_sub(END).and_then(|at| bytes.split_at_checked(at));
        let (body, end) = split.ok_or(NoLine::Incomplete)?;
        let hash = end.strip_prefix(HASH.as_bytes()).and_then(|end| end.strip_suffix(b"\"}"));
        let hash = hash.and_then(|hash| hex::decode(std::str::from_utf8(hash).ok()?));
        let hash: Option<[u8; 32]> = hash.and_then(|hash| hash.try_into().ok());
        let hash = hash.ok_or(NoLine::Incomplete)?;
        if hash != <[u8; 32]>::from(Sha256::digest(body)) {
            return Err(NoLine::Changed);
        }
        let read: Read = objects::from_slice(bytes).map_err(|_| NoLine::Changed)?;
        if read.seq > MAX_SEQ {
            return Err(NoLine::Changed);
        }
        let (prev, link) = (read.prev, Link { chain: ChainId(read.chain), seq: read.seq, hash });
        Ok(Self { link, prev, read })
    }

    /// Whether it is the one after another.
    pub(super) fn follows(&self, before: &Link) -> bool {
        self.link.chain == before.chain
            && before.seq.checked_add(1) == Some(self.link.seq)
            && self.prev == before.hash
    }

    pub(super) fn is(&self, event: &str) -> bool {
        self.read.event == event
    }

    /// Whether it is the first one of a file.
    pub(super) fn begins_a_file(&self) -> bool {
        self.is(BEGIN) || self.is(CONTINUE)
    }

    /// What is before it and no line, if it says so.
    pub(super) fn torn(&self) -> Option<Torn> {
        let sha256 = hex::decode(self.read.torn.as_deref()?)?.try_into().ok()?;
        Some(Torn { bytes: self.read.bytes?, sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Event, MessageHash, RequestId, Requester};

    fn link() -> Link {
        Link { chain: ChainId([0xab; 8]), seq: 16, hash: [0xcd; 32] }
    }

    fn did() -> Did {
        crate::key::Key::<crate::Software, crate::Unlocked>::from_seed(&[1; 32]).did().clone()
    }

    fn full() -> Entry {
        let key = crate::key::Key::<crate::Software, crate::Unlocked>::from_seed(&[1; 32]);
        let bundle = crate::IdentityBundle::issue(key).unwrap();
        let tag = crate::audit::AuditKey::of(&bundle).tag(&MessageHash::of(b"a secret"));
        Entry::failed(Event::SignRaw, "device-absent")
            .with_request(RequestId::fresh().unwrap())
            .with_client("payments")
            .with_requester(&Requester::ours())
            .with_context("a \"b\"}\n{\u{1b}\u{202e}")
            .with_message(tag)
            .with_length(8)
    }

    #[test]
    fn a_line_is_read_as_it_was_written_and_names_the_one_before() {
        let mut text = Vec::new();
        let written =
            write(&mut text, &link(), "2026-11-28T10:00:00.123Z", Content::Entry(&did(), &full()));
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1);
        let line = Line::parse(text.strip_suffix(b"\n").unwrap()).unwrap();
        assert_eq!(line.link, written);
        assert!(line.follows(&link()) && line.link.seq == 17);
        let shown = String::from_utf8(text).unwrap();
        assert!(shown.starts_with(
            "{\"seq\":17,\"at\":\"2026-11-28T10:00:00.123Z\",\"chain\":\"abababababababab\",\
             \"prev\":\"cdcd"
        ));
        assert!(
            shown.contains(
                "\"event\":\"sign-raw\",\"result\":\"failed\",\"reason\":\"device-absent\""
            )
        );
        assert!(!shown.contains("a secret"), "{shown}");
        assert_eq!(line.read.did.as_deref(), Some(did().as_str()));
        assert_eq!(line.read.context.as_deref(), full().context.as_deref());
        assert_eq!(line.read.uid, Some(rustix::process::getuid().as_raw()));
    }

    #[test]
    fn each_changed_byte_and_each_cut_is_known_by_the_line_alone() {
        let mut text = Vec::new();
        write(&mut text, &link(), "2026-11-28T10:00:00.123Z", Content::Entry(&did(), &full()));
        text.pop();
        for place in 0..text.len() {
            for change in [1, 0x20, 0x80] {
                let mut changed = text.clone();
                changed[place] ^= change;
                assert!(Line::parse(&changed).is_err(), "{place}");
            }
            // What a writer leaves that was cut off does not look like a line.
            assert_eq!(Line::parse(&text[..place]), Err(NoLine::Incomplete), "{place}");
        }
        let place = text.len() / 2;
        text[place] ^= 1;
        assert_eq!(Line::parse(&text), Err(NoLine::Changed));
    }

    #[test]
    fn a_line_stays_short_whatever_is_in_it() {
        let text = "\u{1}".repeat(5000);
        let entry = full().with_context(&text).with_client(&text);
        let mut line = Vec::new();
        write(&mut line, &link(), "2026-11-28T10:00:00.123Z", Content::Entry(&did(), &entry));
        assert!(line.len() < MAX_LINE / 2, "{}", line.len());
        let cut = full().with_context(&"é".repeat(5000));
        assert_eq!(cut.context.unwrap().len(), 1024);
    }
}
