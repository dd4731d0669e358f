//! What a failed attempt has left under another id than it was given. Nothing finds it by
//! that again, so it is named; destroyed it is not, since another program may have made it.

use cryptoki::object::{Attribute, AttributeType};

use super::object::Objects;
use crate::encoding::hex;
use crate::error::Pkcs11Error;

/// An object's class and id, as far as they are shown.
type Named = [Option<Vec<u8>>; 2];

impl Objects<'_> {
    /// Makes something with this id and label. What is new on the token where that failed,
    /// and does not show the id, by which it is removed, is named.
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::LeftBehind`] with each id that it shows; those of `make`.
    pub(super) fn naming_strays<T>(
        self,
        (given, label): (&[u8], &str),
        make: impl FnOnce() -> Result<T, Pkcs11Error>,
    ) -> Result<T, Pkcs11Error> {
        // If they cannot be listed, nothing is known to be new.
        let before = self.lasting(label).ok();
        let error = match make() {
            Err(error) if !matches!(error, Pkcs11Error::LeftBehind { .. }) => error,
            made => return made,
        };
        let now = self.lasting(label).or_else(|_| self.lasting_afresh(label));
        let (Some(before), Ok(now)) = (before, now) else { return Err(error) };
        let ids = new_ids(before, &now, given);
        if ids.is_empty() {
            return Err(error);
        }
        let (token, id) = (self.token.name(), ids.join(", "));
        Err(Pkcs11Error::LeftBehind { token, id, by_their_id: false, source: error.into() })
    }

    fn lasting(self, label: &str) -> Result<Vec<Named>, Pkcs11Error> {
        let found = self.find(&[Attribute::Label(label.into()), Attribute::Token(true)])?;
        let asked = [AttributeType::Class, AttributeType::Id];
        found.into_iter().map(|object| self.values(object, asked)).collect()
    }

    fn lasting_afresh(self, label: &str) -> Result<Vec<Named>, Pkcs11Error> {
        let session = self.token.session()?;
        Objects { token: self.token, session: &session }.lasting(label)
    }
}

/// The ids of what was not there before, each once. Handles are not compared: a token may
/// have given new ones.
fn new_ids(mut before: Vec<Named>, now: &[Named], given: &[u8]) -> Vec<String> {
    let mut ids = Vec::new();
    for object in now {
        match before.iter().position(|known| known == object) {
            Some(at) => drop(before.swap_remove(at)),
            None => {
                let [_, id] = object;
                ids.extend(Some(id.as_deref().unwrap_or_default()).filter(|id| *id != given));
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(shown).collect()
}

/// An id for messages.
pub(super) fn shown(id: &[u8]) -> String {
    if id.is_empty() { "unknown".to_owned() } else { hex::encode(id) }
}
