//! Every network trains, moves all its tensors, describes its layers, and comes back from a file.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use plumb_core::Ctl;
use plumb_nn::geometry::{Geometry, OpKind, PaddingMode};
use plumb_nn::layers::{Conv2d, Mode};
use plumb_nn::params::Params;
use plumb_vision::evaluate;
use plumb_vision::images::ImageSet;
use plumb_vision::nets::{Net, NetKind, NetSpec};
use plumb_vision::train::{LoopSpec, NoHook, train};
use plumb_vision::{VisionError, digits, samples, saved};

type Outcome = Result<(), VisionError>;

fn every_kind() -> Vec<NetSpec> {
    let spec = |kind, widths: &[usize]| NetSpec { kind, widths: widths.to_vec(), ..NetSpec::default() };
    vec![
        spec(NetKind::Mlp, &[12, 8]),
        NetSpec { padding_mode: PaddingMode::Circular, ..spec(NetKind::SimpleConv, &[4]) },
        spec(NetKind::ResNet8, &[4, 6, 8]),
        NetSpec { batch_norm: false, padding_mode: PaddingMode::Replicate, ..spec(NetKind::ResNet10, &[4, 4, 6, 6]) },
    ]
}

fn few_digits() -> Result<ImageSet, VisionError> {
    let mut set = digits::load()?;
    set.train.truncate(64);
    set.test.truncate(50);
    Ok(set)
}

#[test]
fn every_trainable_tensor_moves_and_the_same_seed_gives_the_same_bytes() -> Outcome {
    let set = few_digits()?;
    for spec in every_kind() {
        let run = || -> Result<(Net, Net), VisionError> {
            let start = Net::new(&spec, 3, &Device::Cpu)?;
            let mut net = Net::new(&spec, 3, &Device::Cpu)?;
            let training = LoopSpec { epochs: 1, batch: 32, rate: 0.05, weight_decay: 0.0, ..LoopSpec::default() };
            let history = train(&mut net, &set, &training, &mut NoHook, &Ctl::new(0))?;
            assert!(history.epochs[0].loss.is_finite());
            Ok((start, net))
        };
        let (start, net) = run()?;
        for param in net.params().entries() {
            let moved = net.params().values(&param.name)? != start.params().values(&param.name)?;
            assert!(moved, "{:?}: {} did not move", spec.kind, param.name);
        }
        let bytes = saved::to_bytes(&net, "digits", &BTreeMap::new())?;
        assert_eq!(
            bytes,
            saved::to_bytes(&run()?.1, "digits", &BTreeMap::new())?,
            "{:?} differs between runs",
            spec.kind
        );

        let (again, data) = saved::from_bytes(&bytes, &Device::Cpu)?;
        let (images, _) = set.batch(&set.test, &Device::Cpu)?;
        let logits =
            |net: &Net| -> Result<Vec<Vec<f32>>, VisionError> { Ok(net.forward(&images, Mode::Eval)?.to_vec2()?) };
        assert_eq!(data, "digits");
        assert_eq!(logits(&again)?, logits(&net.detached())?);
    }
    Ok(())
}

