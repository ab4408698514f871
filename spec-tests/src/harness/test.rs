//! What a case works with: bundles, calls of the runtime, and the machine.

use super::{Bundle, Call, Claims, Container, Done, Machine, Verdict, fail};
use crate::payload;
use serde_json::Value;
use std::{
    cell::{Cell, RefCell},
    fs,
    path::{Path, PathBuf},
};

/// One try of one case.
pub(crate) struct Test {
    runtime: PathBuf,
    dir: PathBuf,
    payload: PathBuf,
    /// In the name of all that this case makes.
    tag: String,
    /// The cgroup above those of the suite, as `/corten-test-77`.
    parent: String,
    number: Cell<u32>,
    ids: RefCell<Vec<String>>,
    /// What this machine has.
    pub(crate) machine: Machine,
    /// What the runtime claims.
    pub(crate) claims: Claims,
}

impl Test {
    /// A try in directory `dir`.
    pub(super) fn new(
        runtime: PathBuf,
        dir: PathBuf,
        payload: PathBuf,
        tag: String,
        parent: String,
        claims: Claims,
    ) -> Self {
        let (number, ids) = (Cell::new(0), RefCell::new(Vec::new()));
        Self { runtime, dir, payload, tag, parent, number, ids, machine: Machine::new(), claims }
    }

    /// The next number, for names.
    pub(crate) fn next(&self) -> u32 {
        self.number.set(self.number.get() + 1);
        self.number.get()
    }

    /// The runtime's file.
    pub(crate) fn runtime(&self) -> &Path {
        &self.runtime
    }

    /// The case's own directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The runtime's state directory.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// The payload on the host, for hooks.
    pub(crate) fn host_payload(&self) -> &Path {
        &self.payload
    }

    /// In the name of all that this case makes.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// The cgroup above the suite's.
    pub(crate) fn cgroup_parent(&self) -> &str {
        &self.parent
    }

    /// A new id, whose container is removed after the case.
    pub(crate) fn id(&self) -> String {
        let id = format!("{}-{}", self.tag, self.next());
        self.ids.borrow_mut().push(id.clone());
        id
    }

    /// The ids given out.
    pub(crate) fn ids_given(&self) -> Vec<String> {
        self.ids.borrow().clone()
    }

    /// A new bundle: its process reports and ends.
    pub(crate) fn bundle(&self) -> Verdict<Bundle> {
        let number = self.next();
        let cgroup = format!("{}/{}-{number}", self.parent, self.tag);
        Ok(Bundle::new(self.dir.join(format!("bundle{number}")), &self.payload, &cgroup)?)
    }

    /// A new bundle whose process waits for signals.
    pub(crate) fn waiting(&self) -> Verdict<Bundle> {
        let mut bundle = self.bundle()?;
        bundle.payload(&["wait"]);
        Ok(bundle)
    }

    /// The case's own process goes to a cgroup below the suite's, for a runtime that starts from its caller's.
    pub(crate) fn enter_own_cgroup(&self) -> Verdict {
        for hierarchy in &self.machine.hierarchies {
            let dir = hierarchy.at.join(format!("{}/worker", self.parent.trim_start_matches('/')));
            fs::create_dir_all(&dir)?;
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if let Ok(all) = fs::read(hierarchy.at.join(file)) {
                    fs::write(dir.join(file), all)?;
                }
            }
            fs::write(dir.join("cgroup.procs"), "0")?;
        }
        Ok(())
    }

    /// A call of the runtime.
    pub(crate) fn call(&self, arguments: &[&str]) -> Call {
        Call::new(self, arguments)
    }

    /// `run` of `bundle` under a new id, whatever comes of it.
    pub(crate) fn try_run(&self, bundle: &Bundle) -> Verdict<Done> {
        bundle.write()?;
        self.call(&["run", "--bundle"]).arg(&bundle.dir).arg(self.id()).done()
    }

    /// `run` of `bundle`, which succeeds.
    pub(crate) fn run(&self, bundle: &Bundle) -> Verdict<Done> {
        self.try_run(bundle)?.ok()
    }

    /// `run` of `bundle`, whose payload reports.
    pub(crate) fn report(&self, bundle: &Bundle) -> Verdict<Value> {
        parse(&self.run(bundle)?.stdout())
    }

    /// `create` of `bundle`, whatever comes of it.
    pub(crate) fn try_create(&self, bundle: &Bundle) -> Verdict<Done> {
        bundle.write()?;
        self.call(&["create", "--bundle"]).arg(&bundle.dir).arg(self.id()).done()
    }

    /// `create` of `bundle` under a new id.
    pub(crate) fn create(&self, bundle: &Bundle) -> Verdict<Container<'_>> {
        self.create_as(bundle, &self.id(), &[])
    }

    /// `create` of `bundle` as `id` with further options.
    pub(crate) fn create_as(&self, bundle: &Bundle, id: &str, options: &[&str]) -> Verdict<Container<'_>> {
        bundle.write()?;
        let pid_file = self.dir.join(format!("{}.pid", self.next()));
        let mut call = self.call(&["create", "--bundle"]).arg(&bundle.dir).arg("--pid-file").arg(&pid_file);
        for option in options {
            call = call.arg(option);
        }
        let done = call.arg(id).done()?.ok()?;
        self.container(id, &pid_file, done.out)
    }

    /// The container `id`, whose process is the one that `pid_file` names.
    pub(crate) fn container(&self, id: &str, pid_file: &Path, out: PathBuf) -> Verdict<Container<'_>> {
        let text = fs::read_to_string(pid_file).or_else(|e| fail(format!("the pid file: {e}")))?;
        let Ok(pid) = text.trim().parse() else { return fail(format!("the pid file holds {text:?}")) };
        Ok(Container { test: self, id: id.to_owned(), pid, out })
    }

    /// A container of `bundle` that runs.
    pub(crate) fn started(&self, bundle: &Bundle) -> Verdict<Container<'_>> {
        let container = self.create(bundle)?;
        container.start()?;
        Ok(container)
    }

    /// A container of `bundle`, whose process waits for signals.
    pub(crate) fn running_of(&self, bundle: &Bundle) -> Verdict<Container<'_>> {
        let container = self.create(bundle)?;
        container.start_ready()?;
        Ok(container)
    }

    /// A container that waits for signals.
    pub(crate) fn running(&self) -> Verdict<Container<'_>> {
        self.running_of(&self.waiting()?)
    }

    /// `run` or `create` of `bundle` ends in an error; a container that came to be all the same is a failure.
    pub(crate) fn refuses(&self, bundle: &Bundle) -> Verdict<Done> {
        let done = self.try_create(bundle)?.refused()?;
        for id in self.ids_given() {
            let left = self.root().join(&id);
            if left.exists() {
                return fail(format!("the refused container left {}", left.display()));
            }
        }
        Ok(done)
    }
}

/// JSON, or the failure that shows the text.
pub(crate) fn parse(text: &str) -> Verdict<Value> {
    serde_json::from_str(text).or_else(|error| fail(format!("no JSON ({error}): {text:?}")))
}

/// Whether the suite's own binary was started as the payload.
pub(crate) fn is_payload(name: &str) -> bool {
    Path::new(name).file_name() == Path::new(payload::PATH).file_name()
}
