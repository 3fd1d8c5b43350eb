//! The stack machine.

use super::{Id, Node, Object, Result, unexpected};
use std::collections::HashMap;

pub(super) struct Machine<'a> {
    input: &'a [u8],
    at: usize,
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// How high the stack was at each mark; what lies below the last one can't be popped.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            at: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        }
    }

    /// How much of the input has been read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// All values, each at its place.
    pub(super) fn into_nodes(self) -> Vec<Node<'a>> {
        self.nodes
    }

    /// Runs an opcode; the last one gives the result.
    pub(super) fn step(&mut self) -> Result<Option<Id>> {
        let [opcode] = self.array()?;
        match opcode {
            b'.' => return self.pop().map(Some),
            0x80 => {
                let [version] = self.array()?;
                if version > 2 {
                    return Err(format!("protocol {version}, expected at most 2"));
                }
            }
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(Node::None),
            0x88 | 0x89 => self.push(Node::Bool(opcode == 0x88)),
            b'K' => {
                let [value] = self.array()?;
                self.push(Node::Int(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()));
            }
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()));
            }
            0x8a => {
                let [length] = self.array()?;
                let value = signed(self.take(length.into())?).ok_or("an integer of more than 8 bytes")?;
                self.push(Node::Int(value));
            }
            b'G' => {
                self.take(8)?;
                self.push(Node::Float);
            }
            b'U' => {
                let [length] = self.array()?;
                self.string(length.into())?;
            }
            b'T' | b'X' => {
                let length = u32::from_le_bytes(self.array()?);
                self.string(usize::try_from(length).unwrap_or(usize::MAX))?;
            }
            b'c' => {
                let name = format!("{} {}", self.line()?, self.line()?);
                self.push(Node::Global(name));
            }
            b')' => self.push(Node::Tuple(Vec::new())),
            b']' => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            0x85..=0x87 => {
                let mut members = Vec::new();
                for _ in 0x85..=opcode {
                    members.insert(0, self.pop()?);
                }
                self.push(Node::Tuple(members));
            }
            b't' => {
                let members = self.pop_to_mark()?;
                self.push(Node::Tuple(members));
            }
            b'a' => {
                let member = self.pop()?;
                self.list()?.push(member);
            }
            b'e' => {
                let members = self.pop_to_mark()?;
                self.list()?.extend(members);
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.dictionary()?.push((key, value));
            }
            b'u' => {
                let members = self.pop_to_mark()?;
                let (pairs, rest) = members.as_chunks::<2>();
                if !rest.is_empty() {
                    return Err("a key without a value".into());
                }
                let pairs = pairs.iter().map(|&[key, value]| (key, value));
                self.dictionary()?.extend(pairs);
            }
            b'R' | 0x81 => {
                let (args, class) = (self.pop()?, self.pop()?);
                self.push(Node::Object(Object {
                    class,
                    args,
                    state: None,
                    items: Vec::new(),
                }));
            }
            b'b' => {
                let state = self.pop()?;
                match self.top()? {
                    Node::Object(object) => object.state = Some(state),
                    other => return Err(unexpected("an object", other)),
                }
            }
            b'q' => {
                let [place] = self.array()?;
                self.remember(place.into())?;
            }
            b'r' => {
                let place = u32::from_le_bytes(self.array()?);
                self.remember(place)?;
            }
            b'h' => {
                let [place] = self.array()?;
                self.recall(place.into())?;
            }
            b'j' => {
                let place = u32::from_le_bytes(self.array()?);
                self.recall(place)?;
            }
            _ => return Err(format!("{opcode:#04x} is no opcode that this reader knows")),
        }
        Ok(None)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let taken = rest
            .get(..length)
            .ok_or_else(|| format!("cut short: expected {length} bytes more, found {}", rest.len()))?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| "cut short".into())
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'\n');
        let line = self.take(length.ok_or("cut short: a line has no end")?)?;
        self.take(1)?;
        std::str::from_utf8(line).map_err(|_| "a name isn't UTF-8".into())
    }

    fn string(&mut self, length: usize) -> Result<()> {
        let bytes = self.take(length)?;
        self.push(Node::Bytes(bytes));
        Ok(())
    }

    fn push(&mut self, node: Node<'a>) {
        self.stack.push(Id(self.nodes.len()));
        self.nodes.push(node);
    }

    fn pop(&mut self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err("there is nothing on the stack".into());
        }
        self.stack
            .pop()
            .ok_or_else(|| "there is nothing on the stack".into())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or("there is no mark on the stack")?;
        Ok(self.stack.split_off(mark))
    }

    fn top(&mut self) -> Result<&mut Node<'a>> {
        let top = self.stack.last().ok_or("there is nothing on the stack")?;
        self.nodes
            .get_mut(top.0)
            .ok_or_else(|| "there is nothing on the stack".into())
    }

    fn list(&mut self) -> Result<&mut Vec<Id>> {
        match self.top()? {
            Node::List(members) => Ok(members),
            other => Err(unexpected("a list", other)),
        }
    }

    fn dictionary(&mut self) -> Result<&mut Vec<(Id, Id)>> {
        match self.top()? {
            Node::Dict(items) | Node::Object(Object { items, .. }) => Ok(items),
            other => Err(unexpected("a dictionary", other)),
        }
    }

    fn remember(&mut self, place: u32) -> Result<()> {
        let top = self.stack.last().ok_or("there is nothing on the stack")?;
        self.memo.insert(place, *top);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Result<()> {
        let id = self.memo.get(&place);
        self.stack
            .push(*id.ok_or_else(|| format!("nothing was remembered as {place}"))?);
        Ok(())
    }
}

/// A little-endian integer of up to 8 bytes, in two's complement.
pub(super) fn signed(bytes: &[u8]) -> Option<i64> {
    let sign = bytes.last().map_or(0, |&last| if last < 0x80 { 0 } else { -1 });
    let value = bytes
        .iter()
        .rev()
        .fold(sign, |value, &byte| value << 8 | i64::from(byte));
    (bytes.len() <= 8).then_some(value)
}
