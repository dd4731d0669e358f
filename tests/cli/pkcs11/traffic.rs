//! How often one command asks the device: on a network each time is a round trip.

use std::path::Path;

use support::home::Home;
use support::softhsm::{SoftHsm, count};

/// What reaches the device, and by how many requests to a NetHSM: of
/// nethsm-pkcs11 2.2, `C_GetSlotInfo` asks for two things (`/info`,
/// `/health/state`), and a search by `CKA_ID` for the key and its certificate.
/// Sessions, lists of slots and mechanisms, attributes of a key that was found, and
/// what only begins an operation or is refused before it, stay in the module.
const REACH_THE_DEVICE: [(&str, usize); 9] = [
    ("C_GetSlotInfo", 2),
    ("C_GetTokenInfo", 1),
    ("C_Login", 1),
    ("C_FindObjects", 2),
    ("C_Sign", 1),
    ("C_Encrypt", 1),
    ("C_Decrypt", 1),
    ("C_DeriveKey", 1),
    ("C_GenerateKeyPair", 1),
];

/// How many round trips a signature by an identity that is there takes, and what
/// for.
fn of_one_signature(hsm: &SoftHsm, home: &Home) -> (usize, Vec<String>) {
    let (_, calls) = hsm.calls(|| home.ok(&["sign"], b"hello"));
    let trips = REACH_THE_DEVICE.iter().map(|(name, trips)| count(&calls, name) * trips).sum();
    (trips, calls)
}

fn init(hsm: &SoftHsm, home: &Home) {
    let module = hsm.fault_module();
    assert!(Path::new(&module).exists());
    let args = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
    home.ok(&args, b"");
}

#[test]
fn one_signature_on_a_nethsm_is_at_most_ten_round_trips() {
    let hsm = SoftHsm::with_token("node-1");
    // It keeps no storage key: a passphrase does.
    hsm.script(
        "login-per-session\none-slot\nno-mechanism CKM_AES_GCM\nno-mechanism CKM_ECDH1_DERIVE",
    );
    let home = hsm.home().with("ICN_PASSPHRASE", "passphrase-60417725");
    init(&hsm, &home);
    let (trips, calls) = of_one_signature(&hsm, &home);
    assert!(trips <= 10, "{trips}: {calls:?}");
    assert_eq!(count(&calls, "C_Sign"), 2, "a challenge, and the message: {calls:?}");
}

/// The token and its slot are looked at once, and once more for the PIN.
#[test]
fn the_token_is_looked_at_once_and_its_flags_again_before_the_pin() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("one-slot");
    let home = hsm.home();
    init(&hsm, &home);
    let (_, calls) = of_one_signature(&hsm, &home);
    for (function, times) in [
        ("C_GetSlotInfo", 1),
        ("C_GetTokenInfo", 2),
        // Its length, and the list.
        ("C_GetMechanismList", 2),
        ("C_Login", 1),
        // The key twice before the PIN, once after; and the storage key.
        ("C_FindObjectsInit", 4),
        ("C_Decrypt", 1),
        ("C_Sign", 2),
    ] {
        assert_eq!(count(&calls, function), times, "{function}: {calls:?}");
    }
    let place = |name: &str| calls.iter().rposition(|call| call.starts_with(name));
    assert_eq!(place("C_GetTokenInfo").map(|last| last + 1), place("C_Login"), "{calls:?}");
}
