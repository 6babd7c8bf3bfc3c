//! What a region asks for. Regions draw and say; the panel does.

use plumb_spectrum::geometry::{Geometry, OpKind};

use crate::widgets::chart_ui::SaveRequest;

/// One wish.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Open what this text names: a path, `embedded:NAME` or `hf:owner/repo/file`.
    Open(String),
    /// Ask for a file to open.
    OpenDialog,
    /// Open a second file to compare with.
    OpenSecond(String),
    /// Ask for the second file.
    OpenSecondDialog,
    /// Close the second file.
    CloseSecond,
    /// Compute the spectrum of all layers again.
    SurveyAgain,
    /// Look at another layer.
    Selected,
    /// The clip settings changed: compute a preview on a copy.
    Preview,
    /// Clip these layers; all of them if empty.
    Clip(Vec<String>),
    /// Take back the last clip.
    Undo,
    /// Do it again.
    Redo,
    /// Write the weights as safetensors.
    ExportModel,
    /// Write the layer table as CSV.
    ExportTable,
    /// Write what is on screen as a run folder.
    SaveRun,
    /// Use this geometry for the layer and compute it again.
    SetGeometry {
        /// Name of the weight tensor.
        layer: String,
        /// Which linear map.
        op: OpKind,
        /// How the kernel is applied.
        geometry: Geometry,
    },
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
    /// Reading a file.
    Open,
    /// Spectra of all layers.
    Survey,
    /// One layer in detail.
    Detail,
    /// Preview of a clip.
    Preview,
    /// Clipping.
    Clip,
    /// The second file.
    Second,
    /// Writing weights.
    Export,
    /// Reading training curves.
    Curves,
    /// Training.
    Training,
}
