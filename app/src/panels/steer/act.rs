//! Doing what the regions and the command table ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_core::Lane;
use plumb_core::source::Cache;
use plumb_steer::browse::{
    AutoLabelsJob, CardJob, CausalTextsJob, FindTextsJob, IndexTextsJob, LiveJob, OpenJob, OpenSpec, Opened,
    QualityTextsJob, SplitTextsJob, SweepTextsJob, TextSearchJob, TokenSearchJob,
};
use plumb_steer::index::FeatureRow;
use plumb_steer::spec::{CausalSpec, SplittingSpec};
use plumb_text::job::{FetchJob, ModelSpec};

use super::action::{Action, Work};
use super::features::FeatureRows;
use super::labels::{ReadLabels, WriteLabels, place};
use super::pairs;
use super::state::{Corpus, SearchBy, State, Tab, lines};
use super::sweep::numbers;
use crate::shell::dialogs::DialogPurpose;
use crate::shell::panel::PanelCx;
use crate::shell::slots::{forget_error, settled};
use crate::widgets::chart_ui::SaveRequest;

const fn purpose(what: &'static str, title: &'static str) -> DialogPurpose {
    DialogPurpose { owner: "steer", what, title, filters: &[], folder: false }
}

const MODELS: &[(&str, &[&str])] = &[("Models", &["gguf", "safetensors", "json"]), ("All files", &["*"])];
const TEXTS: &[(&str, &[&str])] = &[("Texts", &["txt", "jsonl", "csv"]), ("All files", &["*"])];
const LABELS: &[(&str, &[&str])] = &[("Labels", &["ron", "csv"])];

/// A model.
pub const MODEL: DialogPurpose = DialogPurpose { filters: MODELS, ..purpose("model", "Open a language model") };
/// An autoencoder.
pub const SAE: DialogPurpose = DialogPurpose { folder: true, ..purpose("sae", "Open an autoencoder's folder") };
/// Texts to index.
pub const INDEX: DialogPurpose = DialogPurpose { filters: TEXTS, ..purpose("index", "Index features over a file") };
/// Texts to measure on.
pub const MEASURE: DialogPurpose = DialogPurpose { filters: TEXTS, ..purpose("measure", "Measure on a file") };
/// Texts of the first kind.
pub const FIRST: DialogPurpose = DialogPurpose { filters: TEXTS, ..purpose("first", "Texts of the first kind") };
/// Texts of the second kind.
pub const SECOND: DialogPurpose = DialogPurpose { filters: TEXTS, ..purpose("second", "Texts of the second kind") };
/// Labels to read.
pub const IMPORT: DialogPurpose = DialogPurpose { filters: LABELS, ..purpose("import", "Import labels") };
/// Where labels go.
pub const EXPORT: DialogPurpose = DialogPurpose { filters: LABELS, ..purpose("export", "Export labels") };
/// Where a table or a picture goes.
pub const SAVE: DialogPurpose = purpose("save", "Save");

/// Most features a search by text lists.
const MOST_FIRINGS: usize = 500;

/// Where files are kept.
pub fn cache(cx: &PanelCx<'_>) -> Cache {
    Cache::new(cx.cache_dir, &[])
}

