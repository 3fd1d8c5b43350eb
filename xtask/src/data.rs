//! `cargo xtask data`: downloads public data sets to where programs look for them.
//!
//! A file is taken over only if its checksum is the one in the table: the SHA-256 of its content, or the MD5 that its
//! publisher states. A download that was cut goes on where it stopped. Programs find the files by `sconce::data::data_dir()`.

mod digest;
mod fetch;
mod progress;
mod sets;

use std::path::Path;

use fetch::{FetchError, Outcome, Source};
use sets::DataSet;

use crate::output::{self, Align};

/// Options of `cargo xtask data`.
#[derive(clap::Args)]
#[command(after_help = "\
Files go to $SCONCE_DATA, or else to the folder sconce in the user's cache: $XDG_CACHE_HOME or ~/.cache, on macOS
~/Library/Caches, on Windows %LOCALAPPDATA%. Files that are there and right are kept, and a download that was cut
goes on where it stopped.

A mirror's files may be compressed anew, except those of which only their publishers' MD5 is known: fashion-mnist and
cifar-10.")]
pub(crate) struct Args {
    /// The data sets to get (see --list); all that can be had if none is named
    names: Vec<String>,
    /// A folder or an address that holds the files as `<folder>/<file>`, instead of the publishers'
    #[arg(long, value_name = "DIR-or-URL")]
    mirror: Option<String>,
    /// List the data sets: size, files, licence, and whether they are here already
    #[arg(long)]
    list: bool,
}

/// What can go wrong besides a download.
#[derive(Debug, thiserror::Error)]
enum DataError {
    #[error("no folder for data: neither SCONCE_DATA nor the user's cache folder is known; set SCONCE_DATA")]
    NoFolder,
    #[error("no data set {name:?}; there is {known}")]
    Unknown { name: String, known: String },
    #[error("{failed} of {all} data sets could not be had")]
    Failed { failed: usize, all: usize },
}

pub(crate) fn run(args: Args) -> crate::Result<()> {
    let folder = sconce::data::data_dir().ok_or(DataError::NoFolder)?;
    let chosen = choose(&args.names)?;
    if args.list {
        output::line(list(&chosen, &folder).trim_end());
        return Ok(());
    }
    let mirror = args.mirror.as_deref();
    if !args.names.is_empty() {
        // What is named has to be there.
        for set in chosen {
            get(set, &folder, mirror)?;
        }
        output::line(&format!("all in {}", folder.display()));
        return Ok(());
    }
    let failures = get_all(&chosen, |set| {
        // All are all that a mirror has.
        if mirror.is_some_and(|mirror| lacks(mirror, set)) {
            output::line(&format!("{}: not in the mirror, left out", set.name));
            return Ok(());
        }
        get(set, &folder, mirror)
    })?;
    if failures.is_empty() {
        output::line(&format!("all in {}", folder.display()));
        return Ok(());
    }
    output::line(&format!("the rest in {}; not to be had:", folder.display()));
    for (set, error) in &failures {
        output::line(&format!("  {set}: {error}"));
    }
    let (failed, all) = (failures.len(), chosen.len());
    Err(DataError::Failed { failed, all }.into())
}

/// Gets sets one after the other, whatever becomes of those before: the names of those that can't be had, and why.
///
/// # Errors
/// A file can't be written: the next one couldn't either.
fn get_all(
    sets: &[&DataSet],
    get: impl Fn(&DataSet) -> Result<(), FetchError>,
) -> Result<Vec<(&'static str, FetchError)>, FetchError> {
    let mut failures = Vec::new();
    for set in sets {
        match get(set) {
            Ok(()) => {}
            Err(error @ FetchError::Write { .. }) => return Err(error),
            Err(error) => failures.push((set.name, error)),
        }
    }
    Ok(failures)
}

/// Whether a mirror is a folder without this set.
fn lacks(mirror: &str, set: &DataSet) -> bool {
    let mirror = Path::new(mirror);
    mirror.is_dir() && !mirror.join(set.folder).is_dir()
}

fn choose(names: &[String]) -> Result<Vec<&'static DataSet>, DataError> {
    if names.is_empty() {
        return Ok(sets::ALL.iter().collect());
    }
    let find = |name: &String| {
        sets::ALL.iter().find(|set| set.name == name).ok_or_else(|| {
            let known = sets::ALL
                .iter()
                .map(|set| set.name)
                .collect::<Vec<_>>()
                .join(", ");
            DataError::Unknown {
                name: name.clone(),
                known,
            }
        })
    };
    names.iter().map(find).collect()
}

/// Gets every file of one set, and says a line about each.
fn get(set: &DataSet, folder: &Path, mirror: Option<&str>) -> Result<(), FetchError> {
    output::line(&format!("{}: {} ({})", set.name, set.about, set.licence));
    for file in set.files {
        let name = format!("{}/{}", set.folder, file.name);
        let source = match mirror {
            None => Source::address(&format!("{}{}", set.from, file.name)),
            Some(mirror) => Source::mirror(mirror, &name),
        };
        let outcome = fetch::fetch(
            &source,
            &folder.join(&name),
            file.checksum,
            &fetch::Patience::default(),
        )?;
        let said = match outcome {
            Outcome::Kept => "already there".to_owned(),
            Outcome::Fetched { bytes } => format!("{}, content checked", output::bytes(bytes)),
        };
        output::line(&format!("  {name}: {said}"));
    }
    Ok(())
}

