//! The decoder against Hugging Face transformers, on tiny checkpoints of every family.

#![allow(clippy::unwrap_used, reason = "a test may end here")]

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use plumb_nn::checkpoint::Checkpoint;
use plumb_text::{HookPoint, Hooks, LanguageModel, NoHooks, Precision, Result, Sequence, Site};

const FAMILIES: [&str; 4] = ["gpt2", "llama", "gemma2", "gemma3"];

fn folder(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(family)
}

fn open(family: &str) -> LanguageModel {
    LanguageModel::open(&folder(family), Precision::AsStored, &Device::Cpu).unwrap()
}

struct Expected(Checkpoint);

impl Expected {
    fn open(family: &str) -> Self {
        Self(Checkpoint::open(&folder(family).join("expected.safetensors")).unwrap())
    }

    fn tokens(&self, index: usize) -> Vec<u32> {
        self.0.read_f32(&format!("tokens_{index}")).unwrap().into_iter().map(|token| token as u32).collect()
    }

    fn numbers(&self, name: &str) -> Vec<f32> {
        self.0.read_f32(name).unwrap()
    }
}

fn list(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest difference relative to the largest expected number.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0.0f32, |scale, x| scale.max(x.abs()));
    found.iter().zip(expected).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs())) / scale
}

fn close(found: &[f32], expected: &[f32], what: &str) {
    let difference = difference(found, expected);
    assert!(difference < 1e-4, "{what}: {difference}");
}

/// Watches everything, changes nothing, and counts.
struct Watch(usize);

impl Hooks for Watch {
    fn wants(&self, _: HookPoint) -> bool {
        true
    }

    fn resid(&mut self, _: HookPoint, _: usize, tokens: &[u32], resid: &Tensor) -> Result<Option<Tensor>> {
        assert_eq!(resid.dim(0)?, tokens.len());
        self.0 += 1;
        Ok(Some(resid.clone()))
    }
}

/// Adds a number at one point, at one position.
struct Push {
    point: HookPoint,
    position: usize,
}

impl Hooks for Push {
    fn wants(&self, point: HookPoint) -> bool {
        point == self.point
    }

    fn resid(&mut self, _: HookPoint, first: usize, tokens: &[u32], resid: &Tensor) -> Result<Option<Tensor>> {
        let Some(row) = self.position.checked_sub(first).filter(|&row| row < tokens.len()) else { return Ok(None) };
        let mut numbers = resid.to_vec2::<f32>()?;
        numbers[row].iter_mut().step_by(2).for_each(|x| *x += 1.5);
        Ok(Some(Tensor::new(numbers, resid.device())?))
    }
}

#[test]
fn logits_are_those_of_transformers() {
    for family in FAMILIES {
        let expected = Expected::open(family);
        for (way, model) in [("kernels", open(family)), ("composed", open(family).composed())] {
            for text in 0..2 {
                let mut cache = model.new_cache();
                let logits = model.forward(&expected.tokens(text), &mut cache, &mut NoHooks).unwrap();
                close(
                    &list(&logits),
                    &expected.numbers(&format!("logits_{text}")),
                    &format!("{family}, {way}, text {text}"),
                );
            }
        }
    }
}

#[test]
fn residual_streams_are_those_of_transformers() {
    for family in FAMILIES {
        let (model, expected) = (open(family), Expected::open(family));
        let tokens = expected.tokens(0);
        let depth = model.config().depth();
        for block in 0..depth {
            let pre = model.resid(&tokens, HookPoint { block, site: Site::ResidPre }).unwrap();
            close(
                &list(&pre),
                &expected.numbers(&format!("hidden_0_{block}")),
                &format!("{family}, before block {block}"),
            );
            if block + 1 < depth {
                let post = model.resid(&tokens, HookPoint { block, site: Site::ResidPost }).unwrap();
                let next = model.resid(&tokens, HookPoint { block: block + 1, site: Site::ResidPre }).unwrap();
                assert_eq!(list(&post), list(&next), "{family}: after block {block} is before the next");
            }
        }
        let last = model.resid(&tokens, HookPoint { block: depth - 1, site: Site::ResidPost }).unwrap();
        close(&list(&model.logits(&last).unwrap()), &expected.numbers("logits_0"), family);
        let error = model.resid(&tokens, HookPoint { block: depth, site: Site::ResidPre }).unwrap_err();
        assert!(error.to_string().contains(&format!("{depth} blocks")), "{error}");
    }
}

