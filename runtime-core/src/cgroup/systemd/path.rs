//! linux.cgroupsPath as the systemd cgroup manager takes it: `slice:prefix:name`. The names and places are runc's,
//! systemd.unit(5), systemd.slice(5).

use super::super::error::{Error, Result};
use std::path::{Path, PathBuf};

const PROPERTY: &str = "linux.cgroupsPath";
const SLICE: &str = ".slice";
/// systemd.unit(5): "Valid unit names".
const LONGEST: usize = 255;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The unit to make: a scope or, where the name is one of a slice, that.
    pub(super) unit: String,
    /// The slice that it is put into.
    pub(super) slice: String,
}

/// Reads `path`; without one the unit is named after the container `id`. `default` is the slice where none is named.
pub(super) fn read(path: Option<&Path>, id: &str, default: &str) -> Result<Place> {
    let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else {
        return place(default.to_owned(), "corten", id);
    };
    let parts: Option<Vec<_>> = path.to_str().map(|text| text.split(':').collect());
    let Some([slice, prefix, name]) = parts.as_deref() else {
        let reason =
            format!("{:?}: with the systemd cgroup manager it must be slice:prefix:name", path.display());
        return Err(Error::config(PROPERTY, reason));
    };
    let slice = match *slice {
        "" if name.ends_with(SLICE) => parent(name).unwrap_or_else(|| "-.slice".to_owned()),
        "" => default.to_owned(),
        "-" => "-.slice".to_owned(),
        slice => slice.to_owned(),
    };
    place(slice, prefix, name)
}

fn place(slice: String, prefix: &str, name: &str) -> Result<Place> {
    expand(&slice)?;
    if name.ends_with(SLICE) {
        expand(name)?;
        if parent(name).unwrap_or_else(|| "-.slice".to_owned()) != slice {
            return Err(Error::config(PROPERTY, format!("slice {name:?} cannot be in {slice:?}")));
        }
        return Ok(Place { unit: name.to_owned(), slice });
    }
    let unit = match prefix {
        "" => format!("{name}.scope"),
        prefix => format!("{prefix}-{name}.scope"),
    };
    if name.is_empty() {
        return Err(Error::config(PROPERTY, "the name, after the last colon, is empty"));
    }
    expect_unit_name(&unit)?;
    Ok(Place { unit, slice })
}

fn expect_unit_name(name: &str) -> Result<()> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@+".contains(&byte);
    // systemd knows `+` only escaped, but a container's id may hold it.
    if name.contains('+') {
        return Err(Error::config(PROPERTY, format!("{name:?}: a unit's name cannot hold a +")));
    }
    if !name.bytes().all(fits) {
        let reason = format!("{name:?} is no unit's name: letters, digits and :-_.\\@ are allowed");
        return Err(Error::config(PROPERTY, reason));
    }
    if name.len() > LONGEST {
        return Err(Error::config(PROPERTY, format!("{name:?} is longer than a unit's name may be")));
    }
    Ok(())
}

/// Where the slice `name` is below the root of a hierarchy: `a-b.slice` is `a.slice/a-b.slice`.
pub(super) fn expand(name: &str) -> Result<PathBuf> {
    let wrong = |reason: &str| Error::config(PROPERTY, format!("{name:?} is no slice's name: {reason}"));
    let stem = name.strip_suffix(SLICE).ok_or_else(|| wrong("it must end with .slice"))?;
    if stem == "-" {
        return Ok(PathBuf::new());
    }
    if stem.split('-').any(str::is_empty) {
        return Err(wrong("there is nothing before, after or between its dashes"));
    }
    expect_unit_name(name)?;
    let ends = stem.match_indices('-').map(|(at, _)| at).chain([stem.len()]);
    Ok(ends.map(|end| format!("{}{SLICE}", &stem[..end])).collect())
}

/// The slice that the slice `name` is in; none for one in the root.
fn parent(name: &str) -> Option<String> {
    let (parent, _) = name.strip_suffix(SLICE)?.rsplit_once('-')?;
    (!parent.is_empty()).then(|| format!("{parent}{SLICE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(path: &str) -> Result<(String, String), String> {
        let place = read(Some(Path::new(path)), "id", "system.slice");
        place.map(|place| (place.slice, place.unit)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_three_parts_become_a_slice_and_a_unit() {
        let table = [
            ("system.slice:docker:1234", "system.slice", "docker-1234.scope"),
            (":runc:c1", "system.slice", "runc-c1.scope"),
            ("user-1000.slice:libpod:ab", "user-1000.slice", "libpod-ab.scope"),
            ("-:x:c1", "-.slice", "x-c1.scope"),
            ("-.slice:x:c1", "-.slice", "x-c1.scope"),
            ("a.slice::c1", "a.slice", "c1.scope"),
            ("kubepods.slice:ignored:kubepods-burst.slice", "kubepods.slice", "kubepods-burst.slice"),
            ("::kubepods-burst.slice", "kubepods.slice", "kubepods-burst.slice"),
            ("::kubepods.slice", "-.slice", "kubepods.slice"),
            ("", "system.slice", "corten-id.scope"),
        ];
        for (path, slice, unit) in table {
            assert_eq!(both(path), Ok((slice.to_owned(), unit.to_owned())), "{path}");
        }
        assert_eq!(read(None, "id", "user.slice").unwrap().slice, "user.slice");
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_place() {
        let long = format!("a.slice:b:{}", "c".repeat(250));
        let paths = [
            "/docker/1234",
            "docker",
            "a:b",
            "a.slice:b:c:d",
            "a:b:c",
            "a.slice/b.slice:c:d",
            "a--b.slice:c:d",
            "-a.slice:c:d",
            "a-.slice:c:d",
            ".slice:c:d",
            "a.slice:b:",
            "a.slice:b:c/d",
            "a.slice:b:c d",
            "a.slice:b:c+d",
            "a.slice:b/e:c",
            "b.slice:x:a-b.slice",
            "a\u{e4}.slice:b:c",
            &long,
        ];
        for path in paths {
            let error = both(path).unwrap_err();
            assert!(error.starts_with("linux.cgroupsPath: "), "{path}: {error}");
        }
    }

    #[test]
    fn slices_lie_in_each_other() {
        let table = [
            ("system.slice", "system.slice"),
            ("a-b-c.slice", "a.slice/a-b.slice/a-b-c.slice"),
            ("user-1000.slice", "user.slice/user-1000.slice"),
            ("-.slice", ""),
        ];
        for (name, path) in table {
            assert_eq!(expand(name).unwrap(), Path::new(path), "{name}");
        }
    }
}
