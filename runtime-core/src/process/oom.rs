//! `process.oomScoreAdj`, config.md "Linux Process".

use crate::{Error, Result};
use std::{fs, io};

/// Sets the score of process `pid`, from outside and with the runtime's privilege. A lower score that may not be set is
/// no fault where it already holds.
pub(crate) fn apply(score: Option<i32>, pid: i32) -> Result<()> {
    let Some(score) = score else { return Ok(()) };
    let path = format!("/proc/{pid}/oom_score_adj");
    match fs::write(&path, score.to_string()) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && read(&path) == Some(score) => Ok(()),
        other => {
            other.map_err(|error| Error::io(format!("process.oomScoreAdj: write {score} to {path}"), error))
        }
    }
}

fn read(path: &str) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
