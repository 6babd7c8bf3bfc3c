//! Every layer's gradient against finite differences, and the values against hand calculations.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use candle_core::{DType, Device, Tensor, Var};
use plumb_core::random::Random;
use plumb_nn::geometry::{Geometry, PaddingMode};
use plumb_nn::layers::{BatchNorm2d, Conv2d, Linear, Mode, cross_entropy, pad_axis};
use plumb_nn::optim::Sgd;
use plumb_nn::params::{ParamError, Params};
use plumb_nn::random::normal;

type Outcome = Result<(), ParamError>;

fn draw(shape: &[usize], stream: &str) -> Result<Tensor, ParamError> {
    Ok(normal(&mut Random::new(5, stream), 0.0, 1.0, shape, DType::F64, &Device::Cpu)?)
}

/// Compare the gradient of `loss` in some entries of `var` with central differences.
fn check(tensor: &Tensor, loss: impl Fn() -> Result<Tensor, ParamError>, what: &str) -> Outcome {
    let var = Var::from_tensor(tensor)?;
    let gradients = loss()?.backward()?;
    let gradient = gradients.get(var.as_tensor()).unwrap_or_else(|| panic!("{what}: no gradient"));
    let gradient = gradient.flatten_all()?.to_vec1::<f64>()?;
    let start = var.as_detached_tensor().flatten_all()?.to_vec1::<f64>()?;
    let step = 1e-5;
    let stride = (start.len() / 12).max(1);
    for at in (0..start.len()).step_by(stride) {
        let value_at = |shift: f64| -> Result<f64, ParamError> {
            let mut moved = start.clone();
            moved[at] += shift;
            var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu)?)?;
            Ok(loss()?.to_scalar::<f64>()?)
        };
        let slope = (value_at(step)? - value_at(-step)?) / (2.0 * step);
        let error = (slope - gradient[at]).abs() / (1.0 + slope.abs());
        assert!(error < 1e-6, "{what}[{at}]: differences {slope}, backward {}", gradient[at]);
    }
    var.set(&Tensor::from_vec(start, var.shape(), &Device::Cpu)?)?;
    Ok(())
}

/// A scalar that weighs every output differently.
fn weigh(y: &Tensor) -> Result<Tensor, ParamError> {
    Ok((y * draw(y.dims(), "weights of the loss")?)?.sum_all()?)
}

#[test]
fn convolution_gradients_in_every_geometry() -> Outcome {
    let modes = [PaddingMode::Zeros, PaddingMode::Circular, PaddingMode::Reflect, PaddingMode::Replicate];
    for padding_mode in modes {
        for (stride, dilation, groups, padding) in
            [(1, 1, 1, [1, 1]), (2, 1, 1, [1, 1]), (2, 1, 2, [1, 0]), (1, 2, 2, [2, 2]), (3, 1, 1, [0, 1])]
        {
            let mut params = Params::new(DType::F64, &Device::Cpu);
            let geometry = Geometry {
                stride: [stride; 2],
                dilation: [dilation; 2],
                groups,
                padding,
                padding_mode,
                ..Geometry::default()
            };
            let conv = Conv2d::new(&mut params, &mut Random::new(1, "c"), "c", [2, 4], 3, geometry, true)?;
            let x = Var::from_tensor(&draw(&[2, 2, 6, 9], "x")?)?;
            let loss = || weigh(&conv.forward(x.as_tensor())?);
            let what = format!("{padding_mode:?} stride {stride} dilation {dilation} groups {groups}");
            check(&x, loss, &format!("{what}: input"))?;
            check(&conv.weight, loss, &format!("{what}: weight"))?;
            check(conv.bias.as_ref().expect("has a bias"), loss, &format!("{what}: bias"))?;
        }
    }
    Ok(())
}

