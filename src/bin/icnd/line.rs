//! The lines of the audit log that one request leaves.

use std::sync::Arc;

use icn_identity::audit::{AuditError, Entry, Event, MessageTag, RequestId, Requester};
use icn_identity::peer::Instance;

use crate::audit::{Audit, Which};
use crate::in_force::InForce;
use crate::peer::Peer;
use crate::sharing::Sharer;

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    Allowed,
    /// By a code of a problem, or the name of a kind of error.
    Refused(&'static str),
    Failed(&'static str),
}

/// Who wants something done.
#[derive(Clone)]
enum Who {
    Ours(Requester),
    Peer(Arc<Peer>),
}

impl Who {
    fn requester(&self) -> &Requester {
        match self {
            Self::Ours(requester) => requester,
            Self::Peer(peer) => peer.requester(),
        }
    }
}

/// What stands in each line of a request.
#[derive(Clone)]
pub(crate) struct Line {
    event: Event,
    request: RequestId,
    uid: u32,
    who: Who,
    client: Option<String>,
    context: Option<String>,
    message: Option<MessageTag>,
    length: Option<u64>,
    tls_key: Option<(Instance, Vec<u8>)>,
    /// What has allowed it, which is held for as long as anything of it is under way.
    decided_by: Option<Arc<InForce>>,
    /// It is of this log, and in no other one is it said that it was allowed.
    of_log: Option<Which>,
}

impl Line {
    pub(crate) fn is_of(&self, event: Event) -> bool {
        self.event == event
    }

    /// Whose share of the key it uses.
    pub(crate) fn sharer(&self) -> Sharer {
        match &self.client {
            Some(client) => Sharer::client(client, self.uid),
            None => Sharer::user(self.uid),
        }
    }

    /// For the log on standard error.
    pub(crate) fn whose(&self) -> String {
        match &self.client {
            Some(client) => format!("the client {client} (user {})", self.uid),
            None => format!("user {}", self.uid),
        }
    }

    /// The name of the client; empty if there is none.
    pub(crate) fn client(&self) -> &str {
        self.client.as_deref().unwrap_or_default()
    }

    const fn by(event: Event, request: RequestId, uid: u32, who: Who) -> Self {
        Self {
            event,
            request,
            uid,
            who,
            client: None,
            context: None,
            message: None,
            length: None,
            tls_key: None,
            decided_by: None,
            of_log: None,
        }
    }

    pub(crate) fn new(event: Event, request: RequestId, peer: Arc<Peer>) -> Self {
        Self::by(event, request, peer.uid, Who::Peer(peer))
    }

    /// Of what this process does by itself.
    pub(crate) fn own(event: Event, request: RequestId) -> Self {
        let uid = rustix::process::getuid().as_raw();
        Self::by(event, request, uid, Who::Ours(Requester::ours()))
    }

    pub(crate) fn with_client(self, name: &str) -> Self {
        Self { client: Some(name.to_owned()), ..self }
    }

    pub(crate) fn with_decided_by(self, policy: Arc<InForce>) -> Self {
        Self { decided_by: Some(policy), ..self }
    }

    pub(crate) fn with_log(self, which: Which) -> Self {
        Self { of_log: Some(which), ..self }
    }

    /// **Blocks** on files. Writes that it is allowed; `None` if its log is not in use any more.
    pub(crate) fn allow(&self, audit: &Audit) -> Option<Result<u64, AuditError>> {
        let entry = self.entry(Outcome::Allowed);
        match self.of_log {
            Some(which) => audit.append_in(which, entry),
            None => Some(audit.append(entry)),
        }
    }

    /// To be held by who does something that no line of it is held for.
    pub(crate) fn decided_by(&self) -> Option<Arc<InForce>> {
        self.decided_by.clone()
    }

    pub(crate) fn with_context(self, context: &str) -> Self {
        Self { context: Some(context.to_owned()), ..self }
    }

    /// The message itself is in no line.
    pub(crate) fn with_message(self, message: MessageTag) -> Self {
        Self { message: Some(message), ..self }
    }

    pub(crate) fn with_length(self, bytes: usize) -> Self {
        Self { length: u64::try_from(bytes).ok(), ..self }
    }

    /// An instance, and the SubjectPublicKeyInfo of its TLS key.
    pub(crate) fn with_tls_key(self, instance: Instance, spki: &[u8]) -> Self {
        Self { tls_key: Some((instance, spki.to_vec())), ..self }
    }

    pub(crate) fn entry(&self, outcome: Outcome) -> Entry {
        let entry = match outcome {
            Outcome::Allowed => Entry::allowed(self.event),
            Outcome::Refused(reason) => Entry::refused(self.event, reason),
            Outcome::Failed(reason) => Entry::failed(self.event, reason),
        };
        let mut entry = entry.with_request(self.request).with_requester(self.who.requester());
        if let Some(client) = &self.client {
            entry = entry.with_client(client);
        }
        if let Some(context) = &self.context {
            entry = entry.with_context(context);
        }
        if let Some(message) = &self.message {
            entry = entry.with_message(*message);
        }
        if let Some(length) = self.length {
            entry = entry.with_length(length);
        }
        if let Some((instance, spki)) = &self.tls_key {
            entry = entry.with_tls_key(instance, spki);
        }
        entry
    }
}
