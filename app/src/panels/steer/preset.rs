//! Presets: what a file asks for becomes the settings on screen, and runs once model and texts are there.

use plumb_core::Lane;
use plumb_core::preset::{self, Header, Preset, PresetError};
use plumb_steer::browse::ChosenTextsJob;
use plumb_steer::experiment::{
    Experiment, ExperimentJob, FIND, FindExperiment, GENERATE, GenerateExperiment, SAE_EVAL, SAE_INDEX, SAE_TRAIN,
    SPLITTING, SWEEP, SplittingExperiment, SweepExperiment, TextChoice, TextSource,
};
use plumb_steer::intervene::{GateRule, Intervention};

use super::act::cache;
use super::action::Action;
use super::rack::Rack;
use super::state::{State, Tab, Waiting, Wanted};
use crate::shell::panel::PanelCx;
use crate::shell::slots::settled;

const PLACE: &str = "the preset";

/// The experiment in front as the text of a preset.
pub fn text(state: &State) -> Option<String> {
    state.opened.as_ref()?;
    let model = &state.model;
    let text = match state.settings.tab {
        Tab::Find => preset::to_ron(&Preset::new(FIND, format!("Find features of {model}"), state.find_experiment())),
        Tab::Sweep => {
            preset::to_ron(&Preset::new(SWEEP, format!("Sweep strengths on {model}"), state.sweep_experiment()))
        }
        Tab::Splitting => {
            let spec = state.splitting_experiment();
            preset::to_ron(&Preset::new(SPLITTING, format!("Compare widths for {model}"), spec))
        }
        _ => preset::to_ron(&Preset::new(GENERATE, format!("Steer {model}"), state.generate_experiment())),
    };
    text.ok()
}

/// Take over the experiment in `text` and run it.
pub fn open(state: &mut State, text: &str, cx: &mut PanelCx<'_>) -> Result<(), String> {
    take(state, text, true, cx).map_err(|error| error.to_string())
}

/// Take over the experiment in `text`.
pub fn take(state: &mut State, text: &str, run: bool, cx: &mut PanelCx<'_>) -> Result<(), PresetError> {
    let header: Header = preset::from_ron(text, PLACE)?;
    let method = header.method.as_str();
    let mut waiting = Waiting { run, ..Waiting::default() };
    let given = |choice: TextChoice| (!choice.is_empty()).then_some(choice);
    let (model, sae) = if method == GENERATE.method {
        let spec = preset::parse::<GenerateExperiment>(text, PLACE, GENERATE)?.spec;
        let from = if spec.tokens.is_empty() {
            TextSource::Texts(vec![spec.prompt])
        } else {
            TextSource::Tokens(vec![spec.tokens])
        };
        waiting.texts[0] = Some(TextChoice { from, ..TextChoice::default() });
        waiting.rack = Some(Rack::from_intervention(&spec.intervention));
        (waiting.chat, waiting.judge) = (spec.chat, spec.judge);
        state.sampling = spec.sampling;
        state.settings.tab = Tab::Steer;
        (spec.pair.model.model, spec.pair.sae)
    } else if method == FIND.method {
        let spec = preset::parse::<FindExperiment>(text, PLACE, FIND)?.spec;
        waiting.what = Wanted::Find;
        (waiting.chat, waiting.judge) = (spec.prompts.chat, spec.judge);
        waiting.texts = [given(spec.prompts), given(spec.first), given(spec.second)];
        state.find_spec = spec.find;
        state.settings.tab = Tab::Find;
        (spec.pair.model.model, spec.pair.sae)
    } else if method == SWEEP.method {
        let spec = preset::parse::<SweepExperiment>(text, PLACE, SWEEP)?.spec;
        waiting.what = Wanted::Sweep;
        (waiting.chat, waiting.judge, waiting.questions) = (spec.prompts.chat, spec.judge, Some(spec.questions));
        waiting.texts[0] = given(spec.prompts);
        let intervention = Intervention {
            targets: spec.sweep.targets.clone(),
            gates: GateRule::Independent,
            ..Intervention::default()
        };
        waiting.rack = Some(Rack::from_intervention(&intervention));
        let strengths: Vec<String> = spec.sweep.strengths.iter().map(ToString::to_string).collect();
        state.typed.strengths = strengths.join(" ");
        state.sampling = spec.sweep.sampling.clone();
        state.sweep_spec = spec.sweep;
        state.settings.tab = Tab::Sweep;
        (spec.pair.model.model, spec.pair.sae)
    } else if method == SPLITTING.method {
        let spec = preset::parse::<SplittingExperiment>(text, PLACE, SPLITTING)?.spec;
        waiting.what = Wanted::Split;
        (waiting.chat, waiting.judge) = (spec.prompts.chat, spec.judge);
        waiting.texts = [given(spec.prompts), given(spec.first), given(spec.second)];
        waiting.concept = Some(spec.concept.join(" "));
        state.settings.tab = Tab::Splitting;
        (spec.model.model, spec.saes.first().cloned().unwrap_or_default())
    } else {
        return whole(state, text, method, cx);
    };
    state.judge = waiting.judge.clone();
    state.preset = Some(waiting);
    (state.model, state.sae) = (model, sae);
    state.act(Action::Open, cx);
    Ok(())
}

