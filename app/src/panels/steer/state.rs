//! What the panel keeps: view settings, what is open, the rack, the texts, the labels, and the questions it asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use egui::util::undoer::Undoer;
use plumb_core::Slot as Ask;
use plumb_steer::browse::{CardView, ContrastTexts, Found, LiveReport, Opened, Reading};
use plumb_steer::experiment::{Judge, Questions, TextChoice};
use plumb_steer::find::ScoreKind;
use plumb_steer::index::FeatureRow;
use plumb_steer::quality::Quality;
use plumb_steer::report::{CausalReport, FindReport, SplittingReport, SweepReport};
use plumb_steer::spec::{FindSpec, SweepSpec};
use plumb_text::Sampling;
use serde::{Deserialize, Serialize};

use super::labels::Labels;
use super::rack::Rack;
use crate::widgets::chart_ui::SaveRequest;
use crate::widgets::table::TableView;

/// What is shown beside the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tab {
    /// The selected feature.
    #[default]
    Feature,
    /// The rack and the texts.
    Steer,
    /// Features by contrast.
    Find,
    /// Strengths and tiers.
    Sweep,
    /// Widths.
    Splitting,
    /// The autoencoder itself.
    Quality,
}

/// What the search field looks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SearchBy {
    /// Labels and numbers.
    #[default]
    Label,
    /// Features that fire on a token or raise its logit.
    Token,
    /// Features that fire on a text.
    Text,
}

/// What is kept from session to session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one switch on screen")]
pub struct ViewSettings {
    /// Which tab.
    pub tab: Tab,
    /// What the search field looks for.
    pub search_by: SearchBy,
    /// Leave dead features out of the table.
    pub hide_dead: bool,
    /// Whether the table is on screen.
    pub table: bool,
    /// Steer while the slider moves.
    pub live: bool,
    /// Rude text is hidden until it is revealed.
    pub blur: bool,
    /// Show the difference between both texts.
    pub diff: bool,
    /// Every window of a card on its own scale instead of the feature's.
    pub own_scale: bool,
}

impl Default for ViewSettings {
    fn default() -> Self {
        Self {
            tab: Tab::Feature,
            search_by: SearchBy::Label,
            hide_dead: true,
            table: true,
            live: true,
            blur: true,
            diff: true,
            own_scale: false,
        }
    }
}

/// What undo takes back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// The rack.
    pub rack: Rack,
    /// The labels.
    pub labels: Labels,
}

/// Texts of a tab, as they are typed: one on each line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Typed {
    /// Prompts.
    pub prompts: String,
    /// The two kinds of a contrast.
    pub contrast: [String; 2],
    /// Words whose feature is split.
    pub concept: String,
    /// Strengths of a sweep.
    pub strengths: String,
}

/// What baselines depend on: prompts, whether they are messages, sampling.
pub type LiveKey = (Vec<String>, bool, Sampling);

/// The lines of a field that hold something.
pub fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// Everything.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact or switch")]
pub struct State {
    /// Kept from session to session.
    pub settings: ViewSettings,
    /// The model's field.
    pub model: String,
    /// The autoencoder's field.
    pub sae: String,
    /// The search field.
    pub search: String,
    /// The feature table.
    pub table: TableView,
    /// Which list the table shows; empty for the rack.
    pub list: Option<String>,
    /// The candidates of Find.
    pub find_table: TableView,
    /// The settings of Sweep.
    pub sweep_table: TableView,
    /// What can be undone: rack and labels.
    pub edit: Edit,
    /// Earlier ones.
    pub undo: Undoer<Edit>,
    /// The label field of the selected feature, while it is typed into.
    pub draft: Option<(usize, String)>,
    /// Put the keyboard into the label field.
    pub focus_label: bool,
    /// The field for a new list.
    pub new_list: String,
    /// Texts as they are typed.
    pub typed: Typed,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// How candidates are found.
    pub find_spec: FindSpec,
    /// How strengths are swept.
    pub sweep_spec: SweepSpec,
    /// Questions that a sweep asks.
    pub questions: Questions,
    /// Who is to judge toxicity.
    pub judge: Judge,
    /// The field for another classifier.
    pub judge_field: String,
    /// Prompts are messages for the model's chat template.
    pub chat: bool,
    /// Texts that were revealed, by where they stand.
    pub revealed: BTreeSet<String>,
    /// Scores by contrast, by feature.
    pub contrast: BTreeMap<usize, f64>,

    /// Model and autoencoder.
    pub opened: Option<Arc<Opened>>,
    /// Rows of the table.
    pub rows: Vec<FeatureRow>,
    /// How many of them never fire.
    pub dead: usize,
    /// Labels found by tokens.
    pub auto: Vec<String>,
    /// Changes with whatever changes the table's order.
    pub version: u64,
    /// What a search found.
    pub found: Option<BTreeMap<usize, f32>>,

