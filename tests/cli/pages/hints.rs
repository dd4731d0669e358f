//! What pages and errors advise to do with other programs.

use std::collections::BTreeSet;

use super::against;
use super::markdown::{pages, root};

/// Programs whose commands are looked for.
const PROGRAMS: [&str; 8] = [
    "pkcs11-tool",
    "tpm2_",
    "age",
    "age-keygen",
    "softhsm2-util",
    "openssl",
    "ssh-keygen",
    "certutil",
];

/// Each command as it stands in a text; what it takes for granted; what is so afterwards.
const RUN: &[(&str, &str, &str)] = &[
    ("pkcs11-tool --module MODULE --token-label TOKEN --login --list-objects", TOKEN, ""),
    ("pkcs11-tool --module MODULE --token-label TOKEN --list-mechanisms", TOKEN, ""),
    ("pkcs11-tool --module MODULE --token-label TOKEN --login --init-pin", TOKEN, "icnctl id init $new"),
    ("pkcs11-tool --module MODULE --token-label TOKEN --login --change-pin", TOKEN, "icnctl id init $new"),
    (
        "pkcs11-tool --module MODULE --token-label TOKEN --login --write-object FILE --type pubkey \
         --id ID",
        // A private key without its public one.
        "new_token TOKEN; stands_for ID 01; stands_for FILE public.der
        tool=\"pkcs11-tool --module $(filled MODULE) --token-label TOKEN --login --pin $READERS_PIN\"
        $tool --keypairgen --key-type EC:prime256v1 --id 01
        $tool --read-object --type pubkey --id 01 -o public.der
        $tool --delete-object --type pubkey --id 01",
        "icnctl id init --module $(filled MODULE) --key 'pkcs11:token=TOKEN;id=%01'",
    ),
    (DELETE, KEY, "$tool --list-objects | grep -q 'Private Key' && exit 1 || true"),
    (
        "pkcs11-tool --module MODULE --token-label TOKEN --login --delete-object --type privkey --id \
         ID",
        KEY,
        "$tool --list-objects | grep -q 'Private Key' && exit 1 || true",
    ),
    (
        "pkcs11-tool --module MODULE --token-label TOKEN --login --delete-object --label \
         'icn-identity probe' --type privkey",
        "new_token TOKEN
        tool=\"pkcs11-tool --module $(filled MODULE) --token-label TOKEN --login --pin $READERS_PIN\"
        $tool --keypairgen --key-type EC:prime256v1 --id 01 --label 'icn-identity probe'",
        "$tool --list-objects | grep -q 'Private Key' && exit 1 || true",
    ),
    ("pkcs11-tool --module MODULE --slot-index 0 --init-token --label node-1", "", ""),
    ("pkcs11-tool --module MODULE --token-label node-1 --login --init-pin", "new_token node-1", ""),
    (
        "tpm2_changeauth -c endorsement -p PASSWORD",
        "/usr/bin/tpm2_changeauth -c endorsement secret; stands_for PASSWORD secret",
        // By none, which is right only if there is none.
        "/usr/bin/tpm2_changeauth -c endorsement other",
    ),
    ("tpm2_dictionarylockout -c", "", ""),
    ("tpm2_dictionarylockout -s -n 10 -t 600 -l 86400", "", ""),
    (
        "tpm2_flushcontext -t",
        "/usr/bin/tpm2_createprimary -Q -C o -c srk.ctx; [ \"$(objects transient)\" = 1 ]",
        "[ \"$(objects transient)\" = 0 ]",
    ),
    (
        "tpm2_flushcontext -l",
        "/usr/bin/tpm2_startauthsession -S session.ctx; tpm2_flushcontext -s
        # One that its program has left loaded.
        /usr/bin/tpm2_startauthsession -S session.ctx",
        "[ \"$(objects loaded-session)\" = 0 ]",
    ),
    (
        "tpm2_flushcontext -s",
        "/usr/bin/tpm2_startauthsession -S session.ctx; [ \"$(objects saved-session)\" = 1 ]",
        "[ \"$(objects saved-session)\" = 0 ]",
    ),
    ("tpm2_getcap properties-fixed", "", ""),
    ("tpm2_getcap properties-variable", "", ""),
    (
        "tpm2_nvdefine 0x01c0000a -C o -s SIZE -a 'ownerread|ownerwrite|authread|no_da'",
        "stands_for SIZE 4",
        "/usr/bin/tpm2_nvreadpublic 0x01c0000a | grep 'ownerwrite|ownerread|authread|no_da' >/dev/null",
    ),
    (
        "tpm2_nvwrite 0x01c0000a -C o -i FILE",
        "printf cert > ek.der; stands_for FILE ek.der
        /usr/bin/tpm2_nvdefine 0x01c0000a -C o -s 4 -a 'ownerread|ownerwrite|authread|no_da'",
        "[ \"$(/usr/bin/tpm2_nvread 0x01c0000a)\" = cert ]",
    ),
    ("tpm2_pcrread sha256", "", ""),
    ("tpm2_pcrread sha256:7", "", ""),
    ("tpm2_pcrread sha256:0,7", "", ""),
    ("tpm2_pcrread sha256:7 > coming", "", "grep -q 0x coming"),
    ("age --decrypt FILE", TO_A_PASSPHRASE, ""),
    ("age -d FILE", TO_A_PASSPHRASE, ""),
    ("age -d FILE | openssl pkey -in /dev/stdin -noout -text", EXPORT, ""),
    (
        "age -d -i KEYFILE FILE",
        "icnctl id init; age-keygen -o key; stands_for KEYFILE key; stands_for FILE out
        icnctl id export --secret -o out --recipient \"$(age-keygen -y key)\"",
        "",
    ),
    (
        "age -d v4.age",
        "cp \"$REPOSITORY/tests/fixtures/legacy/v4.age\" .; passphrase_is 'an old passphrase'",
        "",
    ),
    ("age-keygen -o FILE", "stands_for FILE recovery.key", "age-keygen -y recovery.key"),
    ("age-keygen -y FILE", "age-keygen -o key; stands_for FILE key", ""),
    ("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", "", ""),
    (
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE",
        "stands_for FILE approver.pem",
        "grep -q 'BEGIN PRIVATE KEY' approver.pem",
    ),
    (
        "openssl pkcs8 -topk8 -nocrypt -in FILE -out NEW",
        "stands_for FILE sec1.pem; stands_for NEW approver.pem
        openssl ecparam -name prime256v1 -genkey -noout -out sec1.pem
        grep -q 'BEGIN EC PRIVATE KEY' sec1.pem",
        "grep -q 'BEGIN PRIVATE KEY' approver.pem",
    ),
    (
        "openssl pkey -in FILE -pubout",
        "stands_for FILE approver.pem; openssl genpkey -algorithm EC -pkeyopt \
         ec_paramgen_curve:P-256 -out approver.pem",
        "",
    ),
];

