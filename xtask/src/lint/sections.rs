//! The doc comment of a layer or a loss tells its whole contract, in sections that are always the same.

use std::collections::BTreeSet;

use proc_macro2::TokenTree;
use syn::spanned::Spanned;
use syn::{Attribute, File, ImplItem, Item, Type, Visibility};

use super::finding::Finding;
use crate::workspace;

/// What must be told of things in a folder.
struct Rule {
    folder: &'static str,
    subject: Subject,
}

/// What a rule is about, and thereby which sections it asks for.
#[derive(Clone, Copy)]
enum Subject {
    /// A public type with a forward pass.
    Layer,
    /// A public function that gives a tensor.
    Loss,
}

const RULES: &[Rule] = &[
    Rule {
        folder: "crates/sconce-nn/src",
        subject: Subject::Layer,
    },
    Rule {
        folder: "crates/sconce-cnn/src",
        subject: Subject::Layer,
    },
    Rule {
        folder: "crates/sconce-rnn/src",
        subject: Subject::Layer,
    },
    Rule {
        folder: "crates/sconce-transformer/src",
        subject: Subject::Layer,
    },
    Rule {
        folder: "crates/sconce-gnn/src",
        subject: Subject::Layer,
    },
    Rule {
        folder: "crates/sconce-losses/src",
        subject: Subject::Loss,
    },
];

const EVERY_SECTION: &[&str] = &["# Shapes", "# Errors", "# Source", "# Example"];
/// Of a layer whose constructor takes a `VarBuilder`, besides.
const PARAMETERS: &str = "# Parameters";

pub(super) fn check() -> crate::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for rule in RULES {
        let mut files = Vec::new();
        for path in workspace::files_below(&workspace::root().join(rule.folder), "rs")? {
            let name = workspace::relative(&path);
            let file =
                syn::parse_file(&std::fs::read_to_string(&path)?).map_err(|e| format!("{name}: {e}"))?;
            files.push((name, file));
        }
        findings.extend(check_files(rule.subject, &files));
    }
    Ok(findings)
}

fn check_files(subject: Subject, files: &[(String, File)]) -> Vec<Finding> {
    match subject {
        Subject::Layer => layers(files),
        Subject::Loss => losses(files),
    }
}

fn layers(files: &[(String, File)]) -> Vec<Finding> {
    let mut known = Layers::default();
    for (_, file) in files {
        visit(&file.items, &mut |item| known.note(item));
    }
    let mut findings = Vec::new();
    for (path, file) in files {
        visit(&file.items, &mut |item| {
            let (name, visibility, attributes) = match item {
                Item::Struct(item) => (&item.ident, &item.vis, &item.attrs),
                Item::Enum(item) => (&item.ident, &item.vis, &item.attrs),
                _ => return,
            };
            if !is_public(visibility) || !known.with_forward.contains(&name.to_string()) {
                return;
            }
            let mut required = EVERY_SECTION.to_vec();
            if known.with_builder.contains(&name.to_string()) {
                required.push(PARAMETERS);
            }
            findings.extend(lacking(
                path,
                &name.to_string(),
                name.span(),
                attributes,
                &required,
            ));
        });
    }
    findings
}

fn losses(files: &[(String, File)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, file) in files {
        visit(&file.items, &mut |item| {
            let Item::Fn(item) = item else { return };
            if is_public(&item.vis) && text(&item.sig.output).contains("Tensor") {
                let name = &item.sig.ident;
                findings.extend(lacking(
                    path,
                    &name.to_string(),
                    name.span(),
                    &item.attrs,
                    EVERY_SECTION,
                ));
            }
        });
    }
    findings
}

/// Types of one crate, by what their `impl` blocks say, which may stand in other files than the types.
#[derive(Default)]
struct Layers {
    with_forward: BTreeSet<String>,
    with_builder: BTreeSet<String>,
}

impl Layers {
    fn note(&mut self, item: &Item) {
        let block = match item {
            Item::Impl(block) => block,
            // `pointwise_module!(Relu);` writes `impl Module for Relu`.
            Item::Macro(call) if call.ident.is_none() && name_of(&call.mac.path).ends_with("_module") => {
                let named = |token| match token {
                    TokenTree::Ident(name) => Some(name.to_string()),
                    _ => None,
                };
                self.with_forward
                    .extend(call.mac.tokens.clone().into_iter().filter_map(named));
                return;
            }
            _ => return,
        };
        let Type::Path(own) = &*block.self_ty else { return };
        let name = name_of(&own.path);
        if let Some((_, of, _)) = &block.trait_ {
            if ["Module", "ModuleT"].contains(&name_of(of).as_str()) {
                self.with_forward.insert(name);
            }
            return;
        }
        for item in &block.items {
            let ImplItem::Fn(function) = item else { continue };
            if !is_public(&function.vis) {
                continue;
            }
            if function.sig.ident == "forward" || function.sig.ident == "forward_t" {
                self.with_forward.insert(name.clone());
            }
            if text(&function.sig.inputs).contains("VarBuilder") {
                self.with_builder.insert(name.clone());
            }
        }
    }
}

