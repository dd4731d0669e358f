//! Why there is no passphrase or PIN.

use std::error::Error as StdError;

use crate::secret::TextProblem;

/// Why a passphrase or PIN was not to be had from where it was said to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// Nothing was given, and something is wanted.
    #[error("no {what} was given")]
    NotGiven {
        /// What is wanted.
        what: &'static str,
    },
    /// Nobody could be asked.
    #[error("nobody could be asked for the {what}")]
    NotAsked {
        /// What is wanted.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// It is empty.
    #[error("the {what} is empty")]
    Empty {
        /// What is wanted.
        what: &'static str,
    },
    /// A new one was typed in twice, and not alike.
    #[error("the two {what}s differ")]
    Differ {
        /// What is wanted.
        what: &'static str,
    },
    /// The environment has no such variable.
    #[error("${variable} is not set")]
    NotSet {
        /// The variable.
        variable: String,
    },
    /// What the environment has is not a path that is one everywhere.
    #[error("${variable} is not an absolute path")]
    NotAbsolute {
        /// The variable.
        variable: String,
    },
    /// It is not one line that a person could type. It was not used or sent.
    #[error("the {what}{origin} was not used: {problem}")]
    NotOneLine {
        /// What is wanted.
        what: &'static str,
        /// Where it was read, as ` in /run/pin`; or nothing.
        origin: String,
        /// What is wrong with it.
        problem: TextProblem,
        /// It was to be chosen now. One that is in use cannot be right like this, whoever
        /// tries again.
        is_new: bool,
    },
}

impl CredentialError {
    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NotGiven { .. } => {
                "say where it is: a file, a variable, a prompt (`CredentialSource`)"
            }
            Self::NotAsked { .. } => "give it in a file, if nobody is there to be asked",
            Self::Empty { .. } => "give one that is not empty",
            Self::Differ { .. } => "try again, and type the same twice",
            Self::NotSet { variable } if variable == "CREDENTIALS_DIRECTORY" => {
                "run the program as a service of systemd with `LoadCredential=` or \
                 `LoadCredentialEncrypted=`"
            }
            Self::NotSet { .. } => "set it, or give the credential in a file",
            Self::NotAbsolute { .. } => {
                "set it to a path that begins with `/`, as systemd does for its services"
            }
            Self::NotOneLine { .. } => {
                "give it alone, on one line of UTF-8: without further lines, control characters, \
                 byte order mark, and white space at its ends that is no blank"
            }
        };
        Some(help.to_owned())
    }
}
