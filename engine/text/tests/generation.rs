//! Generation and scoring on the tiny checkpoints, by token ids alone.

#![allow(clippy::unwrap_used, reason = "a test may end here")]

use std::ops::ControlFlow;
use std::path::Path;

use candle_core::{Device, Tensor};
use plumb_core::Ctl;
use plumb_text::{
    Generation, HookPoint, Hooks, LanguageModel, NoHooks, Precision, Result, Sampling, Site, Stop, generate,
    generate_after, score,
};

fn open(family: &str) -> LanguageModel {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(family);
    LanguageModel::open(&folder, Precision::AsStored, &Device::Cpu).unwrap()
}

fn run(model: &LanguageModel, prompt: &[u32], sampling: &Sampling) -> Result<Generation> {
    let mut step = |_: &plumb_text::Step<'_>| ControlFlow::Continue(());
    generate(model, &mut model.new_cache(), prompt, sampling, &mut NoHooks, &Ctl::new(0), &mut step)
}

#[test]
fn greedy_takes_the_best_token_every_time_and_its_score_is_the_same() {
    for family in ["gpt2", "llama", "gemma2", "gemma3"] {
        let model = open(family);
        let sampling = Sampling { max_tokens: 12, ignore_end: true, ..Sampling::default() };
        let made = run(&model, &[3, 17, 42], &sampling).unwrap();
        assert_eq!((made.tokens.len(), made.stop), (12, Stop::Length));
        let mut all = vec![3, 17, 42];
        for &token in &made.tokens {
            let logits = model.forward_last(&all, &mut model.new_cache(), &mut NoHooks).unwrap();
            assert_eq!(logits.argmax(0).unwrap().to_scalar::<u32>().unwrap(), token, "{family}");
            all.push(token);
        }
        let scored = score(&model, &all, &mut NoHooks, &Ctl::new(0)).unwrap();
        for (a, b) in scored.logprobs[2..].iter().zip(&made.logprobs) {
            assert!((a - b).abs() < 1e-4, "{family}: {a} and {b}");
        }
        let mean = scored.logprobs.iter().sum::<f32>() / scored.logprobs.len() as f32;
        assert!((scored.perplexity.ln() + f64::from(mean)).abs() < 1e-5);
    }
}

#[test]
fn same_seed_same_tokens() {
    let model = open("llama");
    let sampling = |seed| Sampling { temperature: 1.0, seed, max_tokens: 20, ignore_end: true, ..Sampling::default() };
    let tokens = |seed| run(&model, &[5], &sampling(seed)).unwrap().tokens;
    assert_eq!(tokens(1), tokens(1));
    assert_ne!(tokens(1), tokens(2));
}

#[test]
fn a_full_context_ends_the_text_and_a_long_prompt_is_refused() {
    let model = open("llama");
    let sampling = Sampling { max_tokens: 100, ignore_end: true, ..Sampling::default() };
    let made = run(&model, &[1; 30], &sampling).unwrap();
    // 32 positions: two more are read, and the last one read gives a third.
    assert_eq!((made.tokens.len(), made.stop), (3, Stop::Context));
    let error = run(&model, &[1; 33], &sampling).unwrap_err().to_string();
    assert!(error.contains("33") && error.contains("32"), "{error}");
    assert!(run(&model, &[], &sampling).is_err());
    let error = run(&model, &[1, 61], &sampling).unwrap_err().to_string();
    assert!(error.contains("61"), "{error}");
}

#[test]
fn the_end_token_the_caller_and_a_cancelled_control_stop_it() {
    let mut model = open("llama");
    let sampling = Sampling { max_tokens: 10, ..Sampling::default() };
    let free = run(&model, &[3, 17], &Sampling { ignore_end: true, ..sampling.clone() }).unwrap();
    let mut config = model.config().clone();
    let third = free.tokens[2];
    let first = free.tokens.iter().position(|&token| token == third).unwrap();
    config.eos = vec![third];
    let weights = tensors();
    model = LanguageModel::from_tensors(config, weights, None, &Device::Cpu).unwrap();
    let made = run(&model, &[3, 17], &sampling).unwrap();
    assert_eq!((made.stop, made.tokens.as_slice()), (Stop::EndOfText, &free.tokens[..first]));

    let mut seen = 0;
    let mut twice = |_: &plumb_text::Step<'_>| {
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let sampling = Sampling { ignore_end: true, ..sampling };
    let ctl = Ctl::new(0);
    let made = generate(&model, &mut model.new_cache(), &[3], &sampling, &mut NoHooks, &ctl, &mut twice).unwrap();
    assert_eq!((made.stop, made.tokens.len()), (Stop::Caller, 2));

    let stop = ctl.clone();
    let mut cancel = move |_: &plumb_text::Step<'_>| {
        stop.cancel();
        ControlFlow::Continue(())
    };
    let error = generate(&model, &mut model.new_cache(), &[3], &sampling, &mut NoHooks, &ctl, &mut cancel).unwrap_err();
    assert!(matches!(error, plumb_text::Error::Cancelled(_)));
}

