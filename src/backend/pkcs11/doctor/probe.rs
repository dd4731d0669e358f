//! What a token really does, tried out.

use std::path::Path;

use cryptoki::error::RvError;
use cryptoki::object::{Attribute, AttributeType};
use serde::Serialize;

use super::super::connection::LoginGuard;
use super::super::failure::{Failure, answer, in_full_of_making};
use super::super::keygen::{Generated, Lifetime};
use super::super::login::Meant;
use super::super::module::Module;
use super::super::object::{Objects, with_id};
use super::super::policy::Policy;
use super::super::scheme::{self, Scheme};
use super::super::storage::was_lost;
use super::super::strays;
use super::super::token::{Token, Wanted};
use super::super::{may_make_keys, point};
use super::cleaning::{LABEL, cleaned};
use super::honesty::{Honesty, judged, once_extractable, written_in};
use super::kept::{StorageReport, WRITE_PROTECTED, tried};
use super::known::{KnownKeyReport, opened_hidden};
use super::measure::{self, Latency};
use super::options::{KnownKey, ProbeOptions};
use crate::algorithm::AlgorithmId;
use crate::config::Pkcs11Config;
use crate::error::{DeviceError, Error, Pkcs11Error};
use crate::secret::Pin;

/// What a probe found out.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ProbeReport {
    /// What was measured with a key that the probe made, if it made one.
    #[serde(flatten)]
    pub made: Option<MadeReport>,
    /// Why it made none.
    pub not_made: Option<NotMade>,
    /// Whether the token keeps a storage key.
    pub storage: StorageReport,
    /// The key that was there, if the probe was told of one.
    pub known: Option<KnownKeyReport>,
    /// How many keys are there that an identity can have, shown within a login.
    pub keys: usize,
    /// How many sessions can be open. `None` if more than 64.
    pub session_limit: Option<usize>,
    /// Each `CKA_ID`, hex, of what an earlier probe has left, shown within a login.
    pub left: Vec<String>,
    /// What was made is removed, and stays loaded in the TPM behind the module.
    pub stays_loaded: bool,
}

/// What was measured with a key that the probe made.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct MadeReport {
    /// The algorithm of the keys: P-256 only where a token has no Ed25519.
    pub algorithm: AlgorithmId,
    /// Whether the key lasted until it was removed: since that was allowed, or since the
    /// token makes every key so. If not, nothing is known of keys that last, as that of
    /// an identity does.
    pub lasting: bool,
    /// The form of `CKA_EC_PARAMS` that the token takes, first of those tried.
    pub curve: &'static str,
    /// The attributes that it takes when a key is made.
    pub template: &'static str,
    /// The encoding of `CKA_EC_POINT`.
    pub point: &'static str,
    /// Whether every signature verified.
    pub signatures_verify: bool,
    /// How long signatures take.
    pub latency: Latency,
    /// How many times as much two threads sign as one. `None` if it could not
    /// be measured.
    pub two_thread_scaling: Option<f64>,
    /// What the token says of keys whose origin is known.
    pub evidence: Honesty,
}

/// Why a probe made no key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason", content = "said")]
#[non_exhaustive]
pub enum NotMade {
    /// The token lists no mechanism for it.
    NoMechanism,
    /// A new key may take the place of one that is there, and the configuration does
    /// not allow that.
    KeysInSlots,
    /// The token makes no key that goes with its session, and the probe was not allowed
    /// a lasting one ([`ProbeOptions::with_lasting_key`]).
    NoSessionKeys(String),
    /// No session was left to make one in.
    NoSession(String),
    /// The token is write-protected: it says so itself, or by its answer.
    WriteProtected(String),
    /// The token makes no lasting key.
    Refused(String),
}

