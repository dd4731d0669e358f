//! A few threads for work that blocks.

use std::any::Any;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use ::tokio::sync::{Semaphore, oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// Threads, and as many places: a job is handed over only when a thread is free, so
/// that whoever waits can still go away without a trace.
#[derive(Clone)]
pub(super) struct Pool {
    jobs: Sender<Job>,
    places: Arc<Semaphore>,
}

impl Pool {
    pub(super) fn new(name: &str, threads: NonZeroUsize) -> io::Result<Self> {
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads.get() {
            let queue = Arc::clone(&queue);
            Builder::new().name(name.to_owned()).spawn(move || work(&queue))?;
        }
        let places = threads.get().min(Semaphore::MAX_PERMITS);
        Ok(Self { jobs, places: Arc::new(Semaphore::new(places)) })
    }

    /// Does the work on a thread of the pool, when there is one free.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        // Nobody closes it; without a place the threads would still take one at a time.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (reply, answer) = oneshot::channel::<Result<T, Box<dyn Any + Send>>>();
        let job = move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            drop(place);
            if let Err(Err(_)) = reply.send(result) {
                log::warn!("blocking work panicked after its caller had gone");
            }
        };
        // The threads are there for as long as this sender is, and answer each job.
        let _ = self.jobs.send(Box::new(job));
        match answer.await {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => resume_unwind(Box::new("a thread for blocking work has gone")),
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}
