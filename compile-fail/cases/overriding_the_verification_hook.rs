use icn_identity::{Did, DidKey, DidSigner, Signature, VerifyingKey, error::SignError};

struct Mine(DidKey);
impl DidSigner for Mine {
    fn did(&self) -> &Did {
        self.0.did()
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.0.sign(message)
    }
    fn __verifies<T>(&self, _: T) -> bool {
        true
    }
}
fn main() {}
