//! `device_path`: which device, and whether it can be used, before the TSS
//! tells less about it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::str::FromStr as _;

use tss_esapi::Context;
use tss_esapi::tcti_ldr::{DeviceConfig, NetworkTPMConfig, TctiNameConf};

use super::failure::{Failure, Meaning};
use crate::error::TpmError;

/// A device, as configured.
#[derive(Debug, Clone)]
pub(super) struct Tcti {
    device: String,
    conf: TctiNameConf,
}

impl Tcti {
    /// Reads an absolute path, or `swtpm:host=…,port=…`.
    pub(super) fn parse(device: &str) -> Result<Self, TpmError> {
        let bad = |reason| TpmError::BadDevice { device: device.to_owned(), reason };
        let conf = if let Some(conf) = device.strip_prefix("swtpm:") {
            // What the library does not know it takes for localhost:2321.
            let names: Vec<&str> =
                conf.split(',').filter_map(|part| Some(part.split_once('=')?.0)).collect();
            if !matches!(names.as_slice(), ["host", "port"] | ["port", "host"]) {
                return Err(bad("an swtpm is named by host=ADDRESS,port=PORT and nothing else"));
            }
            let conf = NetworkTPMConfig::from_str(conf);
            TctiNameConf::Swtpm(conf.map_err(|_| bad("host or port is not valid"))?)
        } else {
            let path = device.strip_prefix("device:").unwrap_or(device);
            if !Path::new(path).is_absolute() {
                return Err(bad("it is neither an absolute path nor swtpm:host=…,port=…"));
            }
            let conf = DeviceConfig::from_str(path);
            TctiNameConf::Device(conf.map_err(|_| bad("the path is not valid"))?)
        };
        Ok(Self { device: device.to_owned(), conf })
    }

    pub(super) fn device(&self) -> &str {
        &self.device
    }

    /// A new connection.
    pub(super) fn connect(&self) -> Result<Context, TpmError> {
        self.check_node()?;
        Context::new(self.conf.clone()).map_err(|error| {
            let failure = Failure::of("reach the TPM", error);
            let (device, source) = (self.device.clone(), Box::new(failure));
            match failure.meaning() {
                Meaning::NoDevice | Meaning::Broken => {
                    TpmError::NoDevice { device, source: Some(source) }
                }
                Meaning::NoLibrary => TpmError::NoTcti { device, source },
                _ => failure.into_error(),
            }
        })
    }

    /// Whether a device node can be opened by this user.
    fn check_node(&self) -> Result<(), TpmError> {
        let TctiNameConf::Device(_) = &self.conf else { return Ok(()) };
        let path = self.device.strip_prefix("device:").unwrap_or(&self.device);
        let device = self.device.clone();
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
            .open(path);
        let error = match opened.and_then(|node| node.metadata()) {
            Ok(metadata) if metadata.file_type().is_char_device() => return Ok(()),
            Ok(_) => {
                return Err(TpmError::BadDevice { device, reason: "it is no character device" });
            }
            Err(error) => error,
        };
        Err(match error.kind() {
            io::ErrorKind::PermissionDenied => TpmError::NoPermission { device },
            io::ErrorKind::ResourceBusy => TpmError::Busy { device },
            _ => TpmError::NoDevice { device, source: Some(error.into()) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_library_would_take_for_localhost_is_refused() {
        for device in [
            "swtpm:path=/run/swtpm.sock",
            "swtpm:",
            "swtpm:host=127.0.0.1",
            "swtpm:host=127.0.0.1,port=1,path=/x",
            "swtpm:host=,port=1",
            "tpmrm0",
            "mssim:host=127.0.0.1,port=1",
            "",
        ] {
            let error = Tcti::parse(device).unwrap_err();
            assert!(matches!(error, TpmError::BadDevice { .. }), "{device}: {error}");
        }
        for device in ["/dev/tpmrm0", "device:/dev/tpm0", "swtpm:host=127.0.0.1,port=2321"] {
            assert_eq!(Tcti::parse(device).unwrap().device(), device);
        }
    }

    #[test]
    fn a_node_that_is_none_is_told_before_anything_is_sent() {
        let missing = Tcti::parse("/dev/tpm-that-is-not-there").unwrap().connect().unwrap_err();
        assert!(matches!(missing, TpmError::NoDevice { .. }), "{missing}");
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = Tcti::parse(file.path().to_str().unwrap()).unwrap().connect().unwrap_err();
        assert!(matches!(file, TpmError::BadDevice { .. }), "{file}");
    }
}
