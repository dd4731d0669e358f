use icn_identity::{Key, Software};

fn make() -> Result<(), icn_identity::Error> {
    let _key = Key::<Software, _>::generate()?;
    Ok(())
}

fn main() {}
