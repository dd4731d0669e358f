//! The identity of this home, on the token that a doctor looks at.

use icn_identity::backend::doctor::Verdict;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::pkcs11::doctor::{KnownKey, ModuleReport, hidden};
use icn_identity::backend::{BackendKind, Pkcs11Uri};
use icn_identity::config::Pkcs11Config;
use icn_identity::error::Pkcs11Error;
use icn_identity::keystore::{Header, Storage};
use icn_identity::{AlgorithmId, Did, DidMethod};

use crate::args::DoctorArgs;
use crate::context::Context;
use crate::error::CliError;

/// Whose identity is here, which of its keys to try, and whether it is there.
#[derive(Default)]
pub(super) struct Ours {
    pub(super) did: Option<Did>,
    pub(super) known: Option<KnownKey>,
    /// A key that is named and may be shown within a login only.
    pub(super) hidden: Option<Pkcs11Uri>,
    pub(super) verdict: Option<Verdict>,
    /// Its files are here: no other is made in this home.
    pub(super) is_made: bool,
}

impl Ours {
    pub(super) fn find(
        context: &Context,
        args: &DoctorArgs,
        config: &Pkcs11Config,
        report: &ModuleReport,
    ) -> Result<Self, CliError> {
        let header = context.store().header().ok();
        let did = context.pinned().did().or(header.as_ref().map(Header::did)).cloned();
        let ours = Self { did, is_made: header.is_some(), ..Self::default() };
        match (header, ours.did.clone()) {
            (Some(header), Some(did)) => {
                let ours = ours.of_header(args, config, report, &header, did);
                // Of another token a key is named, for an identity in another home.
                let is_named = ours.known.is_none() && context.key.is_some();
                if is_named { ours.named(config) } else { Ok(ours) }
            }
            (None, Some(did)) if context.config.identity.backend == BackendKind::Pkcs11 => {
                // The pin of an identity that never was says nothing of this token.
                let left = context.store().unfinished()?.unwrap_or_default();
                let verdict = (!left.was_never_made(&did) && is_configured(args))
                    .then(|| report.shows_key_of(&did));
                Ok(Self { verdict, ..ours })
            }
            (_, None) => ours.named(config),
            (None, Some(_)) => Ok(ours),
        }
    }

    fn of_header(
        self,
        args: &DoctorArgs,
        config: &Pkcs11Config,
        report: &ModuleReport,
        header: &Header,
        did: Did,
    ) -> Self {
        let Some(locator) = header.locator() else { return self };
        // Another token than the identity's may be looked at.
        let is_its_token = report
            .selected()
            .is_some_and(|token| token.label == locator.token && token.serial == locator.serial);
        if !is_its_token && !is_configured(args) {
            return self;
        }
        let evidence = header.claimed_evidence();
        let mut known =
            KnownKey::new(locator.clone(), did).with_earlier(evidence.facts(), evidence.words());
        known = match header.storage() {
            Storage::Pkcs11AesGcm { wrapped } => known.with_storage_key(wrapped.clone().into()),
            Storage::Pkcs11Ecdh { wrapped } => known.with_storage_key(wrapped.clone().into()),
            _ => known,
        };
        Self { verdict: Some(known.look(config)), known: Some(known), ..self }
    }

    /// The key that `--key` names, before it is adopted.
    fn named(self, config: &Pkcs11Config) -> Result<Self, CliError> {
        let Some(uri) = config.key.as_ref().filter(|key| key.names_a_key()) else {
            return Ok(self);
        };
        let backend = Pkcs11Backend::open(config)?;
        let locator = match backend.locate(uri) {
            Ok(locator) => locator,
            // It may be shown within a login.
            Err(Pkcs11Error::NoKey { .. }) if uri.names_a_token() || !backend.shows_a_key()? => {
                return Ok(Self { verdict: Some(hidden()), hidden: Some(uri.clone()), ..self });
            }
            Err(error) => return Err(error.into()),
        };
        let public = backend.public_key(&locator)?;
        let method = match public.algorithm() {
            AlgorithmId::P256 => DidMethod::Key,
            _ => DidMethod::Icn,
        };
        let did = Did::from_key(method, &public)?;
        let known = KnownKey::new(locator, did);
        Ok(Self { verdict: Some(known.look(config)), known: Some(known), ..self })
    }
}

fn is_configured(args: &DoctorArgs) -> bool {
    args.module.is_none() && args.token.is_none()
}