    /// Opening.
    pub opening: Ask<Arc<Opened>>,
    /// Fetching a model.
    pub fetching: Ask<PathBuf>,
    /// Opening a judge.
    pub judging: Ask<Arc<Opened>>,
    /// Building the index.
    pub indexing: Ask<Arc<Opened>>,
    /// Measuring.
    pub quality: Ask<Quality>,
    /// Names by tokens.
    pub naming: Ask<Vec<String>>,
    /// The selected feature.
    pub card: Ask<CardView>,
    /// Features of a text.
    pub reading: Ask<Reading>,
    /// Features of a token.
    pub token: Ask<Found>,
    /// Continuations.
    pub live: Ask<LiveReport, LiveReport>,
    /// What the newest continuations were asked with.
    pub live_key: Option<LiveKey>,
    /// Features by contrast.
    pub find: Ask<FindReport, FindReport>,
    /// Each candidate alone.
    pub causal: Ask<CausalReport, CausalReport>,
    /// Strengths and tiers.
    pub sweep: Ask<SweepReport, SweepReport>,
    /// Widths.
    pub split: Ask<SplittingReport, SplittingReport>,
    /// Reading texts from a file, and what they are for.
    pub corpus: Ask<Vec<String>>,
    /// What those texts are for.
    pub corpus_for: Corpus,
    /// Reading labels.
    pub labels_in: Ask<Labels>,
    /// Whether those replace the labels instead of joining them.
    pub labels_fresh: bool,
    /// Writing labels of this autoencoder.
    pub labels_kept: Ask<PathBuf>,
    /// Writing labels elsewhere.
    pub labels_out: Ask<PathBuf>,
    /// Writing a run folder.
    pub run: Ask<PathBuf>,
    /// A file waiting for the answer of the dialog.
    pub saving: Option<SaveRequest>,
    /// The rack that the sweep on screen was made with.
    pub swept_rack: Option<Vec<super::rack::Slot>>,
    /// A preset that waits for its pair to be open.
    pub preset: Option<Waiting>,
    /// The answers of a run that is being reopened.
    pub reopened: Option<Box<super::run::Answers>>,
    /// The texts it names.
    pub preset_texts: Ask<Vec<Vec<String>>>,
    /// A preset that runs as a whole.
    pub experiment: Ask<(PathBuf, plumb_steer::experiment::Found)>,
    /// Something was asked for at the start.
    pub started: bool,
}

/// A preset that waits for its pair, then for its texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waiting {
    /// What it is.
    pub what: Wanted,
    /// The texts it names: prompts, first kind, second kind.
    pub texts: [Option<TextChoice>; 3],
    /// The rack it asks for.
    pub rack: Option<Rack>,
    /// Whether its prompts are messages.
    pub chat: bool,
    /// Who judges.
    pub judge: Judge,
    /// The questions of a sweep.
    pub questions: Option<Questions>,
    /// The words of a concept.
    pub concept: Option<String>,
    /// Whether to run it once all is there; a reopened run has its answers already.
    pub run: bool,
}

/// What a preset asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Continuations.
    #[default]
    Steer,
    /// Features by contrast.
    Find,
    /// Strengths and tiers.
    Sweep,
    /// Widths.
    Split,
}

/// What texts from a file are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Corpus {
    /// An index; the name of the file.
    #[default]
    Nothing,
    /// An index over the file of this name.
    Index(String),
    /// Measuring the autoencoder.
    Quality,
    /// One kind of a contrast.
    Contrast(usize),
}

impl State {
    /// Whether the made-up world with known answers is open.
    pub fn is_world(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.about.model == super::pairs::TINY.model)
    }

    /// The selected feature.
    pub fn selected(&self) -> Option<usize> {
        self.rows.get(self.table.selected?).map(|row| row.feature)
    }

    /// Numbers of a feature.
    pub fn row(&self, feature: usize) -> Option<&FeatureRow> {
        // Rows stand in the order of their numbers.
        self.rows.get(feature)
    }

    /// The largest activation of a feature, where it is known.
    pub fn reference(&self, feature: usize) -> Option<f32> {
        self.row(feature).map(|row| row.max).filter(|max| *max > 0.0)
    }

    /// What a feature is called: the user's label, else its tokens, else nothing.
    pub fn label(&self, feature: usize) -> &str {
        let own = self.edit.labels.labels.get(&feature);
        own.or_else(|| self.auto.get(feature)).map_or("", String::as_str)
    }

    /// “Feature 12 · damn · hell”.
    pub fn title(&self, feature: usize) -> String {
        let label = self.label(feature);
        if label.is_empty() { format!("Feature {feature}") } else { format!("{feature}  {label}") }
    }

    /// The table's order is to be made again.
    pub fn touch(&mut self) {
        self.version = self.version.wrapping_add(1);
    }

    /// Continuations on screen: those being written, else the newest whole ones.
    pub fn texts(&self) -> Option<&LiveReport> {
        self.live.partial().filter(|_| self.live.is_pending()).or_else(|| self.live.value())
    }

    /// The texts of a contrast.
    pub fn contrast_texts(&self) -> ContrastTexts {
        let [first, second] = &self.typed.contrast;
        ContrastTexts { first: lines(first), second: lines(second) }
    }

    /// Candidates on screen.
    pub fn candidates(&self) -> Option<&FindReport> {
        self.find.partial().filter(|_| self.find.is_pending()).or_else(|| self.find.value())
    }

    /// The first three candidates, in the order on screen.
    pub fn best_candidates(&self) -> Vec<usize> {
        let Some(report) = self.candidates() else { return Vec::new() };
        let order = self.find_table.order();
        let rows = order.iter().copied().chain((0..report.candidates.len()).filter(|row| !order.contains(row)));
        rows.filter_map(|row| report.candidates.get(row)).map(|candidate| candidate.score.feature).take(3).collect()
    }

    /// The sweep on screen.
    pub fn swept(&self) -> Option<&SweepReport> {
        self.sweep.partial().filter(|_| self.sweep.is_pending()).or_else(|| self.sweep.value())
    }

    /// What scores rank by, in words.
    pub fn score_name(kind: ScoreKind) -> &'static str {
        match kind {
            ScoreKind::MeanDiff => "Mean difference",
            ScoreKind::RelDiff => "Relative difference",
            ScoreKind::CohenD => "Cohen's d",
            ScoreKind::Auroc => "AUROC",
            ScoreKind::PairedT => "Paired t",
        }
    }
}
