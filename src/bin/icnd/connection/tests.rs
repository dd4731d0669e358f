use super::*;

fn is_there(all: &Connections, entered: &Entered) -> bool {
    let all = all.lock();
    let groups = [&all.clients, &all.strangers];
    let own = groups.into_iter().filter_map(|group| group.users.get(&entered.who));
    own.into_iter().any(|own| own.contains_key(&entered.number))
}

#[test]
fn the_one_that_is_idle_for_longest_makes_room_and_none_that_is_at_work() {
    let all = Connections::new(3);
    let [first, second, third] =
        std::array::from_fn(|_| all.enter(&Sharer::user(1), true).unwrap());
    assert!(first.watch.is_whole());
    second.watch.has_read();
    // Idle goes before slow, and slow before nobody.
    let fourth = all.enter(&Sharer::user(1), true).unwrap();
    assert!(!is_there(&all, &third));
    assert!(fourth.watch.begins());
    let fifth = all.enter(&Sharer::user(1), true).unwrap();
    assert!(!is_there(&all, &second));
    assert!(fifth.watch.is_whole());
    // Whose body does not come is not at work.
    let sixth = all.enter(&Sharer::user(1), true).unwrap();
    assert!(!is_there(&all, &fourth));
    assert!(sixth.watch.is_whole());
    assert!(all.enter(&Sharer::user(1), true).is_none(), "all are at work");
    first.watch.has_answered();
    assert!(all.enter(&Sharer::user(1), true).is_none(), "its answer is not sent yet");
    first.watch.has_sent();
    let seventh = all.enter(&Sharer::user(1), true).unwrap();
    assert!(!is_there(&all, &first));
    // Whoever had to go takes nobody with it.
    drop((first, second, third, fourth));
    assert_eq!(all.lock().clients.count, 3);
    drop((fifth, sixth, seventh));
    assert_eq!(all.lock().clients.count, 0);
    assert!(all.lock().clients.users.is_empty());
}

#[test]
fn who_has_most_connections_makes_room_for_who_has_fewer() {
    let all = Connections::new(10);
    let of_one = |state: fn(&Watch)| {
        let entered = all.enter(&Sharer::user(1), true).unwrap();
        state(&entered.watch);
        entered
    };
    let begins = |watch: &Watch| assert!(watch.begins());
    let theirs: Vec<_> = (0..10).map(|_| of_one(begins)).collect();
    let own: Vec<_> = (0..5).map(|_| all.enter(&Sharer::user(2), true).unwrap()).collect();
    let left = |entered: &[Entered]| entered.iter().filter(|it| is_there(&all, it)).count();
    assert_eq!((left(&theirs), left(&own)), (5, 5));
    // From now on each makes room for itself.
    let more: Vec<_> = (0..20).map(|_| of_one(begins)).collect();
    assert_eq!((left(&theirs) + left(&more), left(&own)), (5, 5));
}

/// Who is at work is left alone, and keeps nobody out who has none.
#[test]
fn a_client_that_has_no_connection_gets_one_however_many_of_another_one_are_at_work() {
    let all = Connections::new(4);
    let of = |name| all.enter(&Sharer::client(name, 1), true);
    let busy: Vec<_> = (0..4).map(|_| of("much").unwrap()).collect();
    assert!(busy.iter().all(|entered| entered.watch.is_whole()));
    assert!(of("much").is_none());
    let own = of("pay").unwrap();
    assert!(own.watch.is_whole() && of("pay").is_none(), "one in any case, and no more");
    assert!(busy.iter().all(|entered| is_there(&all, entered)));
    assert!(all.enter(&Sharer::client("others", 2), true).is_some());
    drop(own);
    assert!(of("pay").is_some());
    // Of what is idle each makes room for itself.
    let idle = of("pay").unwrap();
    assert!(of("pay").is_some() && !is_there(&all, &idle));
}

/// It is picked by one thread while another one reads its request.
#[test]
fn what_has_made_room_begins_nothing_and_what_has_begun_makes_no_room() {
    for round in 0..2000 {
        let all = Connections::new(1);
        let first = all.enter(&Sharer::user(1), true).unwrap();
        let (begun, second) = std::thread::scope(|scope| {
            let begins = scope.spawn(|| first.watch.begins() && first.watch.is_whole());
            (0..round % 50).for_each(|_| std::hint::spin_loop());
            let second = all.enter(&Sharer::user(1), true);
            (begins.join().unwrap(), second)
        });
        assert_ne!(begun, second.is_some(), "one of both");
        assert_eq!(first.watch.closed().is_some(), second.is_some());
        assert_eq!(is_there(&all, &first), begun);
        if let Some(closed) = first.watch.closed() {
            assert!(closed.is_told, "the request that came is told");
            first.watch.has_answered();
            assert!(!first.watch.begins() && !first.watch.is_whole());
        }
    }
}

#[test]
fn a_client_with_many_users_makes_room_for_another_client() {
    let all = Connections::new(10);
    let many = |uid| all.enter(&Sharer::client("group", uid), true).unwrap();
    let theirs: Vec<_> = (0..10).map(many).collect();
    let of_pay = || all.enter(&Sharer::client("pay", 1501), true).unwrap();
    let own: Vec<_> = (0..5).map(|_| of_pay()).collect();
    let left = |entered: &[Entered]| entered.iter().filter(|it| is_there(&all, it)).count();
    assert_eq!((left(&theirs), left(&own)), (5, 5));
    // Whoever else comes of them makes room among them.
    let more: Vec<_> = (100..130).map(many).collect();
    assert_eq!((left(&theirs) + left(&more), left(&own)), (5, 5));
}

#[test]
fn who_is_no_client_takes_no_room_from_clients() {
    let all = Connections::new(2);
    let clients: Vec<_> = (0..2).map(|_| all.enter(&Sharer::user(1), true).unwrap()).collect();
    let of_one: Vec<_> = (0..100).map_while(|_| all.enter(&Sharer::user(7), false)).collect();
    assert_eq!(of_one.len(), OF_A_STRANGER);
    let strangers: Vec<_> =
        (100..300).filter_map(|uid| all.enter(&Sharer::user(uid), false)).collect();
    assert_eq!(of_one.len() + strangers.len(), STRANGERS);
    assert!(clients.iter().all(|entered| is_there(&all, entered)));
    drop(of_one);
    assert!(all.enter(&Sharer::user(9), false).is_some());
    // Where files are wanting they go first.
    assert!(all.make_room());
    assert!(clients.iter().all(|entered| is_there(&all, entered)));
}

/// What is said to it would be a part of that answer to whoever reads on.
#[test]
fn of_whom_an_answer_is_not_read_for_long_makes_room_and_is_told_nothing() {
    let all = Connections::new(1);
    let first = all.enter(&Sharer::user(1), true).unwrap();
    assert!(first.watch.begins() && first.watch.is_whole());
    first.watch.has_answered();
    assert!(all.enter(&Sharer::user(1), true).is_none());
    let long_ago = Instant::now().checked_sub(2 * ANSWER).unwrap();
    *first.watch.state() = State::Answering(long_ago);
    assert!(all.enter(&Sharer::user(1), true).is_some());
    let closed = first.watch.closed().unwrap();
    assert!(closed.is_in_answer && !closed.is_owed);
}
