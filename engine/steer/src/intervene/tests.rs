//! Exact vectors of every action and tier.

use candle_core::{Device, Tensor};
use plumb_core::random::Random;
use plumb_text::{HookPoint, Hooks as _, Site};

use super::*;
use crate::sae::{Architecture, SaeConfig};

const CPU: Device = Device::Cpu;

/// d = 3, one feature with decoder vector (0, 3, 4) whose activation is x₀.
fn sae3() -> Sae {
    let mut config = SaeConfig::new(Architecture::Standard, 3, 1);
    config.apply_b_dec_to_input = false;
    let w_enc = Tensor::new(&[[1f32], [0.], [0.]], &CPU).unwrap();
    let w_dec = Tensor::new(&[[0f32, 3., 4.]], &CPU).unwrap();
    let zeros = |n: usize| Tensor::zeros(n, candle_core::DType::F32, &CPU).unwrap();
    Sae::new(config, [w_enc, zeros(1), w_dec, zeros(3)], None, None).unwrap()
}

/// d = 2, one feature: z = relu(x₀ − 1), u = (1, 0).
fn sae2() -> Sae {
    let mut config = SaeConfig::new(Architecture::Standard, 2, 1);
    config.apply_b_dec_to_input = false;
    let w_enc = Tensor::new(&[[1f32], [0.]], &CPU).unwrap();
    let w_dec = Tensor::new(&[[1f32, 0.]], &CPU).unwrap();
    let b_enc = Tensor::new(&[-1f32], &CPU).unwrap();
    let b_dec = Tensor::zeros(2, candle_core::DType::F32, &CPU).unwrap();
    Sae::new(config, [w_enc, b_enc, w_dec, b_dec], None, None).unwrap()
}

fn one(action: Action) -> Vec<f32> {
    let intervention = Intervention { targets: vec![Target::new(0, action, Some(2.0))], ..Intervention::default() };
    let mut steering = Steering::new(&intervention, &sae3(), None, 1).unwrap();
    let x = vec![1f32, 2., 2.];
    steering.apply(0, &[5], &x).unwrap().unwrap_or(x)
}

fn close(found: &[f32], expected: &[f32]) {
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?} where {expected:?} is right");
}

#[test]
fn exact_vectors_of_the_actions() {
    let add = |strength, unit| one(Action::Add { strength, unit });
    close(&add(2.0, Unit::RawUnnormalised), &[1., 8., 10.]);
    close(&add(2.0, Unit::Raw), &[1., 3.2, 3.6]);
    close(&add(1.0, Unit::MaxAct), &[1., 3.2, 3.6]);
    close(&add(-1.0, Unit::ResidNorm), &[1., 2. - 1.8, 2. - 2.4]);
    close(&one(Action::Orthogonal { coefficient: 0.0 }), &[1., 0.32, -0.24]);
    close(&one(Action::Orthogonal { coefficient: 2.0 }), &[1., 3.68, 4.24]);
    close(&one(Action::Orthogonal { coefficient: -1.0 }), &[1., -1.36, -2.48]);
    close(&one(Action::ProjectOut), &[1., 0.32, -0.24]);
    close(&one(Action::Cap { min: None, max: Some(1.0) }), &[1., 0.92, 0.56]);
    close(&one(Action::Cap { min: Some(1.0), max: Some(3.0) }), &[1., 2., 2.]);
    // z = 1
    close(&one(Action::Ablate), &[1., -1., -2.]);
    close(&one(Action::Clamp { value: 3.0 }), &[1., 8., 10.]);
    close(&one(Action::Scale { factor: 0.0 }), &[1., -1., -2.]);
    close(&one(Action::Scale { factor: -1.0 }), &[1., -4., -6.]);
}

const X: [f32; 8] = [4., 0., 1., 0., 0., 1., 2., 1.];
const TOKENS: [u32; 4] = [0, 7, 8, 9];

fn suppress(tier: Tier) -> Intervention {
    Intervention { targets: vec![Target::add(0, -0.5, Unit::MaxAct, Some(2.0))], tier, ..Intervention::default() }
}

