//! Interventions as hooks of a language model.

use candle_core::{DType, Device, Tensor};
use plumb_text::{HookPoint, Hooks};

use super::{Intervention, Steering, Trace};
use crate::Result;
use crate::sae::Sae;

/// Steers one sequence at one hook point, at prefill and at every step of decoding.
#[derive(Clone, Debug)]
pub struct SteeringHook {
    point: HookPoint,
    steering: Steering,
}

impl SteeringHook {
    /// For a sequence whose prompt has `prompt` tokens. `bos` is the model's BOS token.
    pub fn new(
        intervention: &Intervention,
        sae: &Sae,
        point: HookPoint,
        bos: Option<u32>,
        prompt: usize,
    ) -> Result<Self> {
        Ok(Self { point, steering: Steering::new(intervention, sae, bos, prompt)? })
    }

    /// The record so far.
    pub fn trace(&self) -> &Trace {
        self.steering.trace()
    }

    /// The record, at the end.
    pub fn into_trace(self) -> Trace {
        self.steering.into_trace()
    }
}

impl Hooks for SteeringHook {
    fn wants(&self, point: HookPoint) -> bool {
        point == self.point
    }

    fn resid(
        &mut self,
        _point: HookPoint,
        first_position: usize,
        tokens: &[u32],
        resid: &Tensor,
    ) -> plumb_text::Result<Option<Tensor>> {
        let x = resid.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let Some(changed) = self.steering.apply(first_position, tokens, &x)? else { return Ok(None) };
        let changed = Tensor::from_vec(changed, resid.dims(), &Device::Cpu)?;
        Ok(Some(changed.to_device(resid.device())?.to_dtype(resid.dtype())?))
    }
}

/// Puts `D(E(x))` in the place of `x`: what the SAE alone costs.
#[derive(Clone, Debug)]
pub struct ReconstructionHook<'a> {
    /// The SAE.
    pub sae: &'a Sae,
    /// Where.
    pub point: HookPoint,
    /// The model's BOS token, left as it is at position 0.
    pub bos: Option<u32>,
}

impl Hooks for ReconstructionHook<'_> {
    fn wants(&self, point: HookPoint) -> bool {
        point == self.point
    }

    fn resid(
        &mut self,
        _point: HookPoint,
        first_position: usize,
        tokens: &[u32],
        resid: &Tensor,
    ) -> plumb_text::Result<Option<Tensor>> {
        let kept = match first_position {
            0 => self.sae.config.unread(tokens, self.bos),
            later => self.sae.config.first_position().saturating_sub(later).min(tokens.len()),
        };
        if kept == tokens.len() {
            return Ok(None);
        }
        let rest = resid.narrow(0, kept, tokens.len() - kept)?;
        let rest = self.sae.reconstruct(&rest)?.to_dtype(resid.dtype())?;
        let whole = if kept == 0 { rest } else { Tensor::cat(&[&resid.narrow(0, 0, kept)?, &rest], 0)? };
        Ok(Some(whole))
    }
}
