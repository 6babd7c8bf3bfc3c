//! One axis of a convolution: which input pixel each kernel tap reads for each output pixel.

use super::error::GeometryError;
use crate::geometry::PaddingMode;

/// A stretch of outputs whose inputs lie side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// First output pixel.
    pub output: usize,
    /// First input pixel, or `None` where the tap reads zeros.
    pub input: Option<usize>,
    /// Pixels.
    pub len: usize,
}

/// Sizes and settings of one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AxisSpec {
    pub name: &'static str,
    pub input: usize,
    pub kernel: usize,
    pub stride: usize,
    /// Pixels before and after the image.
    pub padding: [usize; 2],
    pub dilation: usize,
    pub mode: PaddingMode,
}

/// The map of one axis, resolved: padding of any mode is nothing but a choice of source pixel.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// Output pixels.
    pub output: usize,
    /// `source[tap][output]`: the input pixel read, `None` for a zero.
    pub source: Vec<Vec<Option<usize>>>,
    /// The same as runs.
    pub runs: Vec<Vec<Run>>,
}

impl Axis {
    pub(crate) fn new(spec: AxisSpec) -> Result<Self, GeometryError> {
        let AxisSpec { name, input, kernel, stride, padding, dilation, mode } = spec;
        let too_large =
            |what| GeometryError::TooLarge { what, shape: vec![input, padding[0], padding[1], kernel, dilation] };
        let span = (kernel - 1)
            .checked_mul(dilation)
            .and_then(|gaps| gaps.checked_add(1))
            .ok_or_else(|| too_large("a dilated kernel"))?;
        let [before, after] = padding;
        let padded = before
            .checked_add(after)
            .and_then(|both| both.checked_add(input))
            .filter(|&padded| padded < 1 << 40)
            .ok_or_else(|| too_large("a padded input"))?;
        if span > padded {
            return Err(GeometryError::KernelTooLarge { axis: name, span, padded, input, before, after });
        }
        let padding = before.max(after);
        let (needed, mode_name) = match mode {
            PaddingMode::Reflect => (padding + 1, "reflect"),
            PaddingMode::Circular => (padding, "circular"),
            PaddingMode::Zeros | PaddingMode::Replicate => (1, "zero"),
        };
        if input < needed {
            return Err(GeometryError::PaddingTooLarge { axis: name, mode: mode_name, padding, needed, input });
        }
        let output = (padded - span) / stride + 1;
        let place = |position: usize| -> Option<usize> {
            let last = input as isize - 1;
            let at = position as isize - before as isize;
            let inside = (0..=last).contains(&at);
            let source = match mode {
                PaddingMode::Zeros if !inside => return None,
                PaddingMode::Zeros => at,
                PaddingMode::Circular => at.rem_euclid(input as isize),
                PaddingMode::Replicate => at.clamp(0, last),
                PaddingMode::Reflect => {
                    let folded = at.abs();
                    if folded > last { 2 * last - folded } else { folded }
                }
            };
            Some(source as usize)
        };
        let source: Vec<Vec<_>> =
            (0..kernel).map(|tap| (0..output).map(|o| place(o * stride + tap * dilation)).collect()).collect();
        let runs = source.iter().map(|row| runs_of(row)).collect();
        Ok(Self { output, source, runs })
    }

    /// `counts[t][t']`: outputs for which both taps read the same input pixel. Their entries of `M` add up.
    pub(crate) fn coincidences(&self) -> Vec<Vec<usize>> {
        let same =
            |a: &[Option<usize>], b: &[Option<usize>]| a.iter().zip(b).filter(|(x, y)| x.is_some() && x == y).count();
        self.source.iter().map(|a| self.source.iter().map(|b| same(a, b)).collect()).collect()
    }
}

fn runs_of(row: &[Option<usize>]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (output, &input) in row.iter().enumerate() {
        if let Some(run) = runs.last_mut() {
            let continues = match (run.input, input) {
                (None, None) => true,
                (Some(first), Some(input)) => first + run.len == input,
                _ => false,
            };
            if continues {
                run.len += 1;
                continue;
            }
        }
        runs.push(Run { output, input, len: 1 });
    }
    runs
}
