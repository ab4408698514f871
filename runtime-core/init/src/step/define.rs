//! Steps are defined once: the type, how it is written and read, and its kinds as data.

use crate::wire::Kind;

/// A kind of step as data: for who shows a plan and carries nothing out.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How a step of this kind begins in a plan.
    pub code: u8,
    /// Its name.
    pub name: &'static str,
    /// Its fields in their order.
    pub fields: &'static [(&'static str, Kind)],
}

macro_rules! steps {
    ($($(#[$doc:meta])* $code:literal $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? })*) => {
        /// One act of the init program.
        #[derive(Clone, Copy, Debug)]
        pub enum Step<'a> {
            $($(#[$doc])* $name { $($(#[$field_doc])* $field: $kind,)* },)*
        }

        impl<'a> Step<'a> {
            /// All kinds of steps.
            pub const SHAPES: &'static [Shape] = &[$(Shape {
                code: $code,
                name: stringify!($name),
                fields: &[$((stringify!($field), <$kind as Wire<'a>>::KIND)),*],
            }),*];

            /// Appends the step.
            pub fn encode(&self, sink: &mut dyn Sink) {
                match self {
                    $(Self::$name { $($field),* } => { sink.put(&[$code]); $($field.put(sink);)* })*
                }
            }

            /// Reads one step, nothing where the input is malformed.
            pub fn decode(input: &mut Input<'a>) -> Option<Self> {
                Some(match u8::take(input)? {
                    $($code => Self::$name { $($field: Wire::take(input)?,)* },)*
                    _ => return None,
                })
            }
        }
    };
}
