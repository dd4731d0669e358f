//! Sessions that threads borrow: never more than there may be, none is lost, and nobody waits
//! for one that does not come.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::rand::{Rng as _, thread_rng};
use shuttle::thread;

use super::super::connection::LoginGuard;
use super::super::policy::Policy;
use super::super::pool::Condition;
use super::{Which, World, with_token};
use crate::secret::Pin;
use crate::signer::DidSigner as _;
use crate::sync::Arc;

/// As in the configuration of the tests.
const LIMIT: usize = 2;

fn enter(world: &World) -> LoginGuard {
    let policy = Policy::of(&world.config());
    let pin = Pin::new(support::softhsm::PIN);
    LoginGuard::enter(&world.token(), &pin, policy).unwrap()
}

/// Nothing is lent, and the token has no session but those of the pool, and the one that keeps
/// the login.
fn all_came_back(world: &World, login: &LoginGuard) {
    let (lent, waiting) = {
        let state = login.lock();
        (state.pool.lent, state.settling)
    };
    assert_eq!((lent, waiting), (0, 0));
    assert!(world.sessions() <= 1 + LIMIT as u64, "{}", world.sessions());
    drop(login.lease().ok().expect("a session can be lent"));
}

#[test]
fn threads_borrow_no_more_sessions_than_there_may_be_and_give_all_back() {
    with_token(|world| {
        let login = enter(world);
        let lent = AtomicUsize::new(0);
        thread::scope(|scope| {
            for number in 0..4 {
                let (login, lent) = (&login, &lent);
                let condition = [Condition::Sound, Condition::Doubtful, Condition::Dead];
                let condition = condition[thread_rng().gen_range(0..condition.len())];
                let panics = thread_rng().gen_range(0..4) == 0;
                scope.spawn(move || {
                    for _ in 0..2 {
                        let borrow = || {
                            let mut lease = login.lease().ok().expect("a session is lent");
                            assert!(lent.fetch_add(1, Ordering::SeqCst) < LIMIT);
                            crate::sync::step();
                            assert!(lease.objects().unwrap().session.says_logged_in());
                            lent.fetch_sub(1, Ordering::SeqCst);
                            // One that is dead is not closed: the token forgets it, too.
                            if condition == Condition::Dead {
                                world.kill(&lease);
                            }
                            lease.spoil(condition);
                            if panics && number > 0 {
                                resume_unwind(Box::new("while a session is lent"));
                            }
                        };
                        let _ = catch_unwind(AssertUnwindSafe(borrow));
                    }
                });
            }
        });
        assert_eq!(lent.into_inner(), 0);
        all_came_back(world, &login);
        drop(login);
        assert_eq!(world.sessions(), 0);
    });
}

/// The token has one session fewer than it says.
#[test]
fn threads_wait_for_a_session_that_the_token_does_not_have() {
    with_token(|world| {
        world.script("max-sessions 2\nhide-max-sessions");
        let login = enter(world);
        thread::scope(|scope| {
            for _ in 0..3 {
                let login = &login;
                scope.spawn(move || drop(login.lease().ok().expect("a session is lent")));
            }
        });
        world.script("");
        all_came_back(world, &login);
    });
}

/// All that the token has are idle, and two threads want one each beside the pool.
#[test]
fn threads_find_room_beside_the_pool_at_the_same_time() {
    with_token(|world| {
        world.script("max-sessions 3\nhide-max-sessions");
        let login = enter(world);
        let both = [login.lease(), login.lease()].map(|lease| lease.ok().expect("both are lent"));
        drop(both);
        let token = world.token();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| drop(token.session().unwrap()));
            }
        });
        world.script("");
        all_came_back(world, &login);
    });
}

/// What is lost once is back for each of those that sign: nobody's signature fails.
#[test]
fn threads_sign_although_everything_is_lost_once() {
    with_token(|world| {
        let losses = ["kill-all", "kill-session", "logout", "finalize"];
        let loss = losses[thread_rng().gen_range(0..losses.len())];
        let call = thread_rng().gen_range(1..4);
        let reuse = ["", "reuse-handles\n"][thread_rng().gen_range(0..2)];
        let key = Arc::new(world.open(Which::Plain, support::softhsm::PIN).unwrap());
        let login = enter(world);
        world.script(&format!("{reuse}on C_SignInit {call} {loss}"));
        thread::scope(|scope| {
            for number in 0..3 {
                let key = &key;
                scope.spawn(move || {
                    for time in 0..2 {
                        let message = [number, time];
                        let signed = key.sign(&message);
                        let signed = signed.unwrap_or_else(|error| panic!("{loss}: {error:?}"));
                        key.verifying_key().verify(&message, &signed).unwrap();
                    }
                });
            }
        });
        world.script("");
        key.sign(b"hello").unwrap();
        all_came_back(world, &login);
        drop((key, login));
        assert_eq!(world.sessions(), 0);
    });
}
