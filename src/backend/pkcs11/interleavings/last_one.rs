//! The last one to go logs out, and nobody goes on without a login.

use shuttle::thread;
use support::softhsm::PIN;

use super::{Which, with_token};
use crate::signer::DidSigner as _;

#[test]
fn the_last_key_that_is_closed_logs_out_and_no_other() {
    with_token(|world| {
        let ((), calls) = world.hsm.calls(|| {
            thread::scope(|scope| {
                for which in [Which::Plain, Which::Plain, Which::Always] {
                    scope.spawn(move || {
                        for _ in 0..2 {
                            let key = world.open(which, PIN).unwrap();
                            key.sign(b"hello").unwrap();
                        }
                    });
                }
            });
        });
        let count = |begin: &str| calls.iter().filter(|line| line.starts_with(begin)).count();
        for call in ["C_SignInit", "C_Sign", "C_Logout", "C_CloseSession"] {
            assert_eq!(count(&format!("{call} ")), count(&format!("{call} 0x0")), "{calls:?}");
        }
        let logins = count("C_Login 0x0 user");
        assert!(logins == count("C_Logout 0x0") && (1..=6).contains(&logins), "{calls:?}");
        assert_eq!(world.sessions(), 0);
    });
}
