//! How many do scrypt at the same time. More than there are cores end no earlier, and each
//! takes its memory: 30 signers of one identity would ask for 7.5 GiB.
//!
//! Whoever opens an identity names its directory ([`sharing`]); what is computed meanwhile
//! waits for a turn there, which all processes share.

use std::any::Any;
use std::cell::RefCell;
use std::fs;
use std::rc::Rc;

/// What takes a turn, one of so many: it is over when that is dropped.
type Take = Rc<dyn Fn(usize) -> Box<dyn Any>>;

thread_local! {
    static SHARED: RefCell<Option<Take>> = const { RefCell::new(None) };
}

/// Less than 32 MiB is nobody's trouble.
const SMALL: u8 = 14;

/// Does work whose scrypt waits for a turn.
pub(crate) fn sharing<G: 'static, T>(
    take: impl Fn(usize) -> G + 'static,
    work: impl FnOnce() -> T,
) -> T {
    struct Before(Option<Take>);
    impl Drop for Before {
        fn drop(&mut self) {
            let before = self.0.take();
            SHARED.with(|shared| shared.replace(before));
        }
    }
    let take: Take = Rc::new(move |most| Box::new(take(most)));
    let _before = Before(SHARED.with(|shared| shared.replace(Some(take))));
    work()
}

/// Waits for a turn to do scrypt with `N = 2^log_n`, if this thread shares them.
pub(super) fn wait(log_n: u8) -> Option<Box<dyn Any>> {
    if log_n <= SMALL {
        return None;
    }
    let take = SHARED.with(|shared| shared.borrow().clone())?;
    Some(take(most(log_n, cores(), memory())))
}

/// As many as there are cores, within half of the memory; one in any case.
fn most(log_n: u8, cores: usize, memory: Option<u64>) -> usize {
    let each = 1024_u64.checked_shl(log_n.into()).unwrap_or(u64::MAX);
    let room = memory.map_or(u64::MAX, |memory| memory / 2 / each.max(1));
    cores.min(usize::try_from(room).unwrap_or(usize::MAX)).max(1)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What this machine, or the control group of this process, has. What is free now would
/// be another number for each who asks.
fn memory() -> Option<u64> {
    let read = |path| fs::read_to_string(path).ok();
    let of_machine = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
    });
    let of_group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .into_iter()
        .filter_map(|path| read(path)?.trim().parse().ok());
    of_group.chain(of_machine).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_turns_as_cores_and_memory_allow() {
        const GIB: u64 = 1 << 30;
        for (log_n, cores, memory, expected) in [
            (18, 2, Some(64 * GIB), 2),
            (18, 64, Some(4 * GIB), 8),
            (18, 64, Some(GIB / 4), 1),
            (18, 0, None, 1),
            (22, 8, Some(4 * GIB), 1),
            (17, 64, Some(4 * GIB), 16),
            (255, 8, Some(GIB), 1),
        ] {
            assert_eq!(most(log_n, cores, memory), expected, "2^{log_n}, {cores}, {memory:?}");
        }
        assert!(memory().is_some_and(|memory| memory > GIB / 8));
    }

    #[test]
    fn a_turn_is_taken_for_much_memory_within_its_work_and_given_back() {
        let taken = Rc::new(RefCell::new(Vec::new()));
        let take = {
            let taken = Rc::clone(&taken);
            move |most: usize| {
                taken.borrow_mut().push(most);
                Rc::clone(&taken)
            }
        };
        drop(wait(18));
        sharing(take, || {
            drop((wait(14), wait(10)));
            assert!(taken.borrow().is_empty());
            let turn = wait(18);
            assert_eq!((taken.borrow().len(), Rc::strong_count(&taken)), (1, 3));
            drop(turn);
            assert_eq!(Rc::strong_count(&taken), 2);
        });
        drop(wait(18));
        assert_eq!((taken.borrow().len(), Rc::strong_count(&taken)), (1, 1));
    }
}
