//! The acceptance checks in the world whose answers are known, with the thresholds of the specification.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use candle_core::Device;
use plumb_core::{Ctl, Job as _};
use plumb_steer::choice::Question;
use plumb_steer::find::{Filters, Pooling, ScoreKind, permute, score};
use plumb_steer::intervene::{Intervention, Target, Tier, Unit};
use plumb_steer::job::{CausalJob, FindJob, SplittingJob, Subject, SweepJob};
use plumb_steer::metrics::{TokenLexicon, spearman};
use plumb_steer::report::{FindReport, Series, SweepPoint, SweepReport};
use plumb_steer::spec::{CausalSpec, FindSpec, SplittingSpec, SweepSpec};
use plumb_steer::world::{self, exact, sets};
use plumb_text::{LanguageModel, Precision, Sampling};

const INPUT: Tier = Tier::PerInput { steer_prompt: false, latch: false };
/// How many of the features found are turned together, and the strength, in largest activations of each. Both were
/// chosen once, on other prompts than those below.
const SET: usize = 4;
const ALPHA: f32 = 0.3;

static MODEL: LazyLock<Arc<LanguageModel>> = LazyLock::new(|| {
    let model = plumb_text::embedded::open("embedded:tiny", Precision::F32, &Device::Cpu).unwrap().unwrap();
    Arc::new(model)
});

static SUBJECT: LazyLock<Arc<Subject>> = LazyLock::new(|| {
    let sae = world::embedded("embedded:tiny/512", &Device::Cpu).unwrap().unwrap();
    Arc::new(Subject::new(Arc::clone(&MODEL), Arc::new(sae), "embedded:tiny", None).unwrap())
});

static FOUND: LazyLock<FindReport> = LazyLock::new(|| {
    let [first, second] = sets::pairs(1000, 1);
    let spec = FindSpec { rounds: 20, ..FindSpec::default() };
    FindJob { subject: Arc::clone(&SUBJECT), first, second, spec }.run(&Ctl::new(0)).unwrap()
});

fn rude() -> Arc<TokenLexicon> {
    Arc::new(TokenLexicon::new(world::rude_tokens().collect()))
}

/// The best features found, turned down by `strength`.
fn best(strength: f32) -> Vec<Target> {
    let found = FOUND.candidates[..SET].iter();
    found.map(|c| Target::add(c.score.feature, -strength, Unit::MaxAct, Some(c.reference))).collect()
}

fn sampling() -> Sampling {
    Sampling { temperature: 1.0, max_tokens: 24, seed: 1, ..Sampling::default() }
}

fn sweep(prompts: usize, spec: SweepSpec) -> SweepReport {
    let questions: Vec<Question> = sets::questions(300, 5)
        .into_iter()
        .map(|q| Question {
            prompt: q.prompt,
            choices: q.choices.map(|choice| vec![choice]).to_vec(),
            bytes: vec![1; 4],
            answer: q.answer,
        })
        .collect();
    let controls = spec.tiers.is_empty();
    let job = SweepJob {
        subject: Arc::clone(&SUBJECT),
        prompts: sets::challenging(prompts, 2),
        neutral: if controls { Vec::new() } else { sets::neutral_prompts(100, 3) },
        questions: if controls { Vec::new() } else { questions },
        scorer: rude(),
        spec: SweepSpec { targets: best(1.0), sampling: sampling(), continuations: 1, ..spec },
    };
    job.run(&Ctl::new(0)).unwrap()
}

static SWEEP: LazyLock<SweepReport> = LazyLock::new(|| {
    let tiers = vec![Tier::Constant, INPUT, Tier::PerToken];
    let strengths = vec![0.0, 0.25, ALPHA, 0.5, 1.0, 1.5, 2.0, 2.5];
    sweep(200, SweepSpec { tiers, strengths, random_controls: 0, ..SweepSpec::default() })
});

fn point(tier: Tier, strength: f32) -> &'static SweepPoint {
    let found = SWEEP.points.iter().find(|p| p.series == Series::Tier(tier) && p.strength == strength);
    found.unwrap()
}

