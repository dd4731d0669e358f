use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use super::*;

/// A use of the key that ends when it is let go.
struct Use {
    interest: Option<Interest>,
    has_key: Receiver<()>,
    _let_go: Sender<()>,
}

impl Use {
    fn of(turns: &Arc<Turns>, who: &Sharer) -> Self {
        let place = turns.enter(who).unwrap();
        let (number, interest) = (place.number, place.interest());
        let ((has_it, has_key), (let_go, goes)) = (channel(), channel());
        let (begun, begins) = channel();
        std::thread::spawn(move || {
            place.use_key(move |place| {
                let _ = begun.send(());
                let _ = has_it.send(());
                let _ = goes.recv();
                drop(place);
            });
        });
        // It waits, or has the key, when this is done.
        let waits = || turns.lock().waiting.iter().any(|waiting| waiting.place == number);
        while begins.try_recv().is_err() && !waits() {
            std::thread::yield_now();
        }
        Self { interest: Some(interest), has_key, _let_go: let_go }
    }

    fn waits(&self) -> bool {
        self.has_key.try_recv() == Err(TryRecvError::Empty)
    }

    /// Has had the key, and is done with it.
    fn end(self) {
        self.has_key.recv().unwrap();
    }

    fn gives_way(self) -> bool {
        self.has_key.recv().is_err()
    }
}

/// What is left when all are done.
fn left(turns: &Turns, free: usize) -> (usize, usize, usize) {
    while turns.lock().free < free {
        std::thread::yield_now();
    }
    let state = turns.lock();
    (state.places.len(), state.users.len() + state.shares.len(), state.waiting.users().count())
}

#[test]
fn each_user_has_the_key_in_turn_however_many_wait() {
    let turns = Turns::new(1, 100);
    let first = Use::of(&turns, &Sharer::user(1));
    let uids = [1, 1, 1, 2, 1, 2, 3];
    let mut uses: Vec<_> =
        uids.into_iter().map(|uid| (uid, Use::of(&turns, &Sharer::user(uid)))).collect();
    first.end();
    let mut order = Vec::new();
    while !uses.is_empty() {
        let Some(at) = uses.iter().position(|(_, one)| !one.waits()) else { continue };
        let (uid, _has_it) = uses.remove(at);
        // One at a time.
        assert!(uses.iter().all(|(_, one)| one.waits()));
        order.push(uid);
    }
    assert_eq!(order, [1, 2, 3, 1, 2, 1, 1]);
    assert_eq!(left(&turns, 1), (0, 0, 0));
}

#[test]
fn who_has_most_places_gives_one_up_for_who_has_fewer_and_for_nobody_else() {
    let turns = Turns::new(1, 3);
    let of = |uid| Use::of(&turns, &Sharer::user(uid));
    let key = of(1);
    let mut first: Vec<_> = (0..3).map(|_| of(1)).collect();
    assert!(turns.enter(&Sharer::user(1)).is_none(), "its own places are all taken");
    let other = of(2);
    assert!(first.pop().unwrap().gives_way(), "the last one gives way");
    let second = of(2);
    assert!(first.pop().unwrap().gives_way());
    // Two and two: one more place would be no fairer.
    assert!(turns.enter(&Sharer::user(2)).is_none());
    let third = of(3);
    assert!(second.gives_way());
    assert!(turns.enter(&Sharer::user(2)).is_none());
    key.end();
    for one in [first.pop().unwrap(), other, third] {
        one.end();
    }
    assert_eq!(left(&turns, 1), (0, 0, 0));
}

