use super::super::{Config, ConfigError};
use super::*;

fn parse(text: &str) -> Result<DaemonConfig, ConfigError> {
    Config::parse(text).map(|config| config.daemon)
}

fn problem(clients: &str) -> (usize, ClientProblem) {
    match parse(clients) {
        Err(ConfigError::Client { number, problem, .. }) => (number, problem),
        other => panic!("{other:?}"),
    }
}

const ONE: &str = "[[daemon.client]]\nname = \"payments\"\nuid = 1001\nmay = [\"sign\"]\n\
                   contexts = [\"payments@coop.example\", \"receipts-*\"]\nrate = \"100/s\"\n";

#[test]
fn clients_are_read_with_all_that_they_may() {
    let config = parse(&format!(
        "[daemon]\nsocket = \"/run/icnd/a.sock\"\nsocket_mode = \"0660\"\nstart_locked = true\n\
         verify_interval = 60\ncheckpoint_interval = 600\nmax_connections = 9\nmax_queued = 8\n{ONE}\
         [[daemon.client]]\nname = \"reader\"\ngid = 0\n"
    ));
    let config = config.unwrap();
    assert_eq!(config.socket.as_deref(), Some("/run/icnd/a.sock".as_ref()));
    assert_eq!((config.socket_mode.bits(), config.start_locked), (0o660, true));
    assert_eq!((config.verify_interval, config.max_connections, config.max_queued), (60, 9, 8));
    assert_eq!(config.checkpoint_interval, 600);
    let [payments, reader] = &config.client[..] else { panic!("{config:?}") };
    assert_eq!(payments.name, "payments");
    assert!(payments.fits(1001, 0) && payments.fits(1001, 7) && !payments.fits(0, 1001));
    assert!(payments.may(Permission::Sign) && !payments.may(Permission::SignRaw));
    assert!(payments.may_sign_for("payments@coop.example") && payments.may_sign_for("receipts-1"));
    assert!(!payments.may_sign_for("login") && !payments.may_sign_for("git"));
    assert_eq!(payments.rate.unwrap().to_string(), "100/s");
    assert!(reader.fits(0, 0) && reader.fits(9, 0) && !reader.fits(0, 9));
    assert!(reader.may.is_empty());
    assert!(!reader.may_sign_for("payments@coop.example"));
    assert_eq!(parse("").unwrap(), DaemonConfig::default());
    assert!(DaemonConfig::default().client.is_empty());
}

#[test]
fn contexts_count_only_beside_the_permission_to_sign() {
    let mut rule = ClientRule::of_user("a", 1);
    rule.contexts = vec![ContextPattern::new("*").unwrap()];
    assert!(!rule.may_sign_for("login"));
    rule.may = vec![Permission::SignRaw, Permission::Admin];
    assert!(!rule.may_sign_for("login"));
    rule.may.push(Permission::Sign);
    assert!(rule.may_sign_for("login"));
}

#[test]
fn each_client_that_cannot_be_meant_so_is_refused_with_its_number_and_what_to_do() {
    use ClientProblem::*;
    let second = |fields: &str| format!("{ONE}[[daemon.client]]\n{fields}\n");
    for (fields, wanted) in [
        ("name = \"\"\nuid = 1", Name),
        ("name = \"a b\"\nuid = 1", Name),
        ("name = \"zahlungen-müller\"\nuid = 1", Name),
        ("name = \"payments\"\nuid = 1", SameName),
        ("name = \"b\"", NoPeer),
        ("name = \"b\"\nuid = 1001", SamePeer),
        ("name = \"b\"\nuid = 1\nmay = [\"sign\"]", NoContext),
        ("name = \"b\"\nuid = 1\nmay = [\"sign\"]\ncontexts = []", NoContext),
        ("name = \"b\"\nuid = 1\ninstances = 0", Instances),
        ("name = \"b\"\nuid = 1\ninstances = 32", Instances),
        ("name = \"b\"\nuid = 1\nmay = [\"tls\"]\ninstances = 4294967295", Instances),
    ] {
        assert_eq!(problem(&second(fields)), (2, wanted), "{fields}");
        let error = parse(&second(fields)).unwrap_err();
        assert!(error.to_string().contains("[[daemon.client]] number 2"), "{error}");
        assert!(error.help().is_some_and(|help| !help.is_empty()), "{error}");
    }
    let long = format!("[[daemon.client]]\nname = \"{}\"\nuid = 1\n", "a".repeat(65));
    assert_eq!(problem(&long), (1, Name));
    // A user and a group of the same number are two, and both of them are one in both.
    parse(&second("name = \"b\"\ngid = 1001")).unwrap();
    let both = parse(&second("name = \"b\"\nuid = 1001\ngid = 7")).unwrap();
    assert!(both.client[1].fits(1001, 7));
    assert!(!both.client[1].fits(1001, 8) && !both.client[1].fits(1000, 7));
}

/// Of a DID, peers remember as many as two hosts have then.
#[test]
fn the_instances_of_all_clients_are_bounded_together() {
    let client = |number: u32, more: &str| {
        format!(
            "[[daemon.client]]\nname = \"c{number}\"\nuid = {number}\nmay = [\"tls\"]\n{more}\n"
        )
    };
    let of = |count: u32, more: &str| (0..count).map(|it| client(it, more)).collect::<String>();
    assert_eq!(parse(&of(7, "")).unwrap().client[0].instances, 4);
    assert_eq!(problem(&of(8, "")), (8, ClientProblem::TooManyInstances));
    parse(&of(31, "instances = 1")).unwrap();
    assert_eq!(problem(&of(32, "instances = 1")), (32, ClientProblem::TooManyInstances));
    parse(&of(1, "instances = 31")).unwrap();
    // Those that get no certificate have none.
    let others = of(40, "").replace("may = [\"tls\"]", "");
    parse(&others).unwrap();
    let error = parse(&of(8, "")).unwrap_err();
    assert!(error.help().unwrap().contains("31 in all"), "{error}");
}

