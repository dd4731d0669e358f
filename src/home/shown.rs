//! What is known of a token: whether it shows the key of its identity without a login.

use super::{Home, Made};
use crate::backend::KeyAtRest;
use crate::config::{ConfigError, ConfigText, set, table};
use crate::error::Error;
use crate::keystore::Header;

impl Home {
    /// **Blocks** on device and files. Records in the configuration that the token shows the
    /// key of its identity without a login, if it does: from then on a token of the same
    /// names that does not show it gets no PIN.
    ///
    /// Where a key was there before the identity, this was recorded when it was opened. Of a
    /// new one it is seen only when nobody is logged in any more: [`Self::record_shown_of`].
    ///
    /// # Errors
    ///
    /// As [`Self::locate`]; if the configuration cannot be written.
    pub fn record_shown(&mut self) -> Result<(), Error> {
        let header = self.header()?;
        if header.locator().is_none() || self.knows_shown() || !self.is_shown(&header)? {
            return Ok(());
        }
        self.configure_shown(&header)
    }

    /// **Blocks** on device and files, and on scrypt where a passphrase opens the identity.
    /// Closes an identity that was just made, and records that its token shows its key
    /// without a login, if it does: in its header and in the configuration. Gives its header
    /// as it is then.
    ///
    /// While a clone of the bundle is open, its login is there, and nothing is recorded.
    ///
    /// # Errors
    ///
    /// As [`Self::locate`]; if the files cannot be written. The identity is as good as it was.
    pub fn record_shown_of(&mut self, made: Made) -> Result<Header, Error> {
        let Made { bundle, header } = made;
        let Some(at) = header.locator().filter(|locator| !locator.shown) else {
            return Ok(header);
        };
        let keeper = bundle.keeper();
        drop(bundle);
        if !self.is_shown(&header)? {
            return Ok(header);
        }
        let in_header = keeper.map_or(Ok(()), |keeper| keeper.record_shown(header.did(), at));
        if !self.knows_shown() {
            self.configure_shown(&header)?;
        }
        in_header?;
        self.header()
    }

    fn knows_shown(&self) -> bool {
        self.config.identity.pkcs11.as_ref().is_none_or(|config| config.key_shown)
    }

    fn is_shown(&self, header: &Header) -> Result<bool, Error> {
        let found = self.store.find(self.backend()?, header)?;
        Ok(matches!(found, KeyAtRest::Device(key) if key.is_shown()))
    }

    fn configure_shown(&mut self, header: &Header) -> Result<(), Error> {
        self.store.edit_config(header.did(), &self.config_path, |text| {
            let mut text = ConfigText::parse(text.unwrap_or_default())?;
            let pkcs11 = table(text.identity()?, "pkcs11").ok_or(ConfigError::NotATable)?;
            set(pkcs11, "key_shown", true);
            Ok(text.to_string())
        })?;
        if let Some(config) = &mut self.config.identity.pkcs11 {
            config.key_shown = true;
        }
        Ok(())
    }
}
