//! A pickle machine that builds values and runs nothing.
//!
//! Opcodes follow CPython's `pickletools`. Where a pickle would call a function or make an object, a note of it
//! is kept instead. Values that may be shared or grow lie in one arena, so that cycles cost nothing; each opcode
//! adds at most a constant to it, which bounds the memory by the length of the pickle.

use std::{collections::HashMap, rc::Rc};

use super::error::Fault;

/// A pickled value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// `None`, floats, bytes and whatever else no tensor needs.
    Other,
    Int(i64),
    Text(Rc<str>),
    /// A place in [`Pickle::nodes`].
    Node(usize),
}

/// A value with parts.
#[derive(Debug)]
pub(super) enum Node {
    /// A list or tuple.
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// A name that the pickle would import: `module.name`.
    Global(Rc<str>),
    /// A call, or an object made from a class, that was not carried out.
    Call {
        callee: Value,
        arguments: Value,
        state: Option<Value>,
    },
    /// A reference to data outside the pickle.
    Persistent(Value),
}

/// What a pickle contains.
#[derive(Debug)]
pub(super) struct Pickle {
    pub nodes: Vec<Node>,
    pub root: Value,
}

impl Pickle {
    pub fn node(&self, value: &Value) -> Option<&Node> {
        match value {
            Value::Node(index) => self.nodes.get(*index),
            _ => None,
        }
    }

    pub fn list(&self, value: &Value) -> Option<&[Value]> {
        match self.node(value)? {
            Node::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn global(&self, value: &Value) -> Option<&str> {
        match self.node(value)? {
            Node::Global(name) => Some(name),
            _ => None,
        }
    }
}

/// Runs the pickle at the start of `code` to its `STOP`; also says how many bytes it takes.
pub(super) fn run(code: &[u8]) -> Result<(Pickle, usize), Fault> {
    let mut machine =
        Machine { code, at: 0, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new(), nodes: Vec::new() };
    loop {
        let at = machine.at;
        match machine.step() {
            Some(Step::Go) => {}
            Some(Step::Stop(root)) => return Ok((Pickle { nodes: machine.nodes, root }, machine.at)),
            None => return Err(Fault::broken(format!("its pickle is malformed at byte {at} of it"))),
        }
    }
}

enum Step {
    Go,
    Stop(Value),
}

struct Machine<'a> {
    code: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
    nodes: Vec<Node>,
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.code.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    /// An unsigned little-endian number of `count` bytes.
    fn number(&mut self, count: usize) -> Option<u64> {
        Some(self.take(count)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn counted(&mut self, count_bytes: usize) -> Option<&'a [u8]> {
        let count = self.number(count_bytes)?;
        self.take(usize::try_from(count).ok()?)
    }

    fn line(&mut self) -> Option<&'a str> {
        let rest = self.code.get(self.at..)?;
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).ok()
    }

    /// The topmost value above the last mark.
    fn pop(&mut self) -> Option<Value> {
        if self.marks.last().is_some_and(|&mark| self.stack.len() <= mark) {
            return None;
        }
        self.stack.pop()
    }

    fn pop_to_mark(&mut self) -> Option<Vec<Value>> {
        let mark = self.marks.pop()?;
        (mark <= self.stack.len()).then(|| self.stack.split_off(mark))
    }

    // The pushes below always succeed; they answer like the steps that end with them.
    #[expect(clippy::unnecessary_wraps)]
    fn push(&mut self, value: Value) -> Option<Step> {
        self.stack.push(value);
        Some(Step::Go)
    }

    fn push_node(&mut self, node: Node) -> Option<Step> {
        self.nodes.push(node);
        self.push(Value::Node(self.nodes.len() - 1))
    }

    fn push_text(&mut self, bytes: &[u8]) -> Option<Step> {
        self.push(Value::Text(String::from_utf8_lossy(bytes).into()))
    }

    fn global(&mut self, module: &str, name: &str) -> Option<Step> {
        self.push_node(Node::Global(format!("{module}.{name}").into()))
    }

    fn tuple(&mut self, count: usize) -> Option<Step> {
        let from = self.stack.len().checked_sub(count)?;
        let items = self.stack.split_off(from);
        self.push_node(Node::List(items))
    }

    fn call(&mut self, callee: Value, arguments: Value) -> Option<Step> {
        let is_dict = matches!(&callee, Value::Node(index)
            if matches!(&self.nodes[*index], Node::Global(name) if &**name == "collections.OrderedDict"));
        if is_dict {
            return self.push_node(Node::Dict(Vec::new()));
        }
        self.push_node(Node::Call { callee, arguments, state: None })
    }

