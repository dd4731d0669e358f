//! Whether the identity has handed over to another one.

use icn_identity::keystore::{Header, IdentityStore};
use icn_identity::rotation::RotationChain;
use serde_json::{Value, json};

use crate::output::{date, one_line};

pub(super) enum Handover {
    /// Not that it is known here.
    Not,
    To(Box<RotationChain>),
    /// In a move that has not put it in use.
    Pending(Box<RotationChain>),
    /// The move to it was rolled back since.
    GivenUp(Box<RotationChain>),
    /// The note cannot be read.
    Unknown(String),
}

impl Handover {
    pub(super) fn of(store: &IdentityStore, header: &Header) -> Self {
        match store.handed_over(header.did()) {
            Ok(None) => Self::Not,
            Ok(Some(chain)) if store.gave_up(chain.current()) => Self::GivenUp(chain.into()),
            Ok(Some(chain)) if store.hands_over_in_move(chain.current()) => {
                Self::Pending(chain.into())
            }
            Ok(Some(chain)) => Self::To(chain.into()),
            Err(error) => Self::Unknown(match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            }),
        }
    }

    pub(super) fn as_json(&self) -> Value {
        match self {
            Self::Not => Value::Null,
            Self::To(chain) | Self::Pending(chain) | Self::GivenUp(chain) => json!({
                "did": chain.current(),
                "time": when(chain),
                "pending": matches!(self, Self::Pending(_)),
                "given_up": matches!(self, Self::GivenUp(_)),
            }),
            Self::Unknown(error) => json!({ "error": error }),
        }
    }

    pub(super) fn as_text(&self) -> String {
        match self {
            Self::Not => String::new(),
            Self::To(chain) => format!(
                "\nHANDED OVER on {} to {}: use this identity only until peers have followed, and \
                 do not rotate it again. Only if that statement was never given to anybody, as of a \
                 move that was undone before its switch, it can make another one (--again).\n",
                when(chain).unwrap_or_default(),
                chain.current()
            ),
            Self::Pending(chain) => format!(
                "\nA statement of {} hands over to {}, which is not in use yet: nobody follows to it \
                 before its move is switched.\n",
                when(chain).unwrap_or_default(),
                chain.current()
            ),
            Self::GivenUp(chain) => format!(
                "\nHANDED OVER on {} to {}, which was given up since: this identity goes on. Peers \
                 that have followed to it have to be told to pin this DID again; for them a \
                 statement to another successor is a fork.\n",
                when(chain).unwrap_or_default(),
                chain.current()
            ),
            Self::Unknown(error) => format!(
                "\nWARNING: handed-over.json cannot be read, so whether this identity has handed \
                 over is not known: {}\n",
                one_line(error)
            ),
        }
    }
}

fn when(chain: &RotationChain) -> Option<String> {
    chain.steps().last().map(|step| date(step.statement().time()))
}
