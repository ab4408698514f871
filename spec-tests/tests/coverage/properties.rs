//! The properties of a type by name, asked of serde: a deserializer that gives no values, but follows one path of names into
//! the type and notes which names it knows there.

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use std::{cell::RefCell, fmt};

/// Every property of `T` as a path: `mounts[].options`, `linux.sysctl`. Those of the entries of a map are beneath `{}`.
pub(crate) fn of<T: for<'de> Deserialize<'de>>() -> Vec<String> {
    let mut known: Vec<Vec<String>> = Vec::new();
    let mut waiting = vec![Vec::new()];
    while let Some(path) = waiting.pop() {
        let found = RefCell::new(Vec::new());
        // It always fails: no value is ever given.
        let _ = T::deserialize(Walk { way: &path, found: &found });
        for name in found.into_inner() {
            let mut longer: Vec<String> = path.clone();
            longer.push(name);
            waiting.push(longer.clone());
            known.push(longer);
        }
    }
    let mut names: Vec<_> = known.iter().map(|path| path.join(".").replace(".[]", "[]")).collect();
    names.retain(|name| !name.ends_with("[]") && !name.ends_with("{}"));
    names.sort();
    names
}

/// A walk that has `way` before it. At its end the names go to `found`.
#[derive(Clone, Copy)]
struct Walk<'a> {
    way: &'a [String],
    found: &'a RefCell<Vec<String>>,
}

impl<'a> Walk<'a> {
    /// What is behind `name`, if the way leads there; at its end the name is noted.
    fn into(self, name: &str) -> Option<Self> {
        match self.way.split_first() {
            None => {
                self.found.borrow_mut().push(name.to_owned());
                None
            }
            Some((first, way)) => (first == name).then_some(Self { way, ..self }),
        }
    }
}

#[derive(Debug)]
struct Over;

impl std::error::Error for Over {}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the walk is over")
    }
}

impl de::Error for Over {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! leaves {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Over> {
            Err(Over)
        }
    )*};
}

impl<'de> Deserializer<'de> for Walk<'_> {
    type Error = Over;

    leaves! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_identifier
        deserialize_ignored_any
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Over> {
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, _: V) -> Result<V::Value, Over> {
        Err(Over)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Over> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Over> {
        visitor.visit_seq(Inside(self))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Over> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Over> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Over> {
        visitor.visit_map(Inside(self))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Over> {
        let ways: Vec<_> = fields.iter().filter_map(|name| Some((*name, self.into(name)?))).collect();
        match ways.first() {
            Some((name, walk)) => visitor.visit_map(Field(name, *walk)),
            None => Err(Over),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Over> {
        Err(Over)
    }
}

/// One field of a struct, and no other.
struct Field<'a>(&'static str, Walk<'a>);

impl<'de> MapAccess<'de> for Field<'_> {
    type Error = Over;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Over> {
        seed.deserialize(self.0.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Over> {
        seed.deserialize(self.1)
    }
}

/// One item of a list, or one entry of a map.
struct Inside<'a>(Walk<'a>);

impl<'de> SeqAccess<'de> for Inside<'_> {
    type Error = Over;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Over> {
        self.0.into("[]").map(|walk| seed.deserialize(walk)).transpose()
    }
}

impl<'de> MapAccess<'de> for Inside<'_> {
    type Error = Over;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Over> {
        match self.0.into("{}") {
            Some(walk) => {
                self.0 = walk;
                seed.deserialize("name".into_deserializer()).map(Some)
            }
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Over> {
        seed.deserialize(self.0)
    }
}
