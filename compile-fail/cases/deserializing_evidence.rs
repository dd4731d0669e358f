use icn_identity::Evidence;

trait Load {}
impl<T: serde::de::DeserializeOwned> Load for T {}
fn load<T: Load>() {}

fn forge() {
    load::<Evidence>();
}

fn main() {}
