//! What blocks says so where async code looks first: in the first line of its docs,
//! which is also what the list of a type's methods shows.

use std::collections::BTreeSet;
use std::fs;

use super::ledger::files;

const MARK: &str = "**Blocks** ";

/// Types and traits of which every public function blocks, but those that are named.
const TYPES: [(&str, &str); 22] = [
    ("AtRest", ""),
    ("AuditLog", "last path"),
    ("Backend", "kind as_tpm as_pkcs11 vault importer"),
    ("BackedUp", ""),
    ("Change", "header"),
    (
        "DidSigner",
        "did verifying_key __sign_statement __verifies __evidence __sign_sha256 __takes_hashes \
         __is_remote",
    ),
    ("Draft", "did is_new header"),
    ("Home", "moved_to directory config config_path store pinned check_algorithm pin_lines"),
    ("IdentityStore", "new with_age_config home check"),
    ("Located", "header describe needs"),
    ("LockedIdentity", "header did check_resealable"),
    ("LoggedIn", ""),
    ("Migration", ""),
    ("NewFile", ""),
    ("Operator", ""),
    ("PeerBook", "directory verifier"),
    ("Pkcs11Backend", ""),
    ("Ready", "did header"),
    ("RemoteIdentity", "did verifying_key socket signer"),
    ("SeedImport", ""),
    ("SequenceStore", ""),
    ("StorageVault", ""),
];

/// Others that block; without a type where they are free.
const FUNCTIONS: [(&str, &str); 43] = [
    ("", "accept connect check_export examine export_secret probe read_credential"),
    ("", "verify tail earlier_files use_secret look_at_secret"),
    ("Activated", "endorse"),
    ("AgeKeyStore", "create_identity open"),
    ("Anchors", "load"),
    ("ApproverKey", "read"),
    ("AsyncStream", "check_peer"),
    ("Attestation", "create create_tpm"),
    ("Backup", "read check_file check_on write_encryption_key"),
    ("BackendConfig", "open"),
    ("Checkpoint", "sign"),
    ("Config", "explain_file load"),
    ("Connection", "handshake peer peer_at process read_tls write_tls"),
    ("CredentialSource", "new_passphrase new_pin passphrase into_pin_text into_passphrase_text"),
    ("EncryptedFile", "read"),
    ("ExternalSigner", "sign"),
    ("HandingOver", "to"),
    ("Header", "check_passphrase"),
    ("HomeOptions", "open state_directory_of_user"),
    ("IdentityBundle", "issue issue_for sign sign_for renew renew_at renew_if_due"),
    ("IdentityBundle", "renew_all_instances join_epoch renew_as_own_instance take_over_renewed"),
    ("IdentityBundle", "bind_tls_key"),
    ("Key", "lock lock_with unlock unseal sign from_external from_external_p256"),
    ("KnownKey", "look"),
    ("LegacyIdentity", "read decrypt"),
    ("Plaintext", "save copy_to"),
    ("Prompt", "ask"),
    ("SocketPlace", "take"),
    ("", "prove read_credentials verify_key"),
    ("MigrationRequest", "going_on"),
    ("Staged", "write_credentials"),
    ("ReadForContext", "read read_to_verify"),
    ("ReadMessage", "read read_expecting whole"),
    ("DidSignerExt", "sign_read sign_read_for"),
    ("RemoteOptions", "connect"),
    ("RemoteTls", "renew renew_if_due"),
    ("RecoveryKeys", "read read_with_passphrase"),
    ("RotationStatement", "sign_unguarded"),
    ("SealedKey", "unseal"),
    ("SignWith", "sign_with sign_sha256_with"),
    ("Stream", "close check_peer check_peer_at"),
    (
        "TpmBackend",
        "open check install present_pcrs attest answer ek_certificates check_attestable",
    ),
    ("Home", "unlock create adopt import restore"),
];

/// A public function: the type or trait that it is of, if any, its name, and the first
/// line of its docs.
#[derive(Debug)]
struct Function {
    of: String,
    name: String,
    says: String,
}

impl Function {
    fn is_listed(&self) -> bool {
        let is = |names: &str| names.split(' ').any(|name| name == self.name);
        let whole = TYPES.iter().find(|(of, _)| *of == self.of);
        let alone = FUNCTIONS.iter().any(|(of, names)| *of == self.of && is(names));
        alone || whole.is_some_and(|(_, others)| !is(others))
    }

    fn says_so(&self) -> bool {
        self.says.starts_with(MARK)
    }
}

