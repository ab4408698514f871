//! The macros that define the specification's types: each property and each word stands once.

use crate::{Error, ErrorKind};

/// Objects. A property's line has its name in Rust, its type, its name in JSON, and a [`Mark`](super::read::Mark) if it is
/// not one that may be missing and is left out where it says nothing.
macro_rules! objects {
    ($(
        $(#[$meta:meta])*
        $name:ident {
            $($(#[$property_meta:meta])* $property:ident: $kind:ty = $json:literal $($mark:ident)?,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$property_meta])* pub $property: $kind,)*
        }

        impl $crate::spec::read::Object for $name {
            fn name(&self) -> &'static str {
                stringify!($name)
            }

            fn marks(&self) -> &'static [(&'static str, $crate::spec::read::Mark)] {
                &[$($(($json, $crate::spec::read::Mark::$mark),)?)*]
            }

            fn take(&mut self, name: &str, value: &$crate::spec::node::Node<'_>) -> $crate::spec::read::Outcome {
                match name {
                    $($json => $crate::spec::read::Property::set(&mut self.$property, value),)*
                    _ => Ok(()),
                }
            }
        }

        impl $crate::spec::read::Written for $name {
            fn give<'a>(&'a self, to: &mut $crate::spec::read::Writer<'a>) {
                $(
                    let always: &[$crate::spec::read::Mark] = &[$($crate::spec::read::Mark::$mark)?];
                    to.property($json, !always.is_empty(), &self.$property);
                )*
            }
        }

        impl $crate::spec::read::Property for $name {
            fn set(&mut self, node: &$crate::spec::node::Node<'_>) -> $crate::spec::read::Outcome {
                $crate::spec::read::fill(self, node)
            }

            fn node(&self) -> $crate::spec::node::Node<'_> {
                $crate::spec::read::give(self)
            }
        }

        $crate::spec::define::serde!($name);
    )*};
}

/// Enums of words.
macro_rules! words {
    ($(
        $(#[$meta:meta])*
        $name:ident {
            $($(#[$word_meta:meta])* $word:ident = $json:literal,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$word_meta])* $word,)*
        }

        impl $name {
            /// All that there are.
            ///
            /// ```
            #[doc = concat!("use runtime_core::spec::", stringify!($name), ";")]
            ///
            #[doc = concat!("for word in ", stringify!($name), "::ALL {")]
            ///     println!("{word}");
            /// }
            /// ```
            pub const ALL: &'static [Self] = &[$(Self::$word,)*];
            const WORDS: &'static [&'static str] = &[$($json,)*];

            /// The word as JSON has it.
            ///
            /// ```
            #[doc = concat!("use runtime_core::spec::", stringify!($name), ";")]
            ///
            #[doc = concat!("let words: Vec<_> = ", stringify!($name), "::ALL.iter().map(|word| word.as_str()).collect();")]
            /// println!("one of {}", words.join(", "));
            /// ```
            pub const fn as_str(self) -> &'static str {
                Self::WORDS[self as usize]
            }
        }

        /// The word as JSON has it.
        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let at = Self::WORDS.iter().position(|word| *word == text);
                at.map(|at| Self::ALL[at]).ok_or_else(|| $crate::spec::define::unknown(text, Self::WORDS))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        $crate::spec::define::serde!($name);
    )*};
}

/// What a word can be read from and written as.
macro_rules! words_are_properties {
    ($($name:ident)*) => {$(
        impl $crate::spec::read::Property for $name {
            const EMPTY_IS_NONE: bool = true;

            fn set(&mut self, node: &$crate::spec::node::Node<'_>) -> $crate::spec::read::Outcome {
                *self = Self::ALL[$crate::spec::read::choose(node, Self::WORDS)?];
                Ok(())
            }

            fn node(&self) -> $crate::spec::node::Node<'_> {
                $crate::spec::node::Node::borrowed(self.as_str())
            }
        }
    )*};
}

/// serde's traits, by way of the tree.
macro_rules! serde {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::spec::read::Property::node(self).serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let node = $crate::spec::node::Node::deserialize(deserializer)?;
                $crate::spec::read::from_node(&node).map_err(serde::de::Error::custom)
            }
        }
    };
}

/// None of `words`.
pub(crate) fn unknown(text: &str, words: &[&str]) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{text:?}: not one of {}", words.join(", ")))
}

pub(crate) use {objects, serde, words, words_are_properties};
