//! One version of what must be one, and folders that are called like their crates.

use std::collections::BTreeSet;

use cargo_metadata::Metadata;

use super::finding::Finding;

/// Two versions of these in one tree would be two kinds of tensor, or the numeric code twice.
const ONE_VERSION: [&str; 3] = ["candle-core", "candle-nn", "gemm"];

pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    let versions: Vec<_> = metadata
        .packages
        .iter()
        .map(|p| (p.name.as_str(), p.version.to_string()))
        .collect();
    let mut findings = one_version(&versions);
    for package in metadata.workspace_packages() {
        if let Ok(path) = package.manifest_path.strip_prefix(&metadata.workspace_root) {
            findings.extend(folder_name(&path.as_str().replace('\\', "/"), &package.name));
        }
    }
    findings
}

/// `packages`: name and version of everything in the tree.
fn one_version(packages: &[(&str, String)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in ONE_VERSION {
        let versions: BTreeSet<&str> = packages
            .iter()
            .filter(|(n, _)| *n == name)
            .map(|(_, version)| version.as_str())
            .collect();
        if versions.len() != 1 {
            let found = versions.into_iter().collect::<Vec<_>>().join(" and ");
            let message = format!("exactly one version of {name} must be in the tree, found {found}");
            findings.push(Finding::new("Cargo.lock", 1, message.trim_end()));
        }
    }
    findings
}

/// `manifest`: from the root, such as `crates/sconce-nn/Cargo.toml`.
fn folder_name(manifest: &str, package: &str) -> Option<Finding> {
    let folder = manifest.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
    let message = || format!("package {package} stands in the folder {folder}: both must have the same name");
    (folder != package).then(|| Finding::new(manifest, 1, message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_version_is_found() {
        let tree = |gemm: &[&str]| {
            let mut packages = vec![
                ("candle-core", "0.11.1".to_owned()),
                ("candle-nn", "0.11.1".to_owned()),
            ];
            packages.extend(gemm.iter().map(|version| ("gemm", (*version).to_owned())));
            packages
        };
        assert_eq!(one_version(&tree(&["0.18.2"])), []);
        let two = one_version(&tree(&["0.18.2", "0.19.0"]));
        assert_eq!(two.len(), 1);
        assert!(two[0].message.ends_with("found 0.18.2 and 0.19.0"), "{}", two[0]);
        assert_eq!(one_version(&tree(&[])).len(), 1);
    }

    #[test]
    fn a_folder_of_another_name_is_found() {
        assert!(folder_name("crates/nn/Cargo.toml", "sconce-nn").is_some());
        assert!(folder_name("crates/sconce-nn/Cargo.toml", "sconce-nn").is_none());
        assert!(folder_name("examples/Cargo.toml", "sconce-examples").is_none());
    }
}
