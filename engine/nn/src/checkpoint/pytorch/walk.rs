//! From a pickle of `torch.save` to named tensors: where the weights are among what was saved, and what each of
//! PyTorch's rebuild functions would make.

use std::collections::HashMap;

use super::{
    super::{Parsed, StoredType, TensorEntry, data::Place, error::Fault, extent},
    Node, Pickle, Storage, Value,
};

const MAX_TENSORS: usize = 200_000;
const MAX_VISITS: usize = 2_000_000;
const MAX_DEPTH: usize = 64;
const MAX_NAME: usize = 1024;

/// Keys under which training scripts keep the weights beside an optimiser's state and other things.
const WRAPPERS: [&str; 9] =
    ["state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params", "generator"];

/// Parts of a module object whose names do not appear in a state dict's keys.
const MODULE_PARTS: [&str; 3] = ["_parameters", "_buffers", "_modules"];

/// The tensors that a pickle describes.
pub(super) fn tensors(pickle: &Pickle, storages: HashMap<String, Storage>, big_endian: bool) -> Result<Parsed, Fault> {
    let mut walk = Walk { pickle, storages, big_endian, parsed: Parsed::default(), visits: 0 };
    let weights = walk.unwrap(&pickle.root, 0)?;
    walk.visit(&weights, &mut String::new(), 0)?;
    let parsed = walk.parsed;
    if parsed.entries.is_empty() && parsed.skipped.is_empty() {
        let needs = pickle.nodes.iter().find_map(|node| match node {
            Node::Global(name) if !name.starts_with("torch.") && !name.starts_with("collections.") => Some(name),
            _ => None,
        });
        let what = match needs {
            Some(name) => format!("it holds no tensors that can be read without running its class {}", shorten(name)),
            None => "it holds no tensors".to_owned(),
        };
        return Err(Fault::unsupported(what, "In PyTorch, save the model's state_dict() instead"));
    }
    Ok(parsed)
}

struct Walk<'a> {
    pickle: &'a Pickle,
    storages: HashMap<String, Storage>,
    big_endian: bool,
    parsed: Parsed,
    visits: usize,
}

impl<'a> Walk<'a> {
    /// The part of the checkpoint that holds the model's weights.
    fn unwrap(&mut self, value: &Value, depth: usize) -> Result<Value, Fault> {
        let Some(Node::Dict(pairs)) = self.pickle.node(value) else { return Ok(value.clone()) };
        let direct = pairs.iter().any(|(_, value)| self.is_tensor(value));
        if direct || depth > 3 {
            return Ok(value.clone());
        }
        for wrapper in WRAPPERS {
            let inner = pairs.iter().find(|(key, _)| matches!(key, Value::Text(text) if &**text == wrapper));
            let Some((_, inner)) = inner else { continue };
            if !self.holds_tensors(inner, 0)? {
                continue;
            }
            for (key, other) in pairs {
                if let Value::Text(key) = key
                    && &**key != wrapper
                    && self.holds_tensors(other, 0)?
                {
                    self.parsed.skip(shorten(key), format!("not part of the weights, which are under \"{wrapper}\""));
                }
            }
            return self.unwrap(inner, depth + 1);
        }
        Ok(value.clone())
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.visits += 1;
        if self.visits > MAX_VISITS
            || self.parsed.entries.len() > MAX_TENSORS
            || self.parsed.skipped.len() > MAX_TENSORS
        {
            return Err(Fault::broken("its pickle refers to itself or to more tensors than any model has"));
        }
        Ok(())
    }