/// The stream after steering, fed in pieces of these sizes, and the number of steered positions.
fn tiers(intervention: &Intervention, prompt: usize, pieces: &[usize]) -> (Vec<f32>, usize) {
    let mut steering = Steering::new(intervention, &sae2(), Some(0), prompt).unwrap();
    let (mut out, mut at) = (Vec::new(), 0);
    for &piece in pieces {
        let x = &X[at * 2..(at + piece) * 2];
        out.extend(steering.apply(at, &TOKENS[at..at + piece], x).unwrap().unwrap_or_else(|| x.to_vec()));
        at += piece;
    }
    (out, steering.trace().steered())
}

#[test]
fn exact_vectors_of_the_tiers() {
    let everywhere = vec![4., 0., 0., 0., -1., 1., 1., 1.];
    let last = vec![4., 0., 1., 0., 0., 1., 1., 1.];
    let constant = suppress(Tier::Constant);
    assert_eq!(tiers(&constant, 4, &[4]), (everywhere.clone(), 3));
    let input = |latch| suppress(Tier::PerInput { steer_prompt: true, latch });
    assert_eq!(tiers(&input(false), 4, &[4]), (everywhere.clone(), 3));
    assert_eq!(tiers(&input(false), 3, &[3, 1]), (X.to_vec(), 0));
    assert_eq!(tiers(&input(true), 3, &[3, 1]), (last.clone(), 1), "the generated token opens the gate");
    assert_eq!(tiers(&suppress(Tier::PerInput { steer_prompt: false, latch: false }), 4, &[4]), (X.to_vec(), 0));
    assert_eq!(tiers(&suppress(Tier::PerToken), 4, &[4]), (last, 1));
    // Prefill and decoding give the same as everything at once.
    for tier in [Tier::Constant, Tier::PerToken] {
        let whole = tiers(&suppress(tier), 2, &[4]);
        assert_eq!(tiers(&suppress(tier), 2, &[2, 1, 1]), whole);
    }
    let mut with_bos = suppress(Tier::Constant);
    with_bos.include_bos = true;
    assert_eq!(tiers(&with_bos, 4, &[4]).1, 4);
}

#[test]
fn every_forward_position_is_steered_once() {
    // P prompt tokens with BOS and n generated ones make P + n − 1 forward positions, all but the BOS steered.
    let (prompt, generated) = (5, 7);
    let intervention = suppress(Tier::Constant);
    let point = HookPoint { block: 0, site: Site::ResidPost };
    let mut hook = SteeringHook::new(&intervention, &sae2(), point, Some(0), prompt).unwrap();
    assert!(hook.wants(point) && !hook.wants(HookPoint { block: 1, site: Site::ResidPost }));
    let rows = |n: usize| Tensor::ones((n, 2), candle_core::DType::F32, &CPU).unwrap();
    hook.resid(point, 0, &[0, 1, 2, 3, 4], &rows(prompt)).unwrap().unwrap();
    for step in 0..generated - 1 {
        let changed = hook.resid(point, prompt + step, &[9], &rows(1)).unwrap().unwrap();
        assert_eq!(changed.to_vec2::<f32>().unwrap(), [[0., 1.]]);
    }
    assert_eq!(hook.trace().rows.len(), prompt + generated - 1);
    assert_eq!(hook.trace().steered(), prompt + generated - 2);
    let again = hook.resid(point, 3, &[9], &rows(1)).unwrap_err().to_string();
    assert!(again.contains("in order"), "{again}");
}

#[test]
fn gates_of_several_targets() {
    let mut intervention = suppress(Tier::PerToken);
    let mut second = Target::add(0, 1.0, Unit::Raw, None);
    second.direction = Some(vec![0., 2.]);
    second.threshold = 5.0;
    intervention.targets.push(second);
    let steer = |gates, threshold| {
        let mut intervention = intervention.clone();
        intervention.gates = gates;
        intervention.targets[1].threshold = threshold;
        tiers(&intervention, 4, &[4]).0[6..].to_vec()
    };
    assert_eq!(steer(GateRule::Independent, 5.0), [1., 1.]);
    assert_eq!(steer(GateRule::Any, 5.0), [1., 2.]);
    assert_eq!(steer(GateRule::All, 5.0), [2., 1.]);
    assert_eq!(steer(GateRule::All, 0.5), [1., 2.]);
    intervention.targets[0].muted = true;
    intervention.targets[1].threshold = 0.0;
    assert_eq!(tiers(&intervention, 4, &[4]).0[6..], [2., 2.]);
}

