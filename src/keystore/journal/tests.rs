//! What a journal says, and to whom it is no journal.

use super::*;

fn journal() -> Journal {
    let from = Side { backend: BackendKind::Age, did: None };
    let config = Journal::name_of_config(Path::new("/h"), Path::new("/etc/icn.toml"));
    let begun = (1, BegunIn::of(Path::new("/")).unwrap());
    Journal::new(MigrationMode::Rotate, from, BackendKind::Pkcs11, config, begun)
}

#[test]
fn the_configuration_of_a_home_moves_with_it_and_another_one_does_not() {
    let [old, new] = ["/h", "/srv/h"].map(Path::new);
    let of =
        |path: &str| Journal { config: Journal::name_of_config(old, Path::new(path)), ..journal() };
    let own = of("/h/icn.toml");
    assert!(own.check_config(old, &old.join("icn.toml")).is_ok());
    assert!(own.check_config(new, &new.join("icn.toml")).is_ok());
    assert!(own.check_config(new, &old.join("icn.toml")).is_err());
    let elsewhere = of("/etc/icn.toml");
    assert!(elsewhere.check_config(new, Path::new("/etc/icn.toml")).is_ok());
    let error = elsewhere.check_config(old, &old.join("icn.toml")).unwrap_err();
    let said = error.to_string();
    assert!(said.contains("/etc/icn.toml") && said.contains("/h/icn.toml"), "{said}");
}

/// Whoever is told of a state is told the ways out of that state, and of no other.
#[test]
fn each_state_has_its_ways_out() {
    use MigrationState as S;
    let [on, back, finish] = ["`Migration::run`", "`Migration::roll_back`", "`Migration::finish`"];
    let keep = "`KeyOnToken::Keep`";
    for (state, ways, others) in [
        (S::Planned, vec![on, back], vec![finish, keep]),
        (S::BackedUp, vec![on, back], vec![finish, keep]),
        (S::Made, vec![on, back], vec![finish, keep]),
        (S::Proved, vec![on, back], vec![finish, keep]),
        (S::Stated, vec![on, back], vec![finish, keep]),
        (S::Switching, vec![on, back], vec![finish, keep]),
        (S::Switched, vec![finish, back], vec![on, keep]),
        (S::Returning, vec![back, keep], vec![on, finish]),
        (S::RollingBack, vec![back, keep], vec![on, finish]),
        (S::Finishing, vec![finish, keep], vec![on, back]),
    ] {
        let error = journal().with_state(state).under_way(Path::new("/h"));
        let help = error.help().unwrap();
        assert!(ways.iter().all(|way| help.contains(way)), "{state}: {help}");
        assert!(!others.iter().any(|other| help.contains(other)), "{state}: {help}");
    }
}

#[test]
fn a_journal_of_another_version_or_with_an_unknown_field_is_refused() {
    let (path, good) = (Path::new("/x"), serde_json::to_value(journal()).unwrap());
    let parse =
        |value: &serde_json::Value| Journal::parse(&serde_json::to_vec(value).unwrap(), path);
    assert_eq!(parse(&good).unwrap(), journal());
    for (field, value) in [
        ("format", "other".into()),
        ("state", "elsewhere".into()),
        ("mode", "copy".into()),
        ("unknown", true.into()),
    ] {
        let mut changed = good.clone();
        changed[field] = value;
        let error = parse(&changed).unwrap_err();
        assert!(matches!(&error, KeystoreError::Migration(_)), "{field}: {error:?}");
    }
    let mut newer = good;
    newer["version"] = 2.into();
    let error = parse(&newer).unwrap_err();
    assert!(error.to_string().contains("migration.json"), "{error}");
    assert_eq!(error.kind(), crate::ErrorKind::Unsupported);
}
