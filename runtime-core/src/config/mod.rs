//! config.json, process.json and resources.json: read and validated. Knows JSON and the rules of the
//! specification, and asks nothing of the host.
//!
//! [`read`] and [`parse`] give what the file says, [`validate`] tells what in it cannot be right. Both name the place:
//! `mounts[2].destination: must not be empty`.

mod error;
mod load;
mod place;
mod validate;

pub(crate) use error::Error;
pub use load::{load_mounts, load_process, load_resources, parse_process};
pub(crate) use load::{parse, read};
pub(crate) use validate::{sysctl_path, validate, validate_mounts, validate_process, validate_resources};