const DELETE: &str = "pkcs11-tool --module MODULE --token-label TOKEN --login --delete-object --id ID --type privkey";

const TOKEN: &str = "new_token TOKEN
new=\"--backend pkcs11 --module $(filled MODULE) --token TOKEN\"";

const KEY: &str = "new_token TOKEN
tool=\"pkcs11-tool --module $(filled MODULE) --token-label TOKEN --login --pin $READERS_PIN\"
icnctl id init --backend pkcs11 --module $(filled MODULE) --token TOKEN
stands_for ID \"$(icnctl --format json id show | jq -r .key_id)\"
$tool --list-objects | grep -q 'Private Key'";

const TO_A_PASSPHRASE: &str = "echo hello > text; age -p -o out text; stands_for FILE out";

const EXPORT: &str = "icnctl id init; icnctl id export --secret -o out; stands_for FILE out";

/// What is named, and no command to type as it is; and where it is run.
const NAMED: &[(&str, &str)] = &[
    ("age -d -i recovery.key node-1.age", "its page runs it"),
    ("age -d {}{}", "tests/cli/import/export.rs"),
    ("age -o FILE", "docs/backup.md"),
    ("age -p", "docs/backup.md"),
    ("age -r age1…", "docs/encryption.md"),
    ("age-keygen -y", "docs/backup.md"),
    (
        "tpm2_nvdefine {index:#010x} -C o -s SIZE -a 'ownerread|ownerwrite|authread|no_da'",
        "tests/cli/tpm/attested/told.rs",
    ),
    ("tpm2_nvread {index:#010x}", "tests/tpm/attest.rs"),
    ("tpm2_nvreadpublic {index:#010x}", "tests/cli/tpm/attested/told.rs"),
    ("tpm2_nvundefine {index:#010x} -C o", "tests/cli/tpm/attested/told.rs"),
    ("tpm2_nvwrite {index:#010x} -C o -i FILE", "tests/cli/tpm/attested/told.rs"),
    ("openssl pkey -pubin -inform DER", "tests/lib/public_keys.rs"),
    ("openssl s_client -CAfile", "tests/tls/clients.rs"),
    ("softhsm2-util --import", "tests/support/src/softhsm.rs"),
    ("ssh-keygen -Y sign", "tests/lib/sshsig.rs"),
    ("ssh-keygen -Y sign -O hashalg=sha512", "tests/lib/sshsig.rs"),
    ("ssh-keygen -Y sign -n CONTEXT", "tests/lib/sshsig.rs"),
    ("ssh-keygen -Y sign -n payments@coop.example", "tests/support/src/ssh_keygen.rs"),
    ("ssh-keygen -Y verify", "docs/signing.md"),
    ("ssh-keygen -Y verify -n CONTEXT", "docs/signing.md"),
];

