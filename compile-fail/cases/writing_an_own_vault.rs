use icn_identity::Did;
use icn_identity::backend::{Credentials, Plan, StorageVault, WrappedKey};
use icn_identity::error::DeviceError;
use icn_identity::secret::LockedText;

struct Mine;

type Wrapped = Result<Option<WrappedKey>, DeviceError>;

#[rustfmt::skip]
impl StorageVault for Mine {
    fn wrap_as(&self, _: &Plan, _: &Did, _: &LockedText, _: &Credentials) -> Wrapped { todo!() }
    fn unwrap(&self, _: &Did, _: &WrappedKey, _: &Credentials) -> Result<LockedText, DeviceError> {
        todo!()
    }
}

fn main() {}