impl State {
    /// Do one thing.
    pub fn act(&mut self, action: Action, cx: &mut PanelCx<'_>) {
        match action {
            Action::Open => self.open(cx),
            Action::OpenPair(model, sae) => {
                (self.model, self.sae) = (model, sae);
                self.open(cx);
            }
            Action::ModelDialog => cx.dialogs.open(MODEL),
            Action::SaeDialog => cx.dialogs.open(SAE),
            Action::Fetch(model) => {
                self.fetching.clear();
                let job = FetchJob { model, cache: cache(cx) };
                self.fetching.request(cx.engine, Lane::Store, cx.settings.seed, job);
            }
            Action::CorpusDialog => cx.dialogs.open(INDEX),
            Action::MeasureDialog => cx.dialogs.open(MEASURE),
            Action::Selected => self.look(cx),
            Action::Look(feature) => {
                self.table.select(feature);
                self.look(cx);
            }
            Action::Search => self.search_for(cx),
            Action::ClearSearch => {
                self.table.filter.clear();
                self.search.clear();
                self.reading.clear();
                self.token.clear();
                self.show_found(None);
            }
            Action::Rack(feature) => {
                let reference = self.reference(feature);
                self.edit.rack.insert(feature, reference);
                self.touch();
                self.changed(cx);
            }
            Action::Changed => self.changed(cx),
            Action::Steer => self.steer(cx),
            Action::Undo => self.undo(false, cx),
            Action::Redo => self.undo(true, cx),
            Action::Find => self.ask_find(cx),
            Action::ContrastDialog(kind) => cx.dialogs.open(if kind == 0 { FIRST } else { SECOND }),
            Action::Causal => self.ask_causal(cx),
            Action::Sweep => self.ask_sweep(cx),
            Action::LoadPoint(point) => self.load_point(point, cx),
            Action::Split => self.ask_split(cx),
            Action::LabelsChanged => self.keep_labels(cx),
            Action::ImportLabels => cx.dialogs.open(IMPORT),
            Action::ExportLabels => cx.dialogs.save(EXPORT, "labels.csv"),
            Action::ExportTable => {
                let bytes = self.table_csv().into_bytes();
                self.act(Action::Save(SaveRequest { name: "features.csv".to_owned(), bytes }), cx);
            }
            Action::SaveRun => self.save_run(cx),
            Action::Save(request) => {
                cx.dialogs.save(SAVE, request.name.clone());
                self.saving = Some(request);
            }
            Action::Stop(work) => self.stop(work),
            Action::Dismiss(work) => self.dismiss(work),
        }
    }

    /// Open what the fields name; what is on screen stays until it is open.
    pub fn open(&mut self, cx: &PanelCx<'_>) {
        let model =
            ModelSpec { model: self.model.trim().to_owned(), device: cx.settings.device, ..ModelSpec::default() };
        let spec = OpenSpec { model, sae: self.sae.trim().to_owned(), point: None };
        self.opening.clear();
        self.opening.request(cx.engine, Lane::Device, cx.settings.seed, OpenJob { spec, cache: cache(cx) });
    }

    /// A pair was opened: forget what belonged to the one before it.
    fn begin(&mut self, opened: &Arc<Opened>, cx: &PanelCx<'_>) {
        let another = self
            .opened
            .as_ref()
            .is_none_or(|old| old.about.sae != opened.about.sae || old.about.model != opened.about.model);
        self.opened = Some(Arc::clone(opened));
        self.take_rows(opened);
        self.naming.clear();
        self.auto.clear();
        if opened.index.is_some() {
            self.naming.request(cx.engine, Lane::Store, cx.settings.seed, AutoLabelsJob { opened: Arc::clone(opened) });
        }
        if another {
            self.card.clear();
            self.live.clear();
            self.live_key = None;
            self.find.clear();
            self.causal.clear();
            self.sweep.clear();
            self.split.clear();
            self.reading.clear();
            self.token.clear();
            self.contrast.clear();
            self.revealed.clear();
            self.show_found(None);
            self.edit = super::state::Edit::default();
            self.undo = egui::util::undoer::Undoer::default();
            self.list = None;
            let job = ReadLabels { path: place(cx.runs_dir, &opened.about.sae), may_miss: true };
            self.labels_fresh = true;
            self.labels_in.request(cx.engine, Lane::Store, cx.settings.seed, job);
            let examples = &opened.examples;
            self.typed.prompts = examples.prompts.first().cloned().unwrap_or_default();
            self.typed.contrast = [examples.contrast.first.join("\n"), examples.contrast.second.join("\n")];
            self.typed.concept.clear();
            // The busiest of the features that do not fire everywhere is something to look at.
            let first = self.rows.iter().filter(|row| row.density < 0.1).max_by(|a, b| a.max.total_cmp(&b.max));
            self.table.selected = first.map(|row| row.feature);
            if let Some(feature) = self.table.selected {
                self.table.select(feature);
            }
        }
        self.look(cx);
    }

    fn take_rows(&mut self, opened: &Opened) {
        self.rows = match &opened.index {
            Some(index) => index.rows(),
            None => (0..opened.about.features)
                .map(|feature| FeatureRow { feature, density: f64::NAN, mean: f32::NAN, max: f32::NAN })
                .collect(),
        };
        for slot in &mut self.edit.rack.slots {
            slot.reference = self.rows.get(slot.feature).map(|row| row.max).filter(|max| *max > 0.0);
        }
        self.touch();
    }

