//! The guards against hostile images and containers, which all builds but one for tests have: `corten_init::guards`.

pub(crate) use corten_init::guards::{Guard, on};

/// The guards that CORTEN_UNGUARDED names are switched off, in a build with the feature `unguarded` alone.
#[cfg(feature = "unguarded")]
pub(crate) fn off() -> u32 {
    corten_init::guards::MASK.load(std::sync::atomic::Ordering::Relaxed)
}

/// Reads CORTEN_UNGUARDED: the names of guards that are to be off, with commas between them.
///
/// # Errors
/// The first name that is none.
#[cfg(feature = "unguarded")]
pub fn switch_off_by_environment() -> Result<(), String> {
    let names = std::env::var("CORTEN_UNGUARDED").unwrap_or_default();
    names.split(',').filter(|name| !name.is_empty()).try_for_each(|name| {
        if corten_init::guards::switch_off(name) { Ok(()) } else { Err(name.to_owned()) }
    })
}
