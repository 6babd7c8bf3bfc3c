//! What the tabs ask for, as experiments: the same value is run here, kept as a preset and run without a window, so that
//! all three give the same numbers.

use plumb_steer::experiment::{
    FindExperiment, GenerateExperiment, Judge, Pair, SplittingExperiment, SweepExperiment, TextChoice, TextSource,
};
use plumb_steer::spec::{CausalSpec, SplittingSpec};
use plumb_text::Sampling;
use plumb_text::job::ModelSpec;

use super::state::{State, lines};
use super::sweep::numbers;

/// Texts as they are.
pub fn texts(texts: Vec<String>) -> TextChoice {
    TextChoice { from: TextSource::Texts(texts), ..TextChoice::default() }
}

impl State {
    fn pair(&self) -> Pair {
        let about = self.opened.as_ref().map(|opened| &opened.about);
        let names = about.map(|about| [about.model.as_str(), about.sae.as_str()]);
        let [model, sae] = names.unwrap_or([self.model.trim(), self.sae.trim()]).map(str::to_owned);
        Pair { model: ModelSpec { model, ..ModelSpec::default() }, sae, ..Pair::default() }
    }

    /// The prompts on screen and, where they are few, the examples too: one prompt measures nothing.
    pub(super) fn prompts_to_measure(&self) -> Vec<String> {
        let mut prompts = lines(&self.typed.prompts);
        let examples = self.opened.iter().flat_map(|opened| &opened.examples.prompts);
        for example in examples {
            if prompts.len() < FEW && !prompts.contains(example) {
                prompts.push(example.clone());
            }
        }
        prompts
    }

    /// Who judges what is on screen.
    pub(super) fn judge_at_work(&self) -> Judge {
        self.opened.as_ref().map_or_else(|| self.judge.clone(), |opened| opened.judge.clone())
    }

    fn measured_prompts(&self) -> TextChoice {
        TextChoice { chat: self.chat, ..texts(self.prompts_to_measure()) }
    }

    fn neutral(&self) -> TextChoice {
        texts(self.opened.as_ref().map(|opened| opened.examples.neutral.clone()).unwrap_or_default())
    }

    fn short_sampling(&self) -> Sampling {
        let mut sampling = self.sampling.clone();
        sampling.max_tokens = sampling.max_tokens.min(32);
        sampling.temperature = sampling.temperature.max(0.5);
        sampling
    }

    /// The continuations on screen: the first prompt, the rack, the sampling.
    pub(super) fn generate_experiment(&self) -> GenerateExperiment {
        GenerateExperiment {
            pair: self.pair(),
            prompt: lines(&self.typed.prompts).into_iter().next().unwrap_or_default(),
            chat: self.chat,
            intervention: self.edit.rack.intervention(),
            sampling: self.sampling.clone(),
            judge: self.judge_at_work(),
            ..GenerateExperiment::default()
        }
    }

    /// What Find looks for, and what its check by steering tries.
    pub(super) fn find_experiment(&self) -> FindExperiment {
        let contrast = self.contrast_texts();
        let seed = self.sampling.seed;
        FindExperiment {
            pair: self.pair(),
            first: TextChoice { seed, ..texts(contrast.first) },
            second: TextChoice { seed, ..texts(contrast.second) },
            find: self.find_spec.clone(),
            prompts: self.measured_prompts(),
            neutral: self.neutral(),
            causal: CausalSpec { sampling: self.short_sampling(), ..CausalSpec::default() },
            judge: self.judge_at_work(),
        }
    }

    /// What Sweep tries.
    pub(super) fn sweep_experiment(&self) -> SweepExperiment {
        let mut sweep = self.sweep_spec.clone();
        sweep.targets = self.edit.rack.intervention().targets.into_iter().filter(|target| !target.muted).collect();
        let strengths = numbers(&self.typed.strengths);
        if !strengths.is_empty() {
            sweep.strengths = strengths;
        }
        sweep.sampling = self.short_sampling();
        SweepExperiment {
            pair: self.pair(),
            prompts: self.measured_prompts(),
            neutral: self.neutral(),
            questions: self.questions.clone(),
            judge: self.judge_at_work(),
            sweep,
            seed: self.sampling.seed,
        }
    }

    /// What Splitting compares.
    pub(super) fn splitting_experiment(&self) -> SplittingExperiment {
        let contrast = self.contrast_texts();
        let seed = self.sampling.seed;
        SplittingExperiment {
            model: self.pair().model,
            saes: self.opened.as_ref().map(|opened| opened.ladder.clone()).unwrap_or_default(),
            hook: None,
            first: TextChoice { seed, ..texts(contrast.first) },
            second: TextChoice { seed, ..texts(contrast.second) },
            concept: self.typed.concept.split_whitespace().map(str::to_owned).collect(),
            prompts: self.measured_prompts(),
            judge: self.judge_at_work(),
            splitting: SplittingSpec {
                find: self.find_spec.clone(),
                sampling: self.short_sampling(),
                ..SplittingSpec::default()
            },
        }
    }
}

/// With fewer prompts than this the examples join in.
const FEW: usize = 8;
