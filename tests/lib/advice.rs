//! Errors that have several causes: what each of them is told to do, and what would be
//! wrong for it.
//!
//! (Advice that depends on the machine is tested where the cause is: `durability::owners`,
//! `durability::disks`, `pkcs11::half`, `tpm::devices`.)

use std::io;
use std::path::PathBuf;

use icn_identity::error::{
    Explain, KeystoreError, ModuleProblem, PinProblem, Pkcs11Error, TpmError, TpmState,
};
use icn_identity::{Did, ErrorKind, Key};

struct Row {
    error: Box<dyn Explain>,
    says: &'static [&'static str],
    not: &'static [&'static str],
}

fn row(
    error: impl Explain + 'static,
    says: &'static [&'static str],
    not: &'static [&'static str],
) -> Row {
    Row { error: Box::new(error), says, not }
}

fn did() -> Did {
    Key::generate().unwrap().did().clone()
}

fn t() -> String {
    "node-1".to_owned()
}

fn module(problem: ModuleProblem) -> Pkcs11Error {
    let path = "/opt/hsm/module.so".into();
    Pkcs11Error::Module { path, problem, configured_in: None, source: None }
}

fn call(call: &'static str, kind: ErrorKind) -> Pkcs11Error {
    Pkcs11Error::Call { call, token: t(), kind, of_tpm: false, source: "CKR_X".into() }
}

fn failed(errno: i32) -> KeystoreError {
    let (action, path) = ("write", PathBuf::from("/srv/icn/identity.age"));
    KeystoreError::Io { action, path, source: io::Error::from_raw_os_error(errno) }
}

const CONFIGURATION: &str = "/etc/icn/icn.toml";
const NOTE: &str = "/srv/icn/unfinished.json";
/// What helps where it is the configuration alone that is not written.
const CONFIG: &[&str] = &["make it writable"];

/// The configuration is not written since this file is not.
fn not_pinned(errno: i32, file: &str) -> KeystoreError {
    let source = io::Error::from_raw_os_error(errno);
    let source = KeystoreError::Io { action: "write", path: file.into(), source };
    let path = PathBuf::from(CONFIGURATION);
    KeystoreError::PinNotWritten { path, lines: None, source: source.into() }
}

fn of_modules() -> Vec<Row> {
    use ModuleProblem as P;
    let set_it = &["set `module` under [identity.pkcs11]"];
    vec![
        row(module(P::NotAbsolute), set_it, &[]),
        row(module(P::NotFound), set_it, &[]),
        row(
            Pkcs11Error::Module {
                path: "/opt/hsm/module.so".into(),
                problem: P::NotFound,
                configured_in: Some(Box::new("/srv/icn/icn.toml".into())),
                source: None,
            },
            &["set `module` under [identity.pkcs11] in /srv/icn/icn.toml to"],
            &[],
        ),
        row(module(P::NotAFile), set_it, &[]),
        row(module(P::NotAModule), set_it, &[]),
        row(module(P::OutOfReach), &["namei -l /opt/hsm/module.so"], set_it),
        row(module(P::Owner { owner: 5 }), &["sudo chown root /opt/hsm/module.so"], set_it),
        row(module(P::Writable), &["sudo chmod go-w /opt/hsm/module.so"], set_it),
        row(
            module(P::Directory { directory: "/opt/hsm".into() }),
            &["sudo chown root /opt/hsm "],
            set_it,
        ),
        row(module(P::NotLoaded), &["ldd /opt/hsm/module.so", "architecture"], set_it),
        row(module(P::NotInitialized), &["SOFTHSM2_CONF", "`init_args`"], set_it),
        row(
            Pkcs11Error::Module {
                path: "/usr/lib/pkcs11/libtpm2_pkcs11.so.1".into(),
                problem: P::NotInitialized,
                configured_in: None,
                source: None,
            },
            &["TPM2_PKCS11_TCTI", "TPM answers"],
            &["SOFTHSM2_CONF", "`init_args`"],
        ),
        row(module(P::Silent), &["its manual"], set_it),
        row(module(P::Parameters), &["`init_args`"], set_it),
        row(module(P::OtherParameters), &["same `init_args`"], set_it),
    ]
}

