//! Words that may not stand in the sources. Comments, docs and strings may hold them.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::finding::Finding;
use crate::workspace;

/// The only crate that may be unsafe.
const UNSAFE_CRATE: &str = "crates/sconce-kernels/";

const FOLDERS: [&str; 3] = ["crates", "examples", "xtask"];

pub(super) fn check() -> crate::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for folder in FOLDERS {
        for path in workspace::files_below(&workspace::root().join(folder), "rs")? {
            findings.extend(check_source(
                &workspace::relative(&path),
                &std::fs::read_to_string(&path)?,
            ));
        }
    }
    Ok(findings)
}

fn check_source(path: &str, source: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    match source.parse::<TokenStream>() {
        Ok(tokens) => walk(path, tokens, &mut findings),
        Err(error) => {
            findings.push(Finding::new(
                path,
                error.span().start().line,
                "this is no Rust that can be read",
            ));
        }
    }
    findings
}

fn walk(path: &str, tokens: TokenStream, findings: &mut Vec<Finding>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let line = token.span().start().line;
        let mut find = |message: &str| findings.push(Finding::new(path, line, message));
        match token {
            TokenTree::Ident(word) => {
                let called = matches!(tokens.peek(), Some(TokenTree::Punct(p)) if p.as_char() == '!');
                match word.to_string().as_str() {
                    "unsafe" if !path.starts_with(UNSAFE_CRATE) => {
                        find("`unsafe` may only stand in sconce-kernels")
                    }
                    "todo" if called => find("`todo!` is left over"),
                    "dbg" if called => find("`dbg!` is left over"),
                    _ => {}
                }
            }
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                if let Some(TokenTree::Group(group)) = tokens.peek()
                    && group.delimiter() == Delimiter::Bracket
                    && mentions(group.stream(), "ignore")
                {
                    find("`#[ignore]`: a test runs or is gone");
                }
            }
            TokenTree::Group(group) => walk(path, group.stream(), findings),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Whether an attribute holds a word, also within `cfg_attr(…)`.
fn mentions(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => mentions(group.stream(), word),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_code_and_nowhere_else() {
        let table = [
            ("fn f() { unsafe { g() } }", 1),
            ("unsafe fn f() {}", 1),
            ("#[unsafe(no_mangle)] fn f() {}", 1),
            ("unsafe impl Send for X {}", 1),
            ("macro_rules! m { () => { unsafe { g() } } }", 1),
            (
                "#![deny(unsafe_code)]\n// unsafe\n/* unsafe */ /// unsafe\nfn f() { \"unsafe\"; r#\"unsafe\"#; }",
                0,
            ),
            ("fn f() { todo!() }", 1),
            ("fn todo() { todo() }", 0),
            ("fn f() { let x = dbg!(3); if x != 3 { todo!(\"later\") } }", 2),
            ("#[test]\n#[ignore]\nfn f() {}", 1),
            ("#[test]\n#[ignore = \"slow\"]\nfn f() {}", 1),
            ("#[cfg_attr(debug_assertions, ignore)] fn f() {}", 1),
            ("/// ```ignore\n/// #[ignore]\n/// ```\nfn ignore() {}", 0),
            ("fn f( {", 1),
        ];
        for (source, count) in table {
            let findings = check_source("crates/sconce-nn/src/lib.rs", source);
            assert_eq!(findings.len(), count, "{source}: {findings:?}");
        }
    }

    #[test]
    fn a_finding_has_its_line() {
        let findings = check_source("examples/a.rs", "fn f() {\n    // unsafe\n\n    dbg!(1);\n}\n");
        assert_eq!(findings[0].to_string(), "examples/a.rs:4: `dbg!` is left over");
    }

    #[test]
    fn the_kernels_may_be_unsafe() {
        assert_eq!(
            check_source("crates/sconce-kernels/src/simd.rs", "unsafe fn f() {}"),
            []
        );
    }
}
