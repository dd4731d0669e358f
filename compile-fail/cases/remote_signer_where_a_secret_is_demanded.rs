use icn_identity::ExposeSecret;
use icn_identity::client::RemoteSigner;

fn export<K: ExposeSecret>(_: &K) {}

fn wrong(key: &RemoteSigner) {
    export(key);
}

fn main() {}
