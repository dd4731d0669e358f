//! Somebody changes the log: it is found, and said where.

use super::*;

/// Writes these lines in the place of the log's.
fn with(home: &Home, lines: &[Vec<u8>]) -> Result<Verified, AuditError> {
    home.write(lines);
    home.verify_alone()
}

#[test]
fn each_changed_byte_is_found_in_its_line() {
    let home = Home::with_lines(3);
    let lines = home.lines();
    for (number, line) in (1..).zip(&lines) {
        for place in 0..line.len() {
            let mut changed = lines.clone();
            let at = usize::try_from(number).unwrap() - 1;
            changed[at][place] ^= 1;
            // The last line end alone says nothing.
            let is_last = number == 4 && place == line.len() - 1;
            let found = with(&home, &changed);
            if is_last {
                assert!(matches!(fault(found).2, Fault::Changed | Fault::CutOff));
            } else {
                let (_, found, fault) = fault(found);
                assert_eq!(found, number, "byte {place}: {fault}");
                assert_eq!(fault, Fault::Changed, "byte {place}");
            }
        }
    }
}

#[test]
fn each_byte_that_is_taken_out_or_put_in_is_found_in_its_line() {
    let home = Home::with_lines(2);
    let lines = home.lines();
    for (number, line) in (0..).zip(&lines) {
        for place in (0..line.len()).step_by(7).chain([line.len() - 2]) {
            let mut less = lines.clone();
            less[number].remove(place);
            let mut more = lines.clone();
            more[number].insert(place, b' ');
            for changed in [less, more] {
                let (_, found, fault) = fault(with(&home, &changed));
                assert_eq!(found, u64::try_from(number).unwrap() + 1, "byte {place}: {fault}");
            }
        }
    }
}

#[test]
fn each_line_that_is_taken_out_is_found_and_named() {
    let home = Home::with_lines(5);
    let lines = home.lines();
    for (number, at) in (1..6).zip(0..) {
        let mut less = lines.clone();
        less.remove(at);
        let (_, line, fault) = fault(with(&home, &less));
        assert_eq!(line, number);
        assert_eq!(fault, Fault::Missing { first: number, last: number });
    }
    let two: Vec<_> = [&lines[..2], &lines[4..]].concat();
    let (_, line, fault) = fault(with(&home, &two));
    assert_eq!((line, fault), (3, Fault::Missing { first: 3, last: 4 }));
}

#[test]
fn any_two_that_are_exchanged_are_found_and_named() {
    let home = Home::with_lines(4);
    let lines = home.lines();
    for one in 0..lines.len() {
        for other in one + 1..lines.len() {
            let mut moved = lines.clone();
            moved.swap(one, other);
            let (_, line, fault) = fault(with(&home, &moved));
            let number = |place: usize| u64::try_from(place).unwrap() + 1;
            assert_eq!(line, number(one), "{one} {other}");
            let wanted = Fault::Moved { found: number(other), expected: number(one) };
            assert_eq!(fault, wanted, "{one} {other}");
        }
    }
}

#[test]
fn a_line_that_is_there_twice_or_of_another_log_is_found() {
    let home = Home::with_lines(3);
    let mut lines = home.lines();
    lines.insert(3, lines[1].clone());
    let (_, line, found) = fault(with(&home, &lines));
    assert_eq!((line, found), (4, Fault::Repeated { number: 2 }));
    let other = Home::with_lines(5);
    lines[3] = other.lines()[3].clone();
    let (_, line, found) = fault(with(&home, &lines));
    assert_eq!((line, found), (4, Fault::OtherLog));
}

/// With its own hash right, so that only its neighbour knows.
#[test]
fn a_line_that_is_written_anew_is_found_by_the_next_one() {
    use super::super::line::{Content, Line, write};
    let home = Home::with_lines(4);
    let lines = home.lines();
    for place in 1..lines.len() - 1 {
        let before = Line::parse(lines[place - 1].strip_suffix(b"\n").unwrap()).unwrap().link;
        let mut anew = lines.clone();
        anew[place].clear();
        let forged = entry(99);
        write(
            &mut anew[place],
            &before,
            "2026-11-28T10:00:00.000Z",
            Content::Entry(home.did(), &forged),
        );
        let (_, line, fault) = fault(with(&home, &anew));
        let number = u64::try_from(place).unwrap() + 2;
        assert_eq!((line, fault), (number, Fault::NotContinued { number }));
    }
}

#[test]
fn what_is_no_log_is_refused_in_its_first_line() {
    let home = Home::new();
    for (text, fault_of) in [
        ("hello\n", Fault::Changed),
        ("hello", Fault::Changed),
        ("{\"seq\":1", Fault::CutOff),
        ("{\"seq\":1}\n{\"seq\":2}\n", Fault::Changed),
    ] {
        std::fs::write(home.path(), text).unwrap();
        let (path, line, found) = fault(home.verify());
        assert_eq!((path, line, found), (home.path(), 1, fault_of), "{text}");
    }
    std::fs::write(home.path(), "x".repeat(3 << 20)).unwrap();
    assert_eq!(fault(home.verify()).1, 1);
    std::fs::write(home.path(), "").unwrap();
    assert!(matches!(home.verify(), Err(AuditError::Empty)));
    assert!(matches!(verify(&[], None), Err(AuditError::Empty)));
    std::fs::remove_file(home.path()).unwrap();
    assert_eq!(home.verify().unwrap_err().kind(), crate::ErrorKind::NotFound);
}
