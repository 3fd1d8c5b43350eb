//! Python's pickles, as far as published data sets need them.
//!
//! A pickle is a program for a stack machine. This machine knows the opcodes by which NumPy, SciPy and dictionaries of
//! lists are pickled in protocols 1 and 2, and calls nothing: an object stays its class's name, its arguments and its state. Values stand in one list and
//! refer to each other by place, so that no input, however nested or circular, takes more of them than it has bytes.

mod machine;
mod numpy;
#[cfg(test)]
pub(crate) mod tests;

use machine::{Machine, signed};
pub(crate) use numpy::{Array, Csr, whole};

/// What is wrong with a pickle.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// A value's place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id(usize);

#[derive(Debug)]
enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float,
    /// A string of either kind.
    Bytes(&'a [u8]),
    /// Module and name, with a space between.
    Global(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Object(Object),
}

#[derive(Debug)]
struct Object {
    class: Id,
    args: Id,
    state: Option<Id>,
    /// Of an object that is a dictionary too.
    items: Vec<(Id, Id)>,
}

impl Node<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Node::None => "None",
            Node::Bool(_) => "a truth value",
            Node::Int(_) => "an integer",
            Node::Float => "a float",
            Node::Bytes(_) => "a string",
            Node::Global(_) => "a class",
            Node::Tuple(_) => "a tuple",
            Node::List(_) => "a list",
            Node::Dict(_) => "a dictionary",
            Node::Object(_) => "an object",
        }
    }
}

/// What a pickle holds.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    root: Id,
    size: usize,
}

impl<'a> Pickle<'a> {
    /// Runs a pickle.
    pub(crate) fn read(input: &'a [u8]) -> Result<Self> {
        let mut machine = Machine::new(input);
        let root = loop {
            let start = machine.at();
            match machine.step() {
                Ok(None) => {}
                Ok(Some(root)) => break root,
                Err(problem) => {
                    return Err(format!(
                        "not a pickle that can be read: at byte {start}, {problem}"
                    ));
                }
            }
        };
        Ok(Self {
            nodes: machine.into_nodes(),
            root,
            size: input.len(),
        })
    }

    /// How many bytes it has.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The whole.
    pub(crate) fn root(&self) -> Id {
        self.root
    }

    /// An integer.
    pub(crate) fn int(&self, id: Id) -> Result<i64> {
        match self.node(id) {
            Node::Int(value) => Ok(*value),
            other => Err(unexpected("an integer", other)),
        }
    }

    /// The members of a list or tuple.
    pub(crate) fn members(&self, id: Id) -> Result<&[Id]> {
        match self.node(id) {
            Node::List(members) | Node::Tuple(members) => Ok(members),
            other => Err(unexpected("a list", other)),
        }
    }

    /// The keys and values of a dictionary.
    pub(crate) fn items(&self, id: Id) -> Result<&[(Id, Id)]> {
        match self.node(id) {
            Node::Dict(items) => Ok(items),
            Node::Object(object) if self.is(object.class, "collections defaultdict") => Ok(&object.items),
            other => Err(unexpected("a dictionary", other)),
        }
    }

    fn bytes(&self, id: Id) -> Result<&'a [u8]> {
        match self.node(id) {
            Node::Bytes(bytes) => Ok(bytes),
            other => Err(unexpected("a string", other)),
        }
    }

    /// An object whose class's name ends in this.
    fn object(&self, id: Id, class: &str) -> Result<&Object> {
        match self.node(id) {
            Node::Object(object) if self.is(object.class, class) => Ok(object),
            Node::Object(object) => match self.node(object.class) {
                Node::Global(name) => Err(format!("expected an object of {class}, found one of {name}")),
                other => Err(unexpected("a class", other)),
            },
            other => Err(unexpected(&format!("an object of {class}"), other)),
        }
    }

    fn is(&self, class: Id, name: &str) -> bool {
        matches!(self.node(class), Node::Global(global) if global.ends_with(name))
    }

    fn node(&self, id: Id) -> &Node<'a> {
        self.nodes.get(id.0).unwrap_or(&Node::None)
    }
}

fn unexpected(expected: &str, found: &Node<'_>) -> String {
    format!("expected {expected}, found {}", found.kind())
}