/// **Blocks** on the device for about ten seconds. Tries a token out: logs in once,
/// makes keys that are gone afterwards, signs a few hundred times, keeps storage keys
/// in both ways.
///
/// # Errors
///
/// If the token is not there, refuses the PIN or is lost meanwhile;
/// [`Pkcs11Error::ProbeLeft`] if what was made could not be removed.
pub fn probe(
    config: &Pkcs11Config,
    pin: &Pin,
    options: &ProbeOptions,
) -> Result<ProbeReport, Error> {
    let module = Module::open(config)?;
    let token = Token::select(&module, &Wanted::from_config(config))?;
    let place = options.known.as_ref().map(|key| key.place(config)).transpose()?;
    let meant = place.as_ref().map_or(Meant::None, |place| Meant::Key(place));
    let _login = LoginGuard::enter_for(meant, &token, pin, Policy::of(config))?;
    let session = token.session()?;
    let objects = Objects { token: &token, session: &session };
    let keys = of_identities(objects, options)?;
    let left = left_before(objects)?;
    drop(session);
    // First, since nothing is made for it.
    let known = match (&options.known, &options.hidden) {
        (Some(key), _) => Some(key.open(config, pin)?),
        (None, Some(uri)) => Some(opened_hidden(&token, uri, config, pin)?),
        (None, None) => None,
    };
    let allowed = may_make_keys(config, &token);
    let (made, not_made) = match allowed {
        true => match made(&token, options)? {
            Ok(made) => (Some(made), None),
            Err(reason) => (None, Some(reason)),
        },
        false => (None, Some(NotMade::KeysInSlots)),
    };
    let is_lasting = made.as_ref().is_some_and(|made| made.lasting);
    Ok(ProbeReport {
        stays_loaded: is_lasting && leaves_loaded(&module, &token),
        made,
        not_made,
        storage: tried(&token, allowed, options)?,
        known,
        keys,
        session_limit: measure::session_limit(&token)?,
        left,
    })
}

/// How many keys an identity can have: none of an earlier probe, and none that keeps a storage
/// key.
fn of_identities(objects: Objects<'_>, options: &ProbeOptions) -> Result<usize, Pkcs11Error> {
    let known = options.known.as_ref().and_then(KnownKey::storage_id);
    let mut count = 0;
    for public in objects.all_public()? {
        let is_ours = || -> Result<bool, Pkcs11Error> {
            let is_known = known.is_some_and(|known| !known.is_empty());
            Ok(is_known && Some(objects.id(public)?.as_slice()) == known)
        };
        let is_none =
            objects.label(public)? == LABEL || objects.keeps_storage(public)? || is_ours()?;
        count += usize::from(!is_none);
    }
    Ok(count)
}

/// The ids of what an earlier probe has left. (Nothing was made yet, and what goes with the
/// session of another process is not seen in this one.)
fn left_before(objects: Objects<'_>) -> Result<Vec<String>, Pkcs11Error> {
    let mut ids = Vec::new();
    for object in objects.find(&[Attribute::Label(LABEL.into())])? {
        ids.push(strays::shown(&objects.id(object)?));
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}

/// Whether the token is one of tpm2-pkcs11 before 1.10, which does not flush what it destroys
/// (`src/lib/object.c`, `object_destroy`), with no resource manager that does.
fn leaves_loaded(module: &Module, token: &Token) -> bool {
    if !token.identity().is_of_tpm2_pkcs11() {
        return false;
    }
    // A module in front of it gives its own version.
    let itself = module.about().contains("tpm2").then(|| module.context().get_library_info());
    let version = itself.and_then(Result::ok).map(|info| info.library_version());
    let is_mended = version.is_some_and(|it| (it.major(), it.minor()) >= (1, 10));
    let way = std::env::var("TPM2_PKCS11_TCTI").ok();
    !is_mended && !has_resource_manager(way.as_deref(), Path::new("/dev/tpmrm0").exists())
}

/// By the way to its TPM that the module is told; it looks for one itself where it is told none.
fn has_resource_manager(way: Option<&str>, is_there: bool) -> bool {
    way.map_or(is_there, |way| ["tpmrm", "tabrmd"].iter().any(|name| way.contains(name)))
}

/// Ed25519; or P-256 where that is all there is.
fn preferred(token: &Token) -> Option<&'static Scheme> {
    scheme::ALL.into_iter().find(|scheme| scheme.needs_to_make(token).is_ok())
}

/// A key that lasts, as that of an identity has to, if that is allowed; else one that goes
/// with its session.
fn made(token: &Token, options: &ProbeOptions) -> Result<Result<MadeReport, NotMade>, Error> {
    let Some(scheme) = preferred(token) else { return Ok(Err(NotMade::NoMechanism)) };
    // Nothing lasts there, whatever goes with a session.
    let write_protected = token.info()?.write_protected();
    Ok(match made_for(token, scheme, options.lifetime()) {
        Ok(made) if !made.lasting && write_protected => {
            Err(NotMade::WriteProtected(WRITE_PROTECTED.into()))
        }
        Ok(made) => Ok(made),
        Err(NoKey::Refused(error)) => {
            let said = in_full_of_making(&error);
            Err(match answer(&error) {
                Some(RvError::SessionCount) => NotMade::NoSession(said),
                _ if write_protected => NotMade::WriteProtected(said),
                Some(RvError::TokenWriteProtected) => NotMade::WriteProtected(said),
                _ if options.lasting_key => NotMade::Refused(said),
                _ => NotMade::NoSessionKeys(said),
            })
        }
        Err(NoKey::Failed(error)) => return Err(error),
    })
}

