use icn_identity::HardwareBacked;
use icn_identity::client::RemoteSigner;

fn wrong(key: RemoteSigner) {
    let _ = HardwareBacked::<RemoteSigner>::check(key);
}

fn main() {}
