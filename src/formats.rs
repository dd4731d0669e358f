//! Every format that is read here, in one table: what holds for all of them is tested and
//! fuzzed for each.
//!
//! Compiled for tests, and for fuzzing (`--cfg fuzzing`), alone. No part of the API.

use crate::algorithm::{VerifyingKey, X25519PublicKey};
use crate::backend::{Pkcs11Locator, Pkcs11Uri, WrappedKey};
use crate::backend::{pkcs11, tpm};
use crate::binding::{Extension, UnverifiedBinding};
use crate::config::Config;
use crate::did::{Did, DidDocument};
use crate::encoding::objects;
use crate::locator::PcrValues;
use crate::rotation::{RotationChain, RotationStatement};
use crate::sshsig::SshSignature;
use crate::{agefile, attestation, audit, bundle, client, daemon, keystore, peer};

/// How many spellings a value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "no part of the API")]
pub enum Spelling {
    /// One: what is read is what would be written.
    One,
    /// Several, for this reason; each other value is written in another way.
    Several(&'static str),
    /// As [`Self::Several`], of a value under a signature or a hash: no change to its bytes
    /// makes another value of it.
    Signed(&'static str),
}

/// A format.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::exhaustive_structs, reason = "no part of the API")]
pub struct Format {
    /// Also of its fuzz target, and of its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Reads bytes, and writes what was read; `None` if they are refused.
    pub reread: fn(&[u8]) -> Option<Vec<u8>>,
    /// How many spellings there are.
    pub spelling: Spelling,
    /// The sources that read it.
    pub sources: &'static [&'static str],
}

impl Format {
    /// The format of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// Whether bytes are read; and that what was read, written and read again, is the same.
    ///
    /// # Panics
    ///
    /// If it is not, or has more spellings than one although it should not.
    #[allow(clippy::must_use_candidate, reason = "what it asserts matters")]
    pub fn check(&self, bytes: &[u8]) -> bool {
        let Some(written) = (self.reread)(bytes) else { return false };
        let name = self.name;
        assert_eq!((self.reread)(&written).as_ref(), Some(&written), "{name}: read again");
        if self.spelling == One {
            assert_eq!(written, bytes, "{name}: a second spelling");
        }
        true
    }
}

const JSON: &str = "JSON: white space, escapes, the order of members, null for what is absent";
const READ_ONLY: &str = "nobody writes it here, and what is read is not compared";

macro_rules! formats {
    ($($name:literal: $reread:path, $spelling:expr, [$($source:literal),* $(,)?];)+) => {
        /// All of them.
        pub const FORMATS: &[Format] = &[$(Format {
            name: $name,
            reread: $reread,
            spelling: $spelling,
            sources: &[$(concat!("src/", $source, ".rs")),*],
        }),+];
    };
}

use Spelling::{One, Several, Signed};

formats! {
    "did": did, One, ["did"];
    "did-document": did_document, Signed(JSON), ["did/document", "did/form", "did/proof"];
    "public-key-der": key_der,
        Several("a P-256 point is compressed or not"),
        ["algorithm/public", "algorithm/ed25519", "algorithm/p256"];
    "public-key-pem": key_pem,
        Several("white space, a byte order mark, a compressed P-256 point"), ["algorithm/public"];
    "public-key-jwk": key_jwk,
        Several("JSON; members that are not the key's are passed over (RFC 7517)"),
        ["algorithm/public"];
    "age-recipient": age_recipient, One, ["algorithm/x25519", "keystore/backup/recipient"];
    "ssh-signature": ssh_signature,
        Several("a field that is reserved, and to be passed over (PROTOCOL.sshsig)"),
        ["sshsig", "sshsig/wire"];
    "ssh-signature-armor": ssh_signature_armor,
        Several("white space, a byte order mark, the reserved field"), ["sshsig", "sshsig/wire"];
    "rotation-statement": rotation_statement, Signed(JSON),
        ["rotation/statement", "rotation/body", "rotation/terms"];
    "rotation-chain": rotation_chain, Signed(JSON), ["rotation/chain"];
    "binding": binding, Signed(JSON), ["binding/stored", "binding/instance"];
    "binding-extension": binding_extension, One, ["binding/extension"];
    "certificate": peer::formats::certificate, Signed("none"), ["peer/certificate"];
    "attestation": attestation::formats::attestation, Several(JSON),
        ["attestation/file", "attestation/evidence", "attestation/bytes", "attestation/evidence/tpm"];
    "attestation-challenge": attestation::formats::challenge, Several(JSON),
        ["attestation/challenge"];
    "attestation-certificate": attestation::formats::certificate,
        Several(READ_ONLY), ["attestation/certificate"];
    "attestation-chain": attestation::formats::chain,
        Several(READ_ONLY), ["attestation/anchors"];
    "attestation-tpm-public": attestation::formats::tpm_public, One, ["attestation/tpm/public"];
    "attestation-tpm-statement": attestation::formats::tpm_statement, One,
        ["attestation/tpm/attest"];
    "attestation-tpm-quote": attestation::formats::tpm_quote, One, ["attestation/tpm/quote"];
    "attestation-pcr-policy": attestation::formats::pcr_policy,
        Several("JSON, or what tpm2_pcrread prints; hex in either case"), ["attestation/pcr_state"];
    "attestation-tpm-signature": attestation::formats::tpm_signature, One,
        ["attestation/tpm/signature"];
    "attestation-tpm-nv": attestation::formats::tpm_nv, Several("padding around a certificate"),
        ["attestation/tpm/certificate"];
    "attestation-endorsement": attestation::formats::endorsement, Several(JSON),
        ["attestation/endorsement"];
    "attestation-activation": attestation::formats::activation, Several(JSON),
        ["attestation/activation/request"];
    "attestation-answer": attestation::formats::answer, Several(JSON),
        ["attestation/activation"];
    "attestation-secret": attestation::formats::secret, Several(JSON),
        ["attestation/tpm/secret"];
    "peers": peer::formats::peers, Several(JSON),
        ["peer/book/list", "peer/book/entry", "peer/book_error"];
    "seen": peer::formats::seen, Several(JSON), ["peer/book/seen"];
    "header": keystore::formats::header, Several(JSON),
        ["keystore/header", "keystore/header/evidence", "keystore/header/storage"];
    "payload": keystore::formats::payload, Several(JSON),
        ["keystore/payload", "key/seed_payload", "rotation/stored", "bundle/encryption/retired",
         "keystore/legacy/carried", "secret/json"];
    "backup": keystore::formats::backup, Signed(JSON),
        ["keystore/backup", "keystore/backup/contents"];
    "recovery-keys": keystore::formats::recovery_keys, Several(READ_ONLY),
        ["keystore/backup/recipient"];
    "journal": keystore::formats::journal, Several(JSON),
        ["keystore/journal", "keystore/journal/asked", "keystore/journal/began",
         "keystore/journal/token_key"];
    "unfinished": keystore::formats::unfinished, Several(JSON),
        ["keystore/unfinished", "backend/plan"];
    "given-up": keystore::formats::given_up, Several(JSON), ["keystore/given_up"];
    "refused": keystore::formats::refused,
        Several("JSON; a list alone, as earlier versions wrote it"),
        ["keystore/refusals/notes", "keystore/refusals/source", "keystore/refusals/device"];
    "legacy": keystore::formats::legacy, Several(READ_ONLY),
        ["keystore/legacy", "keystore/legacy/fields"];
    "icn-toml": icn_toml,
        Several("TOML; numbers as text, lists as text, a PKCS#11 URI"),
        ["config", "config/age", "config/audit", "config/daemon", "config/daemon/client",
         "config/daemon/context", "config/daemon/owner", "config/daemon/rate", "config/pkcs11", "config/text",
         "config/tpm"];
    "pkcs11-uri": pkcs11_uri,
        Several("percent-encoding, the order of attributes, `type`, padding (RFC 7512)"),
        ["locator/uri"];
    "pkcs11-locator": pkcs11_locator, Several(JSON), ["locator/pkcs11"];
    "pkcs11-attribute": pkcs11::formats::attribute,
        Several("what the module left behind the value"), ["backend/pkcs11/raw/attributes"];
    "pkcs11-point": pkcs11::formats::point,
        Several("modules give it raw, as OCTET STRING or as BIT STRING"),
        ["backend/pkcs11/point"];
    "pkcs11-token-info": pkcs11::formats::token_info, Several("the padding of its texts"),
        ["backend/pkcs11/info"];
    "wrapped-key": wrapped_key, Several(JSON), ["backend/vault"];
    "pcr-values": pcr_values,
        Several("JSON, or what tpm2_pcrread prints; hex in either case"), ["locator/tpm"];
    "tpm-public": tpm::formats::public, Several("what is behind it: read over here alone"), [];
    "tpm-object": tpm::formats::object, Several(JSON), ["locator/tpm/fields", "backend/tpm/object"];
    "tpm-approval": tpm::formats::approval, Several(JSON), ["backend/tpm/approval"];
    "tpm-approvals": tpm::formats::approvals, Several(JSON), ["backend/tpm/store"];
    "tpm-approval-request": tpm::formats::approval_request,
        Several("JSON; alone, or as the member `request`"), ["backend/tpm/approval"];
    "tpm-device": tpm::formats::device, One, ["backend/tpm/tcti"];
    "audit-line": audit::formats::line, Signed("none"), ["audit/line"];
    "audit-checkpoint": audit::formats::checkpoint, Signed("none"), ["audit/checkpoint", "audit/note"];
    "audit-head": audit::formats::head, Several(JSON), ["audit/head"];
    "daemon-request": daemon_request, Several(JSON), ["daemon/request", "daemon/request/invalid"];
    "daemon-answer": client::formats::answer, Several(READ_ONLY),
        ["client/answers", "client/problem"];
    "daemon-answer-head": client::formats::head,
        Several("HTTP/1.1: other fields, white space, zeros before a number"), ["client/connection"];
    "identity-age": identity_age, Several(READ_ONLY), ["agefile/form", "agefile/header"];
    "age-file": bundle::formats::file, Several("armor; what is behind the header"),
        ["bundle/encryption", "bundle/encryption/source"];
    "age-header": bundle::formats::header, Several("the last line feed"),
        ["bundle/encryption/file_key"];
    "age-armor": bundle::formats::armor,
        Several("white space around it, line ends, a byte order mark"), ["bundle/encryption/armor"];
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn did(bytes: &[u8]) -> Option<Vec<u8>> {
    Did::parse(text(bytes)?).ok().map(|did| did.to_string().into_bytes())
}

fn did_document(bytes: &[u8]) -> Option<Vec<u8>> {
    DidDocument::parse(bytes).ok()?.to_json().ok().map(String::into_bytes)
}

fn key_der(bytes: &[u8]) -> Option<Vec<u8>> {
    VerifyingKey::from_spki_der(bytes).ok().map(|key| key.to_spki_der())
}

fn key_pem(bytes: &[u8]) -> Option<Vec<u8>> {
    let key = VerifyingKey::from_public_key_pem(text(bytes)?).ok()?;
    Some(key.to_public_key_pem().into_bytes())
}

fn key_jwk(bytes: &[u8]) -> Option<Vec<u8>> {
    VerifyingKey::from_jwk(text(bytes)?).ok().map(|key| key.to_jwk().into_bytes())
}

fn age_recipient(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = text(bytes)?;
    let key = text.parse::<X25519PublicKey>().ok();
    // Whom a backup is for: the same, and no point of small order.
    if let Some(recipient) = keystore::formats::recipient(text) {
        assert_eq!(Some(recipient), key, "a backup is for whom others encrypt to");
    }
    key.map(|key| key.to_string().into_bytes())
}

fn ssh_signature(bytes: &[u8]) -> Option<Vec<u8>> {
    SshSignature::from_bytes(bytes).ok().map(|signature| signature.to_bytes())
}

fn ssh_signature_armor(bytes: &[u8]) -> Option<Vec<u8>> {
    let signature: SshSignature = text(bytes)?.parse().ok()?;
    Some(signature.to_string().into_bytes())
}

fn rotation_statement(bytes: &[u8]) -> Option<Vec<u8>> {
    RotationStatement::from_json(bytes).ok().map(|statement| statement.to_json())
}

fn rotation_chain(bytes: &[u8]) -> Option<Vec<u8>> {
    RotationChain::from_json(bytes).ok().map(|chain| chain.to_json())
}

pub(crate) fn binding(bytes: &[u8]) -> Option<Vec<u8>> {
    let binding: UnverifiedBinding = objects::from_slice(bytes).ok()?;
    serde_json::to_vec(&binding.verify().ok()?).ok()
}

fn binding_extension(bytes: &[u8]) -> Option<Vec<u8>> {
    Extension::from_der(bytes).ok().map(Extension::to_der)
}

fn icn_toml(bytes: &[u8]) -> Option<Vec<u8>> {
    let config = Config::parse(text(bytes)?).ok()?;
    let written = config.to_toml();
    assert!(written.is_ok(), "what was read can be written: {written:?}");
    written.ok().map(String::into_bytes)
}

/// As far as it shows without its secret: for a passphrase, and for a storage key.
fn identity_age(bytes: &[u8]) -> Option<Vec<u8>> {
    let ways = [true, false].map(|has_passphrase| {
        agefile::check_form(bytes, has_passphrase, agefile::MAX_WORK_FACTOR).is_ok()
    });
    assert_ne!(ways, [true, true], "it is for one of the two");
    let is_for_passphrase = agefile::is_for_passphrase(bytes);
    let read = ways.contains(&true);
    assert!(!read || is_for_passphrase == Some(ways == [true, false]));
    read.then(|| bytes.to_vec())
}

fn pkcs11_uri(bytes: &[u8]) -> Option<Vec<u8>> {
    let uri: Pkcs11Uri = text(bytes)?.parse().ok()?;
    Some(uri.to_string().into_bytes())
}

fn pkcs11_locator(bytes: &[u8]) -> Option<Vec<u8>> {
    serde_json::to_vec(&objects::from_slice::<Pkcs11Locator>(bytes).ok()?).ok()
}

fn wrapped_key(bytes: &[u8]) -> Option<Vec<u8>> {
    serde_json::to_vec(&objects::from_slice::<WrappedKey>(bytes).ok()?).ok()
}

fn pcr_values(bytes: &[u8]) -> Option<Vec<u8>> {
    serde_json::to_vec(&PcrValues::parse(text(bytes)?).ok()?).ok()
}

/// The path of a call, a line feed, and its body.
fn daemon_request(bytes: &[u8]) -> Option<Vec<u8>> {
    use crate::encoding::{base64, hex};
    use daemon::ToSign;
    use serde_json::json;
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    let (path, body) = (bytes.get(..at)?, bytes.get(at + 1..)?);
    let json = match path {
        b"sign" => {
            let asked = daemon::SignRequest::parse(body).ok()?;
            match asked.message {
                ToSign::Message(message) => {
                    json!({"context": asked.context, "message": base64::encode(&message)})
                }
                ToSign::Sha512(digest) => {
                    json!({"context": asked.context, "sha512": hex::encode(&digest)})
                }
            }
        }
        b"sign-raw" => {
            json!({"message": base64::encode(&daemon::parse_sign_raw(body).ok()?)})
        }
        b"challenge" => {
            json!({"nonce": base64::encode(&daemon::parse_challenge(body).ok()?)})
        }
        b"decrypt" => json!({"header": daemon::parse_decrypt(body).ok()?}),
        b"tls" => {
            let asked = daemon::TlsRequest::parse(body).ok()?;
            json!({"spki": base64::encode(&asked.spki), "instance": asked.instance})
        }
        b"lock" => {
            daemon::parse_lock(body).ok()?;
            json!({})
        }
        b"unlock" => {
            let asked = daemon::UnlockRequest::parse(body).ok()?;
            let mut json = json!({"credential": asked.credential.expose_secret()});
            if let (Some(text), Some(object)) = (&asked.passphrase, json.as_object_mut()) {
                object.insert("passphrase".into(), text.expose_secret().into());
            }
            json
        }
        _ => return None,
    };
    Some([path, b"\n", json.to_string().as_bytes()].concat())
}

#[cfg(test)]
mod tests;
