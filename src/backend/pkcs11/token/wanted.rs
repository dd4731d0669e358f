//! Which token is wanted.

use std::fmt;
use std::sync::Arc;

use super::super::module::Module;
use super::present::{names, present};
use super::{Token, renamed};
use crate::backend::{Pkcs11Locator, Pkcs11Uri};
use crate::config::Pkcs11Config;
use crate::error::Pkcs11Error;
use crate::evidence::Trust;

/// Which token is wanted; what is `None` may be anything.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Wanted {
    label: Option<String>,
    serial: Option<String>,
    slot: Option<u64>,
    uri: Option<Pkcs11Uri>,
    /// What the configuration believes of it.
    trust: Trust,
}

impl Wanted {
    pub(in super::super) fn from_config(config: &Pkcs11Config) -> Self {
        Self {
            label: config.token.clone(),
            serial: config.serial.clone(),
            slot: config.slot,
            uri: config.key.clone(),
            trust: config.trust(),
        }
    }

    /// What is wanted, and by this URI as well.
    pub(in super::super) fn and_uri(mut self, uri: &Pkcs11Uri) -> Self {
        self.uri = Some(uri.clone());
        self
    }

    /// Whether it can be no other token: label and serial number are known.
    pub(super) const fn is_pinned(&self) -> bool {
        self.serial.is_some() && self.label.is_some()
    }

    /// Whether it is told by its slot, and not by its name alone.
    pub(super) const fn names_slot(&self) -> bool {
        self.slot.is_some()
    }

    /// Whether this token is it but for its label.
    pub(super) fn is_renamed(&self, token: &Token) -> bool {
        let serial = &token.seen.identity.serial;
        // Some modules have one number for all of their tokens.
        let says_something = serial.chars().any(|digit| digit != '0');
        let of_uri = |part: fn(&Pkcs11Uri) -> Option<&str>| self.uri.as_ref().and_then(part);
        let labels = [self.label.as_deref(), of_uri(Pkcs11Uri::token)];
        let is_another = |label| label != token.seen.identity.label;
        let but_for_the_label = Self {
            label: None,
            uri: self.uri.as_ref().map(Pkcs11Uri::without_token),
            ..self.clone()
        };
        says_something
            && self.serial.as_deref().or(of_uri(Pkcs11Uri::serial)) == Some(serial)
            && labels.into_iter().flatten().any(is_another)
            && but_for_the_label.matches(token)
    }

    /// Whether this token has the wanted label, and another serial number.
    pub(super) fn is_namesake(&self, token: &Token) -> bool {
        let of_uri = |part: fn(&Pkcs11Uri) -> Option<&str>| self.uri.as_ref().and_then(part);
        let identity = &token.seen.identity;
        let label = self.label.as_deref().or(of_uri(Pkcs11Uri::token));
        let serial = self.serial.as_deref().or(of_uri(Pkcs11Uri::serial));
        label == Some(&identity.label) && serial.is_some_and(|serial| serial != identity.serial)
    }

    pub(in super::super) const fn trust(&self) -> Trust {
        self.trust
    }

    /// Any token that a URI means.
    pub(in super::super) fn from_uri(uri: &Pkcs11Uri) -> Self {
        Self { uri: Some(uri.clone()), ..Self::default() }
    }

    /// The token of a locator, if the configuration does not want another one.
    pub(in super::super) fn narrowed_to(
        &self,
        locator: &Pkcs11Locator,
        module: &Arc<Module>,
    ) -> Result<Self, Pkcs11Error> {
        let wanted = Self {
            label: Some(locator.token.clone()),
            serial: Some(locator.serial.clone()),
            slot: self.slot,
            uri: self.uri.clone(),
            trust: self.trust,
        };
        let agrees = |pinned: &Option<String>, found| pinned.as_ref().is_none_or(|p| p == found);
        if agrees(&self.label, &locator.token) && agrees(&self.serial, &locator.serial) {
            return Ok(wanted);
        }
        let there = present(module)?;
        Err(Pkcs11Error::NotConfiguredToken {
            wanted: format!("the configuration ({self}) and the key's locator ({wanted})"),
            renamed: renamed(self, &there),
            present: names(&there),
        })
    }

    pub(in super::super) fn matches(&self, token: &Token) -> bool {
        let agrees = |wanted: &Option<String>, found| wanted.as_ref().is_none_or(|w| w == found);
        agrees(&self.label, &token.seen.identity.label)
            && agrees(&self.serial, &token.seen.identity.serial)
            && self.slot.is_none_or(|slot| slot == token.seen.slot.id())
            && self.uri.as_ref().is_none_or(|uri| uri.matches_token(&token.seen.identity))
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = [
            self.label.as_ref().map(|label| format!("label {label:?}")),
            self.serial.as_ref().map(|serial| format!("serial {serial}")),
            self.slot.map(|slot| format!("slot {slot}")),
            self.uri.as_ref().map(ToString::to_string),
        ]
        .into_iter()
        .flatten()
        .collect();
        if parts.is_empty() { f.write_str("any label") } else { f.write_str(&parts.join(", ")) }
    }
}
