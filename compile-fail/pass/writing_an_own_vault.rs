use icn_identity::backend::{Backend, StorageVault};

fn vault(backend: &dyn Backend) -> Option<&dyn StorageVault> {
    backend.vault()
}

fn main() {}
