use icn_identity::backend::{Backend, BackendKind};

fn kind(backend: &dyn Backend) -> BackendKind {
    backend.kind()
}

fn main() {}
