//! What can be wrong with a PKCS#11 module.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::fault::quoted;

/// Why a PKCS#11 module cannot be used. Its checks come before it is loaded: loading a
/// library runs its code.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModuleProblem {
    /// The path does not begin with `/`.
    NotAbsolute,
    /// There is no such file.
    NotFound,
    /// The way to the file is closed to this user, or is no way.
    OutOfReach,
    /// It is a directory, a device, or the like.
    NotAFile,
    /// Somebody else, who is not root, can change it.
    Owner {
        /// The user id.
        owner: u32,
    },
    /// Others than its owner can change it.
    Writable,
    /// Others can put another file in its place.
    Directory {
        /// The directory above it.
        directory: PathBuf,
    },
    /// The loader of the system refuses it.
    NotLoaded,
    /// It has no `C_GetFunctionList`.
    NotAModule,
    /// `C_GetFunctionList` or `C_GetInfo` fails.
    Silent,
    /// `C_Initialize` fails.
    NotInitialized,
    /// `init_args` cannot be given to a module.
    Parameters,
    /// This process has started it with other `init_args`.
    OtherParameters,
}

impl fmt::Display for ModuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "its path is not absolute",
            Self::NotFound => "there is no such file",
            Self::OutOfReach => "it cannot be reached",
            Self::NotAFile => "it is not a regular file",
            Self::Owner { owner } => {
                return write!(f, "it belongs to user {owner}, who is neither root nor you");
            }
            Self::Writable => "others than its owner can write to it",
            Self::Directory { directory } => {
                return write!(
                    f,
                    "others can exchange what is in {}, above it",
                    directory.display()
                );
            }
            Self::NotLoaded => "it cannot be loaded",
            Self::NotAModule => "it is not a PKCS#11 module",
            Self::Silent => "it does not tell what it is",
            Self::NotInitialized => "it does not start",
            Self::Parameters => "`init_args` has a NUL in it",
            Self::OtherParameters => "this process uses it with other `init_args`",
        })
    }
}

impl ModuleProblem {
    pub(super) fn advice(&self, path: &Path) -> String {
        let shown = quoted(path);
        match self {
            Self::NotAbsolute | Self::NotFound | Self::NotAFile | Self::NotAModule => {
                "set `module` under [identity.pkcs11] to the absolute path of the vendor's PKCS#11 \
                 library"
                    .into()
            }
            Self::OutOfReach => format!(
                "run this as a user who may read it: `namei -l {shown}` shows what is closed"
            ),
            Self::Owner { .. } => format!(
                "install the vendor's library again as root; if you trust the file as it is, run: \
                 sudo chown root {shown}"
            ),
            Self::Writable => format!(
                "if you trust the file as it is, run: sudo chmod go-w {shown}"
            ),
            Self::Directory { directory } => format!(
                "move the library to a directory of root's, like /usr/local/lib; or, if nobody \
                 else needs to write there, run: sudo chown root {0} && sudo chmod go-w {0}",
                quoted(directory)
            ),
            Self::NotLoaded => format!(
                "install what it needs (`ldd {shown}` shows what is missing), or the library for \
                 this machine's architecture; if this is no library, name the vendor's by its \
                 absolute path"
            ),
            Self::NotInitialized if is_tpm2_pkcs11(path) => {
                "see whether its TPM answers (`tpm2_getcap properties-fixed`): start it, or the resource \
                 manager in front of it, or correct TPM2_PKCS11_TCTI, which names the way to it; and \
                 whether this user may read the module's store (TPM2_PKCS11_STORE)"
                    .into()
            }
            Self::Silent | Self::NotInitialized => {
                "give it what its manual asks for: a configuration file that this user may read, a \
                 variable that names it (as SOFTHSM2_CONF does), or `init_args` under \
                 [identity.pkcs11]"
                    .into()
            }
            Self::Parameters => "correct `init_args` under [identity.pkcs11]".into(),
            Self::OtherParameters => {
                "give the same `init_args` wherever this process uses the module: it is started once"
                    .into()
            }
        }
    }
}

/// `libtpm2_pkcs11.so.1`, the module of the TPM's own software.
fn is_tpm2_pkcs11(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.contains("tpm2_pkcs11") || name.contains("tpm2-pkcs11")
}
