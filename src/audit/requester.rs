//! Which process asked.

use std::fs;
use std::path::Path;

use super::cut::cut;

/// Which process asked for something.
///
/// Its user and group are the kernel's word. Its number, program and unit are written down
/// for whoever looks for it later, and nothing is decided by them: a process can have
/// ended meanwhile, and another have its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) pid: u32,
    pub(super) exe: Option<String>,
    pub(super) unit: Option<String>,
}

impl Requester {
    /// By its user, group and process number, as a Unix socket tells them
    /// (`SO_PEERCRED`).
    #[must_use]
    pub const fn new(uid: u32, gid: u32, pid: u32) -> Self {
        Self { uid, gid, pid, exe: None, unit: None }
    }

    /// With its program and its systemd unit, as far as `/proc` shows them to this process.
    #[must_use]
    pub fn with_process(mut self) -> Self {
        let process = Path::new("/proc").join(self.pid.to_string());
        self.exe = fs::read_link(process.join("exe")).ok().map(|exe| cut(&exe.to_string_lossy()));
        let groups = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
        self.unit = unit_in(&groups).map(cut);
        self
    }

    /// This process.
    #[must_use]
    pub fn ours() -> Self {
        let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
        Self::new(uid.as_raw(), gid.as_raw(), std::process::id()).with_process()
    }
}

/// The innermost unit of a process, by `/proc/PID/cgroup`.
fn unit_in(groups: &str) -> Option<&str> {
    let path = groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        matches!(controllers, "" | "name=systemd").then_some(path)
    })?;
    let is_unit = |part: &&str| [".service", ".scope"].iter().any(|ending| part.ends_with(ending));
    path.rsplit('/').find(is_unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_the_innermost_service_or_scope() {
        for (groups, unit) in [
            ("0::/system.slice/payments.service\n", Some("payments.service")),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope\n",
                Some("a.scope"),
            ),
            ("1:name=systemd:/system.slice/x.service/sub\n", Some("x.service")),
            ("4:cpu:/system.slice/y.service\n0::/\n", None),
            ("0::/\n", None),
            ("", None),
            ("nonsense", None),
        ] {
            assert_eq!(unit_in(groups), unit, "{groups:?}");
        }
    }

    #[test]
    fn this_process_is_known_by_its_program() {
        let ours = Requester::ours();
        assert_eq!(ours.pid, std::process::id());
        let exe = std::env::current_exe().unwrap();
        assert_eq!(ours.exe.as_deref(), exe.to_str());
        assert_eq!(Requester::new(1, 2, u32::MAX).with_process(), Requester::new(1, 2, u32::MAX));
    }
}