/// The texts of the sources, without their tests: each on one line, by file.
pub(crate) fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut directories = vec![root().join("src")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs")
                || path.ends_with("tests.rs")
            {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let place = path.strip_prefix(root()).unwrap().display().to_string();
            found.push((place, on_one_line(&text)));
        }
    }
    found
}

/// A text goes on in the next line, a comment too.
fn on_one_line(source: &str) -> String {
    let lines = source.lines().map(|line| {
        let line = line.trim();
        ["//!", "///", "//"].iter().find_map(|begin| line.strip_prefix(begin)).unwrap_or(line)
    });
    let text = lines.map(str::trim).collect::<Vec<_>>().join("\n");
    text.replace("\\\n", "").replace('\n', " ")
}

/// Backticks do not come in pairs in sources: each can begin code that has no other in it.
fn code_in(source: &str) -> Vec<String> {
    let parts: Vec<&str> = source.split('`').collect();
    let inner = parts.get(1..parts.len().saturating_sub(1)).unwrap_or_default();
    inner.iter().filter(|part| part.len() < 200).map(|part| (*part).to_owned()).collect()
}

fn is_looked_for(code: &str) -> bool {
    let Some((program, _)) = code.split_once(' ') else { return false };
    PROGRAMS
        .iter()
        .any(|known| program == *known || *known == "tpm2_" && program.starts_with(known))
}

#[test]
fn what_is_advised_to_do_with_other_programs_works() {
    let in_pages = pages().into_iter().flat_map(|page| page.inline).map(|(_, code)| code);
    let in_sources = sources().into_iter().flat_map(|(_, text)| code_in(&text));
    let found: BTreeSet<String> =
        in_pages.chain(in_sources).filter(|code| is_looked_for(code)).collect();
    let known =
        RUN.iter().map(|(command, ..)| *command).chain(NAMED.iter().map(|(named, _)| *named));
    let known: BTreeSet<String> = known.map(str::to_owned).collect();
    let new: Vec<_> = found.difference(&known).collect();
    assert!(new.is_empty(), "nothing here runs {new:?}");
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "in no text: {gone:?}");
    let objects = "objects() { /usr/bin/tpm2_getcap handles-$1 | grep -c '^- ' || true; }
        stands_for MODULE /usr/lib/softhsm/libsofthsm2.so; stands_for MODULE \"$(filled MODULE)\"";
    let mut wrong = Vec::new();
    for (command, before, after) in RUN {
        let page = format!(
            "<!-- test: {objects}\n{before} -->\n```sh\n{command}\n```\n<!-- test: {after} -->\n"
        );
        let told = against(&page);
        if !told.is_empty() {
            wrong.push(format!("`{command}`: {told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
