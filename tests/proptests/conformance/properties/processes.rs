//! Other processes, which know nothing but what is on disk.

use icn_identity::{Did, SshSignature};
use support::home::run;

use crate::conformance::kept::identity;
use crate::conformance::{CONTEXT, Kept, MESSAGE};

pub(crate) fn open_it<F: Kept>(it: &F) {
    let home = it.home();
    let did = identity(it, &home, "identity").bundle.did().clone();
    let sign = ["sign", "--context", CONTEXT];
    let verifies = || {
        let signature: SshSignature = home.ok(&sign, MESSAGE).parse().unwrap();
        did.verifying_key().verify_for(CONTEXT, MESSAGE, &signature).unwrap();
    };
    verifies();
    let shown = home.show();
    assert_eq!(Did::parse(shown["did"].as_str().unwrap()).unwrap(), did);
    let claimed = (shown["provenance"].as_str().unwrap(), shown["assurance"].as_str().unwrap());
    assert_eq!(claimed, (F::CUSTODY.provenance().as_str(), F::CUSTODY.assurance().as_str()));

    // A wrong credential is sent by the first process, and by no later one.
    for sent in [1, 0] {
        let mut command = home.command(&sign);
        let variable = if F::IS_SENT { "ICN_PIN" } else { "ICN_PASSPHRASE" };
        command.env(variable, F::WRONG);
        let (ran, seen) = it.sent(|| run(&mut command, MESSAGE));
        assert_eq!((ran.code, seen), (77, F::IS_SENT.then_some(sent)), "{}", ran.err);
        assert!(ran.out.is_empty() && !ran.err.contains(F::WRONG), "{} {}", ran.out, ran.err);
    }
    verifies();
}