#[test]
fn linear_norm_and_loss_gradients() -> Outcome {
    let mut params = Params::new(DType::F64, &Device::Cpu);
    let mut random = Random::new(1, "l");
    let linear = Linear::new(&mut params, &mut random, "l", 5, 3)?;
    let x = Var::from_tensor(&draw(&[4, 5], "x")?)?;
    let labels = Tensor::new(&[0_u32, 2, 1, 2], &Device::Cpu)?;
    let loss = || cross_entropy(&linear.forward(x.as_tensor())?, &labels);
    for (var, what) in [(x.as_tensor(), "input"), (&linear.weight, "weight"), (&linear.bias, "bias")] {
        check(var, loss, &format!("linear {what}"))?;
    }
    let norm = BatchNorm2d::new(&mut params, "n", 3)?;
    let x = Var::from_tensor(&draw(&[4, 3, 2, 3], "x")?)?;
    for mode in [Mode::Train, Mode::Eval] {
        // The running statistics change with each training pass, but a training pass does not read them.
        let loss = || weigh(&norm.forward(x.as_tensor(), mode)?);
        for (var, what) in [(x.as_tensor(), "input"), (&norm.weight, "weight"), (&norm.bias, "bias")] {
            check(var, loss, &format!("batch norm {mode:?} {what}"))?;
        }
    }
    Ok(())
}

#[test]
fn padding_by_hand() -> Outcome {
    let x = Tensor::new(&[1_f64, 2.0, 3.0], &Device::Cpu)?;
    let padded = |mode, amount| -> Result<Vec<f64>, ParamError> { Ok(pad_axis(&x, 0, amount, mode)?.to_vec1()?) };
    assert_eq!(padded(PaddingMode::Zeros, 2)?, [0.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
    assert_eq!(padded(PaddingMode::Circular, 2)?, [2.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0]);
    assert_eq!(padded(PaddingMode::Reflect, 2)?, [3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
    assert_eq!(padded(PaddingMode::Replicate, 2)?, [1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 3.0]);
    assert!(padded(PaddingMode::Reflect, 3).is_err(), "three pixels reflect into two");
    assert!(padded(PaddingMode::Circular, 4).is_err());
    Ok(())
}

#[test]
fn batch_norm_remembers_as_pytorch_does() -> Outcome {
    let mut params = Params::new(DType::F64, &Device::Cpu);
    let norm = BatchNorm2d::new(&mut params, "n", 1)?;
    let x = Tensor::new(&[1_f64, 3.0, 5.0, 7.0], &Device::Cpu)?.reshape((4, 1, 1, 1))?;
    let y = norm.forward(&x, Mode::Train)?.flatten_all()?.to_vec1::<f64>()?;
    assert!((y[0] + 3.0 / 5.0_f64.sqrt()).abs() < 1e-5, "normalised by the biased variance 5");
    assert!((params.values("n.running_mean")?[0] - 0.4).abs() < 1e-6);
    assert!((params.values("n.running_var")?[0] - (0.9 + 0.1 * 20.0 / 3.0)).abs() < 1e-6, "remembers the unbiased one");
    let eval = norm.forward(&x, Mode::Eval)?.flatten_all()?.to_vec1::<f64>()?;
    assert!((eval[0] - 0.6 / (0.9 + 2.0 / 3.0 + 1e-5_f64).sqrt()).abs() < 1e-9);
    Ok(())
}

#[test]
fn every_trainable_tensor_moves_after_one_step() -> Outcome {
    let mut params = Params::new(DType::F32, &Device::Cpu);
    let mut random = Random::new(2, "net");
    let same = Geometry { padding: [1, 1], ..Geometry::default() };
    let conv = Conv2d::new(&mut params, &mut random, "conv", [1, 4], 3, same, true)?;
    let norm = BatchNorm2d::new(&mut params, "norm", 4)?;
    let linear = Linear::new(&mut params, &mut random, "linear", 4, 3)?;
    let x = normal(&mut random, 0.0, 1.0, (6, 1, 5, 5), DType::F32, &Device::Cpu)?;
    let labels = Tensor::new(&[0_u32, 1, 2, 0, 1, 2], &Device::Cpu)?;
    let before: Vec<_> = params.trainable().map(|param| params.values(&param.name)).collect::<Result<_, _>>()?;
    let hidden = norm.forward(&conv.forward(&x)?, Mode::Train)?.relu()?.mean(3)?.mean(2)?;
    let loss = cross_entropy(&linear.forward(&hidden)?, &labels)?;
    Sgd::new(&params, 0.9, 0.0).step(&loss.backward()?, 0.1)?;
    for (param, before) in params.trainable().zip(before) {
        assert_ne!(params.values(&param.name)?, before, "{} did not move", param.name);
    }
    Ok(())
}
