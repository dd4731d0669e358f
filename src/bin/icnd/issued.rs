//! The instances that have certificates for TLS keys of their own: whose they are, and how
//! far their numbers have come.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use icn_identity::peer::Instance;

/// So many instances of one client are remembered; then its oldest is forgotten.
const MOST: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Issued(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    turns: u64,
    all: HashMap<Instance, Given>,
}

#[derive(Debug)]
struct Given {
    client: String,
    sequence: u64,
    turn: u64,
}

impl Issued {
    /// The number of the next binding of an instance, by the time in Unix seconds; `None` if
    /// the instance is another client's. It is taken with this, whatever becomes of it.
    pub(crate) fn next(&self, instance: Instance, client: &str, now: u64) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.turns += 1;
        let turn = state.turns;
        if let Some(given) = state.all.get_mut(&instance) {
            if given.client != client {
                return None;
            }
            given.sequence = given.sequence.saturating_add(1).max(now);
            given.turn = turn;
            return Some(given.sequence);
        }
        let own = state.all.iter().filter(|(_, given)| given.client == client);
        let oldest = own.clone().min_by_key(|(_, given)| given.turn).map(|(instance, _)| *instance);
        if own.count() >= MOST
            && let Some(oldest) = oldest
        {
            state.all.remove(&oldest);
        }
        let client = client.to_owned();
        state.all.insert(instance, Given { client, sequence: now, turn });
        Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(number: u32) -> Instance {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Instance::from_bytes(bytes)
    }

    #[test]
    fn the_numbers_of_an_instance_grow_whatever_the_clock_does() {
        let issued = Issued::default();
        let next = |now| issued.next(instance(1), "a", now).unwrap();
        assert_eq!(
            [next(100), next(100), next(99), next(200), next(150)],
            [100, 101, 102, 200, 201]
        );
        assert_eq!(issued.next(instance(2), "a", 100), Some(100), "each has its own");
    }

    #[test]
    fn an_instance_is_of_the_client_that_had_it_first() {
        let issued = Issued::default();
        assert_eq!(issued.next(instance(1), "a", 100), Some(100));
        assert_eq!(issued.next(instance(1), "b", 100), None);
        assert_eq!(issued.next(instance(1), "a", 100), Some(101));
    }

    /// What one client makes, however much, is at nobody else's expense.
    #[test]
    fn a_client_that_makes_instances_without_end_displaces_its_own() {
        let issued = Issued::default();
        issued.next(instance(0), "a", 100).unwrap();
        for number in 1..5_000 {
            issued.next(instance(number), "b", 100).unwrap();
            issued.next(instance(1), "b", 100).unwrap();
        }
        assert_eq!(issued.0.lock().unwrap().all.len(), MOST + 1);
        assert_eq!(issued.next(instance(0), "b", 100), None);
        assert_eq!(issued.next(instance(0), "a", 100), Some(101));
        // The one that is used stays.
        assert!(issued.next(instance(1), "b", 100).unwrap() > 5_000);
    }

    #[test]
    fn threads_that_race_for_one_instance_get_a_number_each() {
        let issued = Issued::default();
        let numbers = std::thread::scope(|scope| {
            let racing = [(); 4].map(|()| {
                let issued = &issued;
                scope.spawn(move || -> Vec<u64> {
                    (0..500).map(|_| issued.next(instance(1), "a", 100).unwrap()).collect()
                })
            });
            racing.map(|thread| thread.join().unwrap()).concat()
        });
        let different: std::collections::HashSet<u64> = numbers.iter().copied().collect();
        assert_eq!(different.len(), 2000);
    }
}
