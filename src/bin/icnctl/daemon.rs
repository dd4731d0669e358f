//! `icnd`, where it has the key of the identity open: then it is asked, and the key is not opened
//! here.

mod command;

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::PathBuf;

use icn_identity::bundle::EncryptedFile;
use icn_identity::client::{ClientError, FileKey, RemoteIdentity, RemoteOptions};
use icn_identity::config::{DaemonConfig, Owner};
use icn_identity::error::{KeystoreError, SignError};
use icn_identity::{Did, Error, Signature, SshSignature};
use nix::unistd::User;

pub(crate) use self::command::{lock, status, unlock};
use crate::context::Context;
use crate::daemon_error::{DaemonError, is_nobody};
use crate::error::CliError;
use crate::input::Input;
use crate::instance::{Instance, NotTaken};
use crate::output::say;

/// Longer than what fits into a request.
const LONGEST_BARE: u64 = 64 * 1024;

/// One that has shown that it has the key of the DID.
pub(crate) struct Daemon {
    identity: RemoteIdentity,
    /// Whether the command could use the key without it.
    has_key_here: bool,
}

impl Context {
    /// Where it listens, if it is there.
    pub(crate) fn socket(&self) -> PathBuf {
        let socket = self.config.daemon.socket_in(&self.home);
        if socket.exists() {
            return socket;
        }
        // The one that runs may have been started by another configuration, or with another
        // runtime directory: then there is a link to its socket in the home.
        let in_home = DaemonConfig::socket_in_home(&self.home);
        match in_home.exists() || self.config.daemon.socket.is_none() {
            // One that was made by hand may lead on from where it is.
            true => match (fs::read_link(&in_home), in_home.parent()) {
                (Ok(target), Some(home)) => home.join(target),
                _ => in_home,
            },
            false => socket,
        }
    }

    /// As whose it is believed, beside root's, where the configuration says it.
    pub(crate) fn owner(&self) -> Result<Option<u32>, CliError> {
        self.config.daemon.owner.as_ref().map(uid_of).transpose()
    }

    /// How it is known there.
    fn remote(&self, did: Did) -> Result<RemoteOptions, CliError> {
        let options = RemoteOptions::new(self.socket(), did);
        Ok(match self.owner()? {
            Some(uid) => options.owned_by(uid),
            None => options,
        })
    }

    /// The one that has the key open, to be asked before anything is: unless the command line
    /// says that the key is to be used here, or nobody listens. One that refuses is not passed
    /// by.
    pub(crate) fn daemon(&self) -> Result<Option<Daemon>, CliError> {
        if let Some(option) = self.direct_by {
            self.tell(format_args!("the key is used here, since {option} is given"));
            return Ok(None);
        }
        let Some(did) = self.pinned_or_there() else { return Ok(None) };
        let has_key_here = self.store().header().is_ok();
        let (socket, options) = (self.socket(), self.remote(did)?);
        match options.connect() {
            Ok(identity) => {
                self.tell(format_args!("icnd uses the key, at {}", socket.display()));
                Ok(Some(Daemon { identity, has_key_here }))
            }
            Err(ClientError::Connect { source, .. }) if has_key_here && is_nobody(&source) => {
                if let Some(number) = Instance::daemon(&self.home) {
                    return Err(CliError::DaemonElsewhere { number, socket, is_use_of_key: true });
                }
                let socket = socket.display();
                self.tell(format_args!("the key is used here, since no icnd listens at {socket}"));
                Ok(None)
            }
            // Nothing says that one is meant.
            Err(ClientError::Connect { source, .. })
                if is_nobody(&source) && self.config.daemon.socket.is_none() =>
            {
                Ok(None)
            }
            Err(source) => Err(DaemonError::of_use(socket, has_key_here, source).into()),
        }
    }

