//! Presets: what a file asks for becomes the settings on screen; training runs at once.

use plumb_core::Lane;
use plumb_core::preset::{self, Header, PresetError};
use plumb_spectrum::experiment::{CLIP, Experiment, ExperimentJob, SPECTRUM, TRAIN};
use plumb_spectrum::spec::{ClipSpec, SpectrumSpec};
use plumb_spectrum::train::TrainSpec;

use super::act::cache;
use super::action::Action;
use super::state::{State, Tab, View};
use crate::shell::panel::PanelCx;

const PLACE: &str = "the preset";

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
        let experiment = Experiment::Train(preset);
        let job = ExperimentJob { experiment, cache: cache(cx), runs: cx.runs_dir.to_owned() };
        state.training.clear();
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
