//! An attestation that is made beside a daemon that has the same TPM, and the key open in it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use support::ek_maker::EkMaker;
use support::swtpm::Swtpm;

use crate::node::Node;

/// There is no resource manager: what one of them leaves behind is in the way of the other.
#[test]
fn a_tpm_attests_its_key_beside_a_daemon_that_signs_with_it() {
    let tpm = Swtpm::start();
    let node = Node::on_a_tpm(&tpm, "p256");
    let maker = EkMaker::new();
    maker.endorse(&tpm);
    node.allow("may = [\"sign\"]\ncontexts = [\"payments@coop.example\"]");
    let daemon = node.start();
    let sign = || {
        let message = STANDARD.encode(b"100 to Ada");
        let body = json!({ "context": "payments@coop.example", "message": message });
        daemon.post("/v1/sign", &body).ok()
    };
    sign();
    let there = (tpm.transients(), tpm.sessions());
    assert!(there.0 >= 1, "the daemon has its key there: {there:?}");
    for turn in 0..3 {
        let output = node.home.beside(&format!("attestation-{turn}.json"));
        let args = ["attestation", "create", "--audience", "treasury@coop.example"];
        let output = output.to_str().unwrap();
        node.home.ok(&[&args[..], &["-o", output]].concat(), b"");
        sign();
        assert_eq!((tpm.transients(), tpm.sessions()), there, "nothing was left");
    }
    assert_eq!(tpm.lockout_counter(), 0);
    // Both at once: swtpm takes one command at a time, of whoever it is.
    std::thread::scope(|scope| {
        let signing = scope.spawn(|| (0..20).for_each(|_| drop(sign())));
        let args = ["attestation", "create", "--audience", "treasury@coop.example"];
        node.home.ok(&args, b"");
        signing.join().unwrap();
    });
    sign();
    assert_eq!((tpm.transients(), tpm.sessions()), there);
}
