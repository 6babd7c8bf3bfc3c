//! The k largest of every row.

use std::cmp::Ordering;

use candle_core::{DType, Device, Tensor, WithDType};
use rayon::prelude::*;

use crate::Result;

/// `p` `[T, m]` with everything but the `k` largest of every row set to zero. Of equal values the first ones stay.
pub(crate) fn keep_largest(p: &Tensor, k: usize) -> Result<Tensor> {
    let (rows, width) = p.dims2()?;
    if k >= width || rows == 0 {
        return Ok(p.clone());
    }
    if p.dtype() == DType::F64 {
        return kept::<f64>(p, k);
    }
    kept::<f32>(p, k)
}

fn kept<T: WithDType + PartialOrd>(p: &Tensor, k: usize) -> Result<Tensor> {
    let (rows, width) = p.dims2()?;
    let mut values = p.flatten_all()?.to_vec1::<T>()?;
    values.par_chunks_mut(width).for_each(|row| {
        let mut scratch = row.to_vec();
        let (larger, kth, _) =
            scratch.select_nth_unstable_by(k - 1, |a, b| b.partial_cmp(a).unwrap_or(Ordering::Equal));
        let kth = *kth;
        // Places left for values equal to the k-th.
        let mut ties = k - larger.iter().filter(|&&value| value > kth).count();
        for value in row {
            if *value == kth && ties > 0 {
                ties -= 1;
            } else if *value <= kth {
                *value = T::zero();
            }
        }
    });
    Ok(Tensor::from_vec(values, (rows, width), &Device::Cpu)?.to_device(p.device())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_values_the_first_stay() {
        let p = Tensor::new(&[[1f32, 3., 3., 3., -1.], [-5., -1., -2., -3., -4.]], &Device::Cpu).unwrap();
        let kept = keep_largest(&p, 2).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(kept, [[0., 3., 3., 0., 0.], [0., -1., -2., 0., 0.]]);
    }
}
