//! In what order a runtime's functions lie best in its program: those that `run` executes together at its start.
//! A page of the program that is looked at brings those around it along (fault-around), and each costs at its mapping and at the
//! process' end: with functions anywhere that was the whole program.

use crate::{Bundle, Kind, Result, View, host, work};
use corten_trace::{Ending, step};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
};

/// A linker script that puts what a `run` of `runtime` executes before all else of the program, in the order of the first use.
/// `map` is what the linker wrote of that program with `-Map`.
///
/// # Errors
/// If a run fails, or the map is not lld's.
pub fn script(runtime: &Path, map: &Path) -> Result<String> {
    let text = fs::read_to_string(map).map_err(|error| format!("{}: {error}", map.display()))?;
    let sections = sections(&text);
    if sections.is_empty() {
        return Err(format!("{}: there is no function in this map", map.display()));
    }
    let mut names: Vec<String> = Vec::new();
    for view in [View::V2, View::V1] {
        names.extend(thread::scope(|scope| {
            let work = || view.enter_for_all().and_then(|()| executed(runtime, &sections));
            scope.spawn(work).join().unwrap_or_else(|_| Err("a thread broke down".to_owned()))
        })?);
    }
    let mut known = std::collections::BTreeSet::new();
    names.retain(|name| known.insert(name.clone()));
    Ok(format!("{HEAD}SECTIONS {{ .text.hot : {{\n{}\n}} }} INSERT BEFORE .text;\n", names.join("\n")))
}

const HEAD: &str = "\
/* What `run` executes, in the order of the first use. Made by `bench order`, docs/performance.md:
   a name that is no longer in the program does no harm, and what is new lies behind until this is made again. */
";

/// The functions' sections: from the first address on, to the first that is not it, as the linker's script names it.
type Sections = BTreeMap<u64, (u64, String)>;

/// The sections of a map of lld's: `VMA LMA Size Align File:(Section)`.
fn sections(map: &str) -> Sections {
    let section = |line: &str| {
        let mut words = line.split_whitespace();
        let [start, _, size, _, place] = std::array::from_fn(|_| words.next());
        let number = |word: Option<&str>| u64::from_str_radix(word?, 16).ok();
        let (file, section) = place?.strip_suffix(')')?.rsplit_once(":(")?;
        let (start, size) = (number(start)?, number(size)?);
        let named = section.starts_with(".text") && size > 0;
        named.then(|| (start, (start + size, pattern(file, section))))
    };
    map.lines().filter_map(section).collect()
}

/// How a linker script names such a section of any build. Compilers put hashes into names.
fn pattern(file: &str, section: &str) -> String {
    if let Some((archive, member)) = file.rsplit('/').next().and_then(|name| name.split_once(".a("))
        && !section.contains("._")
    {
        return format!("\"*{archive}.a:{}\"({section})", member.trim_end_matches(')'));
    }
    let mut name = section.to_owned();
    // Rust's older names end with `17h`, 16 digits and `E`, its newer ones have `Cs`, a word and `_` before each crate.
    if let Some(start) = name.rfind("17h").filter(|start| name[*start..].ends_with('E')) {
        name.replace_range(start.., "17h*E");
    } else if name.contains("._R") {
        let parts: Vec<&str> = name.split("Cs").collect();
        let hashed = |part: &&str| {
            let length = part.find('_').filter(|length| *length > 0);
            length.filter(|length| part[..*length].bytes().all(|byte| byte.is_ascii_alphanumeric()))
        };
        let rest = parts[1..].iter().map(|part| match hashed(part) {
            Some(length) => format!("Cs*{}", &part[length..]),
            None => format!("Cs{part}"),
        });
        name = parts[0].to_owned() + &rest.collect::<String>();
    }
    format!("*(\"{name}\")")
}

/// What `run` executes on the cgroups that the thread sees.
fn executed(runtime: &Path, sections: &Sections) -> Result<Vec<String>> {
    let bundle = work::prepare("order", Kind::Default)?;
    bundle.process(&["/bin/true"])?;
    let id = format!("corten-bench-{}-order", std::process::id());
    // Beside each other the two would wake up a processor for each instruction.
    let mut one = CpuSet::new();
    let pinned = one.set(0).and_then(|()| sched_setaffinity(Pid::from_raw(0), &one));
    pinned.map_err(|errno| format!("sched_setaffinity: {}", errno.desc()))?;
    let seen = follow(runtime, &bundle, &id, sections);
    host::remove_cgroup(&id);
    seen
}

/// The functions of one run, in the order of their first use.
fn follow(runtime: &Path, bundle: &Bundle, id: &str, sections: &Sections) -> Result<Vec<String>> {
    let mut command = Command::new(runtime);
    command.arg("--root").arg(bundle.state()).args(["run", id]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut seen = BTreeMap::new();
    let mut last = 0..0;
    let ending = step(command, |address| {
        if last.contains(&address) {
            return;
        }
        if let Some((start, (end, name))) = sections.range(..=address).next_back()
            && address < *end
        {
            last = *start..*end;
            let order = seen.len();
            seen.entry(*start).or_insert((order, name));
        }
    });
    match ending.map_err(|error| format!("run: {error}"))? {
        Ending::Code(0) => {}
        ending => return Err(format!("`{} run`: {ending:?}", runtime.display())),
    }
    let mut seen: Vec<_> = seen.into_values().collect();
    seen.sort_unstable();
    Ok(seen.into_iter().map(|(_, name)| name.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_named_without_what_differs_between_builds() {
        let map = "\
          VMA              LMA     Size Align Out     In      Symbol
          29e380           29e380    ba2de    64 .text
          2334d0           2334d0       20    16         /t/corten.rcgu.o:(.text._ZN6corten4main17h0123456789abcdefE)
          2334f0           2334f0        2    16         /t/corten.rcgu.o:(.text.unlikely._RNvMs_NtCslNYA_5alloc7raw_vecCsjrH_3std)
          2334f0           2334f0        2     1                 corten::main
          233500           233500       10    16         /usr/lib/libc.a(memcpy.o):(.text.sse2)
          233600           233600        0    16         /usr/lib/libc.a(empty.o):(.text)
";
        let found: Vec<_> = sections(map).into_iter().collect();
        let named = |start: u64, end, name: &str| (start, (end, name.to_owned()));
        assert_eq!(
            found,
            [
                named(0x2334d0, 0x2334f0, "*(\".text._ZN6corten4main17h*E\")"),
                named(0x2334f0, 0x2334f2, "*(\".text.unlikely._RNvMs_NtCs*_5alloc7raw_vecCs*_3std\")"),
                named(0x233500, 0x233510, "\"*libc.a:memcpy.o\"(.text.sse2)"),
            ]
        );
    }
}