fn of_tokens() -> Vec<Row> {
    let no_token = |present| Pkcs11Error::NoToken { wanted: t(), present, renamed: None };
    let namesake = Pkcs11Error::OtherSerial { wanted: t(), present: vec![t()] };
    let half = |of_identity| Pkcs11Error::NoPublicKey { token: t(), key: t(), of_identity };
    let pin = |problem| Pkcs11Error::PinUnusable { token: t(), problem };
    let not_taken = |problem| Pkcs11Error::PinNotTaken { token: t(), problem };
    let counted = &["counted"];
    vec![
        row(no_token(vec![]), &["SOFTHSM2_CONF", "plug the token in"], &["`serial`"]),
        row(no_token(vec![t()]), &["correct `token` or `serial`"], &["SOFTHSM2_CONF"]),
        row(namesake, &["initialised anew", "own backup", "relocate"], &["plug", "generate"]),
        row(
            Pkcs11Error::NoKey { token: t(), wanted: t() },
            &["--login --list-objects"],
            &["generate", "--list-objects` shows what it has;"],
        ),
        row(
            Pkcs11Error::PublicKeyHidden { token: t(), key: t() },
            &["relocate", "your token"],
            &["generate", "write_public_key", "delete"],
        ),
        row(half(true), &["write_public_key"], &["generate"]),
        row(half(false), &["--write-object"], &["generate", "write_public_key"]),
        row(
            Pkcs11Error::KeyNotShown { token: t(), key: t() },
            &["another token", "write_public_key", "relocate"],
            &["generate", "plug"],
        ),
        row(
            Pkcs11Error::OtherPrivateKey { token: t(), key: t(), did: did(), found: "f" },
            &["own backup", "bring the token"],
            &["generate", "stray", "write_public_key"],
        ),
        row(
            Pkcs11Error::NoPrivateKey { token: t(), key: t() },
            &["own backup"],
            &["generate", "plug"],
        ),
        row(
            Pkcs11Error::OtherKind { token: t(), key: t(), found: "an RSA key".into() },
            &["name another key"],
            &["generate"],
        ),
        row(call("C_GenerateKeyPair", ErrorKind::Storage), &["the token is full"], counted),
        // An answer that nobody understands costs no key.
        row(
            call("C_CreateObject", ErrorKind::DeviceFailed),
            &["manual or log", "full may answer so"],
            &["delete"],
        ),
        row(call("C_CreateObject", ErrorKind::Permission), &["write-protected"], counted),
        row(call("C_SignInit", ErrorKind::Unsupported), &["--list-mechanisms"], counted),
        row(call("C_OpenSession", ErrorKind::Busy), &["`sessions`"], counted),
        row(call("C_Sign", ErrorKind::DeviceAbsent), &["plug the token in"], counted),
        row(call("C_Sign", ErrorKind::DeviceFailed), &["vendor's own tool"], counted),
        row(call("C_Login", ErrorKind::WrongCredential), &["before you give the PIN again"], &[]),
        row(pin(PinProblem::NotSet), &["--init-pin"], &["--change-pin"]),
        row(pin(PinProblem::ToBeChanged), &["--change-pin"], &["--init-pin"]),
        row(not_taken(PinProblem::Expired), &["--change-pin"], &["--init-pin"]),
        row(not_taken(PinProblem::OtherLogin), &["log out"], &["--change-pin"]),
        row(not_taken(PinProblem::OfficerIsIn), &["security officer"], &["--change-pin"]),
        row(pin(PinProblem::HasPinPad), &["enter it at the token"], &["give the PIN"]),
        row(pin(PinProblem::NoPinPad), &["give the PIN"], &["at the token"]),
        row(pin(PinProblem::Empty), &["give the PIN"], &["vendor", "set"]),
        row(pin(PinProblem::TooLong), &["give the PIN"], &["vendor", "set"]),
        row(pin(PinProblem::NotOfYubiHsm), &["0001password"], &["vendor", "set"]),
        row(call("C_Login", ErrorKind::DeviceFailed), &["before you give the PIN again"], &[]),
    ]
}

