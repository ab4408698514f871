//! Where the programs of engines are: in the host's own places, or before those in folders that packages were unpacked to.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// The host's own places.
const PLACES: [&str; 6] = ["/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"];
/// The same in a folder that a package was unpacked to.
const WITHIN: [&str; 4] = ["usr/sbin", "usr/bin", "sbin", "bin"];

/// Where programs are looked for.
pub(super) struct Programs(Vec<PathBuf>);

impl Programs {
    /// In `folders` first.
    pub(super) fn new(folders: &[PathBuf]) -> Self {
        let unpacked = folders.iter().flat_map(|folder| WITHIN.map(|place| folder.join(place)));
        Self(unpacked.chain(PLACES.map(PathBuf::from)).collect())
    }

    /// The same as PATH has it.
    pub(super) fn path(&self) -> OsString {
        let dirs: Vec<_> = self.0.iter().map(|dir| dir.as_os_str()).collect();
        dirs.join(std::ffi::OsStr::new(":"))
    }

    /// The file of a program.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        self.0.iter().map(|dir| dir.join(name)).find(|path| path.is_file())
    }

    /// The first number of the version that a program tells: `Docker version 26.1.5`.
    pub(super) fn major(&self, name: &str) -> Option<u32> {
        let told = Command::new(self.find(name)?).arg("--version").output().ok()?;
        major(&String::from_utf8_lossy(&told.stdout))
    }
}

fn major(text: &str) -> Option<u32> {
    let version = text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    version?.split('.').next()?.parse().ok()
}

/// A shim's runtime type, which daemons turn into its file's name: `containerd-shim-X-vN` is `io.containerd.X.vN`.
pub(super) fn runtime_type(shim: &Path) -> Option<String> {
    let name = shim.file_name()?.to_str()?.strip_prefix("containerd-shim-")?;
    let (name, version) = name.rsplit_once("-v")?;
    Some(format!("io.containerd.{name}.v{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_go_first_and_versions_are_read() {
        let programs = Programs::new(&["/x".into()]);
        assert!(programs.path().to_string_lossy().starts_with("/x/usr/sbin:/x/usr/bin:"));
        assert_eq!(major("Docker version 26.1.5+dfsg1, build 411e817"), Some(26));
        assert_eq!(major("nothing of the kind"), None);
        assert_eq!(
            runtime_type(Path::new("/b/containerd-shim-corten-v1")).unwrap(),
            "io.containerd.corten.v1"
        );
        assert!(runtime_type(Path::new("/usr/bin/runc")).is_none());
    }
}
