#![allow(clippy::unwrap_in_result, reason = "tests")]

use std::sync::Barrier;

use tempfile::TempDir;

use super::*;

fn instance(number: u32) -> Instance {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Instance::from_bytes(bytes)
}

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// As a process finds it that starts.
    fn open(&self) -> Arc<Issued> {
        Issued::open(self.0.path()).unwrap()
    }
}

/// The certificate is made, and valid for 100 seconds.
fn made(issued: &Arc<Issued>, number: u32, client: &str, now: u64) -> Result<u64, NotGiven> {
    let taken = issued.take(instance(number), client, 4, now)?;
    let sequence = taken.number;
    taken.keep(now, now + 100).unwrap();
    Ok(sequence)
}

#[test]
fn the_numbers_of_an_instance_grow_whatever_the_clock_does_and_over_a_restart() {
    let home = Home::new();
    let issued = home.open();
    let next = |issued: &Arc<Issued>, now| made(issued, 1, "a", now).unwrap();
    let numbers = [100, 100, 99, 200, 150].map(|now| next(&issued, now));
    assert_eq!(numbers, [100, 101, 102, 200, 201]);
    assert_eq!(made(&issued, 2, "a", 100), Ok(100), "each has its own");
    assert_eq!(next(&home.open(), 150), 202);
}

#[test]
fn an_instance_is_of_the_client_that_had_it_first_for_ever() {
    let home = Home::new();
    assert_eq!(made(&home.open(), 1, "a", 100), Ok(100));
    assert_eq!(made(&home.open(), 1, "b", 100), Err(NotGiven::OtherClients));
    // Long after its last certificate has ended.
    assert_eq!(made(&home.open(), 1, "b", 1_000_000), Err(NotGiven::OtherClients));
    assert_eq!(made(&home.open(), 1, "a", 100), Ok(101));
}

#[test]
fn what_was_not_made_is_nobodys_and_counts_for_nothing() {
    let home = Home::new();
    let issued = home.open();
    let taken = issued.take(instance(1), "a", 1, 100).unwrap();
    // While it is being made it is there.
    assert!(matches!(issued.take(instance(1), "b", 1, 100), Err(NotGiven::OtherClients)));
    assert!(matches!(issued.take(instance(2), "a", 1, 100), Err(NotGiven::TooMany { .. })));
    let second = issued.take(instance(1), "a", 1, 100).unwrap();
    drop(taken);
    assert!(matches!(issued.take(instance(1), "b", 1, 100), Err(NotGiven::OtherClients)));
    drop(second);
    assert_eq!(made(&issued, 1, "b", 100), Ok(100));
    assert_eq!(made(&home.open(), 1, "a", 100), Err(NotGiven::OtherClients));
    // Nor what could not be written down.
    std::fs::remove_dir_all(home.0.path()).unwrap();
    issued.take(instance(3), "c", 1, 100).unwrap().keep(100, 200).unwrap_err();
    assert!(issued.take(instance(3), "b", 9, 100).is_ok());
}

#[test]
fn a_client_has_so_many_instances_at_a_time_and_is_told_which() {
    let home = Home::new();
    let issued = home.open();
    for number in 1..=4 {
        made(&issued, number, "a", 100 + u64::from(number)).unwrap();
    }
    let until = 101 + 100 + 100 + MARGIN;
    let own: Vec<_> = (1..=4).map(instance).collect();
    let too_many = |own: &Vec<_>| NotGiven::TooMany { own: own.clone(), until: Some(until) };
    let refused = |issued: &Arc<Issued>, now| made(issued, 5, "a", now).unwrap_err();
    assert_eq!(refused(&issued, 110), too_many(&own));
    let again = home.open();
    assert_eq!(refused(&again, 110), too_many(&own));
    // It goes on with those that it has, and others have theirs.
    assert_eq!(made(&issued, 2, "a", 110), Ok(110));
    made(&issued, 9, "b", 110).unwrap();
    // Not as soon as its certificate has ended, and then one for one.
    assert!(matches!(refused(&issued, until - 1), NotGiven::TooMany { .. }));
    made(&issued, 5, "a", until).unwrap();
    assert!(matches!(made(&issued, 6, "a", until).unwrap_err(), NotGiven::TooMany { .. }));
    assert!(matches!(made(&issued, 1, "a", until).unwrap_err(), NotGiven::TooMany { .. }));
}

