//! SAEs on the tiny random checkpoints of the text crate.

use std::ops::ControlFlow;
use std::path::Path;

use candle_core::{DType, Device};
use plumb_core::random::Random;
use plumb_nn::random;
use plumb_text::{Precision, Sampling, Site, Step};

use super::*;
use crate::find::{Filters, ScoreKind, rank};
use crate::index::{FeatureIndex, IndexTable};
use crate::intervene::{Action, Intervention, SteeringHook, Target, Tier, Unit};
use crate::sae::{Architecture, SaeConfig};

const CPU: Device = Device::Cpu;

fn model(family: &str) -> LanguageModel {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../text/tests/fixtures").join(family);
    LanguageModel::open(&folder, Precision::F32, &CPU).unwrap()
}

/// Random directions; half of the features fire now and then.
fn sae(d: usize, m: usize, bias: f64) -> Sae {
    let mut random = Random::new(2, "attached");
    let mut config = SaeConfig::new(Architecture::Standard, d, m);
    config.hook_name = Some("blocks.0.hook_resid_post".to_owned());
    config.prepend_bos = false;
    let w_dec = random::normal(&mut random, 0.0, 1.0 / (d as f64).sqrt(), (m, d), DType::F32, &CPU).unwrap();
    let w_enc = w_dec.t().unwrap().contiguous().unwrap();
    let b_enc = (Tensor::ones(m, DType::F32, &CPU).unwrap() * bias).unwrap();
    Sae::new(config, [w_enc, b_enc, w_dec, Tensor::zeros(d, DType::F32, &CPU).unwrap()], None, None).unwrap()
}

fn texts(model: &LanguageModel, count: usize) -> Vec<Vec<u32>> {
    let mut random = Random::new(9, "texts");
    let vocabulary = model.config().vocabulary;
    (0..count).map(|_| (0..12).map(|_| random.below(vocabulary) as u32).collect()).collect()
}

fn suppress(tier: Tier, strength: f32, threshold: f32) -> Intervention {
    let mut target = Target::add(3, strength, Unit::Raw, None);
    target.threshold = threshold;
    Intervention { targets: vec![target], tier, ..Intervention::default() }
}

