use icn_identity::{Hardware, Key};

fn make() -> Result<(), icn_identity::Error> {
    let _key = Key::<Hardware, _>::generate()?;
    Ok(())
}

fn main() {}