    /// The last value of the stack as a growing list or dict; values for other objects are dropped.
    fn extend(&mut self, items: Vec<Value>) -> Option<Step> {
        match self.stack.last()? {
            Value::Node(index) => match &mut self.nodes[*index] {
                Node::List(list) => list.extend(items),
                Node::Dict(pairs) => {
                    let mut items = items.into_iter();
                    while let (Some(key), Some(value)) = (items.next(), items.next()) {
                        pairs.push((key, value));
                    }
                }
                _ => {}
            },
            _ => return None,
        }
        Some(Step::Go)
    }

    fn remember(&mut self, key: u64) -> Option<Step> {
        let top = self.stack.last()?.clone();
        self.memo.insert(key, top);
        Some(Step::Go)
    }

    fn recall(&mut self, key: u64) -> Option<Step> {
        let value = self.memo.get(&key)?.clone();
        self.push(value)
    }

    fn step(&mut self) -> Option<Step> {
        let opcode = self.take(1)?[0];
        match opcode {
            b'.' => self.pop().map(Step::Stop),
            0x80 => self.take(1).map(|_| Step::Go),
            0x95 => self.take(8).map(|_| Step::Go),
            b'(' => {
                self.marks.push(self.stack.len());
                Some(Step::Go)
            }
            b'0' => {
                if self.pop().is_none() {
                    self.marks.pop()?;
                }
                Some(Step::Go)
            }
            b'1' => self.pop_to_mark().map(|_| Step::Go),
            b'2' => {
                let top = self.stack.last()?.clone();
                self.push(top)
            }
            b'N' => self.push(Value::Other),
            0x88 => self.push(Value::Int(1)),
            0x89 => self.push(Value::Int(0)),
            b'I' | b'L' => {
                let number = self.line()?.trim_end_matches('L').parse().ok();
                self.push(number.map_or(Value::Other, Value::Int))
            }
            b'J' => {
                let number = self.number(4)? as u32 as i32;
                self.push(Value::Int(i64::from(number)))
            }
            b'K' => self.number(1).and_then(|n| self.push(Value::Int(n as i64))),
            b'M' => self.number(2).and_then(|n| self.push(Value::Int(n as i64))),
            0x8a | 0x8b => {
                let bytes = self.counted(if opcode == 0x8a { 1 } else { 4 })?;
                self.push(long(bytes))
            }
            b'F' => self.line().and_then(|_| self.push(Value::Other)),
            b'G' => self.take(8).and_then(|_| self.push(Value::Other)),
            b'V' | b'S' => {
                let line = self.line()?.trim_matches(['\'', '"']);
                self.push_text(line.as_bytes())
            }
            b'X' | b'T' | b'B' => self.counted(4).and_then(|bytes| self.push_text(bytes)),
            0x8c | b'U' | b'C' => self.counted(1).and_then(|bytes| self.push_text(bytes)),
            0x8d | 0x8e | 0x96 => self.counted(8).and_then(|bytes| self.push_text(bytes)),
            b']' | b')' | 0x8f => self.push_node(Node::List(Vec::new())),
            b'}' => self.push_node(Node::Dict(Vec::new())),
            b'l' | b't' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push_node(Node::List(items))
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push_node(Node::Dict(Vec::new()))?;
                self.extend(items)
            }
            0x85 => self.tuple(1),
            0x86 => self.tuple(2),
            0x87 => self.tuple(3),
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend(vec![key, value])
            }
            b'e' | b'u' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend(items)
            }
            b'p' => {
                let key = self.line()?.parse().ok()?;
                self.remember(key)
            }
            b'q' => self.number(1).and_then(|key| self.remember(key)),
            b'r' => self.number(4).and_then(|key| self.remember(key)),
            0x94 => self.remember(self.memo.len() as u64),
            b'g' => {
                let key = self.line()?.parse().ok()?;
                self.recall(key)
            }
            b'h' => self.number(1).and_then(|key| self.recall(key)),
            b'j' => self.number(4).and_then(|key| self.recall(key)),
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => self.global(&module, &name),
                _ => None,
            },
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                let callee = self.pop()?;
                self.call(callee, arguments)
            }
            0x92 => {
                self.pop()?;
                let arguments = self.pop()?;
                let callee = self.pop()?;
                self.call(callee, arguments)
            }
            b'b' => {
                let new = self.pop()?;
                if let Value::Node(index) = self.stack.last()?
                    && let Node::Call { state, .. } = &mut self.nodes[*index]
                {
                    *state = Some(new);
                }
                Some(Step::Go)
            }
            b'P' => {
                let line = self.line()?;
                self.push_text(line.as_bytes())?;
                let id = self.pop()?;
                self.push_node(Node::Persistent(id))
            }
            b'Q' => {
                let id = self.pop()?;
                self.push_node(Node::Persistent(id))
            }
            _ => None,
        }
    }
}

/// A signed little-endian integer of any length; beyond 64 bits it is of no use here.
fn long(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Other;
    }
    let fill = if bytes.last().is_some_and(|&byte| byte & 0x80 != 0) { 0xff } else { 0 };
    let mut padded = [fill; 8];
    padded[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(padded))
}
