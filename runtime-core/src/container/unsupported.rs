//! Properties that Corten does not carry out yet: refused by name, never passed over.

use crate::{Error, ErrorKind, Result, seccomp::Filter};

/// Refuses a filter that needs an agent.
pub(super) fn check_filter(filter: Option<&Filter>) -> Result<()> {
    if filter.is_some_and(|filter| filter.listener.is_some()) {
        return refuse("linux.seccomp.listenerPath");
    }
    Ok(())
}

fn refuse(property: &str) -> Result<()> {
    Err(Error::new(ErrorKind::Unsupported, format!("{property}: not supported yet")))
}
