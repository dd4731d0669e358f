//! What a daemon answers. Nobody writes it here but the daemon.

use super::answers::{Certified, Challenged, Decrypted, SignedFor, SignedRaw, State, ToldStatus};
use super::connection::{self, read};
use super::problem::Problem;

/// The path of a call, a line feed, and the body of its answer; anything else is the path of
/// a problem.
pub(crate) fn answer(bytes: &[u8]) -> Option<Vec<u8>> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    let (path, body) = (bytes.get(..at)?, bytes.get(at + 1..)?);
    let is_read = match path {
        b"status" => read::<ToldStatus>(body).and_then(ToldStatus::into_status).is_ok(),
        b"challenge" => read::<Challenged>(body).is_ok(),
        b"sign-raw" => read::<SignedRaw>(body).is_ok(),
        b"sign" => read::<SignedFor>(body)
            .is_ok_and(|signed| signed.signature.parse::<crate::SshSignature>().is_ok()),
        b"decrypt" => read::<Decrypted>(body).is_ok(),
        b"tls" => read::<Certified>(body).is_ok(),
        b"lock" => read::<State>(body).is_ok(),
        _ => {
            let problem = Problem::read(503, None, body);
            assert!(!problem.to_string().contains(char::is_control), "it is shown on one line");
            assert!(problem.detail.len() <= 4 * 500 && problem.help().is_some());
            true
        }
    };
    is_read.then(|| bytes.to_vec())
}

/// The head of an answer: status and length.
pub(crate) fn head(bytes: &[u8]) -> Option<Vec<u8>> {
    connection::reread_head(bytes)
}
