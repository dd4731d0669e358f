//! What is counted, for whoever watches the machine. No client's message, no peer and no
//! context is in it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use icn_identity::backend::PinState;
use icn_identity::daemon::ProblemCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    EncodeLabelSet, EncodeLabelValue, LabelSetEncoder, LabelValueEncoder,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The calls that there are; whatever else is asked for is `other`.
const CALLS: [&str; 10] = [
    "/v1/status",
    "/v1/did-document",
    "/v1/rotation-chain",
    "/v1/challenge",
    "/v1/sign",
    "/v1/sign-raw",
    "/v1/decrypt",
    "/v1/tls",
    "/v1/lock",
    "/v1/unlock",
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    call: Name,
    status: u16,
}

/// Why a key was not used, or not opened.
const OF_KEY: [ProblemCode; 9] = [
    ProblemCode::DeviceAway,
    ProblemCode::CredentialRefused,
    ProblemCode::LockedOut,
    ProblemCode::Locked,
    ProblemCode::Busy,
    ProblemCode::Malformed,
    ProblemCode::NotARecipient,
    ProblemCode::Deadline,
    ProblemCode::Internal,
];

/// What peers ask for; whatever else is `other`.
const PATHS: [(&str, &str); 3] = [
    ("/health", "health"),
    ("/.well-known/did.json", "did-document"),
    ("/rotation-chain", "rotation-chain"),
];

/// What became of a connection of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake {
    Accepted,
    Refused,
    Failed,
    Late,
    Locked,
    /// It made room for another one, or found none.
    NoRoom,
}

impl Handshake {
    const ALL: [Self; 6] =
        [Self::Accepted, Self::Refused, Self::Failed, Self::Late, Self::Locked, Self::NoRoom];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Late => "late",
            Self::Locked => "locked",
            Self::NoRoom => "no-room",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    result: Name,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    code: Name,
}

/// Without any label: what may not be known, and is not there then.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Alone;

impl EncodeLabelSet for Alone {
    fn encode(&self, _: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        Ok(())
    }
}

