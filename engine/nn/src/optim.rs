//! Stochastic gradient descent as PyTorch does it, and the schedules of its learning rate.

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::params::{ParamError, Params};

/// How the learning rate changes over the epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It does not.
    Constant,
    /// Times `factor` every `every` epochs.
    Step {
        /// Epochs between the steps.
        every: usize,
        /// What the rate is multiplied with.
        factor: f64,
    },
    /// Half a cosine from the full rate to zero.
    #[default]
    Cosine,
}

impl Schedule {
    /// The share of the full learning rate at a point of the run, in epochs (fractions count for cosine).
    pub fn factor(self, epoch: f64, epochs: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Step { every, factor } => factor.powf((epoch / every.max(1) as f64).floor()),
            Self::Cosine => {
                let share = (epoch / epochs.max(1) as f64).clamp(0.0, 1.0);
                0.5 * (1.0 + (std::f64::consts::PI * share).cos())
            }
        }
    }
}

/// `v ← momentum · v + (∇ + decay · w)`, `w ← w − rate · v`, without Nesterov's look-ahead.
#[derive(Debug)]
pub struct Sgd {
    slots: Vec<(Var, Option<Tensor>)>,
    momentum: f64,
    weight_decay: f64,
}

impl Sgd {
    /// For every trainable tensor of the store, in its order.
    pub fn new(params: &Params, momentum: f64, weight_decay: f64) -> Self {
        let slots = params.trainable().map(|param| (param.var.clone(), None)).collect();
        Self { slots, momentum, weight_decay }
    }

    /// One step. Tensors without a gradient stay where they are.
    pub fn step(&mut self, gradients: &GradStore, rate: f64) -> Result<(), ParamError> {
        for (var, velocity) in &mut self.slots {
            let Some(gradient) = gradients.get(var.as_tensor()) else { continue };
            let weight = var.as_detached_tensor();
            // The graph of the loss must not live on in the velocity.
            let mut change = gradient.detach();
            if self.weight_decay != 0.0 {
                change = (change + weight.affine(self.weight_decay, 0.0)?)?;
            }
            if self.momentum != 0.0 {
                if let Some(old) = velocity.as_ref() {
                    change = (old.affine(self.momentum, 0.0)? + change)?;
                }
                *velocity = Some(change.clone());
            }
            var.set(&(weight - change.affine(rate, 0.0)?)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn two_steps_equal_the_hand_calculation() -> Result<(), ParamError> {
        let mut params = Params::new(DType::F32, &Device::Cpu);
        let w = params.add("w", &Tensor::new(&[1_f32], &Device::Cpu)?)?;
        let mut sgd = Sgd::new(&params, 0.9, 0.1);
        for _ in 0..2 {
            // loss = w², gradient 2w
            sgd.step(&w.sqr()?.sum_all()?.backward()?, 0.1)?;
        }
        // v1 = 2.1, w1 = 0.79; v2 = 1.89 + 1.58 + 0.079 = 3.549, w2 = 0.4351
        assert!((params.values("w")?[0] - 0.4351).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn schedules() {
        assert_eq!(Schedule::Constant.factor(7.0, 10), 1.0);
        let step = Schedule::Step { every: 4, factor: 0.1 };
        assert_eq!(step.factor(3.9, 10), 1.0);
        assert!((step.factor(8.0, 10) - 0.01).abs() < 1e-12);
        assert_eq!(Schedule::Cosine.factor(0.0, 10), 1.0);
        assert!(Schedule::Cosine.factor(10.0, 10).abs() < 1e-12);
    }
}
