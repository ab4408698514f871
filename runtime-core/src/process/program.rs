//! The program itself: `process.args`, `process.env` and `process.cwd`, config.md "Process".

use crate::{
    plan::{Place, Program, path_text, text},
    spec::Process,
};
use corten_init::{
    step::Step,
    wire::{Text, Texts},
};
use std::collections::BTreeSet;

/// Where execvp(3) looks if the environment does not say.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// What is executed: the candidates in the order of PATH, the arguments and the environment.
pub(crate) struct Target<'a> {
    name: &'a str,
    candidates: Vec<Vec<u8>>,
    arguments: Vec<&'a [u8]>,
    environment: Vec<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// The program of a process. A name without a slash is looked for in the PATH of the process' own environment.
    /// `extra` are variables that the runtime sets.
    pub(crate) fn of(process: &'a Process, extra: &'a [String]) -> Self {
        let arguments = &process.args;
        let environment = environment(process, extra);
        let name = arguments.first().map_or("", String::as_str);
        let path = environment.iter().find_map(|variable| variable.strip_prefix("PATH="));
        Self {
            name,
            candidates: candidates(name, path.unwrap_or(DEFAULT_PATH)),
            arguments: arguments.iter().map(String::as_bytes).collect(),
            environment: environment.into_iter().map(str::as_bytes).collect(),
        }
    }

    /// Plans the search, made when the process is all that the program will be.
    pub(crate) fn plan_search(&self, program: &mut Program) {
        let candidates: Vec<_> = self.candidates.iter().map(Vec::as_slice).collect();
        let step = Step::FindProgram { candidates: Texts::Given(&candidates), name: text(self.name) };
        program.step(Place::Property("process.args"), &step);
    }

    /// Plans the execve(2).
    pub(crate) fn plan_execute(&self, program: &mut Program) {
        let candidates: Vec<_> = self.candidates.iter().map(Vec::as_slice).collect();
        let step = Step::Execute {
            candidates: Texts::Given(&candidates),
            arguments: Texts::Given(&self.arguments),
            environment: Texts::Given(&self.environment),
        };
        program.step(Place::Property("process.args"), &step);
    }
}

/// The variables of a process and those that the runtime adds, each name once: some programs would take the first of a
/// name and some the last. The last counts, as for the peers, and an empty HOME counts as none, as for runc.
pub(super) fn environment<'a>(process: &'a Process, extra: &'a [String]) -> Vec<&'a str> {
    let name = |variable: &'a str| variable.split_once('=').map_or(variable, |(name, _)| name);
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let all = process.env.iter().chain(extra).map(String::as_str).rev();
    let mut kept: Vec<_> =
        all.filter(|variable| names.insert(name(variable)) && *variable != "HOME=").collect();
    kept.reverse();
    kept
}

fn candidates(name: &str, path: &str) -> Vec<Vec<u8>> {
    if name.contains('/') {
        return vec![name.as_bytes().to_vec()];
    }
    let in_folder = |folder: &str| match folder {
        "" => format!("./{name}").into_bytes(),
        folder => format!("{}/{name}", folder.trim_end_matches('/')).into_bytes(),
    };
    let mut found: Vec<_> = path.split(':').map(in_folder).collect();
    // One candidate alone would be reported as a path that the user wrote.
    if found.len() == 1 {
        found.extend_from_within(..);
    }
    found
}

/// Plans the change to the working directory; `again` for the second try, as the container's user.
pub(crate) fn plan_directory(process: &Process, program: &mut Program, again: bool) {
    let path: Text<'_> = path_text(&process.cwd);
    program.step(Place::Property("process.cwd"), &Step::WorkingDirectory { path, again });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_name_the_last_variable_counts() {
        let mut process = Process::default();
        let variables =
            |list: &[&str]| list.iter().map(|variable| (*variable).to_owned()).collect::<Vec<_>>();
        process.env = variables(&["A=1", "PATH=/a", "HOME=/h", "A=2", "B", "PATH=/b", "HOME=", "N=1"]);
        let extra = variables(&["N=2"]);
        assert_eq!(environment(&process, &extra), ["A=2", "B", "PATH=/b", "N=2"]);
        process.args = variables(&["x"]);
        assert_eq!(Target::of(&process, &extra).candidates[0], b"/b/x");
    }

    #[test]
    fn a_path_is_its_only_candidate_and_a_name_is_searched() {
        assert_eq!(candidates("/bin/x", "/a:/b"), [b"/bin/x".to_vec()]);
        assert_eq!(candidates("x", "/a:/b/:"), [b"/a/x".to_vec(), b"/b/x".to_vec(), b"./x".to_vec()]);
    }
}
