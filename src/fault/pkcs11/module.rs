//! What can be wrong with a PKCS#11 module.

use std::path::PathBuf;

use crate::fault::quoted;

/// Why a PKCS#11 module cannot be used. Its checks come before it is loaded: loading a
/// library runs its code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleProblem {
    /// The path does not begin with `/`.
    #[error("its path is not absolute")]
    NotAbsolute,
    /// There is no such file.
    #[error("there is no such file")]
    NotFound,
    /// The way to the file is closed to this user, or is no way.
    #[error("it cannot be reached")]
    OutOfReach,
    /// It is a directory, a device, or the like.
    #[error("it is not a regular file")]
    NotAFile,
    /// Somebody else, who is not root, can change it.
    #[error("it belongs to user {owner}, who is neither root nor you")]
    Owner {
        /// The user id.
        owner: u32,
    },
    /// Others than its owner can change it.
    #[error("others than its owner can write to it")]
    Writable,
    /// Others can put another file in its place.
    #[error("others can exchange what is in {}, above it", directory.display())]
    Directory {
        /// The directory above it.
        directory: PathBuf,
    },
    /// The loader of the system refuses it.
    #[error("it cannot be loaded")]
    NotLoaded,
    /// It has no `C_GetFunctionList`.
    #[error("it is not a PKCS#11 module")]
    NotAModule,
    /// `C_GetFunctionList` or `C_GetInfo` fails.
    #[error("it does not tell what it is")]
    Silent,
    /// `C_Initialize` fails.
    #[error("it does not start")]
    NotInitialized,
    /// `init_args` cannot be given to a module.
    #[error("`init_args` has a NUL in it")]
    Parameters,
    /// This process has started it with other `init_args`.
    #[error("this process uses it with other `init_args`")]
    OtherParameters,
}

impl ModuleProblem {
    pub(super) fn help(&self, path: &std::path::Path) -> String {
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
                 this machine's architecture"
            ),
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