    /// Look at the selected feature.
    pub fn look(&mut self, cx: &PanelCx<'_>) {
        let (Some(opened), Some(feature)) = (self.opened.clone(), self.selected()) else { return };
        if opened.index.is_some() {
            self.card.request(cx.engine, Lane::Store, cx.settings.seed, CardJob { opened, feature });
        }
    }

    fn search_for(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        let text = self.search.clone();
        if text.trim().is_empty() {
            self.show_found(None);
            return;
        }
        match self.settings.search_by {
            SearchBy::Label => {}
            SearchBy::Token => {
                self.token.request(cx.engine, Lane::Store, cx.settings.seed, TokenSearchJob { opened, text });
            }
            SearchBy::Text => {
                let job = TextSearchJob { opened, text, most: MOST_FIRINGS };
                self.reading.request(cx.engine, Lane::Device, cx.settings.seed, job);
            }
        }
    }

    /// Show only what a search found, the best match first; everything again with nothing.
    pub(super) fn show_found(&mut self, found: Option<BTreeMap<usize, f32>>) {
        match (&found, &self.found) {
            (Some(_), _) => self.table.sort = Some((super::features::MATCH_AT, true)),
            (None, Some(_)) => self.table.sort = None,
            (None, None) => {}
        }
        self.found = found;
        self.touch();
    }

    /// The rack, a prompt or the sampling changed.
    fn changed(&mut self, cx: &PanelCx<'_>) {
        if self.settings.live && (self.settings.tab == Tab::Steer || self.live.value().is_some()) {
            self.steer(cx);
        }
    }

    /// Write the continuations.
    pub fn steer(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        let prompts = lines(&self.typed.prompts);
        if prompts.is_empty() {
            return;
        }
        let key = (prompts.clone(), self.sampling.clone());
        // Baselines do not depend on the rack: what is written already is not written again.
        let known = if self.live_key.as_ref() == Some(&key) { self.texts().cloned() } else { None };
        self.live_key = Some(key);
        let (intervention, sampling) = (self.edit.rack.intervention(), self.sampling.clone());
        let job = LiveJob { opened, prompts, intervention, sampling, known };
        self.live.request(cx.engine, Lane::Device, self.sampling.seed, job);
    }

    fn ask_find(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        let (texts, spec) = (self.contrast_texts(), self.find_spec.clone());
        self.causal.clear();
        self.find.request(cx.engine, Lane::Device, cx.settings.seed, FindTextsJob { opened, texts, spec });
    }

