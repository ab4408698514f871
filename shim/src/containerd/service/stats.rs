//! `Stats`: what the runtime counts, in the messages of containerd's two versions.

use super::{stats_v1, stats_v2};
use crate::{connection::ReplyTo, error::Result, server::Server};
use corten_ttrpc::{
    metrics::{v1, v2},
    task::{StatsRequest, StatsResponse},
    types::Any,
};
use std::path::Path;

impl Server {
    pub(super) fn stats(&mut self, to: ReplyTo, request: &StatsRequest) -> Result<()> {
        let stats = self.container(&request.id)?.runtime()?.stats()?;
        let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        let any = match unified {
            true => Any::new(v2::METRICS, &stats_v2::metrics(&stats)),
            false => Any::new(v1::METRICS, &stats_v1::metrics(&stats)),
        };
        self.reply(to, &StatsResponse { stats: Some(any) });
        Ok(())
    }
}
