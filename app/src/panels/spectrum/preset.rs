//! Presets: what a file asks for becomes the settings on screen; training runs at once.

use plumb_core::Lane;
use plumb_core::preset::{self, Header, Preset, PresetError};
use plumb_spectrum::experiment::{CLIP, Experiment, ExperimentJob, SPECTRUM, TRAIN};
use plumb_spectrum::spec::{ClipSpec, SpectrumSpec};
use plumb_spectrum::train::TrainSpec;

use super::action::Action;
use super::ask::cache;
use super::state::{State, Tab, View};
use crate::shell::panel::PanelCx;

const PLACE: &str = "the preset";

/// The experiment on screen as the text of a preset: training, clipping or the spectrum, whichever is in front.
pub fn text(state: &State) -> Option<String> {
    let text = match (&state.train_preset, state.settings.view, state.settings.tab) {
        (Some(training), View::Training, _) => preset::to_ron(training),
        (_, View::Layers, Tab::Clip) => {
            let spec = state.clip_spec.clone();
            let title = format!("Clip {} to {}", spec.source, crate::widgets::format::number(spec.to));
            preset::to_ron(&Preset::new(CLIP, title, spec))
        }
        _ => {
            let spec = state.spec.clone();
            preset::to_ron(&Preset::new(SPECTRUM, format!("Spectrum of {}", spec.source), spec))
        }
    };
    text.ok()
}

/// Take over the experiment in `text`.
pub fn open(state: &mut State, text: &str, cx: &mut PanelCx<'_>) -> Result<(), String> {
    take(state, text, cx).map_err(|error| error.to_string())
}

fn take(state: &mut State, text: &str, cx: &mut PanelCx<'_>) -> Result<(), PresetError> {
    let header: Header = preset::from_ron(text, PLACE)?;
    if header.method == CLIP.method {
        let spec = preset::parse::<ClipSpec>(text, PLACE, CLIP)?.spec;
        let source = spec.source.clone();
        state.clip_spec = spec;
        state.settings.tab = Tab::Clip;
        state.act(Action::Open(source), cx);
    } else if header.method == TRAIN.method {
        let preset = preset::parse::<TrainSpec>(text, PLACE, TRAIN)?;
        let seed = preset.spec.model.training.seed;
        state.train_preset = Some(preset.clone());
        let experiment = Experiment::Train(preset);
        let job = ExperimentJob { experiment, cache: cache(cx), runs: cx.runs_dir.to_owned() };
        state.training.clear();
        state.live_curves = None;
        state.training.request(cx.engine, Lane::Device, seed, job);
        state.settings.view = View::Training;
    } else {
        let spec = preset::parse::<SpectrumSpec>(text, PLACE, SPECTRUM)?.spec;
        let source = spec.source.clone();
        state.spec = spec;
        state.act(Action::Open(source), cx);
    }
    Ok(())
}
