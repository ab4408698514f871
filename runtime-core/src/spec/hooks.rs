//! `hooks` (config.md, "POSIX-platform Hooks").

use super::define::objects;
use std::path::PathBuf;

objects! {
    /// Programs that are run at points of a container's life: config.md, "POSIX-platform Hooks".
    #[non_exhaustive]
    Hooks {
        /// Deprecated by the specification in favor of the three that follow, and still what engines write: run in the
        /// runtime's namespaces when the container's are there, before its root is.
        prestart: Vec<Hook> = "prestart",
        /// Run in the runtime's namespaces when the container's are there, before the root is changed.
        create_runtime: Vec<Hook> = "createRuntime",
        /// Run in the container's namespaces before the root is changed.
        create_container: Vec<Hook> = "createContainer",
        /// Run in the container, by the start, before its program is executed.
        start_container: Vec<Hook> = "startContainer",
        /// Run in the runtime's namespaces when the program has been started.
        poststart: Vec<Hook> = "poststart",
        /// Run in the runtime's namespaces when the container has been deleted.
        poststop: Vec<Hook> = "poststop",
    }

    /// A program that is given the container's state on its standard input.
    Hook {
        /// The program, an absolute path.
        path: PathBuf = "path" Required,
        /// Its arguments, its name first.
        args: Vec<String> = "args",
        /// Its environment, as `NAME=value`; that of the runtime or, inside the container, of its process if there is none.
        env: Option<Vec<String>> = "env",
        /// After how many seconds it is ended.
        timeout: Option<i64> = "timeout",
    }
}

impl Hook {
    /// The program at `path`, an absolute path, without arguments.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }
}
