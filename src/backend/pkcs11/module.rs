//! PKCS#11 modules, each loaded and initialised once in a process.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};

use super::failure::Failure;
use super::info::{Seen, trimmed};
use super::raw::{self, Calls};
use crate::config::Pkcs11Config;
use crate::error::{ModuleProblem, Pkcs11Error};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// `C_Initialize` is process-wide, and finalizing would end the sessions of
/// whoever else uses the module: modules stay for the life of the process.
static MODULES: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

/// The process that loaded the first module.
static PROCESS: OnceLock<u32> = OnceLock::new();

/// Sessions and logins are those of the process that made them: a child that
/// was forked from it must leave them alone (PKCS#11 v3.0, section 5.4.1).
///
/// # Errors
///
/// [`Pkcs11Error::Forked`] in such a child.
pub(super) fn check_process() -> Result<(), Pkcs11Error> {
    match PROCESS.get() {
        Some(process) if *process != std::process::id() => Err(Pkcs11Error::Forked),
        _ => Ok(()),
    }
}

/// A module, loaded and initialised.
pub(super) struct Module {
    path: PathBuf,
    context: Pkcs11,
    calls: Calls,
    /// What it is initialised with.
    parameters: Option<CString>,
    about: String,
    /// The file names of the links by which it was opened.
    links: Mutex<BTreeSet<String>>,
    /// The token that was selected last: where to look for it first.
    token: Mutex<Option<Seen>>,
}

impl Module {
    /// The configured module: checked, then loaded, unless it is there already.
    pub(super) fn open(config: &Pkcs11Config) -> Result<Arc<Self>, Pkcs11Error> {
        let (given, parameters) = (&config.module, config.init_args.as_deref());
        PROCESS.get_or_init(std::process::id);
        check_process()?;
        let path = check(given)?;
        let refused = |problem| {
            let path = path.clone();
            Pkcs11Error::Module { path, problem, configured_in: None, source: None }
        };
        let parameters = parameters.map(CString::new).transpose();
        let parameters = parameters.map_err(|_| refused(ModuleProblem::Parameters))?;
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(&path) {
            // C_Initialize is called once in a process.
            return match module.parameters == parameters {
                true => {
                    module.note_links(given);
                    Ok(Arc::clone(module))
                }
                false => Err(refused(ModuleProblem::OtherParameters)),
            };
        }
        let module = Arc::new(Self::load(path.clone(), parameters)?);
        module.note_links(given);
        modules.insert(path, Arc::clone(&module));
        Ok(module)
    }

    fn load(path: PathBuf, parameters: Option<CString>) -> Result<Self, Pkcs11Error> {
        let shown = path.clone();
        let unusable = |problem, error: Error| Pkcs11Error::Module {
            path: shown.clone(),
            problem,
            configured_in: None,
            source: Some(Box::new(Failure::from(error))),
        };
        let context = Pkcs11::new(&path).map_err(|error| match error {
            error @ Error::LibraryLoading(_) => unusable(ModuleProblem::NotLoaded, error),
            error @ Error::MissingSymbol(_) => unusable(ModuleProblem::NotAModule, error),
            error => unusable(ModuleProblem::Silent, error),
        })?;
        let calls = Calls::load(&path).map_err(|error| unusable(ModuleProblem::Silent, error))?;
        let mut module = Self {
            path,
            context,
            calls,
            parameters,
            about: String::new(),
            links: Mutex::default(),
            token: Mutex::default(),
        };
        module.initialise()?;
        // Whose word its answers are depends on who wrote it.
        let info = module.context.get_library_info();
        let info = info.map_err(|error| unusable(ModuleProblem::Silent, error))?;
        let about = [info.manufacturer_id(), info.library_description()].map(trimmed);
        module.about = about.join(" ").trim().to_owned();
        Ok(module)
    }

