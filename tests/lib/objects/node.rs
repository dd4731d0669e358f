//! JSON that keeps the order of its members, and members that are there twice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

#[derive(Debug, Clone)]
pub(super) enum Node {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Leaf(Value),
}

impl Node {
    pub(super) fn parse(json: &str) -> Self {
        serde_json::from_str(json).unwrap()
    }

    /// Where there are objects: indices, from the whole inwards.
    pub(super) fn objects(&self) -> Vec<Vec<usize>> {
        let mut found = Vec::new();
        if matches!(self, Self::Object(_)) {
            found.push(Vec::new());
        }
        for index in 0..self.len() {
            let inside = self.at(&[index]).objects();
            found.extend(inside.into_iter().map(|place| [vec![index], place].concat()));
        }
        found
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Object(members) => members.len(),
            Self::Array(elements) => elements.len(),
            Self::Leaf(_) => 0,
        }
    }

    pub(super) fn at(&self, place: &[usize]) -> &Self {
        let [first, rest @ ..] = place else { return self };
        match self {
            Self::Object(members) => members[*first].1.at(rest),
            Self::Array(elements) => elements[*first].at(rest),
            Self::Leaf(_) => panic!("nothing is inside"),
        }
    }

    /// With something else there.
    pub(super) fn with(&self, place: &[usize], change: impl FnOnce(&Self) -> Self) -> Self {
        let [first, rest @ ..] = place else { return change(self) };
        let mut changed = self.clone();
        match &mut changed {
            Self::Object(members) => members[*first].1 = members[*first].1.with(rest, change),
            Self::Array(elements) => elements[*first] = elements[*first].with(rest, change),
            Self::Leaf(_) => panic!("nothing is inside"),
        }
        changed
    }

    fn members(&self) -> Vec<(String, Self)> {
        match self {
            Self::Object(members) => members.clone(),
            _ => panic!("no object"),
        }
    }

    pub(super) fn reversed(&self) -> Self {
        Self::Object(self.members().into_iter().rev().collect())
    }

    pub(super) fn values(&self) -> Self {
        Self::Array(self.members().into_iter().map(|(_, value)| value).collect())
    }

    pub(super) fn doubled(&self, member: usize) -> Self {
        let mut members = self.members();
        members.push(members[member].clone());
        Self::Object(members)
    }

    pub(super) fn without(&self, name: &str) -> Self {
        Self::Object(self.members().into_iter().filter(|(member, _)| member != name).collect())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |name: &str| Value::from(name).to_string();
        match self {
            Self::Object(members) => {
                let members = members.iter().map(|(name, value)| format!("{}:{value}", text(name)));
                write!(f, "{{{}}}", members.collect::<Vec<_>>().join(","))
            }
            Self::Array(elements) => {
                let elements = elements.iter().map(ToString::to_string);
                write!(f, "[{}]", elements.collect::<Vec<_>>().join(","))
            }
            Self::Leaf(value) => value.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Nodes;
        impl<'de> Visitor<'de> for Nodes {
            type Value = Node;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Node::Object(members))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Node::Array(elements))
            }
            fn visit_str<E>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Leaf(text.into()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
                Ok(Node::Leaf(number.into()))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Leaf(value.into()))
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Leaf(Value::Null))
            }
        }
        deserializer.deserialize_any(Nodes)
    }
}
