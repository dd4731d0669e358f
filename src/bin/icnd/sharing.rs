//! Who shares with whom what there is only so much of: each client with the others, however
//! many users it has, and each user with the others of its client.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::in_force::InForce;
use crate::peer::Peer;

/// One who has a share.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Share {
    /// By its name, which no other one has.
    Client(Arc<str>),
    /// One who is no client.
    User(u32),
}

/// A user, and of whose share it has its part.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Sharer {
    pub(crate) share: Share,
    pub(crate) uid: u32,
}

impl Sharer {
    pub(crate) const fn user(uid: u32) -> Self {
        Self { share: Share::User(uid), uid }
    }

    pub(crate) fn client(name: &str, uid: u32) -> Self {
        Self { share: Share::Client(name.into()), uid }
    }

    pub(crate) fn of(peer: &Peer, policy: &InForce) -> Self {
        match policy.client(peer.uid, peer.gid) {
            Ok(client) => Self::client(&client.rule().name, peer.uid),
            Err(_) => Self::user(peer.uid),
        }
    }

    pub(crate) const fn is_client(&self) -> bool {
        matches!(self.share, Share::Client(_))
    }
}

/// Those who wait: each share in turn, and in it each user.
#[derive(Debug)]
pub(crate) struct InTurn<T>(VecDeque<(Share, Users<T>)>);

type Users<T> = VecDeque<(Sharer, VecDeque<T>)>;

impl<T> Default for InTurn<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> InTurn<T> {
    /// How many of this user wait with it.
    pub(crate) fn push(&mut self, who: &Sharer, item: T) -> usize {
        let place = self.0.iter().position(|(share, _)| *share == who.share);
        let place = place.unwrap_or_else(|| {
            self.0.push_back((who.share.clone(), VecDeque::new()));
            self.0.len() - 1
        });
        let Some((_, users)) = self.0.get_mut(place) else { return 0 };
        match users.iter_mut().find(|(user, _)| user == who) {
            Some((_, own)) => {
                own.push_back(item);
                own.len()
            }
            None => {
                users.push_back((who.clone(), [item].into()));
                1
            }
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let (share, mut users) = self.0.pop_front()?;
        let (user, mut own) = users.pop_front()?;
        let next = own.pop_front();
        if !own.is_empty() {
            users.push_back((user, own));
        }
        if !users.is_empty() {
            self.0.push_back((share, users));
        }
        next
    }

    /// What is taken of those of one user.
    pub(crate) fn take_of<R>(
        &mut self,
        who: &Sharer,
        take: impl FnOnce(&mut VecDeque<T>) -> R,
    ) -> Option<R> {
        let place = self.0.iter().position(|(share, _)| *share == who.share)?;
        let (_, users) = self.0.get_mut(place)?;
        let at = users.iter().position(|(user, _)| user == who)?;
        let (_, own) = users.get_mut(at)?;
        let taken = take(own);
        if own.is_empty() {
            users.remove(at);
        }
        if users.is_empty() {
            self.0.remove(place);
        }
        Some(taken)
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = &Sharer> {
        self.0.iter().flat_map(|(_, users)| users).map(|(user, _)| user)
    }

    /// Of the share that has most here, the user who has most: the first one of equals, so
    /// that nobody is turned away for being the last one to come.
    pub(crate) fn greediest(&self) -> Option<Sharer> {
        let count = |users: &Users<T>| -> usize { users.iter().map(|(_, own)| own.len()).sum() };
        // The last one of equals is taken.
        let (_, users) = self.0.iter().rev().max_by_key(|(_, users)| count(users))?;
        users.iter().rev().max_by_key(|(_, own)| own.len()).map(|(user, _)| user.clone())
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|(_, users)| users).flat_map(|(_, own)| own)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