/// One of few.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name(&'static str);

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&self.0, encoder)
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Asked, Counter>,
    problems: Family<Why, Counter>,
    handshakes: Family<Ended, Counter>,
    peer_requests: Family<Asked, Counter>,
    turned_away: Counter,
    in_flight: Gauge,
    key_time: Histogram,
    key_errors: Family<Why, Counter>,
    pub(crate) audit_errors: Counter,
    reload_failed: Gauge,
    audit_sequence: Gauge,
    checkpoint_errors: Counter,
    checkpoint_sequence: Gauge,
    tries_left: Family<Alone, Gauge>,
    count_low: Family<Alone, Gauge>,
    /// Of those who read, one at a time: what is not known is taken out meanwhile.
    reading: Mutex<()>,
    unlocked: Gauge,
    not_after: Family<Alone, Gauge>,
    verified_at: Family<Alone, Gauge>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let this = Self {
            registry: Registry::with_prefix("icnd"),
            requests: Family::default(),
            problems: Family::default(),
            handshakes: Family::default(),
            peer_requests: Family::default(),
            turned_away: Counter::default(),
            in_flight: Gauge::default(),
            key_time: Histogram::new(exponential_buckets(0.0005, 2.0, 15)),
            key_errors: Family::default(),
            audit_errors: Counter::default(),
            reload_failed: Gauge::default(),
            audit_sequence: Gauge::default(),
            checkpoint_errors: Counter::default(),
            checkpoint_sequence: Gauge::default(),
            tries_left: Family::default(),
            count_low: Family::default(),
            reading: Mutex::default(),
            unlocked: Gauge::default(),
            not_after: Family::default(),
            verified_at: Family::default(),
        };
        // From 0 on, so that the first one is an increase.
        for code in ProblemCode::ALL.iter().copied() {
            drop(this.problems.get_or_create(&Why { code: Name(code.as_str()) }));
        }
        for code in OF_KEY {
            drop(this.key_errors.get_or_create(&Why { code: Name(code.as_str()) }));
        }
        for ended in Handshake::ALL {
            drop(this.handshakes.get_or_create(&Ended { result: Name(ended.as_str()) }));
        }
        for (_, call) in PATHS {
            drop(this.peer_requests.get_or_create(&Asked { call: Name(call), status: 200 }));
        }
        this.registered()
    }

    fn registered(mut self) -> Self {
        let all = &mut self.registry;
        all.register("requests", "Requests, by call and status", self.requests.clone());
        all.register("problems", "What was not done, by its code", self.problems.clone());
        let what = "Connections of peers, by what became of their handshake";
        all.register("peer_handshakes", what, self.handshakes.clone());
        let what = "Requests of peers, by what they are for and status";
        all.register("peer_requests", what, self.peer_requests.clone());
        let what = "Connections that were closed with 429 before what they ask for was read";
        all.register("turned_away", what, self.turned_away.clone());
        all.register("in_flight", "Requests under way", self.in_flight.clone());
        let what = "How long the key took for one use";
        all.register_with_unit("key_use", what, Unit::Seconds, self.key_time.clone());
        all.register("key_errors", "Uses of the key that failed", self.key_errors.clone());
        let what = "Lines of the audit log that could not be written";
        all.register("audit_errors", what, self.audit_errors.clone());
        let what = "1 after a reload that failed: an older configuration is in force";
        all.register("config_reload_failed", what, self.reload_failed.clone());
        let what = "The number of the last line of the audit log";
        all.register("audit_sequence", what, self.audit_sequence.clone());
        let what = "Checkpoints of the audit log that were due and not signed";
        all.register("checkpoint_errors", what, self.checkpoint_errors.clone());
        let what = "The number of the last line that a checkpoint was signed for; 0 for none";
        all.register("checkpoint_sequence", what, self.checkpoint_sequence.clone());
        let what = "Wrong PINs until the device locks, where it says so";
        all.register("pin_tries_left", what, self.tries_left.clone());
        let what = "1 after a wrong PIN, for as long as the device says so";
        all.register("pin_count_low", what, self.count_low.clone());
        all.register("unlocked", "1 while the key is open", self.unlocked.clone());
        let what = "When the certificate ends, in Unix seconds; not there while it is locked";
        all.register("certificate_not_after", what, self.not_after.clone());
        let what = "When the key was verified last, in Unix seconds; not there while it is locked";
        all.register("verified_at", what, self.verified_at.clone());
        self
    }

    /// A request, which is under way until what this gives is dropped.
    pub(crate) fn begins(&self) -> UnderWay {
        self.in_flight.inc();
        UnderWay(self.in_flight.clone())
    }

    pub(crate) fn has_answered(&self, path: &str, status: u16, problem: Option<ProblemCode>) {
        let call = CALLS.into_iter().find(|call| *call == path);
        let call = call.and_then(|call| call.strip_prefix("/v1/")).unwrap_or("other");
        self.requests.get_or_create(&Asked { call: Name(call), status }).inc();
        if let Some(code) = problem {
            self.problems.get_or_create(&Why { code: Name(code.as_str()) }).inc();
        }
    }

    pub(crate) fn has_turned_away(&self) {
        self.turned_away.inc();
    }

    pub(crate) fn handshake_ended(&self, ended: Handshake) {
        self.handshakes.get_or_create(&Ended { result: Name(ended.as_str()) }).inc();
    }

    pub(crate) fn has_answered_peer(&self, path: &str, status: u16) {
        let known = PATHS.into_iter().find(|(known, _)| *known == path);
        let call = Name(known.map_or("other", |(_, name)| name));
        self.peer_requests.get_or_create(&Asked { call, status }).inc();
    }

    pub(crate) fn key_was_used(&self, time: Duration, failed: Option<ProblemCode>) {
        self.key_time.observe(time.as_secs_f64());
        if let Some(code) = failed {
            self.key_failed(code);
        }
    }

    /// It was not used, or not opened.
    pub(crate) fn key_failed(&self, code: ProblemCode) {
        self.key_errors.get_or_create(&Why { code: Name(code.as_str()) }).inc();
    }

    pub(crate) fn was_reloaded(&self, done: bool) {
        self.reload_failed.set(i64::from(!done));
    }

    pub(crate) fn audit_failed(&self) {
        self.audit_errors.inc();
    }

    pub(crate) fn checkpoint_was_signed(&self, seq: u64) {
        self.checkpoint_sequence.set(i64::try_from(seq).unwrap_or(i64::MAX));
    }

    pub(crate) fn checkpoint_failed(&self) {
        self.checkpoint_errors.inc();
    }

    /// As OpenMetrics has it, with what is so now.
    pub(crate) fn text(&self, now: &Now) -> Option<String> {
        let _turn = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let known = |gauge: &Family<Alone, Gauge>, is: Option<u64>| {
            gauge.clear();
            if let Some(is) = is {
                gauge.get_or_create(&Alone).set(number(is));
            }
        };
        known(&self.tries_left, now.pin.and_then(tries_left).map(u64::from));
        known(&self.count_low, now.pin.map(|pin| pin.count_low.into()));
        self.audit_sequence.set(number(now.audit_sequence));
        self.unlocked.set(i64::from(now.not_after.is_some()));
        known(&self.not_after, now.not_after);
        let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).ok().map(|at| at.as_secs());
        // One that is locked shows nothing of its key, and that is no failure of the key.
        known(&self.verified_at, now.not_after.and(now.verified_at).and_then(seconds));
        let mut text = String::new();
        encode(&mut text, &self.registry).ok().map(|()| text)
    }
}

/// A token has no number, but says when the next wrong PIN is the last one.
fn tries_left(pin: PinState) -> Option<u32> {
    let by_flags = match (pin.locked, pin.final_try) {
        (true, _) => Some(0),
        (false, true) => Some(1),
        (false, false) => None,
    };
    pin.tries_left.or(by_flags)
}

/// What is not counted, but looked at.
#[derive(Debug)]
pub(crate) struct Now {
    /// The number of the last line of the audit log.
    pub(crate) audit_sequence: u64,
    /// When the certificate ends, in Unix seconds, while the key is open.
    pub(crate) not_after: Option<u64>,
    pub(crate) verified_at: Option<SystemTime>,
    /// What the device has said of its PIN when it was asked last.
    pub(crate) pin: Option<PinState>,
}
