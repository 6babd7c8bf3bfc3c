//! Bias and threshold of pre-activations in one pass over them.

use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout};
use rayon::prelude::*;

/// p + b where that is above 0 and above the feature's threshold, 0 elsewhere. What is not a number stays so.
pub(super) struct Fire;

/// Numbers that one thread takes at a time.
const PIECE: usize = 1 << 15;

/// The numbers of a contiguous tensor.
fn numbers<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&storage.as_slice::<f32>()?[from..to]),
        None => candle_core::bail!("firing takes contiguous tensors"),
    }
}

fn fire(
    p: &mut CpuStorage,
    layout: &Layout,
    bias: &[f32],
    threshold: impl Fn(usize) -> f32 + Sync,
) -> candle_core::Result<()> {
    let (CpuStorage::F32(p), Some((from, to))) = (p, layout.contiguous_offsets()) else {
        candle_core::bail!("firing takes contiguous pre-activations in single precision")
    };
    let width = bias.len().max(1);
    // Negative thresholds let nothing negative through.
    let least: Vec<f32> = (0..bias.len()).map(|feature| threshold(feature).max(0.0)).collect();
    let rows = (PIECE / width).max(1);
    p[from..to].par_chunks_mut(rows * width).for_each(|rows| {
        for row in rows.chunks_exact_mut(width) {
            for ((p, b), least) in row.iter_mut().zip(bias).zip(&least) {
                let sum = *p + b;
                *p = if sum <= *least { 0.0 } else { sum };
            }
        }
    });
    Ok(())
}

impl InplaceOp2 for Fire {
    fn name(&self) -> &'static str {
        "fire"
    }

    fn cpu_fwd(&self, p: &mut CpuStorage, at: &Layout, bias: &CpuStorage, bias_at: &Layout) -> candle_core::Result<()> {
        fire(p, at, numbers(bias, bias_at)?, |_| 0.0)
    }
}

impl InplaceOp3 for Fire {
    fn name(&self) -> &'static str {
        "fire"
    }

    fn cpu_fwd(
        &self,
        p: &mut CpuStorage,
        at: &Layout,
        bias: &CpuStorage,
        bias_at: &Layout,
        threshold: &CpuStorage,
        threshold_at: &Layout,
    ) -> candle_core::Result<()> {
        let threshold = numbers(threshold, threshold_at)?;
        fire(p, at, numbers(bias, bias_at)?, |feature| threshold[feature])
    }
}
