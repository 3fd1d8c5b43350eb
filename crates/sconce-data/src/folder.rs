//! Where data sets lie on this machine.

use std::ffi::OsString;
use std::path::PathBuf;

/// The folder that holds data sets, one folder each: `$SCONCE_DATA`, else `sconce` in the user's cache.
///
/// The cache is `$XDG_CACHE_HOME` or `~/.cache`, on macOS `~/Library/Caches`, on Windows `%LOCALAPPDATA%`. None if the system
/// names neither. `cargo xtask data` puts its files here.
///
/// ```
/// if let Some(folder) = sconce_data::data_dir() {
///     println!("MNIST would be in {}", folder.join("mnist").display());
/// }
/// ```
pub fn data_dir() -> Option<PathBuf> {
    choose(|name| std::env::var_os(name))
}

/// A real set's folder, or a line that a test passes it over.
#[cfg(test)]
pub(crate) fn real(set: &str) -> Option<PathBuf> {
    let folder = data_dir()
        .map(|data| data.join(set))
        .filter(|folder| folder.is_dir());
    if folder.is_none() {
        println!("skipped: {set} isn't in the data folder");
    }
    folder
}

fn choose(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(data) = folder("SCONCE_DATA") {
        return Some(data);
    }
    let cache = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))
    };
    cache.map(|cache| cache.join("sconce"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_counts() {
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);
        let cases: [Case<'_>; 5] = [
            (&[("SCONCE_DATA", "/d"), ("HOME", "/h")], Some("/d")),
            (&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")], Some("/c/sconce")),
            (&[("HOME", "/h")], Some("/h/.cache/sconce")),
            (
                &[("SCONCE_DATA", ""), ("XDG_CACHE_HOME", ""), ("HOME", "/h")],
                Some("/h/.cache/sconce"),
            ),
            (&[], None),
        ];
        for (variables, expected) in cases {
            let found = choose(|name| {
                let entry = variables.iter().find(|(key, _)| *key == name)?;
                Some(entry.1.into())
            });
            assert_eq!(found, expected.map(PathBuf::from), "{variables:?}");
        }
    }
}
