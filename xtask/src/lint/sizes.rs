//! Large files stay out of the repository: each file alone, and the golden files together.

use std::path::Path;
use std::process::Command;

use super::finding::Finding;
use crate::{output, workspace};

const MOST_OF_A_FILE: u64 = 500_000;
const MOST_OF_ALL_GOLDEN: u64 = 20_000_000;

pub(super) fn check() -> crate::Result<Vec<Finding>> {
    let files = tracked()?;
    let mut findings = each(&files);
    findings.extend(golden(&files));
    Ok(findings)
}

/// Path and size of every file that git has, or none where there is no git to ask.
fn tracked() -> crate::Result<Vec<(String, u64)>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(workspace::root())
        .output();
    let listed = match listed {
        Ok(output) if output.status.success() => output.stdout,
        _ => {
            output::line("not checked: git doesn't know this folder");
            return Ok(Vec::new());
        }
    };
    let size = |path: &str| std::fs::metadata(workspace::root().join(path)).map(|m| m.len());
    let paths = String::from_utf8(listed)?;
    // A file that git has and the folder hasn't is being removed.
    Ok(paths
        .split('\0')
        .filter_map(|path| Some((path.to_owned(), size(path).ok()?)))
        .collect())
}

fn each(files: &[(String, u64)]) -> Vec<Finding> {
    let large = files
        .iter()
        .filter(|(path, size)| *size > MOST_OF_A_FILE && !is_golden(path) && !is_digits(path));
    let say = |(path, size): &(String, u64)| {
        let (size, most) = (output::bytes(*size), output::bytes(MOST_OF_A_FILE));
        Finding::new(
            path,
            1,
            format!("{size} is too large for the repository (at most {most})"),
        )
    };
    large.map(say).collect()
}

fn golden(files: &[(String, u64)]) -> Option<Finding> {
    let mut golden: Vec<_> = files.iter().filter(|(path, _)| is_golden(path)).collect();
    golden.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let total: u64 = golden.iter().map(|(_, size)| size).sum();
    let (largest, _) = golden.first().filter(|_| total >= MOST_OF_ALL_GOLDEN)?;
    let (total, most) = (output::bytes(total), output::bytes(MOST_OF_ALL_GOLDEN));
    Some(Finding::new(
        largest,
        1,
        format!("the golden files are {total} together (less than {most}); this is the largest"),
    ))
}

fn is_golden(path: &str) -> bool {
    Path::new(path)
        .components()
        .any(|part| part.as_os_str() == "golden")
}

/// The embedded handwritten digits.
fn is_digits(path: &str) -> bool {
    path.starts_with("crates/sconce-data/")
        && path
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with("digits.csv"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, u64)]) -> Vec<(String, u64)> {
        list.iter()
            .map(|(path, size)| ((*path).to_owned(), *size))
            .collect()
    }

    #[test]
    fn a_large_file_is_found() {
        let list = files(&[
            ("docs/picture.png", 500_001),
            ("README.md", 500_000),
            ("crates/sconce-nn/tests/golden/norm.safetensors", 900_000),
            ("crates/sconce-data/src/digits.csv.gz", 600_000),
            ("crates/sconce-nn/src/digits.csv.gz", 600_000),
        ]);
        let found: Vec<_> = each(&list).into_iter().map(|finding| finding.path).collect();
        assert_eq!(found, ["docs/picture.png", "crates/sconce-nn/src/digits.csv.gz"]);
    }

    #[test]
    fn too_much_golden_is_found() {
        let list = |size| {
            files(&[
                ("crates/a/tests/golden/x", 10_000_000),
                ("crates/b/tests/golden/y", size),
            ])
        };
        assert_eq!(golden(&list(9_000_000)), None);
        assert_eq!(golden(&list(11_000_000)).unwrap().path, "crates/b/tests/golden/y");
    }
}