fn of_tpms() -> Vec<Row> {
    let no_device = |device: &str| TpmError::NoDevice { device: device.into(), source: None };
    let busy = |device: &str| TpmError::Busy { device: device.into() };
    let not_ready = |state| TpmError::NotReady { state, source: "0x100".into() };
    let firmware = &["firmware's setup"];
    let swtpm = "swtpm:host=127.0.0.1,port=2321";
    vec![
        row(no_device("/dev/tpmrm0"), firmware, &["start swtpm"]),
        row(no_device(swtpm), &["start swtpm"], firmware),
        row(busy("/dev/tpm0"), &["/dev/tpmrm0"], &["swtpm"]),
        row(busy(swtpm), &["one program at a time"], &["/dev/tpmrm0"]),
        row(not_ready(TpmState::NotStarted), &["tpm2_startup -c"], &["correct `device_path`"]),
        row(not_ready(TpmState::Failure), &["off and on again"], &["tpm2_startup"]),
        row(not_ready(TpmState::Upgrade), &["finish the update"], &["tpm2_startup"]),
        row(not_ready(TpmState::Reboot), &["restart the machine"], &["tpm2_startup"]),
        row(
            TpmError::OwnerPassword { source: "0x9a2".into() },
            &["persistent storage key", "`key_handle`"],
            &["give the PIN"],
        ),
        row(TpmError::NoHierarchy { source: "0x185".into() }, &["storage hierarchy"], &["cleared"]),
        row(
            TpmError::WrongPin { tries_left: Some(0), source: "0x921".into() },
            &["wait", "tpm2_dictionarylockout"],
            &["security officer"],
        ),
        row(
            TpmError::LockedOut { recovery_seconds: Some(600), source: None },
            &["wait", "tpm2_dictionarylockout"],
            &["security officer"],
        ),
    ]
}

fn of_disks() -> Vec<Row> {
    vec![
        row(failed(libc_code::ENOSPC), &["make room"], &["namei", "chmod"]),
        row(failed(libc_code::EROFS), &["mount it for writing"], &["chmod"]),
        row(failed(libc_code::EACCES), &["run this as a user who may"], &["chown", "chmod"]),
        row(failed(libc_code::EPERM), &["lsattr"], &["chown", "chmod"]),
        row(failed(libc_code::EIO), &["the disk fails"], &["try again"]),
        row(not_pinned(libc_code::ENOSPC, NOTE), &["make room", "df -h /srv/icn"], CONFIG),
        row(not_pinned(libc_code::ENOSPC, CONFIGURATION), &["make room"], CONFIG),
        row(not_pinned(libc_code::EROFS, NOTE), &["mount it for writing"], CONFIG),
        row(not_pinned(libc_code::EROFS, CONFIGURATION), CONFIG, &["make room"]),
    ]
}

/// Numbers of Linux.
mod libc_code {
    pub(super) const EPERM: i32 = 1;
    pub(super) const EIO: i32 = 5;
    pub(super) const EACCES: i32 = 13;
    pub(super) const ENOSPC: i32 = 28;
    pub(super) const EROFS: i32 = 30;
}

#[test]
fn each_cause_is_told_what_helps_and_nothing_that_would_be_wrong_for_it() {
    for Row { error, says, not } in
        [of_modules(), of_tokens(), of_tpms(), of_disks()].into_iter().flatten()
    {
        let help = error.help().unwrap_or_else(|| panic!("{error:?} has no help"));
        for text in says {
            assert!(help.contains(text), "{error:?}: {text:?} is not in {help:?}");
        }
        for text in not {
            assert!(!help.contains(text), "{error:?}: {text:?} is in {help:?}");
        }
    }
}
