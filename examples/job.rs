//! Runs a command with limits, captures what it writes, and tells what it used. As root:
//!
//! ```text
//! cargo run --example job -- sh -c 'echo hello; dd if=/dev/zero of=/tmp/file bs=1M count=8'
//! ```

use examples::Image;
use runtime_core::{ContainerBuilder, ErrorKind, Job, Stdio};
use std::{env, error::Error, process, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let mut command: Vec<String> = env::args().skip(1).collect();
    if command.is_empty() {
        command = ["sh", "-c", "echo hello from process $$; id -u; ls / >&2"].map(str::to_owned).into();
    }
    let image = Image::busybox("job")?;
    let start = Instant::now();

    // What it may use: 64 MiB, half a processor, 100 processes, and nothing of the disk but an empty /tmp in memory.
    let job = Job::new(image.rootfs(), command).memory(64 << 20).cpus(0.5).pids(100).read_only();
    let mut container = ContainerBuilder::new(format!("job-{}", process::id()))
        .root(image.states())
        .spec(job)
        .stdin(Stdio::Null)
        .stdout(Stdio::Piped)
        .stderr(Stdio::Piped)
        .delete_on_drop(true)
        .run()?;
    let output = container.wait_with_output()?;

    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    println!("-- {} after {:.0?}", output.status, start.elapsed());
    // The cgroup is there until the container is deleted, and has counted all of its processes.
    match container.stats() {
        Ok(stats) => {
            let cpu = stats.cpu.usage.total as f64 / 1e6;
            let memory = stats.memory.usage.max as f64 / f64::from(1 << 20);
            println!("-- {cpu:.1} ms of a processor, {memory:.1} MiB of memory at most");
        }
        Err(error) if error.kind() == ErrorKind::Unsupported => println!("-- this host counts nothing"),
        Err(error) => return Err(error.into()),
    }
    container.delete(false)?;
    drop(image); // `exit` drops nothing
    process::exit(output.status.shell_code());
}