/// The last name of a path.
fn name_of(path: &syn::Path) -> String {
    path.segments
        .last()
        .map(|segment| segment.ident.to_string())
        .unwrap_or_default()
}

/// Every item outside tests, also within modules.
fn visit<'a>(items: &'a [Item], f: &mut impl FnMut(&'a Item)) {
    for item in items {
        match item {
            Item::Mod(module) if !module.attrs.iter().any(is_for_tests) => {
                visit(module.content.as_ref().map_or(&[], |(_, items)| items), f);
            }
            item => f(item),
        }
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") && text(attribute).contains("test")
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn text(part: &impl Spanned) -> String {
    part.span().source_text().unwrap_or_default()
}

/// One finding that names all sections which a doc comment lacks.
fn lacking(
    path: &str,
    name: &str,
    span: proc_macro2::Span,
    attributes: &[Attribute],
    required: &[&str],
) -> Option<Finding> {
    let doc: Vec<String> = attributes.iter().filter_map(doc_text).collect();
    let has = |section: &str| {
        doc.iter()
            .flat_map(|text| text.lines())
            .any(|line| line.trim() == section)
    };
    let missing: Vec<String> = required
        .iter()
        .filter(|s| !has(s))
        .map(|s| format!("`{s}`"))
        .collect();
    let message = || format!("the doc of {name} lacks {}", missing.join(", "));
    (!missing.is_empty()).then(|| Finding::new(path, span.start().line, message()))
}

/// The text of a `#[doc = "…"]`, which is what a doc comment is.
fn doc_text(attribute: &Attribute) -> Option<String> {
    if !attribute.path().is_ident("doc") {
        return None;
    }
    match &attribute.meta.require_name_value().ok()?.value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(subject: Subject, sources: &[&str]) -> Vec<String> {
        let parse = |(i, source): (usize, &&str)| (format!("{i}.rs"), syn::parse_file(source).unwrap());
        let files: Vec<_> = sources.iter().enumerate().map(parse).collect();
        check_files(subject, &files)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    const WHOLE: &str = "/// # Shapes\n/// # Errors\n/// # Source\n/// # Example\n";

    #[test]
    fn layers_without_their_sections_are_found() {
        let module = "impl candle_core::Module for X { }";
        let new = "impl X { pub fn new(vb: candle_nn::VarBuilder<'_>) -> Self { X } }";
        let table: &[(&[&str], &[&str])] = &[
            (&["pub struct X;"], &[]),
            (&["struct X;", module], &[]),
            (&["pub(crate) struct X;", module], &[]),
            (
                &["/// Says something.\npub struct X;", module],
                &["0.rs:2: the doc of X lacks `# Shapes`, `# Errors`, `# Source`, `# Example`"],
            ),
            (&[&format!("{WHOLE}pub struct X;"), module], &[]),
            (
                &[&format!("{WHOLE}pub struct X;"), module, new],
                &["0.rs:5: the doc of X lacks `# Parameters`"],
            ),
            (
                &[&format!("{WHOLE}/// # Parameters\npub struct X;"), module, new],
                &[],
            ),
            (
                &[
                    &format!("{}pub enum X {{}}", WHOLE.replace("# Source", "Source")),
                    "impl<T> X<T> { pub fn forward(&self) {} }",
                ],
                &["0.rs:5: the doc of X lacks `# Source`"],
            ),
            (&["pub struct X;", "impl X { fn forward(&self) {} }"], &[]),
            (
                &["pub struct X;", "super::unary_module!(X);"],
                &["0.rs:1: the doc of X lacks `# Shapes`, `# Errors`, `# Source`, `# Example`"],
            ),
            (
                &["#[cfg(test)]\nmod tests { pub struct X; impl Module for X {} }"],
                &[],
            ),
            (
                &["pub mod inner { pub struct X; impl ModuleT for X {} }"],
                &["0.rs:1: the doc of X lacks `# Shapes`, `# Errors`, `# Source`, `# Example`"],
            ),
        ];
        for (sources, expected) in table {
            assert_eq!(messages(Subject::Layer, sources), *expected, "{sources:?}");
        }
    }

    #[test]
    fn losses_without_their_sections_are_found() {
        let table: &[(&str, &[&str])] = &[
            (
                "pub fn mse() -> Result<Tensor> { }",
                &["0.rs:1: the doc of mse lacks `# Shapes`, `# Errors`, `# Source`, `# Example`"],
            ),
            ("fn mse() -> Result<Tensor> { }", &[]),
            ("pub fn name() -> &'static str { }", &[]),
            (&format!("{WHOLE}pub fn mse() -> Result<Tensor> {{ }}"), &[]),
        ];
        for (source, expected) in table {
            assert_eq!(messages(Subject::Loss, &[source]), *expected, "{source}");
        }
    }
}