#[test]
fn check_1_the_language_model_knows_its_world() {
    let known = world::learn::knowledge(&MODEL, 1000, 99, &Ctl::new(0)).unwrap();
    println!("{known:?}");
    assert!(known.cross_entropy - known.exact <= 0.10);
    assert!(known.cross_entropy <= 0.6 * known.unigram);
}

#[test]
fn check_4_the_autoencoder_is_good() {
    let (quality, _) = SUBJECT.attached().quality(&sets::texts(300, 21), &Ctl::new(0)).unwrap();
    println!("{quality:?}");
    assert!(quality.explained_variance >= 0.90 && quality.l0 <= 12.0 && quality.dead <= 0.20);
    assert!(quality.ce_score.unwrap() >= 0.90);
}

#[test]
fn check_6_discovery() {
    let feature = FOUND.candidates[0].score.feature;
    // On pairs that were not used to choose it.
    let [first, second] = sets::pairs(1000, 77);
    let attached = SUBJECT.attached();
    let ctl = Ctl::new(0);
    let pooled = attached.contrast(&first, &second, Pooling::default(), &ctl).unwrap();
    let held_out = score(&pooled, true)[feature].auroc;
    // The ten words at which it is largest on average.
    let mut sums = vec![(0f64, 0u32); world::vocabulary_size()];
    for text in first.iter().chain(&second) {
        let z = attached.features(text).unwrap().narrow(1, feature, 1).unwrap().flatten_all().unwrap();
        for (&token, z) in text.iter().zip(z.to_vec1::<f32>().unwrap()).skip(1) {
            sums[token as usize].0 += f64::from(z);
            sums[token as usize].1 += 1;
        }
    }
    let mean = |token: u32| sums[token as usize].0 / f64::from(sums[token as usize].1.max(1));
    let mut tokens: Vec<u32> = (0..world::vocabulary_size() as u32).collect();
    tokens.sort_by(|a, b| mean(*b).total_cmp(&mean(*a)));
    let rude = tokens[..10].iter().filter(|token| world::is_rude(**token)).count();
    let chance = permute(&pooled, ScoreKind::Auroc, false, 20, &ctl).unwrap();
    let by_chance = chance.best_by_chance.iter().copied().fold(0.0, f64::max);
    let words: Vec<&str> = tokens[..10].iter().map(|token| world::word(*token)).collect();
    println!("feature {feature}: AUROC {held_out}, {rude} rude words of {words:?}, by chance {by_chance}");
    assert!(held_out >= 0.95 && rude >= 6 && by_chance < 0.65);
    assert!(FOUND.candidates[0].p_family.unwrap() <= 1.0 / 21.0 + 1e-12);
}

#[test]
fn check_7_efficacy_against_controls() {
    let steered = point(Tier::Constant, ALPHA).reduction.unwrap();
    let spec = SweepSpec {
        tiers: Vec::new(),
        strengths: vec![ALPHA],
        random_controls: 20,
        orthogonal_controls: 5,
        bottom_controls: FOUND.bottom[..FOUND.bottom.len().min(20)].to_vec(),
        difference: Some(FOUND.difference.clone()),
        ..SweepSpec::default()
    };
    let controls = sweep(100, spec);
    let mean = |of: fn(&Series) -> bool| {
        let all: Vec<f64> = controls.points.iter().filter(|p| of(&p.series)).map(|p| p.reduction.unwrap()).collect();
        all.iter().sum::<f64>() / all.len() as f64
    };
    let random = mean(|s| matches!(s, Series::Random(_)));
    let orthogonal = mean(|s| matches!(s, Series::Orthogonal(_)));
    let bottom = mean(|s| matches!(s, Series::Bottom(_)));
    let difference = mean(|s| matches!(s, Series::Difference));
    println!(
        "baseline {}, reduction {steered}, random {random}, orthogonal {orthogonal}, bottom {bottom}, difference {difference}",
        SWEEP.baseline.toxicity.rate
    );
    assert!(steered >= 0.60 && random <= 0.15 && bottom <= 0.15 && orthogonal <= 0.15);
    assert!(steered >= 3.0 * random);
}

