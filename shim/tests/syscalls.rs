//! The system calls that each operation of `corten` makes are those of tests/syscalls.txt: what adds some is seen in review.

use bench::syscalls::{self, Counts, Record};
use std::{env, fs, path::Path};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/syscalls.txt");
const CORTEN: &str = env!("CARGO_BIN_EXE_corten");

/// Set, the file is made anew.
const UPDATE: &str = "UPDATE_SYSCALLS";

const HEAD: &str = "\
What `corten` asks of the kernel: the system calls of each operation on the default bundle, by kind, of the runtime's own process and
of the init program up to the execve of the container's process. Calls about memory are left out, which are the allocator's, and
fcntl(F_GETFD), by which debug builds check descriptors: a release build makes the same calls.
Rounds that differed are a range. The column v1 is of a host with cgroups v1, or both; v2 of version 2 alone.

    UPDATE_SYSCALLS=1 cargo test -p shim --test syscalls

makes it anew. The test wants these numbers on this version of the kernel, but for calls that wait (read, poll, waitid
and the like), which may be four more or fewer. On other versions two or a tenth more or less of any kind will do.
";

#[test]
fn operations_make_the_calls_on_record() {
    if !nix::unistd::geteuid().is_root() || !Path::new("/bin/busybox").exists() {
        println!("skipped: this test wants root and /bin/busybox");
        return;
    }
    let now = syscalls::record(Path::new(CORTEN), 4).unwrap();
    if env::var_os(UPDATE).is_some() {
        fs::write(FILE, now.text(HEAD)).unwrap();
    }
    let recorded = Record::parse(&fs::read_to_string(FILE).unwrap()).unwrap();
    let tolerant = now.kernel != recorded.kernel;
    let mut compared = 0;
    for (name, hierarchies, counts) in &now.views {
        let Some((_, _, then)) = recorded.views.iter().find(|view| view.0 == *name && view.1 == *hierarchies)
        else {
            println!("skipped: the record has nothing of cgroups {name} with {hierarchies}");
            continue;
        };
        compared += 1;
        let differences = counts.differences(then, tolerant);
        assert!(
            differences.is_empty(),
            "on {name}:\n{}\nif it is meant, make {FILE} anew",
            differences.join("\n")
        );
    }
    // The thread sees the last view. Others that live beside make nothing dearer, but for a list of them.
    let alone = &now.views.last().unwrap().2;
    let beside = Counts::measure(Path::new(CORTEN), 1, 10).unwrap();
    let more: Vec<_> =
        beside.differences(alone, false).into_iter().filter(|line| !line.starts_with("list")).collect();
    assert!(more.is_empty(), "beside ten containers:\n{}", more.join("\n"));
    println!("compared: {compared} of {} ways to mount cgroups", now.views.len());
}
