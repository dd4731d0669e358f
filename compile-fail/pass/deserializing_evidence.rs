use icn_identity::Did;

trait Load {}
impl<T: serde::de::DeserializeOwned> Load for T {}
fn load<T: Load>() {}

fn right() {
    load::<Did>();
}

fn main() {}