fn worst(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

#[test]
fn cached_equals_uncached_with_steering_of_every_tier() {
    for family in ["gpt2", "llama", "gemma2"] {
        let model = model(family);
        let sae = sae(model.config().d_model, 16, 0.0);
        let at = sae.attach(&facts(&model, family), None).unwrap();
        let attached = Attached { model: &model, sae: &sae, at: &at };
        let text: Vec<u32> = vec![5, 3, 17, 42, 8, 11, 2, 9];
        for tier in [Tier::Constant, Tier::PerToken, Tier::PerInput { steer_prompt: false, latch: false }] {
            let intervention = suppress(tier, -2.0, 0.0);
            let (whole, trace) = attached.steered_logits(&text, 4, &intervention).unwrap();
            let mut hook = SteeringHook::new(&intervention, &sae, at.point, model.config().bos, 4).unwrap();
            let mut cache = model.new_cache();
            let mut rows = vec![model.forward(&text[..4], &mut cache, &mut hook).unwrap()];
            for token in &text[4..] {
                rows.push(model.forward(&[*token], &mut cache, &mut hook).unwrap());
            }
            let cached = Tensor::cat(&rows, 0).unwrap();
            assert!(worst(&whole, &cached) < 1e-4, "{family} {tier:?}");
            assert_eq!(hook.trace().steered(), trace.steered());
        }
    }
}

#[test]
fn a_gate_that_never_opens_changes_no_bit() {
    let model = model("llama");
    let sae = sae(model.config().d_model, 16, 0.0);
    let at = sae.attach(&facts(&model, "llama"), None).unwrap();
    let attached = Attached { model: &model, sae: &sae, at: &at };
    let text: Vec<u32> = vec![5, 3, 17, 42, 8];
    let free = model.forward(&text, &mut model.new_cache(), &mut NoHooks).unwrap().to_vec2::<f32>().unwrap();
    for tier in [Tier::PerToken, Tier::PerInput { steer_prompt: true, latch: true }] {
        let (logits, trace) = attached.steered_logits(&text, 5, &suppress(tier, -9.0, 1e9)).unwrap();
        assert_eq!(logits.to_vec2::<f32>().unwrap(), free);
        assert_eq!(trace.steered(), 0);
    }
    let (moved, _) = attached.steered_logits(&text, 5, &suppress(Tier::Constant, -9.0, 0.0)).unwrap();
    assert!(moved.to_vec2::<f32>().unwrap() != free);
}

#[test]
fn generation_steers_every_position_but_the_bos() {
    let model = model("llama");
    let sae = sae(model.config().d_model, 16, 0.0);
    let at = sae.attach(&facts(&model, "llama"), None).unwrap();
    let attached = Attached { model: &model, sae: &sae, at: &at };
    let bos = model.config().bos.unwrap_or(1);
    let prompt = [bos, 7, 9];
    let sampling = Sampling { max_tokens: 6, ignore_end: true, ..Sampling::default() };
    let run = |intervention: &Intervention| {
        attached
            .generate(&prompt, intervention, &sampling, &Ctl::new(0), &mut |_, _| ControlFlow::Continue(()))
            .unwrap()
    };
    let made = run(&suppress(Tier::Constant, -30.0, 0.0));
    let skipped = usize::from(model.config().bos.is_some());
    assert_eq!(made.trace.rows.len(), 3 + 6 - 1);
    assert_eq!(made.trace.steered(), 3 + 6 - 1 - skipped);
    assert_eq!((made.baseline.tokens.len(), made.steered.tokens.len(), made.kl.len()), (6, 6, 6));
    assert!(made.kl.iter().all(|kl| *kl > 0.0) && made.steered.perplexity > made.baseline.perplexity);
    let idle = run(&suppress(Tier::PerToken, -30.0, 1e9));
    assert_eq!(idle.baseline, idle.steered);
    let per_token = run(&suppress(Tier::PerToken, -30.0, 0.0));
    let open = per_token.trace.rows.iter().filter(|row| row.position > 0 || skipped == 0);
    assert_eq!(per_token.trace.steered(), open.filter(|row| row.activations[0] > 0.0).count());
}

/// LayerNorm takes the mean out of everything GPT-2 reads from the stream.
#[test]
fn a_constant_added_to_every_number_leaves_gpt2_as_it_is() {
    let model = model("gpt2");
    let sae = sae(model.config().d_model, 4, 0.0);
    let at = sae.attach(&facts(&model, "gpt2"), None).unwrap();
    let attached = Attached { model: &model, sae: &sae, at: &at };
    let mut target = Target::new(0, Action::Add { strength: 5.0, unit: Unit::RawUnnormalised }, None);
    target.direction = Some(vec![1.0; model.config().d_model]);
    let intervention = Intervention { targets: vec![target], include_bos: true, ..Intervention::default() };
    let text: Vec<u32> = vec![5, 3, 17, 42, 8];
    let free = model.forward(&text, &mut model.new_cache(), &mut NoHooks).unwrap();
    assert!(worst(&attached.steered_logits(&text, 5, &intervention).unwrap().0, &free) < 1e-4);
}

/// The logits of a stream that is `v`, minus those of `−v`, are twice those of the lens divided by the length that the
/// norm divides by.
#[test]
fn the_logit_lens_is_what_the_head_makes_of_a_direction() {
    for family in ["gpt2", "llama", "gemma2"] {
        let model = model(family);
        let d = model.config().d_model;
        let mut random = Random::new(8, "lens");
        let v = random::normal(&mut random, 0.5, 1.0, (1, d), DType::F32, &CPU).unwrap();
        let cap = |logits: Tensor| match model.config().final_cap {
            Some(cap) => (logits / cap).unwrap().to_vec2::<f32>().unwrap()[0]
                .iter()
                .map(|x| (cap as f32) * x.atanh())
                .collect::<Vec<f32>>(),
            None => logits.to_vec2::<f32>().unwrap().remove(0),
        };
        let (up, down) = (cap(model.logits(&v).unwrap()), cap(model.logits(&v.neg().unwrap()).unwrap()));
        let lens = v.matmul(&logit_lens(&model).unwrap().t().unwrap()).unwrap().to_vec2::<f32>().unwrap().remove(0);
        let values = v.to_vec2::<f32>().unwrap().remove(0);
        let mean = match model.config().norm {
            Norm::Layer => values.iter().sum::<f32>() / d as f32,
            _ => 0.0,
        };
        let length = (values.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / d as f32).sqrt();
        for ((up, down), lens) in up.iter().zip(&down).zip(&lens) {
            assert!(((up - down) / 2.0 - lens / length).abs() < 1e-3 * (1.0 + lens.abs()), "{family}");
        }
    }
}

#[test]
fn harvest_measure_contrast_and_index() {
    let model = model("llama");
    let d = model.config().d_model;
    let sae = sae(d, 24, 0.0);
    let at = sae.attach(&facts(&model, "llama"), None).unwrap();
    assert_eq!(at.point, HookPoint { block: 0, site: Site::ResidPost });
    let attached = Attached { model: &model, sae: &sae, at: &at };
    let (texts, ctl) = (texts(&model, 40), Ctl::new(1));
    let folder = tempfile::tempdir().unwrap();
    let mut store = ActivationStore::create(folder.path(), d, 100, false, "llama").unwrap();
    harvest(&model, at.point, 0, &texts[..15], &mut store, &ctl).unwrap();
    harvest(&model, at.point, 0, &texts, &mut store, &ctl).unwrap();
    assert_eq!(store.table().texts, 40);
    let bos = texts.iter().filter(|text| Some(text[0]) == model.config().bos).count();
    assert_eq!(store.rows(), 40 * 12 - bos);

    let (quality, density) = attached.quality(&texts[..5], &ctl).unwrap();
    assert_eq!(density.len(), 24);
    assert!(quality.l0 > 1.0 && quality.ce_score.is_some() && quality.kl_score.unwrap() <= 1.0);

    // Texts with token 7 in the middle against the same ones with token 8.
    let with = |token: u32| -> Vec<Vec<u32>> {
        let mut all = texts.clone();
        for text in &mut all {
            text[4..8].fill(token);
        }
        all
    };
    let pooled = attached.contrast(&with(7), &with(8), Pooling::Mean, &ctl).unwrap();
    let scores = crate::find::score(&pooled, true);
    let best = rank(&scores, ScoreKind::Auroc, Filters { max_density: 1.0, min_firings: 1 }, 1)[0];
    assert!(best.auroc > 0.9, "{best:?}");

    let place = folder.path().join("index");
    let mut builder = IndexBuilder::new(&place, 24, IndexTable { context: 2, ..IndexTable::default() }, 0).unwrap();
    attached.index(&texts, &mut builder, &ctl).unwrap();
    builder.finish(Some(&sae), Some(&logit_lens(&model).unwrap()), &ctl).unwrap();
    let index = FeatureIndex::open(&place).unwrap();
    let card = index.card(best.feature).unwrap();
    assert!(card.max > 0.0 && !card.top_logits.is_empty() && card.nearest.len() == 8);
}

#[test]
fn jobs_find_and_sweep() {
    use std::sync::Arc;

    use plumb_core::Job as _;

    use crate::job::{FindJob, Subject, SweepJob};
    use crate::metrics::TokenLexicon;
    use crate::spec::{FindSpec, SweepSpec};

    let model = model("llama");
    let sae = sae(model.config().d_model, 24, 0.0);
    let texts = texts(&model, 30);
    let subject = Arc::new(Subject::new(Arc::new(model), Arc::new(sae), "llama", None).unwrap());
    let with = |token: u32| -> Vec<Vec<u32>> {
        let mut all = texts.clone();
        for text in &mut all {
            text[4..8].fill(token);
        }
        all
    };
    let spec =
        FindSpec { filters: Filters { max_density: 1.0, min_firings: 1 }, rounds: 20, top: 3, ..FindSpec::default() };
    let find = FindJob { subject: Arc::clone(&subject), first: with(7), second: with(8), spec };
    let found = find.run(&Ctl::new(0)).unwrap();
    assert_eq!(found.candidates.len(), 3);
    assert!(found.candidates[0].p_family.unwrap() < 0.05, "{found:?}");

    let feature = found.candidates[0].score.feature;
    let spec = SweepSpec {
        targets: vec![Target::add(feature, -1.0, Unit::Raw, None)],
        tiers: vec![Tier::Constant, Tier::PerToken],
        strengths: vec![0.0, 4.0, 16.0],
        random_controls: 2,
        sampling: Sampling { max_tokens: 5, temperature: 1.0, ignore_end: true, ..Sampling::default() },
        continuations: 2,
        ..SweepSpec::default()
    };
    let scorer = Arc::new(TokenLexicon::new((0..20).collect()));
    let prompts = texts[..4].to_vec();
    let sweep = SweepJob { subject, prompts, neutral: Vec::new(), questions: Vec::new(), scorer, spec };
    let report = sweep.clone().run(&Ctl::new(0)).unwrap();
    // Two tiers, and two random directions in the place of the decoder vector.
    assert_eq!(report.points.len(), (2 + 2) * 3);
    assert_eq!(report.baseline.toxicity.count, 8);
    for point in report.points.iter().filter(|point| point.strength == 0.0) {
        assert_eq!((point.toxicity, point.perplexity), (report.baseline.toxicity, report.baseline.perplexity));
    }
    let strong = report.points.iter().find(|point| point.strength == 16.0).unwrap();
    assert!(strong.kl > 0.0 && strong.steered_share > 0.5);
    assert!(report.points.iter().any(|point| point.on_front));
    assert_eq!(report, sweep.run(&Ctl::new(0)).unwrap());
}

#[test]
fn an_autoencoder_is_trained_attached_measured_and_indexed() {
    use std::sync::Arc;

    use plumb_core::Job as _;

    use crate::job::Subject;
    use crate::sae::Stored;
    use crate::sae_job::{IndexJob, QualityJob, TrainSaeJob};
    use crate::sae_spec::SaeTrainSpec;
    use crate::train::{Sparsity, TrainSpec};

    let model = Arc::new(model("llama"));
    let texts = texts(&model, 200);
    let folder = tempfile::tempdir().unwrap();
    let one = |sparsity, features| TrainSpec {
        features,
        sparsity,
        steps: 300,
        batch: 256,
        rate: 3e-3,
        warm_up: 20,
        dead_after: 5000,
        save_every: 100,
        ..TrainSpec::default()
    };
    let aux = 1.0 / 32.0;
    let spec = SaeTrainSpec {
        hook: HookPoint { block: 1, site: Site::ResidPost },
        train: vec![one(Sparsity::TopK { k: 8, aux }, 64), one(Sparsity::BatchTopK { k: 8, aux }, 32)],
        stored: Stored::F16,
        work: folder.path().join("work"),
        out: folder.path().join("out"),
        ..SaeTrainSpec::default()
    };
    let job = TrainSaeJob { model: Arc::clone(&model), texts: texts.clone(), held_out: texts[..5].to_vec(), spec };
    let trained = job.clone().run(&Ctl::new(0)).unwrap();
    // A second run finds everything done and gives the same.
    assert_eq!(trained, job.run(&Ctl::new(0)).unwrap());
    assert_eq!(trained.iter().map(|one| (one.features, one.steps)).collect::<Vec<_>>(), [(64, 300), (32, 300)]);
    for one in &trained {
        assert!(one.quality.explained_variance > 0.4 && one.quality.l0 < 12.0, "{one:?}");
        assert!(one.folder.join("quality.json").is_file());
    }
    let (narrow, _) = Sae::load(&trained[1].folder, &CPU).unwrap();
    assert_eq!(narrow.config.architecture, Architecture::JumpRelu);
    let (sae, _) = Sae::load(&trained[0].folder, &CPU).unwrap();
    let subject = Arc::new(Subject::new(model, Arc::new(sae), "llama", None).unwrap());
    let quality = QualityJob { subject: Arc::clone(&subject), texts: texts[..10].to_vec() }.run(&Ctl::new(0)).unwrap();
    assert!(quality.l0 <= 8.0 && quality.explained_variance > 0.5, "{quality:?}");
    let place = folder.path().join("index");
    let table = IndexTable { context: 4, ..IndexTable::default() };
    IndexJob { subject, texts, table, folder: place.clone() }.run(&Ctl::new(0)).unwrap();
    assert_eq!(FeatureIndex::open(&place).unwrap().rows().len(), 64);
}

#[test]
fn many_prompts_at_once_are_continued_as_one_alone() {
    for family in ["gpt2", "llama", "gemma2"] {
        let model = model(family);
        let sae = sae(model.config().d_model, 16, 0.0);
        let at = sae.attach(&facts(&model, family), None).unwrap();
        let attached = Attached { model: &model, sae: &sae, at: &at };
        let prompts = texts(&model, 19);
        let prompts: Vec<&[u32]> = prompts.iter().enumerate().map(|(i, text)| &text[..3 + i % 5]).collect();
        let sampling = |seed| Sampling { temperature: 1.0, max_tokens: 6, seed, ..Sampling::default() };
        let samplings: Vec<Sampling> = (0..prompts.len() as u64).map(sampling).collect();
        let intervention = suppress(Tier::Constant, -2.0, 0.0);
        let ctl = Ctl::new(0);
        let made = attached.continue_all(&prompts, &samplings, Some(&intervention), &ctl).unwrap();
        let free = attached.continue_all(&prompts, &samplings, None, &ctl).unwrap();
        for (i, (made, free)) in made.iter().zip(&free).enumerate() {
            let go_on = &mut |_: &Step<'_>| ControlFlow::Continue(());
            let (alone, kl, trace) = attached.steered(prompts[i], &intervention, &samplings[i], &ctl, go_on).unwrap();
            assert_eq!(made.continuation.tokens, alone.tokens, "{family} {i}");
            assert_eq!(made.trace.steered(), trace.steered());
            assert_eq!(made.kl.len(), kl.len());
            assert!(made.kl.iter().zip(&kl).all(|(a, b)| (a - b).abs() < 1e-3));
            let close = |a: Option<f64>, b: Option<f64>| a.zip(b).is_none_or(|(a, b)| (a / b - 1.0).abs() < 1e-3);
            assert!(close(made.continuation.perplexity, alone.perplexity));
            let alone = attached.unsteered(prompts[i], &samplings[i], &ctl, go_on).unwrap();
            assert_eq!(free.continuation.tokens, alone.tokens);
            assert!(free.kl.is_empty() && free.trace.rows.is_empty());
        }
    }
}
