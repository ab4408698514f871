//! What `checkpoint` and `restore` share: the flags that criu knows too.

use super::Host;
use crate::{
    cli::{Given, invalid},
    failure::Failure,
};
use runtime_core::{CriuOptions, ManageCgroups};

/// What the flags say.
pub(super) fn options(flags: &Given, host: &Host) -> Result<CriuOptions, Failure> {
    let mut options = CriuOptions::new(flags.path("image-path").unwrap_or_else(|| "checkpoint".into()));
    options.work_path = flags.path("work-path");
    if let Some(program) = &host.criu {
        options.program.clone_from(program);
    }
    options.tcp_established = flags.is_on("tcp-established");
    options.ext_unix_sk = flags.is_on("ext-unix-sk");
    options.shell_job = flags.is_on("shell-job");
    options.file_locks = flags.is_on("file-locks");
    options.lazy_pages = flags.is_on("lazy-pages");
    options.auto_dedup = flags.is_on("auto-dedup");
    options.link_remap = flags.is_on("link-remap");
    if let Some(mode) = flags.read("manage-cgroups-mode", mode)? {
        options.manage_cgroups = mode;
    }
    // What is in the network namespace is never saved, asked for or not: it is another's, who made it.
    if let Some(kind) = flags.texts("empty-ns")?.into_iter().find(|kind| *kind != "network") {
        return Err(invalid("empty-ns", kind, "network is the only type"));
    }
    Ok(options)
}

fn mode(text: &str) -> Result<ManageCgroups, &'static str> {
    match text {
        "" | "soft" => Ok(ManageCgroups::Soft),
        "full" => Ok(ManageCgroups::Full),
        "strict" => Ok(ManageCgroups::Strict),
        "ignore" => Ok(ManageCgroups::Ignore),
        _ => Err("soft, full, strict or ignore is wanted"),
    }
}
