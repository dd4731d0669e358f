//! A door without an identity behind it.

use std::path::PathBuf;

use icn_identity::{Key, Software, Unlocked};
use tempfile::TempDir;

use super::*;
use crate::line::Outcome;

pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn door(&self, config: &str) -> Arc<Door> {
        let config = Config::parse(config).unwrap();
        let did = Key::<Software, Unlocked>::generate().unwrap().did().clone();
        let place = Place { home: self.path(""), config: self.path("icn.toml") };
        let audit = AuditLog::open(self.path("audit.log"), &did).unwrap();
        let issued = Issued::open(self.0.path()).unwrap();
        Arc::new(Door::new(did, place, &config, audit, issued))
    }
}

#[test]
fn refusals_whose_line_cannot_be_written_are_written_down_later() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let door = home.door("");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let record = || runtime.block_on(door.record_unwritten(true));
    let mode = |bits| {
        std::fs::set_permissions(home.path("audit.log"), std::fs::Permissions::from_mode(bits))
            .unwrap();
    };
    let who = crate::sharing::Sharer::user(4242);
    door.refusals.has_no_line(&who, Instant::now());
    mode(0o666);
    record();
    door.refusals.has_no_line(&who, Instant::now());
    mode(0o600);
    record();
    record();
    let text = std::fs::read_to_string(home.path("audit.log")).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&last["reason"], &last["count"]), (&"not-recorded".into(), &2.into()), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
}

/// One client's lines take no more threads than are its share: else what others want done with
/// the key waits behind them.
#[test]
fn however_many_lines_of_one_client_wait_for_the_disk_another_one_has_a_thread() {
    let home = Home::new();
    let door = home.door("");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(2 * crate::lines::OF_A_SHARE)
        .build()
        .unwrap();
    let head = std::fs::File::open(home.path("audit.log.head")).unwrap();
    head.lock().unwrap();
    let line = Line::own(Event::Read, fresh().unwrap());
    let recorded: Vec<_> = (0..8 * crate::lines::OF_A_SHARE)
        .map(|_| {
            let (door, line) = (door.clone(), line.clone().with_client("much"));
            runtime.spawn(async move { door.record_of(&line, Outcome::Allowed).await })
        })
        .collect();
    // All of them had their turn to be asked for.
    std::thread::sleep(Duration::from_millis(300));
    let (has_thread, had) = std::sync::mpsc::channel();
    let other = runtime.spawn_blocking(move || has_thread.send(()));
    let had = had.recv_timeout(Duration::from_secs(5));
    head.unlock().unwrap();
    for one in recorded {
        runtime.block_on(one).unwrap().unwrap();
    }
    runtime.block_on(other).unwrap().unwrap();
    had.unwrap();
    let text = std::fs::read_to_string(home.path("audit.log")).unwrap();
    assert_eq!(text.lines().count(), 1 + 8 * crate::lines::OF_A_SHARE);
}

fn refused(home: &Home) -> usize {
    let text = std::fs::read_to_string(home.path("audit.log")).unwrap();
    text.lines().filter(|line| line.contains("\"refused\"")).count()
}

fn counted(door: &Door) -> u64 {
    door.refusals.unwritten(Instant::now(), true).iter().map(|unwritten| unwritten.count).sum()
}

/// Nobody waits for them any more: some are being written still, and some never were.
#[test]
fn of_refusals_that_are_cut_off_each_has_a_line_or_is_counted() {
    let home = Home::new();
    let door = home.door("");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let head = std::fs::File::open(home.path("audit.log.head")).unwrap();
    head.lock().unwrap();
    let line = Line::own(Event::Sign, fresh().unwrap()).with_client("pay");
    let problem = Problem::new(ProblemCode::Rate, "too often");
    runtime.block_on(async {
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..crate::lines::OF_A_SHARE + 3 {
            let (door, line, problem) = (door.clone(), line.clone(), problem.clone());
            all.spawn(async move {
                let refused = door.refuse(&line, &problem);
                tokio::time::timeout(Duration::from_millis(300), refused).await.is_err()
            });
        }
        assert!(all.join_all().await.iter().all(|is_cut_off| *is_cut_off));
        // What is written still has its place among those of its client.
        let who = line.sharer();
        let another = door.lines.enter(&who.share);
        assert!(tokio::time::timeout(Duration::from_millis(300), another).await.is_err());
        head.unlock().unwrap();
        // All of them are done.
        let mut places = Vec::new();
        for _ in 0..crate::lines::OF_A_SHARE {
            places.push(door.lines.enter(&who.share).await);
        }
    });
    assert_eq!((refused(&home), counted(&door)), (crate::lines::OF_A_SHARE, 3));
}

/// The step is for whom it may concern.
#[test]
fn a_client_is_told_by_which_step_a_line_can_be_written_again_and_no_one_else_is_told_of_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let door = home.door("");
    let log = home.path("audit.log");
    std::fs::set_permissions(&log, std::fs::Permissions::from_mode(0o666)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let help = |line: &Line| {
        let refused = Problem::new(ProblemCode::NotAClient, "nobody");
        let problem = runtime.block_on(door.refuse(line, &refused)).unwrap_err();
        assert_eq!(problem.code, ProblemCode::AuditUnwritable);
        problem.body(None)["help"].as_str().unwrap().to_owned()
    };
    let stranger = Line::own(Event::Connect, fresh().unwrap());
    let step = format!("chmod 600 {}", log.display());
    let told = help(&stranger.clone().with_client("pay"));
    assert!(told.contains(&step), "{told}");
    let told = help(&stranger);
    assert!(told.contains("look at its log") && !told.contains("audit.log"), "{told}");
    assert_eq!(counted(&door), 2);
}