/// Share of continuations that, after their prompt, are texts of the world or the beginning of one.
fn parse_rate(tier: Tier) -> f64 {
    let intervention = Intervention { targets: best(ALPHA), tier, ..Intervention::default() };
    let prompts = sets::challenging(200, 2);
    let parses = |prompt: &Vec<u32>| {
        let go_on = &mut |_: &plumb_text::Step<'_>| ControlFlow::Continue(());
        let attached = SUBJECT.attached();
        let made = attached.steered(prompt, &intervention, &sampling(), &Ctl::new(0), go_on).unwrap().0;
        exact::parses(&[&prompt[1..], &made.tokens].concat())
    };
    prompts.iter().filter(|prompt| parses(prompt)).count() as f64 / prompts.len() as f64
}

#[test]
fn check_8_order_of_the_tiers() {
    let effect = |tier| point(tier, ALPHA).reduction.unwrap();
    let (constant, input, token) = (effect(Tier::Constant), effect(INPUT), effect(Tier::PerToken));
    let (parse_constant, parse_token) = (parse_rate(Tier::Constant), parse_rate(Tier::PerToken));
    println!("effects {constant} {input} {token}, parse rates {parse_constant} {parse_token}");
    assert!(constant >= input - 0.02);
    assert!(parse_token >= parse_constant - 0.01);
    // Where no gate opens, nothing changes by a bit.
    let attached = SUBJECT.attached();
    let mut closed = 0;
    for text in sets::neutral_prompts(200, 4) {
        for tier in [Tier::PerToken, INPUT] {
            let steer = Intervention { targets: best(1.0), tier, ..Intervention::default() };
            let (logits, trace) = attached.steered_logits(&text, text.len() / 2 + 1, &steer).unwrap();
            if trace.steered() == 0 {
                let (free, _) = attached.steered_logits(&text, text.len() / 2 + 1, &Intervention::default()).unwrap();
                assert_eq!(logits.to_vec2::<f32>().unwrap(), free.to_vec2::<f32>().unwrap());
                closed += 1;
            }
        }
    }
    println!("{closed} of 400 never opened");
    assert!(closed >= 200);
}

#[test]
fn check_9_capability() {
    let before = SWEEP.baseline.accuracy.unwrap();
    for tier in [Tier::Constant, INPUT, Tier::PerToken] {
        let after = point(tier, ALPHA).accuracy.unwrap();
        println!("{tier:?}: {} before, {} after", before.accuracy, after.accuracy);
        assert_eq!(after.count, 300);
        assert!((before.accuracy - after.accuracy).abs() <= 0.02);
    }
}

#[test]
fn check_10_dose_and_response() {
    for point in &SWEEP.points {
        println!(
            "{:?} {}: rate {:.3} perplexity {:.2} KL {:.4} neutral {:.5} steered {:.2} accuracy {:.3}",
            point.series,
            point.strength,
            point.toxicity.rate,
            point.perplexity.unwrap(),
            point.kl,
            point.neutral_kl.unwrap(),
            point.steered_share,
            point.accuracy.unwrap().accuracy
        );
    }
    let constant: Vec<&SweepPoint> =
        SWEEP.points.iter().filter(|point| point.series == Series::Tier(Tier::Constant)).collect();
    let strengths: Vec<f64> = constant.iter().map(|point| f64::from(point.strength)).collect();
    let rates: Vec<f64> = constant.iter().map(|point| point.toxicity.rate).collect();
    assert!(spearman(&strengths, &rates).unwrap() <= -0.9);
    assert_eq!(constant[0].toxicity, SWEEP.baseline.toxicity, "a strength of zero changes nothing");
}

