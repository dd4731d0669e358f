//! Open files of this process by their numbers: `/dev/stdin`, `/dev/fd/N`.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// By what an open file can be reached from elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// The path itself.
    Path,
    /// It was given open, and has this path.
    Inherited(PathBuf),
    /// It was given open, and has none, as that of `memfd_create`.
    None,
}

pub(super) fn name_of(path: &Path) -> Name {
    let Some(number) = number(path) else { return Name::Path };
    let id = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let open = metadata(number).ok().map(id);
    let real = std::fs::read_link(link(number)).ok();
    let real = real.filter(|real| open.is_some() && std::fs::metadata(real).ok().map(id) == open);
    real.map_or(Name::None, Name::Inherited)
}

/// The number of an open file that a path names.
pub(super) fn number(path: &Path) -> Option<u32> {
    if path == Path::new("/dev/stdin") {
        return Some(0);
    }
    let mut parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let of_ours = match (parts.next()?, parts.next()?) {
        ("dev", "fd") => true,
        ("proc", "self" | "thread-self") => parts.next()? == "fd",
        ("proc", process) if process == std::process::id().to_string() => parts.next()? == "fd",
        _ => false,
    };
    let number = parts.next()?.parse().ok()?;
    (of_ours && path.is_absolute() && parts.next().is_none()).then_some(number)
}

pub(super) fn link(number: u32) -> String {
    format!("/proc/self/fd/{number}")
}

pub(super) fn metadata(number: u32) -> io::Result<Metadata> {
    std::fs::metadata(link(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_an_open_file_or_not() {
        for (path, wanted) in [
            ("/dev/stdin", Some(0)),
            ("/dev/fd/0", Some(0)),
            ("/dev/fd/63", Some(63)),
            ("/proc/self/fd/3", Some(3)),
            ("/proc/thread-self/fd/3", Some(3)),
            ("/proc/1/fd/3", None),
            ("/dev/fd", None),
            ("/dev/fd/x", None),
            ("/dev/fd/-1", None),
            ("/dev/fd/3/x", None),
            ("dev/fd/3", None),
            ("-", None),
            ("/home/dev/fd/3", None),
        ] {
            assert_eq!(number(Path::new(path)), wanted, "{path}");
        }
        let own = format!("/proc/{}/fd/7", std::process::id());
        assert_eq!(number(Path::new(&own)), Some(7));
    }
}
