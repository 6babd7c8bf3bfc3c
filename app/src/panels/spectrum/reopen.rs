//! A clip run opened again: its source, its settings, its report, and the weights it wrote.

use std::path::PathBuf;
use std::sync::Arc;

use plumb_core::run_folder::RunFolder;
use plumb_core::{Ctl, Error, Job, Lane};
use plumb_nn::checkpoint::Checkpoint;
use plumb_spectrum::experiment::CLIP;
use plumb_spectrum::report::ClipReport;
use plumb_spectrum::spec::ClipSpec;
use plumb_spectrum::subject::Edits;

use super::action::Action;
use super::arrive::changed;
use super::state::{State, Tab};
use crate::shell::panel::PanelCx;
use crate::shell::slots::settled;

/// Reads the layers a clip run changed.
#[derive(Debug)]
pub struct ReadWeights {
    file: PathBuf,
    names: Vec<String>,
}

impl Job for ReadWeights {
    type Output = Edits;
    type Partial = ();

    fn name(&self) -> String {
        "Weights of a run".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Edits, Error> {
        let checkpoint = Checkpoint::open(&self.file).map_err(|error| Error::failed(&error))?;
        let mut edits = Edits::new();
        for name in self.names {
            ctl.check()?;
            let values = checkpoint.read_f32(&name).map_err(|error| Error::failed(&error))?;
            edits.insert(name, Arc::new(values));
        }
        Ok(edits)
    }
}

/// Open the source of the run and, once its spectra are there, put the clipped weights in its place.
pub fn clip(state: &mut State, run: &RunFolder, report: ClipReport, cx: &mut PanelCx<'_>) -> Result<(), String> {
    let spec = run.spec::<ClipSpec>(CLIP).map_err(|error| error.to_string())?.spec;
    let source = spec.source.clone();
    state.clip_spec = spec;
    state.settings.tab = Tab::Clip;
    state.act(Action::Open(source), cx);
    let out = report.out.as_deref().map(|file| run.path.join(file));
    state.reopened.clear();
    if let Some(file) = out.filter(|file| file.exists()) {
        let job = ReadWeights { file, names: changed(&report) };
        state.reopened.request(cx.engine, Lane::Store, cx.settings.seed, job);
    } else {
        cx.notify.warn("This run did not keep its weights: the model is shown as it was before clipping");
    }
    state.reopening = Some(report);
    Ok(())
}

impl State {
    /// Both the spectra and the weights of a reopened run are there: show the clip as if it had been made here.
    pub fn take_reopened(&mut self, cx: &PanelCx<'_>) {
        if self.reopening.is_none() || !settled(&self.survey) || !settled(&self.reopened) {
            return;
        }
        let (Some(report), Some(edits)) = (self.reopening.take(), self.reopened.value().cloned()) else { return };
        self.take_clip(report, edits, cx);
    }
}
