//! For which contexts a client may have signed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sshsig::is_context;

/// What no `*` stands for: commits, and what this crate signs for itself. They are
/// allowed by their whole name only.
fn is_by_name_only(context: &str) -> bool {
    context == "git" || context.starts_with(OURS)
}

const OURS: &str = "icn-identity";

/// A context, or all those that begin so: `payments@coop.example`, `payments-*`, `*`.
///
/// A `*` at the end stands for anything but `git` and the contexts that begin with
/// `icn-identity`: those have to be named whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextPattern {
    text: String,
    /// Whether the text stands for all that begins with it; it is without the `*` then.
    is_prefix: bool,
}

impl ContextPattern {
    /// `None` for what is no context, has a `*` elsewhere than at its end, or a `*` behind
    /// `icn-identity`, which would stand for nothing.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let (text, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        let is_fit = match is_prefix {
            true => (text.is_empty() || is_context(text)) && !text.starts_with(OURS),
            false => is_context(text),
        };
        (is_fit && !text.contains('*')).then(|| Self { text: text.to_owned(), is_prefix })
    }

    /// Whether a context is one of these.
    #[must_use]
    pub fn allows(&self, context: &str) -> bool {
        match self.is_prefix {
            true => context.starts_with(&self.text) && !is_by_name_only(context),
            false => context == self.text,
        }
    }
}

impl fmt::Display for ContextPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_str(if self.is_prefix { "*" } else { "" })
    }
}

impl Serialize for ContextPattern {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContextPattern {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::new(&text).ok_or_else(|| serde::de::Error::custom("not a context"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(pattern: &str, context: &str) -> bool {
        ContextPattern::new(pattern).unwrap().allows(context)
    }

    #[test]
    fn a_name_allows_itself_and_a_star_what_begins_so() {
        assert!(allows("payments@coop.example", "payments@coop.example"));
        for other in ["payments@coop.exampl", "payments@coop.example2", "Payments@coop.example", ""]
        {
            assert!(!allows("payments@coop.example", other), "{other}");
        }
        assert!(allows("payments-*", "payments-2026"));
        assert!(allows("payments-*", "payments-"));
        assert!(!allows("payments-*", "payments"));
        assert!(allows("*", "anything"));
    }

    #[test]
    fn a_star_never_stands_for_git_or_what_is_ours() {
        for pattern in ["*", "g*", "gi*", "git*"] {
            assert!(!allows(pattern, "git"), "{pattern}");
        }
        for pattern in ["*", "i*", "icn-*", "icn-identit*"] {
            for context in ["icn-identity", "icn-identity/audit", "icn-identity-2"] {
                assert!(!allows(pattern, context), "{pattern} {context}");
            }
        }
        assert!(allows("git*", "github") && allows("icn-*", "icn-node"));
        assert!(allows("git", "git") && allows("icn-identity/audit", "icn-identity/audit"));
    }

    #[test]
    fn what_could_allow_nothing_or_is_no_context_is_no_pattern() {
        for text in ["", "a*b", "**", "*a", "a\nb", "a\0*", "icn-identity*", "icn-identity/x*"] {
            assert_eq!(ContextPattern::new(text), None, "{text:?}");
        }
        assert_eq!(ContextPattern::new(&"a".repeat(1025)), None);
        for text in ["*", "a*", "git", "icn-identity", "zahlungen@müller"] {
            assert_eq!(ContextPattern::new(text).unwrap().to_string(), text);
        }
    }
}
