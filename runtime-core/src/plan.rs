//! A plan in the making: the steps that the init program will carry out, in the form in which it reads them, and for each
//! the place in config.json that it comes from, for errors.

use crate::{Error, ErrorKind};
use corten_init::{
    step::{NO_SLOT, SLOT_FREE, SLOTS, Slot, Step},
    wire::{Input, Sink, Text},
};
use oci_spec::runtime::Spec;
use std::{fmt, os::fd::OwnedFd, path::Path};

/// The property that a step comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A property with one value, by its JSON path.
    Property(&'static str),
    /// An entry of a list.
    Item(&'static str, usize),
}

impl Place {
    /// The place as errors name it. A mount's destination and a hook's program are told beside the number.
    pub(crate) fn describe(self, spec: Option<&Spec>) -> String {
        match self {
            Self::Property(path) => path.to_owned(),
            Self::Item(list, index) => {
                let name = format!("{list}[{index}]");
                let mount = (list == "mounts").then(|| spec?.mounts().as_ref()?.get(index)).flatten();
                mount.map_or(name.clone(), |mount| format!("{name} ({})", mount.destination().display()))
            }
        }
    }
}

/// A plan: steps, their places, and the descriptors that are handed over to the init program.
#[derive(Default)]
pub(crate) struct Program {
    bytes: Bytes,
    places: Vec<Place>,
    handed: Vec<OwnedFd>,
    filled: Slot,
}

#[derive(Default)]
struct Bytes(Vec<u8>);

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Program {
    /// An empty plan.
    pub(crate) fn new() -> Self {
        Self { bytes: Bytes(Vec::with_capacity(8192)), places: Vec::with_capacity(128), ..Self::default() }
    }

    /// Appends a step that `place` asks for.
    pub(crate) fn step(&mut self, place: Place, step: &Step<'_>) {
        step.encode(&mut self.bytes);
        self.places.push(place);
    }

    /// A slot that holds `fd` from the start.
    pub(crate) fn hand_over(&mut self, fd: OwnedFd) -> Slot {
        self.handed.push(fd);
        SLOT_FREE + Slot::try_from(self.handed.len() - 1).unwrap_or(NO_SLOT)
    }

    /// A slot that a step will fill. They are counted down from the table's end.
    pub(crate) fn slot(&mut self) -> Result<Slot, Error> {
        self.filled += 1;
        let last = Slot::try_from(SLOTS).unwrap_or(NO_SLOT);
        match last - self.filled {
            slot if usize::from(slot) > self.handed.len() + 64 => Ok(slot),
            _ => Err(Error::new(ErrorKind::Unsupported, format!("mounts: more than {SLOTS} at once"))),
        }
    }

    /// The steps as the init program reads them.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes.0
    }

    /// The descriptors of the slots from [`SLOT_FREE`].
    pub(crate) fn handed(&self) -> &[OwnedFd] {
        &self.handed
    }

    /// Where step number `index` comes from.
    pub(crate) fn place(&self, index: u32) -> Option<Place> {
        self.places.get(usize::try_from(index).ok()?).copied()
    }

    /// Step number `index`.
    pub(crate) fn find(&self, index: u32) -> Option<Step<'_>> {
        self.steps().nth(usize::try_from(index).ok()?)
    }

    /// The steps in order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let mut input = Input::new(&self.bytes.0);
        std::iter::from_fn(move || Step::decode(&mut input))
    }
}

/// The plan as people read it: one step a line, with the place that it comes from.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (step, place)) in self.steps().zip(&self.places).enumerate() {
            writeln!(f, "{number:4}  {:<34} {step:?}", place.describe(None))?;
        }
        Ok(())
    }
}

/// A string as a text of the plan.
pub(crate) fn text(string: &str) -> Text<'_> {
    Text(string.as_bytes())
}

/// A path as a text of the plan.
pub(crate) fn path_text(path: &Path) -> Text<'_> {
    Text(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()))
}
