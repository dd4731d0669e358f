//! Many cases at once.

use std::sync::Mutex;

/// Does something for each of many, on a few subjects, each of which is one thread's; the
/// results are in the order of the many.
pub(crate) fn for_each<S, C: Sync, R: Send>(
    many: &[C],
    subject: impl Fn() -> S + Sync,
    work: impl Fn(&S, &C) -> R + Sync,
) -> Vec<R> {
    const THREADS: usize = 4;
    let (next, done) = (Mutex::new(many.iter().enumerate()), Mutex::new(Vec::new()));
    let take = || next.lock().unwrap().next();
    std::thread::scope(|scope| {
        let share = || {
            let subject = subject();
            while let Some((at, one)) = take() {
                let result = work(&subject, one);
                done.lock().unwrap().push((at, result));
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(share)).collect();
        for thread in threads {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