/// Training, measuring and indexing run as they are, and leave a run folder.
fn whole(state: &mut State, text: &str, method: &str, cx: &PanelCx<'_>) -> Result<(), PresetError> {
    let experiment = if method == SAE_TRAIN.method {
        Experiment::SaeTrain(preset::parse(text, PLACE, SAE_TRAIN)?)
    } else if method == SAE_EVAL.method {
        Experiment::SaeEval(preset::parse(text, PLACE, SAE_EVAL)?)
    } else {
        Experiment::SaeIndex(preset::parse(text, PLACE, SAE_INDEX)?)
    };
    let seed = experiment.seed();
    let job = ExperimentJob { experiment, cache: cache(cx), runs: cx.runs_dir.to_owned() };
    state.settings.tab = Tab::Quality;
    state.experiment.clear();
    state.experiment.request(cx.engine, Lane::Device, seed, job);
    Ok(())
}

impl State {
    /// The pair of a waiting preset is open: read its texts.
    pub fn opened_for_preset(&mut self, cx: &PanelCx<'_>) {
        let (Some(waiting), Some(opened)) = (&self.preset, self.opened.clone()) else { return };
        if let Some(rack) = &waiting.rack {
            self.edit.rack = rack.clone();
            for slot in &mut self.edit.rack.slots {
                let known = self.rows.get(slot.feature).map(|row| row.max).filter(|max| *max > 0.0);
                slot.reference = slot.reference.or(known);
            }
        }
        self.chat = waiting.chat;
        if let Some(questions) = &waiting.questions {
            self.questions = questions.clone();
        }
        if let Some(concept) = &waiting.concept {
            self.typed.concept.clone_from(concept);
        }
        // The texts are wanted as they are typed: the template is put around them when they are used.
        let plain = |choice: &TextChoice| TextChoice { chat: false, ..choice.clone() };
        let choices: Vec<TextChoice> = waiting.texts.iter().flatten().map(plain).collect();
        self.preset_texts.request(cx.engine, Lane::Store, cx.settings.seed, ChosenTextsJob { opened, choices });
    }

    /// Its texts are there: put them into their fields and run.
    pub fn poll_preset(&mut self, cx: &mut PanelCx<'_>) {
        if self.experiment.poll()
            && settled(&self.experiment)
            && let Some((folder, _)) = self.experiment.value()
        {
            cx.notify.success(format!("The preset has run: {}", folder.display()));
        }
        if !self.preset_texts.poll() || !settled(&self.preset_texts) {
            return;
        }
        let (Some(waiting), Some(mut read)) = (self.preset.take(), self.preset_texts.value().cloned()) else { return };
        for (i, _) in waiting.texts.iter().enumerate().filter(|(_, choice)| choice.is_some()) {
            let texts = if read.is_empty() { Vec::new() } else { read.remove(0) };
            let joined = texts.iter().map(|text| text.replace('\n', " ")).collect::<Vec<_>>().join("\n");
            match i {
                0 => self.typed.prompts = joined,
                kind => self.typed.contrast[kind - 1] = joined,
            }
        }
        if !waiting.run {
            return;
        }
        let action = match waiting.what {
            Wanted::Steer => Action::Steer,
            Wanted::Find => Action::Find,
            Wanted::Sweep => Action::Sweep,
            Wanted::Split => Action::Split,
        };
        self.act(action, cx);
    }
}