fn list(sets: &[&DataSet], folder: &Path) -> String {
    let mut rows = vec![
        ["name", "size", "files", "here", "licence", "what"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for set in sets {
        let here = set
            .files
            .iter()
            .filter(|file| folder.join(set.folder).join(file.name).is_file())
            .count();
        let here = match here {
            0 => "no".to_owned(),
            n if n == set.files.len() => "yes".to_owned(),
            n => format!("{n} of {}", set.files.len()),
        };
        let size = output::bytes(set.files.iter().map(|file| file.bytes).sum());
        let files = set.files.len().to_string();
        rows.push(vec![
            set.name.into(),
            size,
            files,
            here,
            set.licence.into(),
            set.about.into(),
        ]);
    }
    let columns = [
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Left,
        Align::Left,
        Align::Left,
    ];
    output::table(&columns, &rows)
}

#[cfg(test)]
mod tests {
    use super::digest::Checksum;
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn an_unknown_name_is_told_with_the_known_ones() {
        let error = choose(&["mnits".to_owned()]).err().unwrap().to_string();
        assert_eq!(
            error,
            "no data set \"mnits\"; there is mnist, fashion-mnist, cifar-10, names, multi30k, cora, los-loop, shakespeare"
        );
    }

    #[test]
    fn the_list_says_what_is_here() {
        let folder = tempfile::tempdir().unwrap();
        let mnist = choose(&["mnist".to_owned()]).unwrap();
        assert!(list(&mnist, folder.path()).contains("11.6 MB      4  no "));
        std::fs::create_dir(folder.path().join("mnist")).unwrap();
        std::fs::write(folder.path().join("mnist/train-labels-idx1-ubyte.gz"), b"").unwrap();
        assert!(list(&mnist, folder.path()).contains("1 of 4"));
    }

    #[test]
    fn a_mirror_lacks_what_it_has_no_folder_for() {
        let mirror = tempfile::tempdir().unwrap();
        let path = mirror.path().to_str().unwrap();
        std::fs::create_dir(mirror.path().join("planetoid")).unwrap();
        let lacking: Vec<_> = sets::ALL
            .iter()
            .filter(|set| lacks(path, set))
            .map(|set| set.name)
            .collect();
        assert!(
            !lacking.contains(&"cora") && lacking.contains(&"mnist"),
            "{lacking:?}"
        );
        // What isn't there at all is an error, and an address is asked.
        for mirror in ["/no/such/folder", "http://127.0.0.1:1"] {
            assert!(!sets::ALL.iter().any(|set| lacks(mirror, set)));
        }
    }

    #[test]
    fn one_that_cannot_be_had_stops_no_other() {
        let failed = |address: &str| FetchError::Failed {
            address: address.to_owned(),
            what: "404 Not Found".to_owned(),
        };
        let asked = RefCell::new(Vec::new());
        let all = choose(&[]).unwrap();
        let failures = get_all(&all, |set| {
            asked.borrow_mut().push(set.name);
            match set.name {
                "mnist" | "cora" => Err(failed(set.from)),
                _ => Ok(()),
            }
        });
        assert!(asked.borrow().iter().eq(all.iter().map(|set| &set.name)));
        let told = failures
            .unwrap()
            .into_iter()
            .map(|(set, error)| format!("{set}: {error}"));
        let told: Vec<String> = told.collect();
        assert_eq!(
            told,
            [
                "mnist: https://ossci-datasets.s3.amazonaws.com/mnist/: 404 Not Found",
                "cora: https://raw.githubusercontent.com/kimiyoung/planetoid/master/data/: 404 Not Found"
            ]
        );
        // A full disk is no matter of one set.
        asked.borrow_mut().clear();
        let stopped = get_all(&all, |set| {
            asked.borrow_mut().push(set.name);
            Err(FetchError::Write {
                path: "/full".into(),
                source: std::io::ErrorKind::StorageFull.into(),
            })
        });
        assert!(stopped.is_err() && *asked.borrow() == ["mnist"]);
    }

    #[test]
    fn every_set_is_stated_in_full() {
        for set in sets::ALL {
            assert!(
                set.from.starts_with("http") && set.from.ends_with('/'),
                "{}",
                set.name
            );
            for file in set.files {
                let hex = file.checksum.hex();
                let digits = match file.checksum {
                    Checksum::Sha256(_) => 64,
                    Checksum::Md5(_) => 32,
                };
                assert!(
                    hex.len() == digits && hex.bytes().all(|b| b.is_ascii_hexdigit()),
                    "{}",
                    file.name
                );
            }
        }
    }
}
