//! Each crate builds by itself: a build of the whole workspace unites the features and hides one that is missing.

use cargo_metadata::Metadata;

use super::finding::Finding;
use crate::{output, stages, workspace};

pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let path = workspace::relative(package.manifest_path.as_std_path());
        if !path.starts_with("crates/") {
            continue;
        }
        let mut ways = vec![Vec::new()];
        // What is on by default is what can be left out: the facade's crates, the data crate's readers.
        if let Some(parts) = package.features.get("default") {
            ways.push(vec!["--no-default-features"]);
            ways.extend(
                parts
                    .iter()
                    .map(|part| vec!["--no-default-features", "--features", part.as_str()]),
            );
        }
        for way in ways {
            let mut check = workspace::cargo();
            check
                .args(["check", "--quiet", "--package", &package.name])
                .args(way);
            if let Err(error) = stages::execute(&mut check) {
                findings.push(Finding::new(&path, 1, format!("doesn't build alone: {error}")));
            }
        }
        output::line(&package.name);
    }
    findings
}
