//! What the client of a daemon meets.

use std::time::Duration;

use super::{boxed, check, did, no_randomness};
use crate::client::ClientError as E;
use crate::did::InvalidDocument;
use crate::error::{ErrorKind as K, SignError};
use crate::peer::Refusal;
use crate::rotation::RotationError;

#[test]
fn of_a_daemon() {
    let path = || "/run/icnd/icnd.sock".into();
    let connect = |kind: std::io::ErrorKind| E::Connect { path: path(), source: kind.into() };
    let owner = E::Owner { what: "the socket", path: path(), found: 1, expected: 2 };
    check(
        "client/error.rs",
        vec![
            (connect(std::io::ErrorKind::NotFound), K::DeviceAbsent),
            (connect(std::io::ErrorKind::ConnectionRefused), K::DeviceAbsent),
            (connect(std::io::ErrorKind::PermissionDenied), K::Permission),
            (E::NotASocket { path: path() }, K::Configuration),
            (owner, K::Permission),
            (E::OtherDid { expected: did() }, K::OtherIdentity),
            (E::NotProven { did: did() }, K::Untrusted),
            (E::OtherUser { seen: 1, own: 2 }, K::Untrusted),
            (E::Closed, K::Busy),
            (E::Deadline { limit: Duration::from_secs(1) }, K::Busy),
            (E::NotToldWhetherOpened(E::Closed.into()), K::External),
            (E::Malformed { expected: "an answer" }, K::External),
            (E::AnswerTooLong { limit: 1 }, K::External),
            (E::RequestTooLong { limit: 1 }, K::InvalidInput),
            (E::Io(std::io::Error::other(boxed())), K::Io),
            (E::Problem(crate::client::Problem::made_up(503).into()), K::Busy),
            (E::BadSignature { did: did() }, K::Untrusted),
            (E::Certificate(Refusal::NoBinding), Refusal::NoBinding.kind()),
            (E::Sign(SignError::Reserved), K::InvalidInput),
            (E::Document(InvalidDocument::NoProof), InvalidDocument::NoProof.kind()),
            (E::Rotation(RotationError::Empty), RotationError::Empty.kind()),
            (E::NoRandomness(no_randomness()), K::Randomness),
        ],
    );
}