    /// For a module that was just loaded, or that other code has finalised.
    pub(super) fn initialise(&self) -> Result<(), Pkcs11Error> {
        match raw::initialise(&self.context, self.parameters.as_deref()) {
            // Somebody else in this process was first.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
            Err(error) => Err(Pkcs11Error::Module {
                path: self.path.clone(),
                problem: ModuleProblem::NotInitialized,
                configured_in: None,
                source: Some(Box::new(Failure::from(error))),
            }),
        }
    }

    /// `manufacturerID` and `libraryDescription` of `CK_INFO`, trimmed: who wrote the
    /// library.
    pub(super) fn about(&self) -> &str {
        &self.about
    }

    /// The file name of its canonical path, and those of the links to it by which it was
    /// opened: who gives it another name may do so to hide what it is.
    pub(super) fn file_names(&self) -> String {
        let mut names = vec![name_of(&self.path)];
        names.extend(self.links().iter().cloned());
        names.join(", ")
    }

    fn links(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows a path link by link; `check` has found its end.
    fn note_links(&self, given: &Path) {
        let mut at = given.to_owned();
        for _ in 0..MAX_LINKS {
            let name = name_of(&at);
            if name != name_of(&self.path) {
                self.links().insert(name);
            }
            let Ok(target) = fs::read_link(&at) else { break };
            at = at.parent().unwrap_or(Path::new("/")).join(target);
        }
    }

    /// The canonical path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn context(&self) -> &Pkcs11 {
        &self.context
    }

    pub(super) fn last_seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("path", &self.path).finish_non_exhaustive()
    }
}

/// As many symbolic links as Linux follows in one path.
const MAX_LINKS: usize = 40;

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Loading a library runs its constructors before anyone can see what it is,
/// so the file is judged first.
fn check(path: &Path) -> Result<PathBuf, Pkcs11Error> {
    let refused = |problem, source: Option<io::Error>| Pkcs11Error::Module {
        path: path.to_owned(),
        problem,
        configured_in: None,
        source: source.map(Into::into),
    };
    if !path.is_absolute() {
        return Err(refused(ModuleProblem::NotAbsolute, None));
    }
    let unread = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => refused(ModuleProblem::NotFound, None),
        _ => refused(ModuleProblem::OutOfReach, Some(error)),
    };
    let real = path.canonicalize().map_err(unread)?;
    let meta = fs::metadata(&real).map_err(unread)?;
    if !meta.is_file() {
        return Err(refused(ModuleProblem::NotAFile, None));
    }
    let me = rustix::process::geteuid().as_raw();
    if let Some(problem) = problem_of(meta.uid(), meta.mode(), me) {
        return Err(refused(problem, None));
    }
    // Whoever can write to a directory above can put another file in its place.
    for directory in real.ancestors().skip(1) {
        let meta = fs::metadata(directory).map_err(unread)?;
        // In a sticky one (/tmp) nobody can replace what belongs to others.
        let mode = if meta.mode() & 0o1000 == 0 { meta.mode() } else { meta.mode() & !0o022 };
        if problem_of(meta.uid(), mode, me).is_some() {
            let directory = directory.to_owned();
            return Err(refused(ModuleProblem::Directory { directory }, None));
        }
    }
    Ok(real)
}

/// Why others could have written a file, or could put another in its place.
const fn problem_of(owner: u32, mode: u32, me: u32) -> Option<ModuleProblem> {
    if owner != 0 && owner != me {
        return Some(ModuleProblem::Owner { owner });
    }
    if mode & 0o022 != 0 {
        return Some(ModuleProblem::Writable);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::problem_of;

    /// What needs root to be set up on a disk.
    #[test]
    fn a_module_of_somebody_else_is_refused() {
        for (owner, mode, refused) in [
            (0, 0o755, false),
            (1000, 0o700, false),
            (1001, 0o755, true),
            (65534, 0o555, true),
            (1000, 0o775, true),
            (0, 0o757, true),
        ] {
            assert_eq!(problem_of(owner, mode, 1000).is_some(), refused, "{owner} {mode:o}");
        }
    }
}
