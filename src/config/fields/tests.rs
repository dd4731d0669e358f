use super::super::Config;
use super::*;

/// The header of a table.
fn header(table: &str) -> String {
    match all().find(|field| field.path == table).unwrap().value {
        Value::Tables => format!("[[{table}]]"),
        _ => format!("[{table}]"),
    }
}

/// As the parser lists them.
fn fields_of(table: &str) -> Vec<String> {
    let text = format!("{}\nno_such_field = 1\n", header(table));
    let error = Config::parse(&text).unwrap_err().to_string();
    let (_, listed) = error.split_once("expected").unwrap();
    listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn a_wrong_value_of_each_field_is_told_with_its_field_and_what_that_takes() {
    for table in all().filter(|field| field.is_table()).map(|field| field.path) {
        let fields = fields_of(table);
        assert!(fields.len() > 1, "{fields:?}");
        for field in fields {
            let (path, header) = (format!("{table}.{field}"), header(table));
            let takes = all()
                .find(|known| known.path == path)
                .unwrap_or_else(|| panic!("what does {path} take?"))
                .takes;
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

/// The rows of docs/configuration.md: table, key, what it takes, default, meaning.
fn rows() -> Vec<[String; 5]> {
    let page = include_str!("../../../docs/configuration.md");
    let mut table = "";
    let mut rows = Vec::new();
    for line in page.lines() {
        if let Some(name) = line.strip_prefix("## `[") {
            table = name.strip_suffix("]`").unwrap().trim_matches(['[', ']']);
        } else if line.starts_with("| `") {
            let cells: Vec<&str> = line.split(" | ").collect();
            let [key, takes, default, meaning] = cells[..] else { panic!("{line}") };
            let key = key.trim_matches(['|', ' ', '`']);
            let meaning = meaning.strip_suffix(" |").unwrap();
            rows.push([table, key, takes, default, meaning].map(str::to_owned));
        }
    }
    rows
}

/// Links lead somewhere on the page only.
fn without_links(text: &str) -> String {
    let mut parts = text.split("](");
    let mut whole = parts.next().unwrap().to_owned();
    for part in parts {
        let begin = whole.rfind('[').unwrap();
        whole.remove(begin);
        whole.push_str(part.split_once(')').unwrap().1);
    }
    whole
}

#[test]
fn each_field_is_on_the_page_with_what_it_takes_its_default_and_its_meaning() {
    let on_the_page: Vec<[String; 4]> = rows()
        .into_iter()
        .map(|[table, key, takes, default, meaning]| {
            [format!("{table}.{key}"), takes, default, without_links(&meaning)]
        })
        .collect();
    let known: Vec<[String; 4]> = all()
        .filter(|field| !field.is_table())
        .map(|field| {
            let default = match field.value {
                Value::Default(value) => format!("`{value}`"),
                Value::Required(_) => "required".into(),
                _ => "none".into(),
            };
            [field.path.into(), field.takes.into(), default, field.meaning.into()]
        })
        .collect();
    assert_eq!(on_the_page, known);
    for [table, key, _, default, _] in rows() {
        let header = header(&table);
        let required = match table.as_str() {
            "identity.pkcs11" => "module = \"/m.so\"\n",
            "daemon.client" if key == "uid" => "name = \"a\"\ngid = 1\n",
            "daemon.client" => "name = \"a\"\nuid = 1\n",
            _ => "",
        };
        let parse = |line: &str| Config::parse(&format!("{header}\n{required}{line}\n")).unwrap();
        match default.as_str() {
            "required" => {
                let error = Config::parse(&format!("{header}\n")).unwrap_err().to_string();
                assert!(error.contains(&format!("missing field `{key}`")), "{error}");
            }
            // That of one which is there differs, whatever it is.
            "none" => assert!(!parse("").to_toml().unwrap().contains(&format!("\n{key} = "))),
            value => {
                let value = value.trim_matches('`');
                assert_eq!(parse(&format!("{key} = {value}")), parse(""), "{key} = {value}");
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
        ("identity.tpm.pcr_indices = \"0-7\"", ["`pcr_indices`", "as \"0,7\" or [0, 7]; no range"]),
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
