//! Times and numbers, measured with a probe key.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cryptoki::error::{Error, RvError};
use cryptoki::object::ObjectHandle;
use serde::Serialize;

use super::super::object::Objects;
use super::super::raw::NotSigned;
use super::super::token::Token;
use crate::algorithm::{AlgorithmId, Signature, VerifyingKey};
use crate::error::Pkcs11Error;

/// Most sessions that a probe opens.
const MOST_SESSIONS: usize = 64;
/// Longest time that one measurement takes, about.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long signatures take.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Latency {
    /// How many were made.
    pub signatures: usize,
    /// Median, microseconds.
    pub p50_us: u64,
    /// 99 of 100 are faster, microseconds.
    pub p99_us: u64,
}

/// Signs up to 200 times, for at most about five seconds.
pub(super) fn latency(
    objects: Objects<'_>,
    key: ObjectHandle,
    public: &VerifyingKey,
) -> Result<(Latency, bool), Pkcs11Error> {
    let mut times = Vec::new();
    let mut verify = true;
    let start = Instant::now();
    for round in 0_u32..200 {
        let message = round.to_be_bytes();
        let begun = Instant::now();
        let signature = sign(objects, public.algorithm(), key, &message)?;
        times.push(begun.elapsed());
        verify &= public.verify(&message, &signature).is_ok();
        if start.elapsed() > PATIENCE {
            break;
        }
    }
    times.sort();
    let at = |hundredths: usize| {
        let index = (times.len() * hundredths / 100).min(times.len().saturating_sub(1));
        let time = times.get(index).copied().unwrap_or_default();
        u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
    };
    Ok((Latency { signatures: times.len(), p50_us: at(50), p99_us: at(99) }, verify))
}

fn sign(
    objects: Objects<'_>,
    algorithm: AlgorithmId,
    key: ObjectHandle,
    message: &[u8],
) -> Result<Signature, Pkcs11Error> {
    let calls = objects.token.module().calls();
    objects
        .within_login(|| calls.sign_once(algorithm, objects.session, key, message, || Ok(())))
        .map_err(|error: NotSigned| error.into_error(objects.token.named()))
}

/// How many times as much two threads sign as one, in the same time.
///
/// `None` where the token gives no second session, or sessions do not see each
/// other's keys.
pub(super) fn scaling(token: &Token, algorithm: AlgorithmId, key: ObjectHandle) -> Option<f64> {
    let rate = |threads: u32| -> Option<f64> {
        let sessions: Vec<_> =
            (0..threads).map(|_| token.open_session().ok()).collect::<Option<_>>()?;
        let token = Arc::new(token.clone());
        let time = Duration::from_millis(500);
        let workers: Vec<_> = sessions
            .into_iter()
            .map(|session| {
                let token = Arc::clone(&token);
                thread::spawn(move || {
                    let objects = Objects { token: &token, session: &session };
                    let (start, mut count) = (Instant::now(), 0_u32);
                    while start.elapsed() < time {
                        sign(objects, algorithm, key, b"scaling").ok()?;
                        count += 1;
                    }
                    Some(f64::from(count) / start.elapsed().as_secs_f64())
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().ok().flatten()).sum()
    };
    let (one, two) = (rate(1)?, rate(2)?);
    Some(two / one)
}

/// How many sessions can be open at once, counting those that are. `None` if
/// more than a node would ever use.
pub(super) fn session_limit(token: &Token) -> Result<Option<usize>, Pkcs11Error> {
    let open = token.info()?.sessions.and_then(|open| usize::try_from(open).ok());
    let mut sessions = Vec::new();
    while sessions.len() < MOST_SESSIONS {
        match token.open_session() {
            Ok(session) => sessions.push(session),
            Err(Error::Pkcs11(RvError::SessionCount, _)) => {
                return Ok(Some(sessions.len() + open.unwrap_or(0)));
            }
            // Others answer so, where they have no more.
            Err(_) if !sessions.is_empty() => return Ok(Some(sessions.len() + open.unwrap_or(0))),
            Err(error) => return Err(token.failed("C_OpenSession")(error)),
        }
    }
    Ok(None)
}
