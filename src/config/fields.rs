//! What each field of `icn.toml` takes, for whoever wrote something else.

use toml_edit::{Document, TableLike};

/// Each field, and what it takes.
const FIELDS: [(&str, &str); 36] = [
    ("identity", "a table: [identity]"),
    ("identity.backend", "\"age\", \"pkcs11\" or \"tpm\""),
    ("identity.did", "a DID, as \"did:icn:z…\" or \"did:key:z…\""),
    ("identity.age", "a table: [identity.age]"),
    ("identity.age.work_factor", "a number from 10 to 22, without quotes"),
    ("identity.age.max_work_factor", "a number, not below work_factor, without quotes"),
    ("identity.pkcs11", "a table: [identity.pkcs11]"),
    ("identity.pkcs11.module", "the absolute path of a library, in quotes"),
    ("identity.pkcs11.init_args", "text in quotes"),
    ("identity.pkcs11.token", "the label of a token, in quotes"),
    ("identity.pkcs11.serial", "the serial number of a token, in quotes"),
    ("identity.pkcs11.key", "an RFC 7512 URI, as \"pkcs11:token=LABEL;id=%01\""),
    ("identity.pkcs11.key_shown", BOOLEAN),
    ("identity.pkcs11.slot", "the number of a slot, without quotes"),
    ("identity.pkcs11.key_label", "the label of a new key, in quotes"),
    ("identity.pkcs11.sessions", "a number from 1 to 65535, without quotes"),
    ("identity.pkcs11.verify_after_sign", BOOLEAN),
    ("identity.pkcs11.allow_final_try", BOOLEAN),
    ("identity.pkcs11.allow_unnoted_try", BOOLEAN),
    ("identity.pkcs11.trust_key_history", BOOLEAN),
    ("identity.pkcs11.assurance_at_most", ASSURANCES),
    ("identity.pkcs11.make_keys_in_slots", BOOLEAN),
    ("identity.tpm", "a table: [identity.tpm]"),
    (
        "identity.tpm.device_path",
        "a device, as \"/dev/tpmrm0\" or \"swtpm:host=127.0.0.1,port=2321\"",
    ),
    ("identity.tpm.key_handle", "a handle from 0x81000000 to 0x81ffffff, with or without quotes"),
    ("identity.tpm.parent_name", "a Name in hex, in quotes"),
    ("identity.tpm.platform_binding", BOOLEAN),
    ("identity.tpm.pcr_bank", "\"sha1\", \"sha256\", \"sha384\" or \"sha512\""),
    (
        "identity.tpm.pcr_indices",
        "numbers from 0 to 23, as \"0,7\" or [0, 7]; no range: each is written out",
    ),
    ("identity.tpm.pin", "true or false, whether there is a PIN; never the PIN"),
    ("identity.tpm.policy", "\"literal\" or \"authorized\""),
    ("identity.tpm.approver", "the path of a public key, in quotes"),
    ("identity.tpm.pin_work_factor", "a number from 10 to 20, without quotes"),
    ("identity.tpm.allow_final_try", BOOLEAN),
    ("identity.tpm.allow_unnoted_try", BOOLEAN),
    ("identity.tpm.attestation", "false: there is no attestation yet"),
];

const BOOLEAN: &str = "true or false, without quotes";
pub(super) const ASSURANCES: &str =
    "\"soft-token\", \"remote-service\", \"unstated\" or \"claimed\"";

/// Which field a place in the text belongs to, and what it takes: never what stands there.
pub(super) fn expected_at(text: &str, place: usize) -> Option<(&'static str, &'static str)> {
    let document = Document::parse(text).ok()?;
    let path = path_to(document.as_table(), place)?;
    FIELDS.iter().find(|(name, _)| *name == path).copied()
}

