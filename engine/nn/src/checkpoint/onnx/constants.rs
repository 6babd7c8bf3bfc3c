//! Whole numbers that a graph computes from constants: exporters write the amounts of a padding step this way.

use std::collections::HashMap;

use super::{
    super::{
        StoredType, TensorEntry,
        data::{self, Place},
        source::Source,
    },
    Wire,
    node::Node,
    tensor,
};

/// Numbers in a list of sizes; longer ones are data.
const MAX_NUMBERS: usize = 64;

/// A small array of whole numbers, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Array {
    shape: Vec<usize>,
    values: Vec<i64>,
}

impl Array {
    fn list(values: Vec<i64>) -> Self {
        Self { shape: vec![values.len()], values }
    }
}

/// What is known of the graph's whole numbers so far.
pub(super) struct Constants<'a> {
    source: &'a Source,
    stored: HashMap<&'a str, (&'a TensorEntry, &'a Place)>,
    computed: HashMap<String, Array>,
}

impl<'a> Constants<'a> {
    /// With the file's tensors, of which those asked for are read.
    pub fn new(source: &'a Source, entries: &'a [TensorEntry], places: &'a [Place]) -> Self {
        let small = |entry: &TensorEntry| {
            matches!(entry.dtype, StoredType::I64 | StoredType::I32)
                && entry.elements() <= MAX_NUMBERS
                && entry.shape.len() <= 4
        };
        let stored = entries.iter().zip(places).filter(|(entry, _)| small(entry));
        let stored = stored.map(|(entry, place)| (entry.name.as_str(), (entry, place))).collect();
        Self { source, stored, computed: HashMap::new() }
    }

    /// A list of whole numbers (a single one counts as a list), if the graph fixes it.
    pub fn list(&self, name: &str) -> Option<Vec<i64>> {
        self.get(name).filter(|array| array.shape.len() <= 1).map(|array| array.values)
    }

    fn get(&self, name: &str) -> Option<Array> {
        let stored = || {
            let (entry, place) = self.stored.get(name)?;
            read(self.source, entry, place)
        };
        self.computed.get(name).cloned().or_else(stored)
    }

    /// Computes what the node gives, if it is one of the steps of such a computation and its inputs are known.
    pub fn note(&mut self, node: &Node) {
        let Some(output) = node.output().filter(|_| STEPS.contains(&node.op.as_str())) else { return };
        // An input may be left out, but not be unknown.
        let mut inputs = Vec::new();
        for at in 0..node.inputs.len() {
            let name = node.input(at);
            let known = name.and_then(|name| self.get(name));
            if name.is_some() && known.is_none() {
                return;
            }
            inputs.push(known);
        }
        let result = match (node.op.as_str(), inputs.as_slice()) {
            ("ConstantOfShape", [Some(shape)]) => self.filled(node, shape),
            _ => step(node, &inputs),
        };
        if let Some(array) = result.filter(|array| array.values.len() <= MAX_NUMBERS) {
            self.computed.insert(output.to_owned(), array);
        }
    }

    fn filled(&self, node: &Node, shape: &Array) -> Option<Array> {
        let &[count] = shape.values.as_slice() else { return None };
        let (_, tensor) = tensor::parse(&mut Wire::new(self.source), self.source, node.value?).ok()?;
        let (entry, place) =
            tensor.ok().filter(|(entry, _)| entry.dtype == StoredType::I64 && entry.elements() == 1)?;
        let value = *read(self.source, &entry, &place)?.values.first()?;
        let count = usize::try_from(count).ok().filter(|&count| count <= MAX_NUMBERS)?;
        Some(Array::list(vec![value; count]))
    }
}

/// What the computation is made of.
const STEPS: [&str; 9] =
    ["Constant", "ConstantOfShape", "Concat", "Reshape", "Slice", "Transpose", "Cast", "Identity", "Unsqueeze"];

/// The numbers of a tensor; one that cannot be read is as good as unknown here.
fn read(source: &Source, entry: &TensorEntry, place: &Place) -> Option<Array> {
    let mut values = Vec::new();
    data::stream(source, entry, place, None, &mut |bytes| {
        if entry.dtype == StoredType::I64 {
            values.extend(bytes.as_chunks().0.iter().map(|&number| i64::from_le_bytes(number)));
        } else {
            values.extend(bytes.as_chunks().0.iter().map(|&number| i64::from(i32::from_le_bytes(number))));
        }
        Ok(())
    })
    .ok()?;
    Some(Array { shape: entry.shape.clone(), values })
}

