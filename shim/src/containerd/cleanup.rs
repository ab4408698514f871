//! The verb `delete`: all that is left of a container when its shim has ended, by itself or by SIGKILL. Where the container led
//! a group whose shim is gone, all of the group is killed: nobody else would.

use crate::{
    clock,
    error::{Error, Result},
    flags::Flags,
    group::{self, Answer},
    options, rootfs,
};
use corten_ttrpc::{Message, task::DeleteResponse};
use runtime_core::Container;
use std::{env, fs, path::Path};

/// 128 and SIGKILL.
const KILLED: u32 = 137;

/// Cleans up, and tells of it.
pub(crate) fn run(flags: &Flags) -> Result<()> {
    let bundle = match &flags.bundle {
        Some(bundle) => bundle.clone(),
        None => env::current_dir().map_err(|error| Error::io("working directory", error))?,
    };
    let root = options::noted_root(&bundle, &flags.namespace);
    let socket = group::noted(&bundle);
    let served = socket.as_deref().is_some_and(|socket| group::answer(socket) == Answer::Given);
    let pid = Container::load(&root, &flags.id).ok().and_then(|container| container.pid());
    if !served {
        let group = group::led(&bundle);
        for member in group.iter().flat_map(|group| members(&root, group, &flags.id)) {
            // Its own bundle is cleaned up when the daemon asks for it.
            if let Err(error) = remove(&root, member.id(), &member.bundle().join("rootfs")) {
                log::warn!("container {}: {error}", member.id());
            }
        }
        if let Some(socket) = socket {
            let _ = fs::remove_file(socket);
        }
    }
    remove(&root, &flags.id, &bundle.join("rootfs"))?;
    let response = DeleteResponse {
        pid: pid.unwrap_or_default().unsigned_abs(),
        exit_status: KILLED,
        exited_at: Some(clock::now()),
    };
    crate::print(&response.encode_to_vec())
}

/// The containers of `group` but for `leader`.
fn members(root: &Path, group: &str, leader: &str) -> Vec<Container> {
    let of_group = |container: &Container| {
        let spec = container.spec().ok();
        let annotations = spec.as_ref().map(|spec| &spec.annotations);
        container.id() != leader && annotations.and_then(group::named) == Some(group)
    };
    Container::list(root).unwrap_or_default().into_iter().filter(of_group).collect()
}

fn remove(root: &Path, id: &str, rootfs: &Path) -> Result<()> {
    Container::delete_forced(root, id)?;
    rootfs::unmount_all(rootfs)
}
