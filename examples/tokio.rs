//! Hundreds of containers from an async program: made on threads that may block, waited for on the event loop by pidfd. As root:
//!
//! ```text
//! cargo run --release --example tokio -- 300
//! ```

use examples::Image;
use runtime_core::{ContainerBuilder, ExitStatus, Job, Running, Stdio};
use std::{env, error::Error, io, os::fd::OwnedFd, process, sync::Arc, time::Instant};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Runtime,
    sync::Semaphore,
    task::{JoinSet, spawn_blocking},
};

/// How many are being made or removed at a time; any number may run.
const AT_WORK: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = env::args().nth(1).map_or(Ok(300), |count| count.parse())?;
    let image = Arc::new(Image::busybox("tokio")?);
    Runtime::new()?.block_on(run_all(count, image))
}

async fn run_all(count: usize, image: Arc<Image>) -> Result<(), Box<dyn Error>> {
    let (begin, at_work) = (Instant::now(), Arc::new(Semaphore::new(AT_WORK)));
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let (image, at_work) = (Arc::clone(&image), Arc::clone(&at_work));
        tasks.spawn(async move { life(number, &image, &at_work).await });
    }
    let mut sum = 0;
    while let Some(ended) = tasks.join_next().await {
        let status = ended?.map_err(|error| error.to_string())?;
        sum += status.code().unwrap_or_default();
    }
    let took = begin.elapsed();
    println!("{count} containers in {took:.2?}, the sum of their exit codes is {sum}");
    Ok(())
}

/// One container, from its making to its removal.
async fn life(number: usize, image: &Image, at_work: &Semaphore) -> io::Result<ExitStatus> {
    let script = format!("sleep 0.{}; exit {}", number % 10, number % 3);
    let job = Job::new(image.rootfs(), ["sh", "-c", &script]).pids(8);
    let builder = ContainerBuilder::new(format!("tokio-{}-{number}", process::id()))
        .root(image.states())
        .spec(job)
        .stdin(Stdio::Null)
        .delete_on_drop(true);

    // The library's calls block, for milliseconds.
    let turn = at_work.acquire().await.map_err(io::Error::other)?;
    let container: Running = spawn_blocking(|| builder.run()).await?.map_err(io::Error::other)?;
    drop(turn);

    // The wait does not: no thread is held by a container that runs.
    ended(container.pidfd_owned().map_err(io::Error::other)?).await?;
    let status = container.wait().map_err(io::Error::other)?;

    let _turn = at_work.acquire().await.map_err(io::Error::other)?;
    spawn_blocking(|| container.delete(false)).await?.map_err(io::Error::other)?;
    Ok(status)
}

/// Waits on the event loop until the process of a descriptor has ended.
#[expect(deprecated, reason = "what follows it is unsafe, and an OwnedFd keeps the promise that it wants")]
async fn ended(pidfd: OwnedFd) -> io::Result<()> {
    AsyncFd::with_interest(pidfd, Interest::READABLE)?.readable().await.map(drop)
}