/// The Llama fixture as tensors made by hand.
fn tensors() -> std::collections::BTreeMap<String, Tensor> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/llama/model.safetensors");
    candle_core::safetensors::load(path, &Device::Cpu)
        .unwrap()
        .into_iter()
        .map(|(name, tensor)| (name.trim_start_matches("model.").to_owned(), tensor))
        .collect()
}

#[test]
fn hooks_meet_the_prompt_and_every_generated_token() {
    struct Count(Vec<(usize, usize)>);
    impl Hooks for Count {
        fn wants(&self, point: HookPoint) -> bool {
            point == HookPoint { block: 1, site: Site::ResidPost }
        }
        fn resid(&mut self, _: HookPoint, first: usize, tokens: &[u32], _: &Tensor) -> Result<Option<Tensor>> {
            self.0.push((first, tokens.len()));
            Ok(None)
        }
    }
    let model = open("gemma2");
    let sampling = Sampling { max_tokens: 4, ignore_end: true, ..Sampling::default() };
    let mut count = Count(Vec::new());
    let mut step = |_: &plumb_text::Step<'_>| ControlFlow::Continue(());
    generate(&model, &mut model.new_cache(), &[1, 2, 3], &sampling, &mut count, &Ctl::new(0), &mut step).unwrap();
    assert_eq!(count.0, [(0, 3), (3, 1), (4, 1), (5, 1)], "the last token is chosen, not read");
}

#[test]
fn several_texts_are_read_in_one_pass() {
    let model = open("gemma3");
    let texts: [&[u32]; 3] = [&[1, 2, 3, 4, 5, 6, 7], &[9], &[8, 8, 8]];
    let point = HookPoint { block: 2, site: Site::ResidPost };
    for (text, resid) in texts.iter().zip(model.resid_batch(&texts, point).unwrap()) {
        let alone = model.resid(text, point).unwrap();
        let worst = (alone - resid).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        assert!(worst.to_scalar::<f32>().unwrap() < 1e-4);
    }
}

#[test]
fn a_long_prompt_is_stopped_between_two_blocks() {
    /// Cancels at the first block.
    struct Cancel<'a>(&'a Ctl, usize);
    impl Hooks for Cancel<'_> {
        fn wants(&self, _: HookPoint) -> bool {
            true
        }
        fn resid(&mut self, _: HookPoint, _: usize, _: &[u32], _: &Tensor) -> Result<Option<Tensor>> {
            self.1 += 1;
            self.0.cancel();
            Ok(None)
        }
    }
    let model = open("llama");
    let ctl = Ctl::new(0);
    let mut cache = model.new_cache();
    let mut hooks = Cancel(&ctl, 0);
    let sampling = Sampling { max_tokens: 4, ..Sampling::default() };
    let go_on = &mut |_: &plumb_text::Step<'_>| ControlFlow::Continue(());
    let found = generate(&model, &mut cache, &[1, 2, 3], &sampling, &mut hooks, &ctl, go_on);
    assert!(matches!(found, Err(plumb_text::Error::Cancelled(_))));
    assert_eq!((hooks.1, cache.len()), (1, 0), "one block was met, and nothing is behind the cache");
}

/// Makes the stream at one place longer.
struct Stretch(HookPoint, f64);

impl Hooks for Stretch {
    fn wants(&self, point: HookPoint) -> bool {
        point == self.0
    }

    fn resid(&mut self, _: HookPoint, _: usize, _: &[u32], resid: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some((resid * self.1)?))
    }
}

#[test]
fn going_on_from_a_hook_point_is_going_on_from_the_beginning() {
    let sampling = Sampling { max_tokens: 8, ignore_end: true, ..Sampling::default() };
    let prompt = [3, 17, 42, 5, 9];
    for family in ["gpt2", "llama", "gemma2", "gemma3"] {
        for model in [open(family), open(family).composed()] {
            for site in [Site::ResidPre, Site::ResidPost] {
                for block in 0..model.config().depth() {
                    let point = HookPoint { block, site };
                    let prefix = model.prefix(&prompt, point, &mut NoHooks).unwrap();
                    // The prefix stays as it was, so the second factor is as good as the first.
                    for factor in [1.0, 3.0, 0.5] {
                        let mut step = |_: &plumb_text::Step<'_>| ControlFlow::Continue(());
                        let (mut hook, ctl) = (Stretch(point, factor), Ctl::new(0));
                        let after = generate_after(&model, &prefix, &sampling, &mut hook, &ctl, &mut step).unwrap();
                        let mut cache = model.new_cache();
                        let whole =
                            generate(&model, &mut cache, &prompt, &sampling, &mut hook, &ctl, &mut step).unwrap();
                        assert_eq!(after.tokens, whole.tokens, "{family} {point} × {factor}");
                        for (a, b) in after.logprobs.iter().zip(&whole.logprobs) {
                            assert!((a - b).abs() < 1e-5, "{family} {point} × {factor}: {a} and {b}");
                        }
                    }
                }
            }
        }
    }
}