#[test]
fn limits_and_paths_that_cannot_work_are_refused() {
    for (text, part) in [
        ("socket = \"icnd.sock\"", "`socket`"),
        ("verify_interval = 0", "`verify_interval`"),
        ("verify_interval = 86401", "`verify_interval`"),
        ("checkpoint_interval = 0", "`checkpoint_interval`"),
        ("checkpoint_interval = 604801", "`checkpoint_interval`"),
        ("max_connections = 0", "`max_connections`"),
        ("max_connections = 65537", "`max_connections`"),
        ("monitor = \"0.0.0.0:9464\"", "`monitor`"),
        ("monitor = \"192.0.2.1:9464\"", "`monitor`"),
        ("max_queued = 0", "`max_queued`"),
        ("max_queued = 65537", "`max_queued`"),
    ] {
        let error = parse(&format!("[daemon]\n{text}\n")).unwrap_err();
        assert!(matches!(error, ConfigError::Daemon { .. }), "{text}: {error}");
        let said = error.to_string();
        assert!(said.contains(part) && said.contains("in line 2"), "{text}: {said}");
    }
    let error = parse(&format!("{ONE}\n[[daemon.client]]\nname = \"b\"\n")).unwrap_err();
    let line = ONE.lines().count() + 2;
    assert!(
        error.to_string().contains(&format!("number 2 is not valid in line {line}:")),
        "{error}"
    );
}

#[test]
fn an_owner_is_a_name_or_a_number() {
    let owner =
        |value: &str| Ok::<_, ConfigError>(parse(&format!("[daemon]\nowner = {value}\n"))?.owner);
    let name = |name: &str| Some(Owner::Name(name.into()));
    assert_eq!(owner("\"icnd\"").unwrap(), name("icnd"));
    assert_eq!(owner("\"dom\\\\icnd$\"").unwrap(), name("dom\\icnd$"));
    for value in ["998", "\"998\""] {
        assert_eq!(owner(value).unwrap(), Some(Owner::Uid(998)));
    }
    for value in ["-1", "4294967295", "\"\"", "\"a b\"", "\"a:b\"", "true", "\"-1\""] {
        let said = owner(value).unwrap_err().to_string();
        assert!(said.contains("line 2") && said.contains("`owner` takes the name"), "{said}");
    }
}

#[test]
fn what_the_parser_refuses_is_told_with_its_line_and_not_repeated() {
    for (line, parts) in [
        ("socket_mode = 660", ["`socket_mode`", "\"0666\""]),
        ("socket_mode = \"0777\"", ["`socket_mode`", "\"0666\""]),
        ("socket_mode = \"0466\"", ["`socket_mode`", "\"0666\""]),
        ("socket_mode = \"00666\"", ["`socket_mode`", "\"0666\""]),
        ("sockett = \"/a\"", ["unknown field `sockett`", "`socket`"]),
        ("pin = \"98765432\"", ["unknown field `pin`", "`socket`"]),
        ("tls = \"7443\"", ["`tls`", "\"0.0.0.0:7443\""]),
        ("tls_peers = \"98765432\"", ["`tls_peers`", "\"book\""]),
        ("client = \"98765432\"", ["`client`", "[[daemon.client]]"]),
    ] {
        let error = parse(&format!("[daemon]\n{line}\n")).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("line 2"), "{shown}");
        assert!(parts.iter().all(|part| shown.contains(part)), "{parts:?}: {shown}");
        assert!(!shown.contains("98765432"), "{shown}");
    }
    for (line, parts) in [
        ("may = [\"everything\"]", ["`may`", "\"sign-raw\""]),
        ("may = \"sign\"", ["`may`", "\"sign-raw\""]),
        ("contexts = [\"a*b\"]", ["`contexts`", "`*`"]),
        ("contexts = [\"icn-identity*\"]", ["`contexts`", "`*`"]),
        ("rate = 100", ["`rate`", "\"100/s\""]),
        ("rate = \"100/day\"", ["`rate`", "\"100/s\""]),
        ("gid = \"98765432\"", ["`gid`", "without quotes"]),
        ("uid = -1", ["`uid`", "without quotes"]),
        ("password = \"98765432\"", ["unknown field `password`", "`name`"]),
    ] {
        for text in [
            format!("{ONE}[[daemon.client]]\nname = \"b\"\n{line}\n"),
            format!("[daemon]\nclient = [\n\n\n\n\n\n{{ name = \"b\",\n{} }}\n]\n", line),
        ] {
            let error = parse(&text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("line 9"), "{shown}\n{text}");
            assert!(parts.iter().all(|part| shown.contains(part)), "{parts:?}: {shown}");
            assert!(!shown.contains("98765432"), "{shown}");
        }
    }
}

#[test]
fn a_daemon_goes_round_through_its_text_and_other_edits_leave_it() {
    let text = format!("[daemon]\nmax_queued = 8 # few\n\n# the shop\n{ONE}");
    let config = Config::parse(&text).unwrap();
    let written = config.to_toml().unwrap();
    assert_eq!(Config::parse(&written).unwrap(), config, "{written}");
    assert!(written.contains("[[daemon.client]]"), "{written}");
    let edited = Config::edit(&text, |config| config.identity.age.work_factor = 12).unwrap();
    assert!(edited.starts_with(&text), "{edited}");
    let added = Config::edit(&text, |config| {
        config.daemon.client.push(ClientRule::of_group("reader", 7));
    });
    let added = Config::parse(&added.unwrap()).unwrap();
    assert_eq!(added.daemon.client.len(), 2);
}