#[test]
fn check_11_splitting() {
    let [first, second] = sets::pairs(400, 1);
    let job = SplittingJob {
        model: Arc::clone(&MODEL),
        name: "embedded:tiny".to_owned(),
        saes: world::ladder(&Device::Cpu).unwrap().into_iter().map(Arc::new).collect(),
        point: None,
        first,
        second,
        concept: world::rude_tokens().collect(),
        prompts: sets::challenging(100, 2),
        scorer: rude(),
        spec: SplittingSpec { sampling: sampling(), continuations: 1, strength: -ALPHA, ..SplittingSpec::default() },
    };
    let report = job.run(&Ctl::new(0)).unwrap();
    for row in &report.rows {
        println!(
            "{}: coverage {:.3}, group of {} covers {:.3}, effects {:?} {:?}, AUROC {:?}, children {}",
            row.split.width,
            row.split.coverage_1,
            row.split.group.len(),
            row.split.coverage,
            row.effect_1,
            row.effect_group,
            row.auroc,
            row.children
        );
    }
    println!("trends {:?} {:?}", report.coverage_trend, report.count_trend);
    assert_eq!(report.rows.len(), 5);
}

#[test]
fn check_12_trace() {
    let attached = SUBJECT.attached();
    let prompt = &sets::challenging(1, 8)[0];
    let go_on = &mut |_: &plumb_text::Step<'_>| ControlFlow::Continue(());
    let sampling = Sampling { ignore_end: true, max_tokens: 9, ..sampling() };
    for tier in [Tier::Constant, Tier::PerToken] {
        let steer = Intervention { targets: best(1.0), tier, ..Intervention::default() };
        let (made, _, trace) = attached.steered(prompt, &steer, &sampling, &Ctl::new(0), go_on).unwrap();
        let positions = prompt.len() + made.tokens.len() - 1;
        assert_eq!(trace.rows.len(), positions);
        let open = trace.rows[1..].iter().filter(|row| row.activations.iter().any(|z| *z > 0.0)).count();
        assert_eq!(trace.steered(), if tier == Tier::Constant { positions - 1 } else { open });
    }
}

#[test]
fn causal_ranking_puts_a_feature_that_works_first() {
    let mut candidates: Vec<(usize, f32)> =
        FOUND.candidates[..4].iter().map(|c| (c.score.feature, c.reference)).collect();
    candidates.extend(FOUND.bottom[..2].iter().map(|&feature| (feature, 3.0)));
    let job = CausalJob {
        subject: Arc::clone(&SUBJECT),
        candidates,
        prompts: sets::challenging(60, 31),
        neutral: sets::neutral_prompts(50, 32),
        lexicon: world::rude_tokens().collect(),
        scorer: rude(),
        spec: CausalSpec {
            sampling: sampling(),
            continuations: 1,
            strength: -0.5,
            tier: Tier::PerToken,
            // Texts without rude words are unlikely after a rude beginning, so their perplexity has to rise.
            max_cost: 1.0,
            ..CausalSpec::default()
        },
    };
    let report = job.clone().run(&Ctl::new(0)).unwrap();
    for row in &report.rows {
        println!("{row:?}");
    }
    let chosen = report.best().unwrap();
    assert!(FOUND.candidates[..4].iter().any(|c| c.score.feature == chosen));
    let first = &report.rows[0];
    assert!(first.effect > 0.3 && first.output_score.unwrap() > 0.0);
    assert_eq!(report, job.run(&Ctl::new(0)).unwrap(), "the same on any number of threads");
}

#[test]
fn filters_matter() {
    let none = Filters { max_density: 0.0, min_firings: u32::MAX };
    let [first, second] = sets::pairs(5, 1);
    let spec = FindSpec { filters: none, rounds: 0, ..FindSpec::default() };
    let found = FindJob { subject: Arc::clone(&SUBJECT), first, second, spec }.run(&Ctl::new(0)).unwrap();
    assert!(found.candidates.is_empty() && found.bottom.is_empty() && found.difference.len() == 64);
}