#[test]
fn one_by_one_is_all_at_once() {
    for family in FAMILIES {
        let expected = Expected::open(family);
        let tokens = expected.tokens(0);
        for model in [open(family), open(family).composed()] {
            let mut cache = model.new_cache();
            let mut logits = list(&model.forward(&tokens[..3], &mut cache, &mut NoHooks).unwrap());
            for token in &tokens[3..] {
                logits.extend(list(&model.forward(&[*token], &mut cache, &mut NoHooks).unwrap()));
            }
            close(&logits, &expected.numbers("logits_0"), family);
            assert_eq!(cache.len(), tokens.len());
            // Going back to an earlier position and taking another way from a copy.
            let mut other = cache.fork().unwrap();
            other.truncate(5);
            let again = model.forward_last(&tokens[5..], &mut other, &mut NoHooks).unwrap();
            close(&list(&again), &logits[logits.len() - model.config().vocabulary..], family);
        }
    }
}

#[test]
fn watching_changes_nothing_and_meets_every_position() {
    for family in FAMILIES {
        let (model, expected) = (open(family), Expected::open(family));
        let tokens = expected.tokens(0);
        let mut watch = Watch(0);
        let mut cache = model.new_cache();
        let watched = model.forward(&tokens, &mut cache, &mut watch).unwrap();
        assert_eq!(watch.0, 2 * model.config().depth());
        let plain = model.forward(&tokens, &mut model.new_cache(), &mut NoHooks).unwrap();
        assert_eq!(list(&watched), list(&plain), "{family}");
    }
}

#[test]
fn a_change_reaches_later_positions_only_and_is_the_same_with_a_cache() {
    for family in FAMILIES {
        let (model, expected) = (open(family), Expected::open(family));
        let tokens = expected.tokens(0);
        let vocabulary = model.config().vocabulary;
        let mut push = Push { point: HookPoint { block: 1, site: Site::ResidPre }, position: 4 };
        let changed = list(&model.forward(&tokens, &mut model.new_cache(), &mut push).unwrap());
        let plain = expected.numbers("logits_0");
        close(&changed[..4 * vocabulary], &plain[..4 * vocabulary], family);
        for position in 4..5 {
            let range = position * vocabulary..(position + 1) * vocabulary;
            assert!(difference(&changed[range.clone()], &plain[range]) > 1e-3, "{family}: position {position} moves");
        }
        let mut cache = model.new_cache();
        let mut steps = list(&model.forward(&tokens[..2], &mut cache, &mut push).unwrap());
        for token in &tokens[2..] {
            steps.extend(list(&model.forward(&[*token], &mut cache, &mut push).unwrap()));
        }
        close(&steps, &changed, family);
    }
}

#[test]
fn several_prompts_at_once_are_as_one_by_one() {
    for family in FAMILIES {
        let (model, expected) = (open(family), Expected::open(family));
        let vocabulary = model.config().vocabulary;
        let texts = [expected.tokens(0), expected.tokens(1)];
        let (mut first, mut second) = (model.new_cache(), model.new_cache());
        let (mut quiet, mut watch) = (NoHooks, Watch(0));
        let logits = model
            .forward_batch(&mut [
                Sequence { tokens: &texts[0], cache: &mut first, hooks: &mut quiet },
                Sequence { tokens: &texts[1], cache: &mut second, hooks: &mut watch },
            ])
            .unwrap();
        let logits = logits.to_vec2::<f32>().unwrap();
        for (text, logits) in logits.iter().enumerate() {
            let all = expected.numbers(&format!("logits_{text}"));
            close(logits, &all[all.len() - vocabulary..], family);
        }
        assert_eq!((first.len(), second.len()), (texts[0].len(), texts[1].len()));
    }
}

#[test]
fn a_constant_on_the_residual_stream_does_not_move_a_layer_norm_model() {
    struct Shift;
    impl Hooks for Shift {
        fn wants(&self, point: HookPoint) -> bool {
            point == HookPoint { block: 0, site: Site::ResidPost }
        }
        fn resid(&mut self, _: HookPoint, _: usize, _: &[u32], resid: &Tensor) -> Result<Option<Tensor>> {
            Ok(Some((resid + 0.7)?))
        }
    }
    let (model, expected) = (open("gpt2"), Expected::open("gpt2"));
    let logits = model.forward(&expected.tokens(0), &mut model.new_cache(), &mut Shift).unwrap();
    close(&list(&logits), &expected.numbers("logits_0"), "shifted");
}

#[test]
fn half_precision_weights_stay_near() {
    for family in FAMILIES {
        let expected = Expected::open(family);
        let model = LanguageModel::open(&folder(family), Precision::Bf16, &Device::Cpu).unwrap();
        let tokens = expected.tokens(1);
        let at_once = list(&model.forward(&tokens, &mut model.new_cache(), &mut NoHooks).unwrap());
        assert!(difference(&at_once, &expected.numbers("logits_1")) < 0.05, "{family}");
        let mut cache = model.new_cache();
        let steps: Vec<f32> = tokens
            .iter()
            .flat_map(|&token| list(&model.forward(&[token], &mut cache, &mut NoHooks).unwrap()))
            .collect();
        close(&steps, &at_once, family);
    }
}
