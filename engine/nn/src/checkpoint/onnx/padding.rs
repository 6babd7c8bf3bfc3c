//! Padding that is a step of its own before a convolution: it belongs to the convolution's geometry.
//!
//! Exporters write it as a `Pad` node or, for circular padding, as a `Concat` of the far ends and the image.

use std::collections::{BTreeMap, HashMap};

use super::{MAX_AXIS, constants::Constants, node::Node, shapes::Shape};
use crate::geometry::PaddingMode;

/// A value and what was added around it.
#[derive(Clone, Debug)]
pub(super) struct Padded {
    /// Shape before it was padded.
    pub shape: Option<Shape>,
    /// What the added pixels hold.
    pub mode: PaddingMode,
    /// Pixels before and after by axis, where there are any.
    pub amounts: BTreeMap<usize, [usize; 2]>,
}

impl Padded {
    /// This after `first`: one padding where the two together are one.
    fn after(mut self, first: &Self) -> Self {
        if self.amounts.is_empty() {
            return first.clone();
        }
        let apart = self.amounts.keys().all(|axis| !first.amounts.contains_key(axis));
        if self.mode == first.mode && (apart || self.mode == PaddingMode::Zeros) {
            self.shape.clone_from(&first.shape);
            for (&axis, amounts) in &first.amounts {
                let sum = self.amounts.entry(axis).or_default();
                *sum = [sum[0] + amounts[0], sum[1] + amounts[1]];
            }
        }
        self
    }
}

/// One end of a value, along one axis.
struct End {
    of: String,
    axis: usize,
    len: usize,
    last: bool,
}

/// The padded values of a graph so far.
#[derive(Default)]
pub(super) struct Padding {
    padded: HashMap<String, Padded>,
    ends: HashMap<String, End>,
}

impl Padding {
    /// How a value was padded, if it was.
    pub fn of(&self, value: &str) -> Option<&Padded> {
        self.padded.get(value)
    }

    /// Looks at a node. Gives the shape of what it puts out if it pads.
    pub fn note(&mut self, node: &Node, shapes: &HashMap<String, Shape>, constants: &Constants) -> Option<Shape> {
        let (input, output) = (node.input(0)?, node.output()?);
        match node.op.as_str() {
            "Identity" => {
                if let Some(padded) = self.of(input).cloned() {
                    self.padded.insert(output.to_owned(), padded);
                }
                None
            }
            "Slice" => {
                if let Some(end) = end(node, shapes.get(input), constants) {
                    self.ends.insert(output.to_owned(), end);
                }
                None
            }
            "Pad" => {
                let shape = shapes.get(input);
                let amounts = amounts(node, shape, constants)?;
                if let Some((mode, amounts)) = mode(node).zip(within(&amounts)) {
                    self.add(input, output, Padded { shape: shape.cloned(), mode, amounts });
                }
                grown(shape?, &amounts)
            }
            "Concat" => {
                let (image, axis, [before, after]) = self.wrapped(node)?;
                let (shape, mode) = (shapes.get(image), PaddingMode::Circular);
                let amounts = BTreeMap::from([(axis, [before, after])]);
                self.add(image, output, Padded { shape: shape.cloned(), mode, amounts });
                let amounts = BTreeMap::from([(axis, [before as i64, after as i64])]);
                grown(shape?, &amounts)
            }
            _ => None,
        }
    }

    fn add(&mut self, input: &str, output: &str, padded: Padded) {
        let padded = match self.of(input) {
            Some(first) => padded.after(first),
            None => padded,
        };
        self.padded.insert(output.to_owned(), padded);
    }