enum NoKey {
    /// The token makes none like this.
    Refused(DeviceError),
    /// Something else has gone wrong.
    Failed(Error),
}

fn made_for(token: &Token, scheme: &Scheme, lifetime: Lifetime) -> Result<MadeReport, NoKey> {
    let refused = |error: Pkcs11Error| {
        let error = DeviceError::from(error);
        if was_lost(token, &error) { NoKey::Failed(error.into()) } else { NoKey::Refused(error) }
    };
    let session = token.writing_session().map_err(refused)?;
    let objects = Objects { token, session: &session };
    let mut refusal = None;
    let measured = cleaned(objects, |id| match generated(objects, scheme, id, lifetime) {
        Ok(made) => measured(objects, scheme, &made, lifetime).map(Some),
        Err(error @ Pkcs11Error::LeftBehind { .. }) => Err(error.into()),
        Err(error) => {
            refusal = Some(error);
            Ok(None)
        }
    });
    match (measured, refusal) {
        // Of which nothing can be left, although nothing of it is found.
        (_, Some(error)) if answers_that_nobody_is_logged_in(&error) => {
            Err(NoKey::Failed(error.into()))
        }
        (Ok(Some(measured)), _) => Ok(measured),
        (Err(error), _) => Err(NoKey::Failed(error)),
        (Ok(None), Some(error)) => Err(refused(error)),
        (Ok(None), None) => Err(NoKey::Failed(Pkcs11Error::NotOpen { token: token.name() }.into())),
    }
}

/// So nothing was made.
fn answers_that_nobody_is_logged_in(error: &Pkcs11Error) -> bool {
    let source = std::error::Error::source(error);
    let failure = source.and_then(|source| source.downcast_ref::<Failure>());
    matches!(failure, Some(Failure::Returned(RvError::UserNotLoggedIn)))
}

/// A new pair. One that is to last is found again after the session that made it is closed.
fn generated(
    objects: Objects<'_>,
    scheme: &Scheme,
    id: &[u8],
    lifetime: Lifetime,
) -> Result<Generated, Pkcs11Error> {
    if lifetime == Lifetime::Session {
        let make = || objects.generate_pair(scheme, id, LABEL, lifetime);
        return objects.naming_strays((id, LABEL), make);
    }
    let token = objects.token;
    let making = token.writing_session()?;
    let maker = Objects { token, session: &making };
    let made =
        maker.naming_strays((id, LABEL), || maker.generate_pair(scheme, id, LABEL, lifetime))?;
    drop(making);
    let pair = objects.pair(id)?;
    let wanted = || format!("{}, which was made to last", with_id(id));
    let public = objects.exactly_one(&pair.public, wanted)?;
    let private = objects.exactly_one(&pair.private, wanted)?;
    Ok(Generated { public, private, ..made })
}

fn measured(
    objects: Objects<'_>,
    scheme: &Scheme,
    made: &Generated,
    lifetime: Lifetime,
) -> Result<MadeReport, Error> {
    let no_point = |reason: String| Pkcs11Error::PublicKey { token: objects.token.name(), reason };
    let encoded = match objects.read(made.public, AttributeType::EcPoint)? {
        Some(encoded) => encoded,
        None => return Err(no_point("it shows no CKA_EC_POINT".into()).into()),
    };
    let public = point::decode(scheme.algorithm, &encoded).map_err(no_point)?;
    let (latency, signatures_verify) = measure::latency(objects, made.private, &public)?;
    // Some make a lasting key whatever they are asked for.
    let lasts = objects.read(made.private, AttributeType::Token)?;
    Ok(MadeReport {
        algorithm: scheme.algorithm,
        lasting: lifetime == Lifetime::Token || lasts.is_some_and(|lasts| lasts == [1]),
        curve: made.curve,
        template: made.template,
        point: point::form(&encoded),
        signatures_verify,
        latency,
        two_thread_scaling: measure::scaling(objects.token, scheme.algorithm, made.private),
        evidence: Honesty {
            born_inside: judged(objects, objects.evidence(made.private)?),
            written_in: written_in(objects, scheme, lifetime)?,
            once_extractable: once_extractable(objects, scheme, lifetime)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::has_resource_manager;

    #[test]
    fn a_resource_manager_is_known_by_the_way_to_the_tpm() {
        for (way, is_there, expected) in [
            (Some("device:/dev/tpmrm0"), false, true),
            (Some("tabrmd:bus_type=session"), false, true),
            (Some("device:/dev/tpm0"), true, false),
            (Some("swtpm:port=2321"), true, false),
            (None, true, true),
            (None, false, false),
        ] {
            assert_eq!(has_resource_manager(way, is_there), expected, "{way:?}");
        }
    }
}
