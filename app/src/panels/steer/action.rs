//! What a region asks for. Regions draw and say; the panel does.

use plumb_steer::experiment::Judge;

use crate::widgets::chart_ui::SaveRequest;

/// One wish.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Open the model and the autoencoder named in the fields.
    Open,
    /// Open these two.
    OpenPair(String, String),
    /// Ask for a model's file.
    ModelDialog,
    /// Ask for an autoencoder's folder.
    SaeDialog,
    /// Fetch a model that is not on this machine.
    Fetch(String),
    /// Judge toxicity by this.
    Judge(Judge),
    /// Ask for a classifier's folder.
    JudgeDialog,
    /// Ask for a file of questions.
    QuestionsDialog,
    /// Ask for texts to index.
    CorpusDialog,
    /// Ask for texts to measure the autoencoder on.
    MeasureDialog,
    /// Look at another feature.
    Selected,
    /// Look at this feature.
    Look(usize),
    /// Search for what is typed.
    Search,
    /// Forget the search.
    ClearSearch,
    /// Put a feature into the rack.
    Rack(usize),
    /// The rack, the prompts or the sampling changed: steer again if live.
    Changed,
    /// Steer now.
    Steer,
    /// Take back the last change.
    Undo,
    /// Do it again.
    Redo,
    /// Look for features by contrast.
    Find,
    /// Ask for the file of the first (0) or second (1) kind.
    ContrastDialog(usize),
    /// Steer along each candidate alone.
    Causal,
    /// Steer at every strength.
    Sweep,
    /// Put this strength and tier into the rack.
    LoadPoint(usize),
    /// Compare widths.
    Split,
    /// Keep the labels.
    LabelsChanged,
    /// Ask where labels are read from.
    ImportLabels,
    /// Ask where labels go.
    ExportLabels,
    /// Write the feature table as CSV.
    ExportTable,
    /// Write what is on screen as a run folder.
    SaveRun,
    /// Write a file the user asked for.
    Save(SaveRequest),
    /// Stop what is computed for this region.
    Stop(Work),
    /// The error of this region was read.
    Dismiss(Work),
}

/// Which request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Opening model and autoencoder.
    Open,
    /// Fetching a model.
    Fetch,
    /// Opening a judge.
    Judge,
    /// Building the index.
    Index,
    /// Measuring the autoencoder.
    Quality,
    /// One feature.
    Card,
    /// Searching.
    Search,
    /// Steering.
    Live,
    /// Finding.
    Find,
    /// The causal check.
    Causal,
    /// The sweep.
    Sweep,
    /// Splitting.
    Split,
    /// Reading and writing files.
    Files,
}