    /// `Concat(far end, image, near end)`, either end left out: the image, the axis, and how much was added.
    fn wrapped<'a>(&self, node: &'a Node) -> Option<(&'a str, usize, [usize; 2])> {
        let axis = usize::try_from(node.number("axis", 0)).ok().filter(|&axis| axis >= 2)?;
        let part = |image: &str, name: &str, last: bool| {
            let end = self.ends.get(name)?;
            (end.of == image && end.axis == axis && end.last == last).then_some(end.len)
        };
        match node.inputs.as_slice() {
            [far, image, near] => Some((image, axis, [part(image, far, true)?, part(image, near, false)?])),
            [one, other] => match (part(other, one, true), part(one, other, false)) {
                (Some(before), _) => Some((other, axis, [before, 0])),
                (None, Some(after)) => Some((one, axis, [0, after])),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Pixels before and after by axis, negative where they are cut off; `None` where the graph leaves them open.
type Amounts = BTreeMap<usize, [i64; 2]>;

fn amounts(node: &Node, shape: Option<&Shape>, constants: &Constants) -> Option<Amounts> {
    let pads = match node.input(1) {
        Some(name) => constants.list(name)?,
        None => node.numbers("pads")?.to_vec(),
    };
    let (begin, end) = pads.split_at(pads.len() / 2);
    let axes = match node.input(3) {
        Some(name) => constants.list(name)?,
        None => (0..begin.len() as i64).collect(),
    };
    if axes.len() != begin.len() || axes.len() != end.len() {
        return None;
    }
    let mut amounts = Amounts::new();
    for (axis, (&begin, &end)) in axes.into_iter().zip(begin.iter().zip(end)) {
        // A negative axis counts from the last.
        let axis = if axis < 0 { axis.checked_add(shape?.len() as i64)? } else { axis };
        if [begin, end] != [0, 0] {
            amounts.insert(usize::try_from(axis).ok()?, [begin, end]);
        }
    }
    Some(amounts)
}

/// What a `Pad` node fills in. A constant of any value counts as zeros, see [`ConvNode`](super::super::ConvNode).
fn mode(node: &Node) -> Option<PaddingMode> {
    match node.text("mode") {
        None | Some("constant") => Some(PaddingMode::Zeros),
        Some("reflect") => Some(PaddingMode::Reflect),
        Some("edge") => Some(PaddingMode::Replicate),
        Some("wrap") => Some(PaddingMode::Circular),
        Some(_) => None,
    }
}

/// The amounts, where they add to the image's own axes and cut nothing off.
fn within(amounts: &Amounts) -> Option<BTreeMap<usize, [usize; 2]>> {
    let fits = |n: i64| usize::try_from(n).ok().filter(|_| n <= MAX_AXIS);
    let each = amounts.iter().map(|(&axis, &[begin, end])| (axis >= 2).then_some((axis, [fits(begin)?, fits(end)?])));
    each.collect()
}

fn grown(shape: &Shape, amounts: &Amounts) -> Option<Shape> {
    let mut shape = shape.clone();
    for (&axis, amounts) in amounts {
        if let Some(length) = shape.get_mut(axis)? {
            let sum = amounts.iter().try_fold(*length as i64, |sum, &amount| sum.checked_add(amount));
            *length = sum.filter(|sum| (1..=MAX_AXIS).contains(sum))? as usize;
        }
    }
    Some(shape)
}

/// The first or last few entries along one axis.
fn end(node: &Node, shape: Option<&Shape>, constants: &Constants) -> Option<End> {
    let one = |at: usize| match node.input(at).map(|name| constants.list(name)) {
        Some(Some(list)) if list.len() == 1 => Some(list[0]),
        _ => None,
    };
    let unless_given = |at: usize, default: i64| if node.input(at).is_some() { one(at) } else { Some(default) };
    let (start, stop, step) = (one(1)?, one(2)?, unless_given(4, 1)?);
    let axis = usize::try_from(unless_given(3, 0)?).ok()?;
    let length = shape.and_then(|shape| *shape.get(axis)?).map(|n| n as i64);
    let to_the_end = stop > MAX_AXIS || length == Some(stop);
    let (last, len) = match (start, length) {
        (0, _) if !to_the_end => (false, stop),
        (..0, _) if to_the_end => (true, start.checked_neg()?),
        (0.., Some(n)) if to_the_end => (true, n - start),
        _ => return None,
    };
    let len = usize::try_from(len).ok().filter(|len| (1..=MAX_AXIS as usize).contains(len) && step == 1)?;
    Some(End { of: node.input(0)?.to_owned(), axis, len, last })
}
