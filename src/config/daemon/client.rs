//! `[[daemon.client]]`: one program, or the programs of one group, and what they may have
//! done.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::super::ClientProblem;
use super::{ContextPattern, Rate};
use crate::encoding::named;
use crate::encoding::objects::object_only;

/// What the key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Permission {
    /// Signatures for the contexts that are listed, as
    /// [`DidSigner::sign_for`](crate::DidSigner::sign_for) makes them.
    Sign,
    /// Signatures of bytes that the client chooses.
    SignRaw,
    /// Opening what was encrypted to the identity.
    Decrypt,
    /// TLS certificates bound to the DID.
    Tls,
    /// Locking and unlocking.
    Admin,
}

named! {
    /// The name used in `icn.toml` and in logs: `sign`, `sign-raw`, `decrypt`, `tls`, `admin`.
    Permission, "a permission":
    Sign => "sign", SignRaw => "sign-raw", Decrypt => "decrypt", Tls => "tls", Admin => "admin"
}

/// `[[daemon.client]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClientRule {
    /// The name of the client in the audit log: 1 to 64 letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// The effective user of its process. This, [`Self::gid`], or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The effective group of its process; those that it has beside that do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// What it may have done. With none it can read what is public.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub may: Vec<Permission>,
    /// For which contexts it may have signed; wanted by [`Permission::Sign`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contexts: Vec<ContextPattern>,
    /// How often it may ask (default: as often as it likes).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// With [`Permission::Tls`]: as how many instances it may have TLS certificates at a time
    /// (default 4). All clients together may have [`MOST_INSTANCES`].
    #[serde(skip_serializing_if = "is_instances")]
    pub instances: u32,
}

/// As how many instances all clients together may have TLS certificates: 31.
///
/// Peers remember 64 instances of a DID. Two hosts of one DID, each of which is an instance too,
/// have no more than these: so no instance makes peers forget another one's number.
pub const MOST_INSTANCES: u32 = 31;

const INSTANCES: u32 = 4;

const fn default_instances() -> u32 {
    INSTANCES
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_instances(value: &u32) -> bool {
    *value == INSTANCES
}

/// As it is read.
#[derive(Deserialize)]
#[serde(remote = "ClientRule", deny_unknown_fields)]
struct Fields {
    name: String,
    uid: Option<u32>,
    gid: Option<u32>,
    #[serde(default)]
    may: Vec<Permission>,
    #[serde(default)]
    contexts: Vec<ContextPattern>,
    rate: Option<Rate>,
    #[serde(default = "default_instances")]
    instances: u32,
}

object_only!(ClientRule as Fields);

impl ClientRule {
    /// A client that may read what is public, known by its user.
    #[must_use]
    pub fn of_user(name: impl Into<String>, uid: u32) -> Self {
        Self::new(name.into(), Some(uid), None)
    }

    /// The same, known by its group.
    #[must_use]
    pub fn of_group(name: impl Into<String>, gid: u32) -> Self {
        Self::new(name.into(), None, Some(gid))
    }

    const fn new(name: String, uid: Option<u32>, gid: Option<u32>) -> Self {
        let instances = INSTANCES;
        Self { name, uid, gid, may: Vec::new(), contexts: Vec::new(), rate: None, instances }
    }

    /// Whether a process of this effective user and group is this client.
    #[must_use]
    pub fn fits(&self, uid: u32, gid: u32) -> bool {
        let is_known = self.uid.is_some() || self.gid.is_some();
        is_known
            && self.uid.is_none_or(|wanted| wanted == uid)
            && self.gid.is_none_or(|wanted| wanted == gid)
    }

    /// Whether it may have this done.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.may.contains(&permission)
    }

    /// Whether it may have signed for this context.
    #[must_use]
    pub fn may_sign_for(&self, context: &str) -> bool {
        self.may(Permission::Sign) && self.contexts.iter().any(|pattern| pattern.allows(context))
    }

    fn problem(&self) -> Option<ClientProblem> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = (1..=64).contains(&self.name.len()) && self.name.bytes().all(is_plain);
        if !is_name {
            return Some(ClientProblem::Name);
        }
        if self.uid.is_none() && self.gid.is_none() {
            return Some(ClientProblem::NoPeer);
        }
        if !(1..=MOST_INSTANCES).contains(&self.instances) {
            return Some(ClientProblem::Instances);
        }
        let signs = self.may(Permission::Sign);
        (signs && self.contexts.is_empty()).then_some(ClientProblem::NoContext)
    }
}

/// The first one that cannot be meant so, by its number from 1.
pub(super) fn check_all(clients: &[ClientRule]) -> Result<(), (usize, ClientProblem)> {
    let (mut names, mut peers) = (HashSet::new(), HashSet::new());
    let mut instances = 0;
    for (index, client) in clients.iter().enumerate() {
        if client.may(Permission::Tls) {
            instances = client.instances.saturating_add(instances);
        }
        let problem = match client.problem() {
            Some(problem) => Some(problem),
            None if !names.insert(&client.name) => Some(ClientProblem::SameName),
            None if !peers.insert((client.uid, client.gid)) => Some(ClientProblem::SamePeer),
            None if instances > MOST_INSTANCES => Some(ClientProblem::TooManyInstances),
            None => None,
        };
        if let Some(problem) = problem {
            return Err((index + 1, problem));
        }
    }
    Ok(())
}
