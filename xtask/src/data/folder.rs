//! Where data sets lie.

use std::env;
use std::path::PathBuf;

/// `$SCONCE_DATA`, else the folder `sconce` in the user's cache; `None` if the system names neither.
pub(super) fn data_dir() -> Option<PathBuf> {
    let variable = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(folder) = variable("SCONCE_DATA") {
        return Some(folder);
    }
    let cache = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Caches"))
    } else {
        variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))
    };
    cache.map(|cache| cache.join("sconce"))
}