#[test]
fn a_client_has_its_turn_however_many_users_another_one_has() {
    let turns = Turns::new(1, 3);
    let of_group = |uid| Use::of(&turns, &Sharer::client("group", uid));
    let key = of_group(1);
    let mut theirs: Vec<_> = (2..5).map(of_group).collect();
    let more = turns.enter(&Sharer::client("group", 5));
    assert!(more.is_none(), "a user more is no client more");
    let own = Use::of(&turns, &Sharer::client("pay", 1501));
    assert!(theirs.pop().unwrap().gives_way(), "the last one has given way");
    assert!(theirs.iter().all(Use::waits));
    // One of the group, then the other client, then the group again.
    key.end();
    let next = theirs.remove(0);
    next.has_key.recv().unwrap();
    assert!(own.waits() && theirs.iter().all(Use::waits));
    drop(next);
    own.has_key.recv().unwrap();
    assert!(theirs.iter().all(Use::waits));
    drop(own);
    theirs.pop().unwrap().end();
    assert_eq!(left(&turns, 1), (0, 0, 0));
}

/// Also where all places are of others who do not wait, but are about to.
#[test]
fn a_user_who_has_no_place_gets_one() {
    let turns = Turns::new(1, 1);
    let _theirs = [turns.enter(&Sharer::user(1)).unwrap(), turns.enter(&Sharer::user(1)).unwrap()];
    assert!(turns.enter(&Sharer::user(1)).is_none());
    let _own = turns.enter(&Sharer::user(2)).unwrap();
    assert!(turns.enter(&Sharer::user(2)).is_none());
}

#[test]
fn who_goes_away_leaves_neither_place_nor_key_behind() {
    let turns = Turns::new(1, 2);
    let key = Use::of(&turns, &Sharer::user(1));
    let mut gone = Use::of(&turns, &Sharer::user(1));
    drop(gone.interest.take());
    assert!(gone.gives_way(), "nothing is done for who has gone");
    assert!(turns.lock().waiting.is_empty());
    let mut left_later = Use::of(&turns, &Sharer::user(2));
    drop(turns.enter(&Sharer::user(3)).unwrap());
    key.end();
    // It has been given the key, and goes away with it.
    left_later.has_key.recv().unwrap();
    drop(left_later.interest.take());
    assert_eq!(turns.lock().places.len(), 1, "it has its place as long as the key");
    drop(left_later);
    assert_eq!(left(&turns, 1), (0, 0, 0));
}

#[test]
fn a_use_that_panics_leaves_the_key_to_who_is_next() {
    let turns = Turns::new(1, 5);
    let (go, goes) = channel::<()>();
    let place = turns.enter(&Sharer::user(1)).unwrap();
    let interest = place.interest();
    let panics = std::thread::spawn(move || {
        place.use_key(move |_place| {
            let _ = goes.recv();
            panic!("on purpose");
        });
    });
    while turns.lock().free > 0 {
        std::thread::yield_now();
    }
    let next = Use::of(&turns, &Sharer::user(2));
    assert!(next.waits());
    drop(go);
    next.end();
    panics.join().unwrap();
    drop(interest);
    assert_eq!(left(&turns, 1), (0, 0, 0));
}

#[test]
fn many_threads_end_with_the_key_free_and_never_have_it_more_often_than_it_is() {
    let turns = Turns::new(2, 50);
    let (now, most, served) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let counts = Arc::new((now, most, served));
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let (turns, counts) = (&turns, &counts);
            scope.spawn(move || {
                for number in 0..200 {
                    let Some(place) = turns.enter(&Sharer::user((thread + number) % 7)) else {
                        continue;
                    };
                    let interest = place.interest();
                    let counts = counts.clone();
                    place.use_key(move |place| {
                        let (now, most, served) = &*counts;
                        let have_it = now.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(have_it, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                        served.fetch_add(1, Ordering::SeqCst);
                        drop(place);
                    });
                    if number % 3 == 0 {
                        // Some go away before they are served.
                        drop(interest);
                    } else {
                        let has_place = || turns.lock().places.contains_key(&interest.number);
                        while has_place() {
                            std::thread::yield_now();
                        }
                    }
                }
            });
        }
    });
    assert_eq!(left(&turns, 2), (0, 0, 0));
    let (now, most, served) = &*counts;
    assert_eq!(now.load(Ordering::SeqCst), 0);
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    assert!(served.load(Ordering::SeqCst) >= 8 * 200 / 2, "{served:?}");
}
