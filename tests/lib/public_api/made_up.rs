//! Foreign types in every place that there is. `HashMap` and `Write` are looked for.
use std::collections::HashMap;
use std::fmt::Write;

type Map = HashMap<u8, u8>;

pub use std::collections::HashMap as reexported;

pub fn argument(_: &mut HashMap<u8, u8>) {}
pub fn deep(_: &[Option<(u8, Map)>]) {}
pub fn closure(_: impl Fn(Map) -> u8) {}
pub fn where_clause<T>(_: T)
where
    Option<T>: Into<Map>,
{
}

pub mod module {
    pub fn result() -> Result<super::Map, ()> {
        Err(())
    }
}

pub struct Struct {
    pub field: Map,
    hidden: Map,
}

impl Struct {
    pub fn method(&self) -> Box<dyn Fn() -> Map> {
        let map = self.hidden.clone();
        Box::new(move || map.clone())
    }
    fn private(&self) -> Map {
        self.hidden.clone()
    }
    pub fn uses_it_inside(&self) -> usize {
        self.private().len()
    }
}

impl Write for Struct {
    fn write_str(&mut self, _: &str) -> std::fmt::Result {
        Ok(())
    }
}

pub enum Enum {
    Tuple(Map),
    Named { field: Map },
    Unit,
}

pub trait Supertrait: Write {}

pub trait Bounded {
    fn bounded<W: Write>(&self, to: W);
}

pub struct Item;

impl std::ops::Deref for Item {
    type Target = Map;
    fn deref(&self) -> &Map {
        unimplemented!()
    }
}

pub type Alias = Map;

pub static STATIC: Option<Map> = None;

fn private(_: Map) {}

#[doc(hidden)]
pub fn not_for_the_public(map: Map) {
    private(map)
}
