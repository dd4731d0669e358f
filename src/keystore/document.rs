//! The DID document: in the payload, and in the header for whoever has no
//! credential.

use super::header::Header;
use super::identity::IdentityStore;
use super::payload::Payload;
use crate::bundle::Companions;
use crate::did::{DidDocument, InvalidDocument};
use crate::error::{Error, KeystoreError};

impl Header {
    /// The signed DID document, verified under the DID's key and compared with
    /// what else the header says. `None` for an identity from before there were
    /// any.
    ///
    /// # Errors
    ///
    /// [`InvalidDocument`] if somebody changed the header.
    pub fn did_document(&self) -> Result<Option<DidDocument>, InvalidDocument> {
        let Some(value) = self.raw_document() else { return Ok(None) };
        let document = DidDocument::from_value(value)?;
        if document.did() != self.did() {
            return Err(InvalidDocument::Mismatch { what: "DID" });
        }
        if document.x25519_public_key() != self.x25519_public_key() {
            return Err(InvalidDocument::Mismatch { what: "X25519 key" });
        }
        Ok(Some(document))
    }
}

impl IdentityStore {
    /// The companions of a payload; header and payload must have one document.
    pub(super) fn companions(
        &self,
        header: &Header,
        payload: &mut Payload,
    ) -> Result<Companions, Error> {
        if header.raw_document() != payload.document() {
            return Err(KeystoreError::HeaderMismatch { path: self.header_path() }.into());
        }
        Ok(payload.take_companions()?)
    }
}

#[cfg(test)]
#[path = "document/tests.rs"]
mod tests;