/// The type of an `impl` (also of `impl Trait for Type`) or the trait, by its line.
fn of(line: &str) -> Option<String> {
    let rest = line.strip_prefix("unsafe ").unwrap_or(line);
    let mut rest = match rest.strip_prefix("pub trait ") {
        Some(rest) => rest,
        None => rest.strip_prefix("impl").filter(|rest| rest.starts_with(['<', ' ']))?,
    };
    if rest.starts_with('<') {
        let mut depth = 0;
        let end = rest.find(|mark| {
            depth += i32::from(mark == '<') - i32::from(mark == '>');
            depth == 0
        });
        rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
    }
    let name = rest.trim_start().split(|mark: char| !mark.is_alphanumeric()).next()?;
    Some(name.to_owned())
}

/// The public functions of a file, formatted as `rustfmt` does it.
fn functions(source: &str) -> Vec<Function> {
    let (mut found, mut block, mut docs) = (Vec::new(), String::new(), None);
    let (mut in_trait, mut in_attribute) = (false, false);
    for line in source.lines() {
        if let Some(of) = of(line) {
            (block, in_trait) = (of, line.starts_with("pub trait "));
        } else if line.starts_with('}') {
            (block, in_trait) = (String::new(), false);
        }
        let code = line.trim_start();
        if let Some(text) = code.strip_prefix("///") {
            docs.get_or_insert_with(|| text.trim().to_owned());
            continue;
        }
        // An attribute, of one line or of several.
        in_attribute |= code.starts_with("#[");
        if in_attribute {
            in_attribute = !code.ends_with(']');
            continue;
        }
        let says = docs.take().unwrap_or_default();
        let indented = line.len() - code.len();
        let is_ours = if block.is_empty() { indented == 0 } else { indented == 4 };
        let (public, code) = match code.strip_prefix("pub ") {
            Some(code) => (true, code),
            None => (in_trait, code),
        };
        let code = code.trim_start_matches("const ").trim_start_matches("async ");
        let code = code.trim_start_matches("unsafe ");
        if let Some(name) = code.strip_prefix("fn ").filter(|_| public && is_ours) {
            let name = name.split(['(', '<']).next().unwrap_or_default().to_owned();
            found.push(Function { of: block.clone(), name, says });
        }
    }
    found
}

fn all() -> Vec<Function> {
    let ours = files("src").into_iter().filter(|path| !path.iter().any(|part| part == "bin"));
    // Async code and what only hands on to it is there for who must not block.
    let ours = ours.filter(|path| !path.iter().any(|part| part == "nonblocking"));
    ours.flat_map(|path| functions(&fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_public_function_that_blocks_says_so_first() {
    let all = all();
    assert!(all.len() > 700, "only {} functions were found", all.len());
    let silent: Vec<_> = all.iter().filter(|it| it.is_listed() && !it.says_so()).collect();
    assert!(silent.is_empty(), "they block and do not begin with {MARK:?}: {silent:#?}");
    // And nothing says so that this list does not know: neither is left behind.
    let unknown: Vec<_> = all.iter().filter(|it| it.says_so() && !it.is_listed()).collect();
    assert!(unknown.is_empty(), "they block and are not listed here: {unknown:#?}");
}

#[test]
fn each_name_on_the_list_of_what_blocks_is_there() {
    let there: BTreeSet<(String, String)> =
        all().into_iter().map(|function| (function.of, function.name)).collect();
    for (of, names) in TYPES.iter().chain(&FUNCTIONS) {
        assert!(there.iter().any(|(is_of, _)| is_of == of), "{of} has no public function");
        for name in names.split(' ').filter(|name| !name.is_empty()) {
            assert!(there.contains(&((*of).to_owned(), name.to_owned())), "{of}::{name}");
        }
    }
}

#[test]
fn a_made_up_function_that_is_silent_is_found() {
    let source = "
impl<'a, S: Iterator<Item = u8>> Located<'a> {
    /// Opens it. **Blocks** in its second sentence.
    #[must_use]
    pub const fn made_up(&self) {}

    /// **Blocks** on files. Opens it.
    pub fn good(&self) {}

    /// Not public.
    fn hidden(&self) {}

    pub fn undocumented<T>(&self) {}
}

/// Another one.
pub fn export_secret() {}

pub trait Backend: Send {
    /// A new one.
    fn made_up(&self);
}
";
    let found = functions(source);
    let silent: Vec<_> = found
        .iter()
        .filter(|it| it.is_listed() && !it.says_so())
        .map(|it| (it.of.as_str(), it.name.as_str()))
        .collect();
    let expected = [
        ("Located", "made_up"),
        ("Located", "undocumented"),
        ("", "export_secret"),
        ("Backend", "made_up"),
    ];
    assert_eq!(silent, expected);
    assert_eq!(found.len(), 5);
}
