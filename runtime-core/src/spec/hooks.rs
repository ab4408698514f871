//! `hooks` (config.md, "POSIX-platform Hooks").

use super::define::objects;
use std::path::PathBuf;

objects! {
    /// Programs that are run at points of a container's life: config.md, "POSIX-platform Hooks".
    ///
    /// ```
    /// use runtime_core::spec::{Hook, Hooks};
    ///
    /// let mut network = Hook::new("/usr/lib/my-network/attach");
    /// network.args = vec!["attach".to_owned(), "--bridge=br0".to_owned()];
    /// network.timeout = Some(10);
    /// let mut hooks = Hooks::default();
    /// hooks.create_runtime.push(network);
    /// ```
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
    ///
    /// ```
    /// use runtime_core::spec::Hook;
    ///
    /// let hook: Hook = serde_json::from_str(r#"{"path": "/bin/echo", "args": ["echo", "it is over"]}"#).unwrap();
    /// assert_eq!((hook.args.len(), hook.timeout), (2, None));
    /// ```
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
    ///
    /// ```
    /// use runtime_core::spec::Hook;
    ///
    /// let mut hook = Hook::new("/usr/bin/logger");
    /// hook.args = vec!["logger".to_owned(), "a container has ended".to_owned()];
    /// ```
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }
}
