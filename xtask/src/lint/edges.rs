//! Which crate of the workspace may depend on which.

use cargo_metadata::{DependencyKind, Metadata};

use super::finding::Finding;
use crate::workspace;

/// A crate and all that it may name among the workspace's crates. Tests may name sconce-testkit besides.
///
/// kernels ← core ← nn ← the families, with gnn → rnn the only edge between two of them; core ← losses, optim, data ← train
/// ← the facade and the examples.
const MAY_DEPEND: &[(&str, &[&str])] = &[
    ("sconce-kernels", &[]),
    ("sconce-core", &["sconce-kernels"]),
    ("sconce-nn", &["sconce-core", "sconce-kernels"]),
    ("sconce-cnn", &["sconce-core", "sconce-kernels", "sconce-nn"]),
    ("sconce-rnn", &["sconce-core", "sconce-kernels", "sconce-nn"]),
    (
        "sconce-transformer",
        &["sconce-core", "sconce-kernels", "sconce-nn"],
    ),
    (
        "sconce-gnn",
        &["sconce-core", "sconce-kernels", "sconce-nn", "sconce-rnn"],
    ),
    ("sconce-losses", &["sconce-core", "sconce-kernels"]),
    ("sconce-optim", &["sconce-core", "sconce-kernels"]),
    ("sconce-data", &["sconce-core", "sconce-kernels"]),
    (
        "sconce-train",
        &[
            "sconce-core",
            "sconce-kernels",
            "sconce-losses",
            "sconce-optim",
            "sconce-data",
        ],
    ),
    (
        "sconce",
        &[
            "sconce-core",
            "sconce-nn",
            "sconce-losses",
            "sconce-optim",
            "sconce-cnn",
            "sconce-rnn",
            "sconce-transformer",
            "sconce-gnn",
            "sconce-data",
            "sconce-train",
        ],
    ),
    ("sconce-testkit", &[]),
    ("sconce-examples", &["sconce"]),
    ("xtask", &["sconce", "sconce-kernels", "sconce-testkit"]),
];

/// What a crate may name of candle, where that is less than all: kernels know no tensor, and the testkit checks any candle
/// code, so it needs no more than candle's core.
const CANDLE: &[(&str, &[&str])] = &[("sconce-kernels", &[]), ("sconce-testkit", &["candle-core"])];

/// A crate's use of another.
struct Edge<'a> {
    from: &'a str,
    to: &'a str,
    in_tests: bool,
}

pub(super) fn check(metadata: &Metadata) -> crate::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let packages = metadata.workspace_packages();
    for package in &packages {
        let manifest = std::fs::read_to_string(&package.manifest_path)?;
        let path = workspace::relative(package.manifest_path.as_std_path());
        for dependency in &package.dependencies {
            let ours = packages.iter().any(|package| *package.name == dependency.name);
            if !ours && !dependency.name.starts_with("candle-") {
                continue;
            }
            let edge = Edge {
                from: &package.name,
                to: &dependency.name,
                in_tests: dependency.kind == DependencyKind::Development,
            };
            if let Some(message) = objection(&edge) {
                findings.push(Finding::new(&path, line_of(&manifest, &dependency.name), message));
            }
        }
    }
    Ok(findings)
}

/// Why an edge may not be.
fn objection(edge: &Edge<'_>) -> Option<String> {
    let Edge { from, to, in_tests } = edge;
    if to.starts_with("candle-") {
        let (_, allowed) = CANDLE.iter().find(|(name, _)| name == from)?;
        let fine = *in_tests || allowed.contains(to);
        return (!fine).then(|| format!("{from} may not depend on {to}"));
    }
    let Some((_, allowed)) = MAY_DEPEND.iter().find(|(name, _)| name == from) else {
        return Some(format!(
            "{from} has no row in the table of dependencies (xtask/src/lint/edges.rs)"
        ));
    };
    let fine = allowed.contains(to) || (*in_tests && *to == "sconce-testkit");
    (!fine).then(|| {
        format!(
            "{from} may not depend on {to}{}",
            if *in_tests { ", also in tests" } else { "" }
        )
    })
}

/// The first line of a manifest that names the dependency.
fn line_of(manifest: &str, dependency: &str) -> usize {
    let names = |line: &str| {
        line.strip_prefix(dependency)
            .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    manifest.lines().position(names).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_against_the_grain_are_found() {
        let table = [
            ("sconce-gnn", "sconce-rnn", false, true),
            ("sconce-rnn", "sconce-gnn", false, false),
            ("sconce-cnn", "sconce-transformer", false, false),
            ("sconce-core", "sconce-nn", false, false),
            ("sconce-core", "sconce-kernels", false, true),
            ("sconce-train", "sconce-nn", false, false),
            ("sconce-train", "sconce-nn", true, false),
            ("sconce-nn", "sconce-testkit", true, true),
            ("sconce-nn", "sconce-testkit", false, false),
            ("sconce-testkit", "sconce-core", true, false),
            ("sconce-testkit", "candle-core", false, true),
            ("sconce-testkit", "candle-nn", false, false),
            ("sconce-testkit", "candle-nn", true, true),
            ("sconce-kernels", "candle-core", false, false),
            ("sconce-nn", "candle-nn", false, true),
            ("sconce-audio", "sconce-core", false, false),
        ];
        for (from, to, in_tests, fine) in table {
            let objection = objection(&Edge { from, to, in_tests });
            assert_eq!(
                objection.is_none(),
                fine,
                "{from} → {to}, in tests: {in_tests}: {objection:?}"
            );
        }
    }

    #[test]
    fn a_finding_points_at_the_dependency() {
        let manifest = "[dependencies]\nsconce-core-x = \"1\"\nsconce-core.workspace = true\n";
        assert_eq!(line_of(manifest, "sconce-core"), 3);
        assert_eq!(line_of(manifest, "sconce-nn"), 1);
    }
}
