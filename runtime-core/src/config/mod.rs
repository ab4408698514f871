//! config.json, process.json and resources.json: read, repaired and validated. Knows JSON and the rules of the
//! specification, and asks nothing of the host.
//!
//! [`load`] gives what the file says, [`validate`] tells what in it cannot be right. Both name the place:
//! `mounts[2].destination: must not be empty`.

mod error;
mod load;
mod place;
mod repair;
mod strict;
mod tree;
mod validate;

pub use error::Error;
pub(crate) use load::read;
pub use load::{load_process, load_resources, parse};
pub use validate::{sysctl_path, validate, validate_process, validate_resources};
