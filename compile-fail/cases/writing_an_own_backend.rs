use icn_identity::backend::*;
use icn_identity::{Did, Error};

#[derive(Debug)]
struct Mine;

#[rustfmt::skip]
impl Backend for Mine {
    fn kind(&self) -> BackendKind { BackendKind::Pkcs11 }
    fn describe(&self) -> Description { todo!() }
    fn create_as(&self, _: &Plan, _: &NewKey, _: &Credentials) -> Result<Created, Error> { todo!() }
    fn find(&self, _: &Locator, _: &Did) -> Result<KeyAtRest, Error> { todo!() }
    fn discard(&self, _: &Plan, _: &Credentials) -> Result<bool, Error> { todo!() }
}

fn main() {}
