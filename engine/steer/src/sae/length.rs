//! Vectors that are longer than any the autoencoder was made for.
//!
//! Models let attention rest on a few tokens, whose stream is then many times longer than anywhere else, whatever the token
//! says. An autoencoder that is read there gives every feature a largest activation that means nothing.

use candle_core::{D, DType, Device, Tensor};

use super::{Sae, dot};
use crate::Result;

/// ‖x‖.
pub(crate) fn length(row: &[f32]) -> f32 {
    dot(row, row).sqrt()
}

impl Sae {
    /// The rows of `x` `[T, d]` that it is meant for; `None` where it is meant for all of them.
    pub(crate) fn known_rows(&self, x: &Tensor) -> Result<Option<Vec<bool>>> {
        let Some(longest) = self.config.longest else { return Ok(None) };
        let lengths = x.to_dtype(DType::F32)?.sqr()?.sum(D::Minus1)?.sqrt()?.to_vec1::<f32>()?;
        let known: Vec<bool> = lengths.iter().map(|&length| length <= longest).collect();
        Ok(known.contains(&false).then_some(known))
    }

    /// `new` where it is meant for the row of `x`, `old` elsewhere; both `[T, n]`.
    pub(super) fn where_known(&self, x: &Tensor, new: Tensor, old: &Tensor) -> Result<Tensor> {
        let Some(known) = self.known_rows(x)? else { return Ok(new) };
        let known: Vec<u8> = known.into_iter().map(u8::from).collect();
        let known = Tensor::new(known, &Device::Cpu)?.to_device(new.device())?;
        let known = known.unsqueeze(1)?.broadcast_as(new.shape())?;
        Ok(known.where_cond(&new, &old.broadcast_as(new.shape())?.to_dtype(new.dtype())?)?)
    }

    /// The rows of `x` that it is meant for, alone.
    pub(crate) fn only_known(&self, x: &Tensor) -> Result<Tensor> {
        let Some(known) = self.known_rows(x)? else { return Ok(x.clone()) };
        let rows: Vec<u32> = (0..known.len() as u32).filter(|&row| known[row as usize]).collect();
        Ok(x.index_select(&Tensor::new(rows, x.device())?, 0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::known;
    use super::*;
    use crate::sae::Architecture;

    const CPU: Device = Device::Cpu;

    #[test]
    fn what_is_too_long_has_no_activations_and_stays_as_it_is() {
        for architecture in [Architecture::Standard, Architecture::JumpRelu, Architecture::TopK, Architecture::Gated] {
            let free = known(architecture, true);
            let d = free.config.d_in;
            let short: Vec<f32> = (0..d).map(|i| 0.3 + i as f32 * 0.1).collect();
            let long: Vec<f32> = short.iter().map(|x| x * 100.0).collect();
            let x = Tensor::new([short.as_slice(), &long, &short].concat(), &CPU).unwrap().reshape((3, d)).unwrap();
            let mut sae = free.clone();
            sae.config.longest = Some(10.0 * length(&short));
            let (z, all) = (sae.encode(&x).unwrap().z, free.encode(&x).unwrap().z);
            let rows = |z: &Tensor| z.to_vec2::<f32>().unwrap();
            assert_eq!(rows(&z)[0], rows(&all)[0]);
            assert_eq!(rows(&z)[2], rows(&all)[2]);
            assert!(rows(&all)[1].iter().any(|z| *z > 0.0), "{architecture:?} fires on a long vector");
            assert!(rows(&z)[1].iter().all(|z| *z == 0.0));
            let made = rows(&sae.reconstruct(&x).unwrap());
            assert_eq!(made[1], long);
            assert_eq!(made[0], rows(&free.reconstruct(&x).unwrap())[0]);
            let few = sae.subset(&[1, 0]).unwrap().encode(&[short.as_slice(), &long].concat()).unwrap();
            assert_eq!(few[2..], [0.0, 0.0]);
            assert!((few[0] - rows(&z)[0][1]).abs() < 1e-5 && (few[1] - rows(&z)[0][0]).abs() < 1e-5);
            assert_eq!(sae.only_known(&x).unwrap().dims(), [2, d]);
        }
    }
}