    fn ask_causal(&mut self, cx: &PanelCx<'_>) {
        let (Some(opened), Some(report)) = (self.opened.clone(), self.find.value()) else { return };
        let candidates = report
            .candidates
            .iter()
            .map(|candidate| {
                let feature = candidate.score.feature;
                (feature, self.reference(feature).unwrap_or(candidate.reference))
            })
            .collect();
        let prompts = self.prompts_to_measure(&opened);
        let neutral = opened.examples.neutral.clone();
        let spec = CausalSpec { sampling: self.short_sampling(), ..CausalSpec::default() };
        let job = CausalTextsJob { opened, candidates, prompts, neutral, spec };
        self.causal.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    /// The prompts on screen and, where they are few, the examples too: one prompt measures nothing.
    fn prompts_to_measure(&self, opened: &Opened) -> Vec<String> {
        let mut prompts = lines(&self.typed.prompts);
        for example in &opened.examples.prompts {
            if !prompts.contains(example) {
                prompts.push(example.clone());
            }
        }
        prompts
    }

    fn short_sampling(&self) -> plumb_text::Sampling {
        let mut sampling = self.sampling.clone();
        sampling.max_tokens = sampling.max_tokens.min(32);
        sampling.temperature = sampling.temperature.max(0.5);
        sampling
    }

    fn ask_sweep(&mut self, cx: &mut PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        let intervention = self.edit.rack.intervention();
        let targets: Vec<_> = intervention.targets.into_iter().filter(|target| !target.muted).collect();
        if targets.is_empty() {
            cx.notify.warn("The rack is empty: put in the features that the sweep steers along");
            return;
        }
        let strengths = numbers(&self.typed.strengths);
        let mut spec = self.sweep_spec.clone();
        if !strengths.is_empty() {
            spec.strengths = strengths;
        }
        spec.targets = targets;
        spec.sampling = self.short_sampling();
        let prompts = self.prompts_to_measure(&opened);
        self.swept_rack = Some(self.edit.rack.slots.clone());
        self.sweep.clear();
        self.sweep.request(cx.engine, Lane::Device, cx.settings.seed, SweepTextsJob { opened, prompts, spec });
    }

    fn load_point(&mut self, number: usize, cx: &mut PanelCx<'_>) {
        let Some(point) = self.swept().and_then(|report| report.points.get(number)).copied() else { return };
        let plumb_steer::report::Series::Tier(tier) = point.series else {
            cx.notify.info("This is a control: it steers along directions that are not in the rack");
            return;
        };
        self.edit.rack.set_tier(tier);
        if let Some(base) = self.swept_rack.clone() {
            self.edit.rack.slots = base;
        }
        for slot in &mut self.edit.rack.slots {
            slot.strength *= point.strength;
        }
        cx.notify.info(format!("Loaded into the rack: {}", super::sweep::series_name(point.series)));
        self.changed(cx);
    }

    fn ask_split(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        let concept = self.typed.concept.split_whitespace().map(str::to_owned).collect();
        let prompts = self.prompts_to_measure(&opened);
        let spec =
            SplittingSpec { find: self.find_spec.clone(), sampling: self.short_sampling(), ..SplittingSpec::default() };
        let job = SplitTextsJob { texts: self.contrast_texts(), concept, prompts, spec, cache: cache(cx), opened };
        self.split.clear();
        self.split.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    fn keep_labels(&mut self, cx: &PanelCx<'_>) {
        self.touch();
        let Some(opened) = &self.opened else { return };
        let job = WriteLabels { path: place(cx.runs_dir, &opened.about.sae), labels: self.edit.labels.clone() };
        self.labels_kept.request(cx.engine, Lane::Store, cx.settings.seed, job);
    }

    fn undo(&mut self, forward: bool, cx: &PanelCx<'_>) {
        let found = if forward { self.undo.redo(&self.edit) } else { self.undo.undo(&self.edit) };
        let Some(edit) = found.cloned() else { return };
        let labels = edit.labels != self.edit.labels;
        let rack = edit.rack != self.edit.rack;
        self.edit = edit;
        self.draft = None;
        self.touch();
        if labels {
            self.keep_labels(cx);
        }
        if rack {
            self.changed(cx);
        }
    }

    /// Take in what has arrived.
    pub fn poll(&mut self, cx: &mut PanelCx<'_>) {
        let time = cx.egui.input(|input| input.time);
        self.undo.feed_state(time, &self.edit);
        if self.fetching.poll() && settled(&self.fetching) {
            cx.notify.success("The model is here");
            let pair = pairs::SMOLLM2;
            self.act(Action::OpenPair(pair.model.to_owned(), pair.sae.to_owned()), cx);
        }
        if self.opening.poll()
            && settled(&self.opening)
            && let Some(opened) = self.opening.value().cloned()
        {
            self.begin(&opened, cx);
            self.opened_for_preset(cx);
            self.take_answers();
        }
        if self.indexing.poll()
            && settled(&self.indexing)
            && let Some(opened) = self.indexing.value().cloned()
        {
            cx.notify.success("The index is built");
            self.begin(&opened, cx);
        }
        if self.quality.poll()
            && settled(&self.quality)
            && let (Some(quality), Some(opened)) = (self.quality.value().cloned(), self.opened.clone())
        {
            self.opened = Some(Arc::new(opened.with(None, Some(quality))));
        }
        if self.naming.poll()
            && settled(&self.naming)
            && let Some(names) = self.naming.value().cloned()
        {
            self.auto = names;
            self.touch();
        }
        self.card.poll();
        if self.reading.poll()
            && settled(&self.reading)
            && let Some(reading) = self.reading.value()
        {
            let found: BTreeMap<usize, f32> = reading.firings.iter().map(|f| (f.feature, f.max)).collect();
            self.show_found(Some(found));
        }
        if self.token.poll()
            && settled(&self.token)
            && let Some(token) = self.token.value()
        {
            // What fires on the token goes before what only raises its logit.
            let mut found: BTreeMap<usize, f32> = token.raises.iter().copied().collect();
            found.extend(token.fires.iter().copied());
            self.show_found(Some(found));
        }
        self.live.poll();
        if self.find.poll()
            && let Some(report) = self.candidates()
        {
            self.contrast = report.candidates.iter().map(|c| (c.score.feature, c.score.mean_diff)).collect();
            self.touch();
        }
        self.causal.poll();
        self.sweep.poll();
        self.split.poll();
        self.poll_files(cx);
    }

    fn poll_files(&mut self, cx: &mut PanelCx<'_>) {
        if self.labels_in.poll()
            && settled(&self.labels_in)
            && let Some(labels) = self.labels_in.value().cloned()
        {
            if std::mem::take(&mut self.labels_fresh) {
                self.edit.labels = labels;
                self.touch();
            } else {
                let count = labels.labels.len();
                self.edit.labels.merge(labels);
                self.keep_labels(cx);
                cx.notify.success(format!("{} read", crate::widgets::format::counted(count, "label", "labels")));
            }
            self.draft = None;
        }
        self.labels_kept.poll();
        for (slot, what) in
            [(&mut self.labels_out, "The labels were written to"), (&mut self.run, "The run folder was written:")]
        {
            if slot.poll()
                && settled(slot)
                && let Some(path) = slot.value()
            {
                cx.notify.success(format!("{what} {}", path.display()));
            }
        }
        if self.corpus.poll()
            && settled(&self.corpus)
            && let Some(texts) = self.corpus.value().cloned()
        {
            self.take_texts(texts, cx);
        }
        self.poll_preset(cx);
    }

    fn take_texts(&mut self, texts: Vec<String>, cx: &PanelCx<'_>) {
        match (std::mem::take(&mut self.corpus_for), self.opened.clone()) {
            (Corpus::Index(corpus), Some(opened)) => {
                self.indexing.clear();
                self.indexing.request(
                    cx.engine,
                    Lane::Device,
                    cx.settings.seed,
                    IndexTextsJob { opened, texts, corpus },
                );
            }
            (Corpus::Quality, Some(opened)) => {
                self.quality.clear();
                self.quality.request(cx.engine, Lane::Device, cx.settings.seed, QualityTextsJob { opened, texts });
            }
            (Corpus::Contrast(kind), _) => {
                let one_line = |text: &String| text.replace('\n', " ");
                self.typed.contrast[kind] = texts.iter().map(one_line).collect::<Vec<_>>().join("\n");
            }
            _ => {}
        }
    }

    /// The feature table as CSV, rows in the order on screen.
    pub fn table_csv(&self) -> String {
        let rows = FeatureRows {
            rows: &self.rows,
            labels: &self.edit.labels,
            auto: &self.auto,
            rack: &self.edit.rack,
            contrast: &self.contrast,
            found: self.found.as_ref(),
            list: self.list.as_deref(),
            hide_dead: self.settings.hide_dead,
        };
        self.table.csv(&rows)
    }

    fn stop(&mut self, work: Work) {
        match work {
            Work::Open => self.opening.cancel(),
            Work::Fetch => self.fetching.cancel(),
            Work::Index => self.indexing.cancel(),
            Work::Quality => self.quality.cancel(),
            Work::Card => self.card.cancel(),
            Work::Search => {
                self.reading.cancel();
                self.token.cancel();
            }
            Work::Live => self.live.cancel(),
            Work::Find => self.find.cancel(),
            Work::Causal => self.causal.cancel(),
            Work::Sweep => self.sweep.cancel(),
            Work::Split => self.split.cancel(),
            Work::Files => {
                self.corpus.cancel();
                self.run.cancel();
            }
        }
    }

    fn dismiss(&mut self, work: Work) {
        match work {
            Work::Open => forget_error(&mut self.opening),
            Work::Fetch => forget_error(&mut self.fetching),
            Work::Index => forget_error(&mut self.indexing),
            Work::Quality => forget_error(&mut self.quality),
            Work::Card => forget_error(&mut self.card),
            Work::Search => {
                forget_error(&mut self.reading);
                forget_error(&mut self.token);
            }
            Work::Live => forget_error(&mut self.live),
            Work::Find => forget_error(&mut self.find),
            Work::Causal => forget_error(&mut self.causal),
            Work::Sweep => forget_error(&mut self.sweep),
            Work::Split => forget_error(&mut self.split),
            Work::Files => {
                forget_error(&mut self.corpus);
                forget_error(&mut self.labels_in);
                forget_error(&mut self.labels_kept);
                forget_error(&mut self.labels_out);
                forget_error(&mut self.run);
                forget_error(&mut self.preset_texts);
            }
        }
    }
}