#[test]
fn described_geometry_is_what_the_network_does() -> Outcome {
    for spec in every_kind() {
        let net = Net::new(&spec, 1, &Device::Cpu)?;
        let layers = net.linear_layers();
        let weights = net.params().entries().iter().filter(|p| p.var.rank() != 1).map(|p| p.name.as_str());
        let mut named: Vec<&str> = layers.iter().map(|layer| layer.weight.as_str()).collect();
        let mut all: Vec<&str> = weights.collect();
        named.sort_unstable();
        all.sort_unstable();
        assert_eq!(named, all, "{:?}: every weight is described", spec.kind);
        for layer in layers.iter().filter(|layer| layer.op == OpKind::Conv2d) {
            // A convolution of this geometry must take what is said to come in.
            let dims = net.params().get(&layer.weight)?.dims().to_vec();
            let mut params = Params::new(candle_core::DType::F32, &Device::Cpu);
            let geometry: Geometry = layer.geometry.clone();
            let [height, width] = geometry.input;
            let mut random = plumb_core::random::Random::new(0, "x");
            let conv = Conv2d::new(&mut params, &mut random, "c", [dims[1], dims[0]], dims[2], geometry, false)?;
            let x = Tensor::zeros((1, dims[1], height, width), candle_core::DType::F32, &Device::Cpu)?;
            assert_eq!(conv.forward(&x)?.dim(1)?, dims[0]);
            if let Some(prefix) = &layer.batch_norm {
                assert_eq!(net.params().get(&format!("{prefix}.running_var"))?.dims(), [dims[0]]);
            }
        }
    }
    let resnet = Net::new(&NetSpec::default(), 0, &Device::Cpu)?.linear_layers();
    let sizes: Vec<(&str, [usize; 2], usize)> =
        resnet.iter().map(|layer| (layer.weight.as_str(), layer.geometry.input, layer.geometry.stride[0])).collect();
    assert!(
        sizes.contains(&("layer2.0.conv1.weight", [8, 8], 2)) && sizes.contains(&("layer3.0.conv2.weight", [2, 2], 1))
    );
    assert!(sizes.contains(&("layer3.0.shortcut.0.weight", [4, 4], 2)), "{sizes:?}");
    Ok(())
}

#[test]
fn the_samples_that_ship_are_right_on_held_out_digits() -> Outcome {
    let ctl = Ctl::new(0);
    for sample in samples::EMBEDDED {
        let result = samples::accuracy(sample.bytes, &BTreeMap::new(), &ctl)?;
        assert_eq!(result.images, 797);
        assert!(result.accuracy >= 0.95, "{}: {}", sample.name, result.accuracy);
        assert!(result.interval[0] < result.accuracy && result.accuracy < result.interval[1]);

        let (net, _) = saved::from_bytes(sample.bytes, &Device::Cpu)?;
        let zeros = BTreeMap::from([("fc.weight".to_owned(), vec![0.0; net.params().get("fc.weight")?.elem_count()])]);
        let broken = samples::accuracy(sample.bytes, &zeros, &ctl)?;
        assert!(broken.accuracy < 0.3, "without its head a model guesses: {}", broken.accuracy);
        assert!(samples::accuracy(sample.bytes, &BTreeMap::from([("fc.weight".to_owned(), vec![0.0])]), &ctl).is_err());
        assert!(samples::accuracy(sample.bytes, &BTreeMap::from([("nothing".to_owned(), vec![0.0])]), &ctl).is_err());
    }
    assert!(samples::find("digits-resnet8").is_some() && samples::find("nothing").is_none());
    Ok(())
}

#[test]
fn bad_input_is_told() -> Outcome {
    assert!(matches!(saved::from_bytes(b"nonsense", &Device::Cpu), Err(VisionError::Param(_))));
    let huge = NetSpec { widths: vec![1_000_000, 1, 1], ..NetSpec::default() };
    assert!(matches!(Net::new(&huge, 0, &Device::Cpu), Err(VisionError::Spec(_))));
    let missing = NetSpec { widths: vec![8], ..NetSpec::default() };
    assert!(matches!(Net::new(&missing, 0, &Device::Cpu), Err(VisionError::Spec(_))));

    let set = few_digits()?;
    let mut net = Net::new(&every_kind()[0], 0, &Device::Cpu)?;
    let wild = LoopSpec { rate: 1e9, epochs: 3, ..LoopSpec::default() };
    assert!(matches!(train(&mut net, &set, &wild, &mut NoHook, &Ctl::new(0)), Err(VisionError::Diverged { .. })));
    let ctl = Ctl::new(0);
    ctl.cancel();
    let mut net = Net::new(&every_kind()[0], 0, &Device::Cpu)?;
    assert!(matches!(train(&mut net, &set, &LoopSpec::default(), &mut NoHook, &ctl), Err(VisionError::Cancelled(_))));
    assert!(matches!(evaluate::accuracy(&net, &set, &set.test, &ctl), Err(VisionError::Cancelled(_))));
    Ok(())
}