fn step(node: &Node, inputs: &[Option<Array>]) -> Option<Array> {
    let input = |at: usize| inputs.get(at).and_then(Option::as_ref);
    match node.op.as_str() {
        // A constant that is a tensor is one of the file's; these are written in the node itself.
        "Constant" => match (node.numbers("value_ints"), node.numbers("value_int")) {
            (Some(list), _) => Some(Array::list(list.to_vec())),
            (None, Some(&[number])) => Some(Array { shape: Vec::new(), values: vec![number] }),
            _ => None,
        },
        "Identity" => input(0).cloned(),
        // To another width of whole numbers (INT64, INT32).
        "Cast" if matches!(node.number("to", 0), 6 | 7) => input(0).cloned(),
        "Unsqueeze" => input(0).filter(|array| array.shape.is_empty()).map(|array| Array::list(array.values.clone())),
        "Concat" if node.number("axis", 0) == 0 => {
            let parts = inputs.iter().map(|part| part.as_ref().filter(|part| part.shape.len() == 1));
            let parts = parts.collect::<Option<Vec<_>>>()?;
            Some(Array::list(parts.into_iter().flat_map(|part| part.values.iter().copied()).collect()))
        }
        "Reshape" => reshaped(input(0)?, input(1)?),
        "Transpose" => transposed(input(0)?, node.numbers("perm")),
        "Slice" => sliced(input(0)?, [input(1)?, input(2)?], input(3), input(4)),
        _ => None,
    }
}

fn reshaped(array: &Array, shape: &Array) -> Option<Array> {
    let known: usize = shape.values.iter().filter_map(|&n| usize::try_from(n).ok()).try_fold(1, usize::checked_mul)?;
    let shape: Vec<usize> = shape
        .values
        .iter()
        .map(|&n| usize::try_from(n).ok().or_else(|| array.values.len().checked_div(known)))
        .collect::<Option<_>>()?;
    let count = shape.iter().try_fold(1, |count: usize, &n| count.checked_mul(n))?;
    (count == array.values.len()).then(|| Array { shape, values: array.values.clone() })
}

fn transposed(array: &Array, order: Option<&[i64]>) -> Option<Array> {
    match (array.shape.as_slice(), order) {
        ([_], _) => Some(array.clone()),
        (&[rows, columns], None | Some([1, 0])) => {
            let values = (0..columns).flat_map(|j| (0..rows).map(move |i| i * columns + j));
            Some(Array { shape: vec![columns, rows], values: values.map(|at| array.values[at]).collect() })
        }
        _ => None,
    }
}

/// A slice along the first axis.
fn sliced(array: &Array, [starts, ends]: [&Array; 2], axes: Option<&Array>, steps: Option<&Array>) -> Option<Array> {
    let (&[start], &[end]) = (starts.values.as_slice(), ends.values.as_slice()) else { return None };
    let axis = axes.map_or(&[0][..], |axes| &axes.values);
    let &[step] = steps.map_or(&[1][..], |steps| &steps.values) else { return None };
    let (Some(&rows), [0]) = (array.shape.first(), axis) else { return None };
    let n = i64::try_from(rows).ok()?;
    let from_front = |at: i64| if at < 0 { at.saturating_add(n) } else { at };
    let picked: Vec<i64> = match step {
        1 => (from_front(start).clamp(0, n)..from_front(end).clamp(0, n)).collect(),
        -1 => (from_front(end).clamp(-1, n - 1) + 1..=from_front(start).clamp(-1, n - 1)).rev().collect(),
        _ => return None,
    };
    let width = array.values.len().checked_div(rows)?;
    let values = picked.iter().flat_map(|&row| &array.values[row as usize * width..][..width]).copied().collect();
    let mut shape = array.shape.clone();
    shape[0] = picked.len();
    Some(Array { shape, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_arrays_are_turned_as_onnx_turns_them() {
        let pads = Array::list(vec![1, 2, 0, 1, 0, 0, 0, 0]);
        let pairs = reshaped(&pads, &Array::list(vec![-1, 2])).unwrap();
        assert_eq!(pairs.shape, [4, 2]);
        let (last, first) = (Array::list(vec![-1]), Array::list(vec![i64::MIN + 1]));
        let back = sliced(&pairs, [&last, &first], Some(&Array::list(vec![0])), Some(&last)).unwrap();
        assert_eq!(back.values, [0, 0, 0, 0, 0, 1, 1, 2]);
        let turned = transposed(&back, Some(&[1, 0])).unwrap();
        assert_eq!(reshaped(&turned, &last).unwrap().values, [0, 0, 0, 1, 0, 0, 1, 2]);
        let middle = sliced(&pads, [&Array::list(vec![1]), &Array::list(vec![-6])], None, None).unwrap();
        assert_eq!(middle.values, [2]);
        assert_eq!(reshaped(&pads, &Array::list(vec![3, -1])), None);
        assert_eq!(sliced(&Array::list(Vec::new()), [&last, &last], None, None), None);
    }
}