/// How long it counts is not known before it is made: then no other time is told for it.
#[test]
fn while_one_is_being_made_nobody_is_told_that_it_counts_no_more() {
    let home = Home::new();
    let issued = home.open();
    let being_made = issued.take(instance(1), "a", 1, 100).unwrap();
    let refused = |most| issued.take(instance(9), "a", most, 100).unwrap_err();
    assert_eq!(refused(1), NotGiven::TooMany { own: vec![instance(1)], until: None });
    made(&issued, 2, "a", 100).unwrap();
    let until = Some(100 + 100 + 100 + MARGIN);
    let own = vec![instance(1), instance(2)];
    assert_eq!(refused(2), NotGiven::TooMany { own, until });
    drop(being_made);
    assert!(issued.take(instance(9), "a", 2, 100).is_ok());
}

/// However clients come and go, and whatever is configured meanwhile.
#[test]
fn all_clients_together_have_no_more_than_peers_remember() {
    let home = Home::new();
    let issued = home.open();
    for number in 0..MOST_INSTANCES {
        made(&issued, number, &format!("client-{number}"), 100).unwrap();
    }
    assert_eq!(made(&issued, 100, "one more", 100), Err(NotGiven::AllTaken));
    assert_eq!(made(&home.open(), 100, "one more", 100), Err(NotGiven::AllTaken));
    assert_eq!(made(&issued, 7, "client-7", 100), Ok(101));
    made(&issued, 100, "one more", 1_000_000).unwrap();
}

#[test]
fn threads_that_race_for_instances_get_a_number_each_and_no_more_than_there_are() {
    let home = Home::new();
    let (issued, barrier) = (home.open(), Barrier::new(8));
    let numbers = std::thread::scope(|scope| {
        let racing = [(); 4].map(|()| {
            scope.spawn(|| -> Vec<u64> {
                barrier.wait();
                (0..25).map(|_| made(&issued, 1, "a", 100).unwrap()).collect()
            })
        });
        let others: Vec<_> = (10..14)
            .map(|number| {
                let (issued, barrier) = (&issued, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    (0..10).filter(|it| made(issued, number * 100 + it, "b", 100).is_ok()).count()
                })
            })
            .collect();
        assert_eq!(others.into_iter().map(|it| it.join().unwrap()).sum::<usize>(), 4);
        racing.map(|thread| thread.join().unwrap()).concat()
    });
    let different: std::collections::HashSet<u64> = numbers.iter().copied().collect();
    assert_eq!(different.len(), 100);
    assert_eq!(home.open().lock().len(), 5);
    assert_eq!(made(&home.open(), 1, "a", 100), Ok(200));
}

#[test]
fn a_file_that_says_something_else_is_not_passed_over() {
    let home = Home::new();
    made(&home.open(), 1, "a", 100).unwrap();
    let path = home.0.path().join("icnd.instances");
    let text = std::fs::read_to_string(&path).unwrap();
    let one = text.lines().nth(1).unwrap();
    for changed in [
        String::new(),
        "{}".into(),
        text[..text.len() - 1].to_owned(),
        text[..text.len() - 4].to_owned(),
        format!("{text}end\n"),
        text.replace("icnd-instances 1", "icnd-instances 2"),
        text.replace(one, &format!("{one}\n{one}")),
        text.replace(" a ", "  "),
        text.replace(" a ", " a b "),
        text.replacen('0', "g", 1),
        text.replacen('0', "", 1),
        text.replace(" a ", " a +"),
        text.replace(" a ", " a 0"),
        text.replace(" a 100 ", &format!(" a {} ", u64::MAX)),
    ] {
        std::fs::write(&path, &changed).unwrap();
        let error = Issued::open(home.0.path()).unwrap_err();
        assert!(matches!(error, StartError::Instances { .. }), "{changed}: {error}");
    }
    std::fs::write(&path, &text).unwrap();
    assert_eq!(home.open().lock().len(), 1);
}

#[test]
fn a_file_of_another_kind_or_that_others_can_change_is_not_taken_and_what_was_left_is_removed() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    made(&home.open(), 1, "a", 100).unwrap();
    let path = home.0.path().join("icnd.instances");
    let set = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let is_refused = || {
        let error = Issued::open(home.0.path()).unwrap_err();
        assert!(matches!(error, StartError::File { .. }), "{error}");
    };
    for mode in [0o666, 0o640, 0o604, 0o620] {
        set(mode);
        is_refused();
    }
    set(0o600);
    let left = home.0.path().join(format!(".icnd.instances.{}", "0a".repeat(12)));
    let others = [".icnd.instances.mine", ".identity.json.0a0a0a0a0a0a0a0a0a0a0a0a"];
    let others = others.map(|name| home.0.path().join(name));
    for path in others.iter().chain([&left]) {
        std::fs::write(path, "").unwrap();
    }
    assert_eq!(made(&home.open(), 1, "a", 100), Ok(101));
    assert!(!left.exists() && others.iter().all(|path| path.exists()));
    std::fs::remove_file(&path).unwrap();
    let mkfifo = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(mkfifo.success());
    is_refused();
}