    /// The same, for what is asked of `icnd` itself, also while it is locked.
    fn daemon_as_it_is(&self) -> Result<RemoteIdentity, CliError> {
        let did = match self.pinned_or_there() {
            Some(did) => did,
            None => self.header()?.did().clone(),
        };
        Ok(self.remote(did)?.unconnected())
    }

    /// Keeps `icnd` from being started until this is dropped, for a command that changes what it
    /// would have open.
    pub(crate) fn keep_icnd_out(&self) -> Result<Option<Instance>, CliError> {
        // It has never run where neither is there.
        let is_daemons = Instance::is_known(&self.home) || self.config.daemon != Default::default();
        if !is_daemons {
            return Ok(None);
        }
        match Instance::take(&self.home, "icnctl") {
            Ok(instance) => Ok(Some(instance)),
            Err(NotTaken::Held { holder, number }) => {
                Err(CliError::HeldByDaemon { home: self.home.clone(), holder, number })
            }
            // Where it cannot be made, there is none.
            Err(NotTaken::File { source, .. }) if is_unwritable(&source) => Ok(None),
            Err(NotTaken::File { path, source, .. }) => {
                Err(CliError::Input { what: path.display().to_string(), source })
            }
        }
    }

    /// An error by what the home is for: what is missing in one of a client is with icnd, and has
    /// not to be made or restored.
    pub(crate) fn explain(&self, error: CliError) -> CliError {
        let daemon = &self.config.daemon;
        let names_socket = daemon.socket.is_some() && daemon.client.is_empty();
        let CliError::Identity(Error::Keystore(missing)) = &error else { return error };
        let has_did = match missing {
            KeystoreError::PinnedNotThere { note: None, in_the_way: None, .. }
                if daemon.owner.is_some() || names_socket =>
            {
                true
            }
            KeystoreError::NoIdentity { .. } if daemon.owner.is_some() => false,
            _ => return error,
        };
        CliError::HomeOfClient { socket: self.socket(), has_did }
    }

    fn pinned_or_there(&self) -> Option<Did> {
        let pinned = self.config.identity.did.clone();
        pinned.or_else(|| Some(self.store().header().ok()?.did().clone()))
    }

    fn tell(&self, what: impl Display) {
        if self.verbose {
            say(&format!("note: {what}"));
        }
    }
}

fn uid_of(owner: &Owner) -> Result<u32, CliError> {
    let name = match owner {
        Owner::Uid(uid) => return Ok(*uid),
        owner => owner.to_string(),
    };
    match User::from_name(&name) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(CliError::NoOwner { name, source: None }),
        Err(error) => Err(CliError::NoOwner { name, source: Some(error.into()) }),
    }
}

fn is_unwritable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ReadOnlyFilesystem)
}

impl Daemon {
    pub(crate) fn did(&self) -> &Did {
        self.identity.did()
    }

    /// Of a message of any length: of a long one the hash is sent.
    pub(crate) fn sign_for(
        &self,
        context: &str,
        input: &mut Input,
    ) -> Result<SshSignature, CliError> {
        match self.identity.sign_read_for(context, &mut *input) {
            Err(ClientError::Sign(error)) => input.named(Err(error)),
            signed => self.used(signed),
        }
    }

    pub(crate) fn sign_raw(&self, input: Input) -> Result<Signature, CliError> {
        match self.identity.sign_raw(&input.read_at_most(LONGEST_BARE)?) {
            Err(ClientError::Sign(SignError::Reserved)) => Err(CliError::Reserved),
            signed => self.used(signed),
        }
    }

    /// What opens a file, of which the header alone is sent.
    pub(crate) fn file_key(&self, file: &EncryptedFile<Input>) -> Result<FileKey, CliError> {
        self.used(self.identity.file_key(file.header()))
    }

    fn used<T>(&self, done: Result<T, ClientError>) -> Result<T, CliError> {
        let socket = || self.identity.socket().to_owned();
        done.map_err(|source| DaemonError::of_use(socket(), self.has_key_here, source).into())
    }
}