    fn holds_tensors(&mut self, value: &Value, depth: usize) -> Result<bool, Fault> {
        self.count()?;
        if depth > MAX_DEPTH {
            return Ok(false);
        }
        let pickle = self.pickle;
        let inner: Vec<&Value> = match pickle.node(value) {
            Some(Node::Call { state, .. }) if !self.is_tensor(value) => state.iter().collect(),
            Some(Node::Call { .. }) => return Ok(true),
            Some(Node::Dict(pairs)) => pairs.iter().map(|(_, value)| value).collect(),
            Some(Node::List(items)) => items.iter().collect(),
            _ => return Ok(false),
        };
        for value in inner {
            if self.holds_tensors(value, depth + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_tensor(&self, value: &Value) -> bool {
        let Some(Node::Call { callee, .. }) = self.pickle.node(value) else { return false };
        self.pickle.global(callee).is_some_and(|name| {
            name.starts_with("torch._utils._rebuild_") || name.starts_with("torch._tensor._rebuild_from_type")
        })
    }

    /// Adds every tensor under `value`, with names joined by dots.
    fn visit(&mut self, value: &Value, name: &mut String, depth: usize) -> Result<(), Fault> {
        self.count()?;
        if depth > MAX_DEPTH || name.len() > MAX_NAME {
            return Err(Fault::broken("its pickle is nested deeper than any model"));
        }
        if self.is_tensor(value) {
            match self.tensor(value, name, 0) {
                Ok((entry, place)) => self.parsed.push(entry, place),
                Err(fault) => self.parsed.skip(name.clone(), fault.into_reason()?),
            }
            return Ok(());
        }
        let pickle = self.pickle;
        match pickle.node(value) {
            Some(Node::Dict(pairs)) => {
                let absent = Self::not_saved(pickle, pairs);
                for (key, value) in pairs {
                    match key {
                        Value::Text(key) if &**key == "_buffers" && !absent.is_empty() => {
                            let Some(Node::Dict(buffers)) = pickle.node(value) else { continue };
                            for (key, value) in buffers {
                                if let Value::Text(key) = key
                                    && !absent.contains(&&**key)
                                {
                                    self.visit_part(value, key, name, depth)?;
                                }
                            }
                        }
                        Value::Text(key) if MODULE_PARTS.contains(&&**key) => self.visit(value, name, depth + 1)?,
                        Value::Text(key) => self.visit_part(value, key, name, depth)?,
                        Value::Int(key) => self.visit_part(value, &key.to_string(), name, depth)?,
                        _ => {}
                    }
                }
            }
            Some(Node::List(items)) => {
                for (index, value) in items.iter().enumerate() {
                    self.visit_part(value, &index.to_string(), name, depth)?;
                }
            }
            Some(Node::Call { state: Some(state), .. }) => self.visit(state, name, depth + 1)?,
            _ => {}
        }
        Ok(())
    }

    /// The buffers of a module object that its state dict leaves out.
    fn not_saved(pickle: &'a Pickle, module: &[(Value, Value)]) -> Vec<&'a str> {
        let named = |key: &Value| matches!(key, Value::Text(text) if &**text == "_non_persistent_buffers_set");
        let Some((_, set)) = module.iter().find(|(key, _)| named(key)) else { return Vec::new() };
        // A set is a list here, or before protocol 4 a call with a list.
        let items = match pickle.node(set) {
            Some(Node::Call { arguments, .. }) => {
                pickle.list(arguments).and_then(|arguments| pickle.list(arguments.first()?))
            }
            _ => pickle.list(set),
        };
        let items = items.unwrap_or_default().iter();
        items.filter_map(|item| if let Value::Text(text) = item { Some(&**text) } else { None }).collect()
    }

    fn visit_part(&mut self, value: &Value, part: &str, name: &mut String, depth: usize) -> Result<(), Fault> {
        if !matches!(value, Value::Node(_)) {
            return Ok(());
        }
        let length = name.len();
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(part);
        let visited = self.visit(value, name, depth + 1);
        name.truncate(length);
        visited
    }

    /// The tensor that a call of one of PyTorch's rebuild functions would make.
    fn tensor(&self, value: &Value, name: &str, depth: usize) -> Result<(TensorEntry, Place), Fault> {
        let malformed = || Fault::broken("its description in the pickle is malformed");
        let Some(Node::Call { callee, arguments, .. }) = self.pickle.node(value) else { return Err(malformed()) };
        let arguments = self.pickle.list(arguments).ok_or_else(malformed)?;
        let function = self.pickle.global(callee).unwrap_or_default();
        let short = function.rsplit('.').next().unwrap_or_default();
        match short {
            "_rebuild_parameter" | "_rebuild_parameter_with_state" if depth < 4 => {
                self.tensor(arguments.first().ok_or_else(malformed)?, name, depth + 1)
            }
            // (function, class, its arguments, state)
            "_rebuild_from_type_v2" if depth < 4 => {
                let inner = self.pickle.list(arguments.get(2).ok_or_else(malformed)?).ok_or_else(malformed)?;
                self.rebuild(inner, name)
            }
            "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3" => self.rebuild(arguments, name),
            other => {
                let what = format!("tensors of the kind {} are not readable", shorten(other));
                Err(Fault::unsupported(what, "Save a dense, unquantised state dict"))
            }
        }
    }

    /// From (storage, offset, shape, strides, ...), all counted in numbers, not bytes.
    fn rebuild(&self, arguments: &[Value], name: &str) -> Result<(TensorEntry, Place), Fault> {
        let malformed = || Fault::broken("its description in the pickle is malformed");
        let [storage, offset, shape, strides, ..] = arguments else { return Err(malformed()) };
        let Some(Node::Persistent(id)) = self.pickle.node(storage) else { return Err(malformed()) };
        // ("storage", class, key, device, count)
        let Some([_, class, Value::Text(key), _, ..]) = self.pickle.list(id) else { return Err(malformed()) };
        let class = self.pickle.global(class).unwrap_or_default();
        let explicit = arguments.get(6).and_then(|value| self.pickle.global(value));
        let Some(dtype) = storage_type(class).or_else(|| storage_type(explicit?)) else {
            let what = format!("numbers of type {} are not readable", shorten(explicit.unwrap_or(class)));
            return Err(Fault::unsupported(what, "Save it as float32"));
        };
        let numbers = |value: &Value| -> Option<Vec<u64>> {
            let items = self.pickle.list(value)?.iter();
            items.map(|item| if let Value::Int(n) = item { u64::try_from(*n).ok() } else { None }).collect()
        };
        let (Value::Int(offset), Some(axes), Some(strides)) = (offset, numbers(shape), numbers(strides)) else {
            return Err(malformed());
        };
        let size = dtype.size().unwrap_or(1) as u64;
        let (shape, bytes) = extent(&axes, &dtype)?;
        if strides.len() != shape.len() {
            return Err(malformed());
        }
        let Some(storage) = self.storages.get(&**key) else {
            return Err(Fault::broken(format!("its numbers, data/{}, are not in the file", shorten(key))));
        };
        let span = Place::span(&shape, &strides).and_then(|span| span.checked_mul(size));
        let skip = u64::try_from(*offset).ok().and_then(|offset| offset.checked_mul(size));
        let (Some(span), Some(skip)) = (span, skip) else { return Err(malformed()) };
        if span > 0 && skip.checked_add(span).is_none_or(|end| end > storage.size()) {
            let what = format!("its shape {shape:?} reaches past its storage of {} bytes", storage.size());
            return Err(Fault::broken(what));
        }
        let mut place = Place::row_major(storage.bytes(skip));
        place.big_endian = self.big_endian;
        if !is_row_major(&shape, &strides) {
            place.strides = Some(strides);
        }
        Ok((TensorEntry { name: name.to_owned(), shape, dtype, bytes }, place))
    }
}

fn is_row_major(shape: &[usize], strides: &[u64]) -> bool {
    let mut step = 1u64;
    shape.iter().zip(strides).rev().all(|(&axis, &stride)| {
        let fits = axis <= 1 || stride == step;
        step = step.saturating_mul(axis as u64);
        fits
    })
}

/// The element type of a storage class such as `torch.HalfStorage` or of a dtype such as `torch.float16`.
fn storage_type(class: &str) -> Option<StoredType> {
    Some(match class.rsplit('.').next()? {
        "DoubleStorage" | "float64" => StoredType::F64,
        "FloatStorage" | "float32" => StoredType::F32,
        "HalfStorage" | "float16" => StoredType::F16,
        "BFloat16Storage" | "bfloat16" => StoredType::BF16,
        "float8_e4m3fn" => StoredType::F8E4M3,
        "float8_e5m2" => StoredType::F8E5M2,
        "LongStorage" | "int64" => StoredType::I64,
        "IntStorage" | "int32" => StoredType::I32,
        "ShortStorage" | "int16" => StoredType::I16,
        "CharStorage" | "int8" => StoredType::I8,
        "uint64" => StoredType::U64,
        "uint32" => StoredType::U32,
        "uint16" => StoredType::U16,
        "ByteStorage" | "uint8" => StoredType::U8,
        "BoolStorage" | "bool" => StoredType::Bool,
        _ => return None,
    })
}

/// Bytes of one number in a storage of that class, those included that are not read.
pub(super) fn storage_size(class: &str) -> Option<u64> {
    match class.rsplit('.').next()? {
        "ComplexDoubleStorage" => Some(16),
        "ComplexFloatStorage" => Some(8),
        "QInt32Storage" => Some(4),
        "QInt8Storage" | "QUInt8Storage" => Some(1),
        _ => storage_type(class)?.size().map(|size| size as u64),
    }
}

fn shorten(name: &str) -> String {
    name.chars().take(80).collect()
}
