//! The graph of layers and functions, as a picture.

use candle_core::{Tensor, TensorId};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// What ran inside [`record`].
#[derive(Debug, Default, Clone)]
pub struct Graph {
    operations: Vec<Operation>,
    parameters: HashMap<TensorId, String>,
}

/// One layer or function that ran.
#[derive(Debug, Clone)]
struct Operation {
    name: &'static str,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

thread_local! {
    static RECORDERS: RefCell<Vec<Graph>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` and gives, beside its result, the graph of the sconce layers and functions that ran in it on this thread.
///
/// Plain candle operations between two of them can't be told apart from outside of candle and are drawn as one box.
/// The tensors stay alive as long as the graph.
///
/// # Example
/// ```
/// use sconce_core::{Init, ParamStore, candle_core::{DType, Device, Tensor}, function::reshape, graph, param};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let w = param(&store.builder(), (2, 3), "w", &Init::Const(1.))?;
/// let (_, graph) = graph::record(|| reshape(&w.tensor(), 6));
/// let dot = graph.dot();
/// assert!(dot.starts_with("digraph") && dot.contains("reshape") && dot.contains("[2, 3]"));
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn record<R>(f: impl FnOnce() -> R) -> (R, Graph) {
    RECORDERS.with_borrow_mut(|recorders| recorders.push(Graph::default()));
    let result = f();
    let graph = RECORDERS.with_borrow_mut(Vec::pop).unwrap_or_default();
    (result, graph)
}

/// Tells the innermost [`record`] of this thread that an operation ran. [`apply`](crate::apply) does so itself; a layer
/// that is composed of plain candle operations calls it with what went in and came out.
pub fn note(name: &'static str, inputs: &[&Tensor], outputs: &[Tensor]) {
    RECORDERS.with_borrow_mut(|recorders| {
        if let Some(graph) = recorders.last_mut() {
            let inputs = inputs.iter().map(|&input| input.clone()).collect();
            graph.operations.push(Operation {
                name,
                inputs,
                outputs: outputs.to_vec(),
            });
        }
    });
}

/// Tells the innermost [`record`] the name of a parameter that is being read.
pub(crate) fn note_parameter(tensor: &Tensor, name: &str) {
    RECORDERS.with_borrow_mut(|recorders| {
        if let Some(graph) = recorders.last_mut() {
            graph.parameters.insert(tensor.id(), name.to_string());
        }
    });
}

impl Graph {
    /// The names of the operations in the order in which they ran.
    pub fn operations(&self) -> impl Iterator<Item = &'static str> {
        self.operations.iter().map(|operation| operation.name)
    }

    /// For each operation, in the order in which they ran, the parameters that it was given as they are, and the shapes of
    /// what it gave. Parameters that a plain candle operation changed before can't be seen.
    pub fn parameter_uses(&self) -> impl Iterator<Item = (Vec<&str>, Vec<&[usize]>)> {
        self.operations.iter().map(|operation| {
            let names = operation
                .inputs
                .iter()
                .filter_map(|x| self.parameters.get(&x.id()));
            let shapes = operation.outputs.iter().map(Tensor::dims);
            (names.map(String::as_str).collect(), shapes.collect())
        })
    }

    /// The graph in Graphviz's language: operations as boxes, parameters and inputs as ellipses, shapes on the edges.
    pub fn dot(&self) -> String {
        let mut dot = Dot {
            text: String::from("digraph {\n  rankdir=TB;\n  node [fontname=Helvetica];\n"),
            ..Dot::default()
        };
        let mut maker: HashMap<TensorId, usize> = HashMap::new();
        for (i, operation) in self.operations.iter().enumerate() {
            dot.line(&format!("op{i} [shape=box, label={}];", quoted(operation.name)));
            for input in &operation.inputs {
                self.edge(&mut dot, &maker, input, i);
            }
            for output in &operation.outputs {
                maker.insert(output.id(), i);
            }
        }
        let used: HashSet<TensorId> = self
            .operations
            .iter()
            .flat_map(|o| o.inputs.iter().map(Tensor::id))
            .collect();
        for (i, operation) in self.operations.iter().enumerate() {
            for output in operation
                .outputs
                .iter()
                .filter(|output| !used.contains(&output.id()))
            {
                let name = dot.leaf(output, "output");
                dot.line(&format!("op{i} -> {name} [label={}];", shape(output)));
            }
        }
        dot.text.push_str("}\n");
        dot.text
    }

    fn edge(&self, dot: &mut Dot, maker: &HashMap<TensorId, usize>, input: &Tensor, to: usize) {
        if let Some(from) = maker.get(&input.id()) {
            return dot.line(&format!("op{from} -> op{to} [label={}];", shape(input)));
        }
        if let Some(name) = self.parameters.get(&input.id()) {
            let leaf = dot.leaf(input, name);
            return dot.line(&format!("{leaf} -> op{to} [label={}];", shape(input)));
        }
        // Made by plain candle operations: their nearest recorded ancestors are what can be seen of them.
        let ancestors: Vec<String> = input
            .sorted_nodes()
            .into_iter()
            .filter_map(
                |node| match (maker.get(&node.id()), self.parameters.get(&node.id())) {
                    (Some(from), _) => Some(format!("op{from}")),
                    (None, Some(name)) => Some(dot.leaf(node, name)),
                    (None, None) => None,
                },
            )
            .collect();
        if ancestors.is_empty() {
            let leaf = dot.leaf(input, "input");
            return dot.line(&format!("{leaf} -> op{to} [label={}];", shape(input)));
        }
        let (between, new) = dot.name(input, "candle");
        if new {
            dot.line(&format!(
                "{between} [shape=box, style=dashed, label=\"candle operations\"];"
            ));
            for ancestor in ancestors {
                dot.line(&format!("{ancestor} -> {between};"));
            }
        }
        dot.line(&format!("{between} -> op{to} [label={}];", shape(input)));
    }
}

/// A picture under way: its text, and the names that tensors have in it.
#[derive(Default)]
struct Dot {
    text: String,
    names: HashMap<TensorId, String>,
}

impl Dot {
    fn line(&mut self, line: &str) {
        // Writing to a string can't fail.
        let _ = writeln!(self.text, "  {line}");
    }

    fn name(&mut self, tensor: &Tensor, kind: &str) -> (String, bool) {
        let next = self.names.len();
        let mut new = false;
        let name = self.names.entry(tensor.id()).or_insert_with(|| {
            new = true;
            format!("{kind}{next}")
        });
        (name.clone(), new)
    }

    fn leaf(&mut self, tensor: &Tensor, label: &str) -> String {
        let (name, new) = self.name(tensor, "leaf");
        if new {
            self.line(&format!("{name} [shape=ellipse, label={}];", quoted(label)));
        }
        name
    }
}

fn shape(tensor: &Tensor) -> String {
    quoted(&format!("{:?}", tensor.dims()))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
