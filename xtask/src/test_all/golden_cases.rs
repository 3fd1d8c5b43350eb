//! The golden cases that each crate keeps in `tests/golden`, through the same door as `cargo xtask conformance`.

use std::path::PathBuf;

use clap::Parser;

use crate::{conformance, output, workspace};

/// The command line of `cargo xtask conformance`.
#[derive(Parser)]
struct Conformance {
    #[command(flatten)]
    args: conformance::Args,
}

pub(super) fn run() -> crate::Result<()> {
    let folders = folders()?;
    if folders.is_empty() {
        return Err("no crate has a folder tests/golden".into());
    }
    let mut failed = Vec::new();
    for folder in folders {
        let name = workspace::relative(&folder);
        output::line(&name);
        let line = Conformance::try_parse_from(["conformance".as_ref(), folder.as_os_str()])?;
        if let Err(error) = conformance::run(line.args) {
            failed.push(format!("{name}: {error}"));
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("\n").into())
    }
}

/// `crates/<crate>/tests/golden`, where there is one, in a fixed order.
fn folders() -> crate::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(workspace::root().join("crates"))?.collect::<Result<Vec<_>, _>>()?;
    let mut folders: Vec<_> = entries
        .iter()
        .map(|entry| entry.path().join("tests/golden"))
        .collect();
    folders.retain(|folder| folder.is_dir());
    folders.sort();
    Ok(folders)
}