#[test]
fn what_cannot_be_done_is_said() {
    let refused = |intervention: &Intervention, part: &str| {
        let error = Steering::new(intervention, &sae2(), None, 1).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    let with = |target: Target| Intervention { targets: vec![target], ..Intervention::default() };
    refused(&with(Target::add(3, 1.0, Unit::Raw, None)), "feature 3 does not exist");
    refused(&with(Target::add(0, 1.0, Unit::MaxAct, None)), "largest activation is not known");
    refused(&with(Target::add(0, f32::NAN, Unit::Raw, None)), "not a number");
    refused(&with(Target::new(0, Action::Cap { min: Some(2.0), max: Some(1.0) }, None)), "swap");
    let mut zero = Target::add(0, 1.0, Unit::Raw, None);
    zero.direction = Some(vec![0., 0.]);
    refused(&with(zero.clone()), "length 0");
    zero.direction = Some(vec![0.]);
    refused(&with(zero), "1 wide");
    let prompt = suppress(Tier::PerInput { steer_prompt: true, latch: false });
    let mut steering = Steering::new(&prompt, &sae2(), None, 4).unwrap();
    assert!(steering.apply(0, &TOKENS[..2], &X[..4]).unwrap_err().to_string().contains("one forward pass"));
}

#[test]
fn controls() {
    let mut random = Random::new(1, "controls");
    let length = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
    let v = controls::random_direction(64, 5.0, &mut random);
    assert!((length(&v) - 5.0).abs() < 1e-4);
    let o = controls::orthogonal_direction(&v, 3.0, &mut random).unwrap();
    assert!((length(&o) - 3.0).abs() < 1e-4);
    assert!(o.iter().zip(&v).map(|(a, b)| a * b).sum::<f32>().abs() < 1e-4);
    assert!(controls::orthogonal_direction(&[0.0; 4], 1.0, &mut random).is_err());
    let mut means = controls::MeanDifference::new(2);
    means.push(false, &[1., 2., 3., 4.]);
    means.push(true, &[1., 1.]);
    assert_eq!(means.difference(), [1., 2.]);
}

#[test]
fn units() {
    let s = strengths(-1.0, Unit::MaxAct, 2.0, Some(6.0), Some(12.0)).unwrap();
    assert_eq!((s.raw, s.decoder_vectors, s.max_act, s.share_of_resid), (-6.0, -3.0, Some(-1.0), Some(-0.5)));
    assert!(strengths(1.0, Unit::ResidNorm, 1.0, None, None).is_none());
}

#[test]
fn ablation_keeps_the_error_of_every_kind_of_autoencoder() {
    use crate::sae::Normalisation;
    let x = Tensor::new(&[[1.25f32, 1.5, 2.], [-1., 0.5, 3.]], &CPU).unwrap();
    let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for architecture in [Architecture::Standard, Architecture::JumpRelu, Architecture::TopK, Architecture::Gated] {
        for normalisation in [Normalisation::None, Normalisation::LayerNorm, Normalisation::ConstantNormRescale] {
            let mut sae = crate::sae::tests::known(architecture, true);
            sae.config.normalisation = normalisation;
            sae.config.rescale_acts_by_decoder_norm = architecture == Architecture::TopK;
            for feature in 0..4 {
                let target = Target::new(feature, Action::Ablate, None);
                let intervention = Intervention { targets: vec![target], ..Intervention::default() };
                let mut steering = Steering::new(&intervention, &sae, None, 2).unwrap();
                let found = steering.apply(0, &[1, 2], &flat(&x)).unwrap().unwrap();
                let mut encoded = sae.encode(&x).unwrap();
                let error = (&x - sae.decode(&encoded).unwrap()).unwrap();
                let mut keep = vec![1f32; 4];
                keep[feature] = 0.0;
                encoded.z = encoded.z.broadcast_mul(&Tensor::new(keep, &CPU).unwrap()).unwrap();
                close(&found, &flat(&(sae.decode(&encoded).unwrap() + error).unwrap()));
            }
        }
    }
}