/// `identity.tpm.pcr_indices`: the innermost field that a place is in.
fn path_to(table: &dyn TableLike, place: usize) -> Option<String> {
    table.iter().find_map(|(name, item)| {
        if let Some(inner) = item.as_table_like().and_then(|inner| path_to(inner, place)) {
            return Some(format!("{name}.{inner}"));
        }
        item.span().is_some_and(|span| span.contains(&place)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    /// As the parser lists them.
    fn fields_of(table: &str) -> Vec<String> {
        let text = match table {
            "" => "[identity]\nno_such_field = 1\n".to_owned(),
            table => format!("[identity.{table}]\nno_such_field = 1\n"),
        };
        let error = Config::parse(&text).unwrap_err().to_string();
        let (_, listed) = error.split_once("expected").unwrap();
        listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn a_wrong_value_of_each_field_is_told_with_its_field_and_what_that_takes() {
        for table in ["", "age", "pkcs11", "tpm"] {
            let fields = fields_of(table);
            assert!(fields.len() > 1, "{fields:?}");
            for field in fields {
                let path = [&["identity"][..], &[table, &field]].concat();
                let path: Vec<_> = path.into_iter().filter(|part| !part.is_empty()).collect();
                let (path, header) = (
                    path.join("."),
                    match table {
                        "" => "[identity]".to_owned(),
                        table => format!("[identity.{table}]"),
                    },
                );
                let (_, takes) = FIELDS
                    .iter()
                    .find(|(name, _)| *name == path)
                    .unwrap_or_else(|| panic!("what does {path} take?"));
                // Of no type that anything takes; what somebody wrote there is not repeated.
                let text = format!("# PINs\n{header}\n{field} = [[98765432]]\n");
                let error = Config::parse(&text).unwrap_err();
                let shown = error.to_string();
                for part in ["line 3", &format!("`{field}`"), takes] {
                    assert!(shown.contains(part), "{part}: {shown}");
                }
                let shown = format!("{shown} {error:?} {:?}", error.help());
                assert!(!shown.contains("98765432"), "{shown}");
                assert!(shown.contains("docs/configuration.md lists every field"), "{shown}");
            }
        }
    }

    /// The rows of docs/configuration.md: table, key, what it takes, default.
    fn rows() -> Vec<[&'static str; 4]> {
        let page = include_str!("../../docs/configuration.md");
        let mut table = "";
        let mut rows = Vec::new();
        for line in page.lines() {
            if let Some(name) = line.strip_prefix("## `[") {
                table = name.strip_suffix("]`").unwrap();
            } else if line.starts_with("| `") {
                let cells: Vec<&str> = line.split(" | ").collect();
                let [key, takes, default, _] = cells[..] else { panic!("{line}") };
                let key = key.trim_matches(['|', ' ', '`']);
                rows.push([table, key, takes, default]);
            }
        }
        rows
    }

    #[test]
    fn each_field_is_on_the_page_with_what_it_takes_and_its_default() {
        let on_the_page: Vec<(String, &str)> = rows()
            .iter()
            .map(|[table, key, takes, _]| (format!("{table}.{key}"), *takes))
            .collect();
        let known: Vec<(String, &str)> = FIELDS
            .iter()
            .filter(|(_, takes)| !takes.starts_with("a table"))
            .map(|(name, takes)| ((*name).to_owned(), *takes))
            .collect();
        assert_eq!(on_the_page, known);
        for [table, key, _, default] in rows() {
            let module = if table == "identity.pkcs11" { "module = \"/m.so\"\n" } else { "" };
            let parse =
                |line: &str| Config::parse(&format!("[{table}]\n{module}{line}\n")).unwrap();
            let without = parse("");
            match default {
                "required" => {
                    let error = Config::parse(&format!("[{table}]\n")).unwrap_err().to_string();
                    assert!(error.contains(&format!("missing field `{key}`")), "{error}");
                }
                // That of one which is there differs, whatever it is.
                "none" => assert!(!without.to_toml().unwrap().contains(&format!("\n{key} = "))),
                value => {
                    let value = value.trim_matches('`');
                    assert_eq!(parse(&format!("{key} = {value}")), without, "{key} = {value}");
                }
            }
        }
    }

    #[test]
    fn what_people_write_is_answered_by_what_they_can_write() {
        for (text, parts) in [
            (
                "[identity.pkcs11]\nmodule = \"/m\"\nassurance_at_most = \"soft\"",
                ["`assurance_at_most`", ASSURANCES],
            ),
            (
                "identity = { pkcs11 = { module = \"/m\", assurance_at_most = \"Claimed\" } }",
                ["`assurance_at_most`", ASSURANCES],
            ),
            (
                "identity.tpm.pcr_indices = \"0-7\"",
                ["`pcr_indices`", "as \"0,7\" or [0, 7]; no range"],
            ),
            ("[identity.tpm]\npcr_indices = [\n 0,\n 24,\n]", ["`pcr_indices`", "from 0 to 23"]),
            ("[identity.tpm]\npcr_bank = \"SHA-256\"", ["`pcr_bank`", "\"sha256\""]),
            ("[identity.tpm]\npolicy = \"open\"", ["`policy`", "\"literal\" or \"authorized\""]),
            ("[identity]\nbackend = \"hsm\"", ["`backend`", "\"pkcs11\" or \"tpm\""]),
            ("[identity]\ndid = \"did:web:a\"", ["`did`", "\"did:icn:z…\""]),
            ("[identity.tpm]\npin = \"1234\"", ["`pin`", "never the PIN"]),
            ("[identity.tpm]\nkey_handle = \"81000001\"", ["`key_handle`", "0x81000000"]),
            ("[identity.pkcs11]\ntoken = \"t\"", ["missing field `module`", "absolute path"]),
            ("[identity.pkcs11]\nmodule = \"/m\"\nslot = \"0\"", ["`slot`", "without quotes"]),
            ("[identity.pkcs11]\nmodule = \"/m\"\nsessions = 0", ["`sessions`", "from 1 to"]),
            ("identity = 1", ["`identity`", "a table"]),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            for part in parts {
                assert!(error.contains(part), "{part}: {error}");
            }
            assert!(!error.contains("1234"), "{error}");
        }
        let none = "[identity.pkcs11]\nmodule = \"/m\"\nassurance_at_most = \"none\"";
        let help = Config::parse(none).unwrap_err().help().unwrap();
        assert!(help.contains(ASSURANCES), "{help}");
        // No field, so none is named.
        let error = Config::parse("[identity\nbackend = 1").unwrap_err().to_string();
        assert!(
            error.contains("line 1: this value or syntax is not valid here: it is not TOML"),
            "{error}"
        );
    }
}
