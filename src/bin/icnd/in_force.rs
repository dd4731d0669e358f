//! What decides requests now: clients and what they may, and while a reload is under way what
//! they may by both configurations.

use std::sync::Arc;
use std::time::Instant;

use icn_identity::config::{ClientRule, Config, Permission};
use icn_identity::daemon::{Call, Client, Denied, Policy};

/// Whatever is allowed by it is allowed by the configuration whose line is on disk; and, where
/// another one is about to follow, by that one too.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    of: Configured,
    next: Option<Configured>,
}

#[derive(Debug, Clone)]
struct Configured {
    policy: Arc<Policy>,
    logs_all: bool,
}

impl Configured {
    fn new(config: &Config) -> Self {
        let policy = Arc::new(Policy::new(&config.daemon));
        Self { policy, logs_all: config.logs_all_operations() }
    }
}

/// A client, by both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientInForce<'p> {
    of: &'p Client,
    next: Option<&'p Client>,
}

impl InForce {
    pub(crate) fn new(config: &Config) -> Self {
        Self { of: Configured::new(config), next: None }
    }

    /// Until the line of this configuration is on disk.
    pub(crate) fn with_next(&self, config: &Config) -> Self {
        Self { of: self.of.clone(), next: Some(Configured::new(config)) }
    }

    /// Its line is on disk.
    pub(crate) fn followed(&self) -> Self {
        Self { of: self.next.clone().unwrap_or_else(|| self.of.clone()), next: None }
    }

    /// It has no line.
    pub(crate) fn not_followed(&self) -> Self {
        Self { of: self.of.clone(), next: None }
    }

    /// # Errors
    ///
    /// If it is a client of one of them only, too.
    pub(crate) fn client(&self, uid: u32, gid: u32) -> Result<ClientInForce<'_>, Denied> {
        let of = self.of.policy.client(uid, gid)?;
        let next = self.next.as_ref().map(|next| next.policy.client(uid, gid)).transpose()?;
        Ok(ClientInForce { of, next })
    }

    /// Whether what needs no key is written down, too.
    pub(crate) fn logs_all(&self) -> bool {
        self.of.logs_all || self.next.as_ref().is_some_and(|next| next.logs_all)
    }
}

impl<'p> ClientInForce<'p> {
    /// As it is configured by what has its line.
    pub(crate) const fn rule(&self) -> &'p ClientRule {
        self.of.rule()
    }

    /// Whether it may have this done now.
    ///
    /// # Errors
    ///
    /// [`Denied`] with the reason.
    pub(crate) fn check(&self, call: &Call<'_>, now: Instant) -> Result<(), Denied> {
        self.of.check(call, now)?;
        self.next.map_or(Ok(()), |next| next.check(call, now))
    }

    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.both().all(|client| client.rule().may(permission))
    }

    /// How many instances it may have.
    pub(crate) fn instances(&self) -> u32 {
        self.both().map(|client| client.rule().instances).min().unwrap_or(0)
    }

    fn both(&self) -> impl Iterator<Item = &'p Client> {
        [Some(self.of), self.next].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use icn_identity::daemon::ProblemCode;

    use super::*;

    fn config(may: &str, contexts: &str, more: &str) -> Config {
        let text = format!(
            "{more}[[daemon.client]]\nname = \"pay\"\nuid = 1\nmay = [{may}]\n\
             contexts = [{contexts}]\n"
        );
        Config::parse(&text).unwrap()
    }

    fn code(policy: &InForce, context: &str) -> Option<ProblemCode> {
        let client = policy.client(1, 1).unwrap();
        client.check(&Call::Sign { context }, Instant::now()).err().map(|denied| denied.code)
    }

    #[test]
    fn until_one_follows_the_other_what_one_of_both_refuses_is_refused() {
        let refused = Some(ProblemCode::ContextNotAllowed);
        let before = InForce::new(&config("\"sign\", \"admin\"", "\"a\", \"b\"", ""));
        let more = "[audit]\nlog_all_operations = true\n";
        let both = before.with_next(&config("\"sign\"", "\"b\", \"c\"", more));
        let codes = |policy: &InForce| ["a", "b", "c"].map(|context| code(policy, context));
        assert_eq!(codes(&before), [None, None, refused]);
        assert_eq!(codes(&both), [refused, None, refused]);
        assert_eq!(codes(&both.followed()), [refused, None, None]);
        assert_eq!(codes(&both.not_followed()), [None, None, refused]);
        let may_admin = |policy: &InForce| policy.client(1, 1).unwrap().may(Permission::Admin);
        assert!(may_admin(&before) && !may_admin(&both) && may_admin(&both.not_followed()));
        assert!(!before.logs_all() && both.logs_all());
        assert!(both.followed().logs_all() && !both.not_followed().logs_all());
        // Whoever is a client by one of them is none.
        let nobody = Config::parse("").unwrap();
        assert!(before.with_next(&nobody).client(1, 1).is_err());
        assert!(InForce::new(&nobody).with_next(&config("", "", "")).client(1, 1).is_err());
    }
}
