//! What comes out: serialisable, with all that the screen shows.

mod table;

use serde::{Deserialize, Serialize};

use crate::geometry::{Geometry, OpKind};
use crate::spec::{ClipMethod, Method};

/// The layers of one file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpectrumReport {
    /// The file or source, as it was asked for.
    pub file: String,
    /// One entry per linear layer, in the file's order.
    pub layers: Vec<LayerReport>,
    /// What is not a linear layer, and why.
    pub skipped: Vec<Skipped>,
}

/// Something in the file that has no spectrum here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Tensor or node name.
    pub name: String,
    /// Why it was left out.
    pub reason: String,
}

/// Where a layer's geometry comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GeometrySource {
    /// The file says it (ONNX nodes, embedded models).
    File,
    /// The geometry table saved beside the file.
    Saved,
    /// Guessed from shape and name: check it.
    #[default]
    Guessed,
    /// Given by the user just now.
    Given,
}

/// One layer's spectrum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerReport {
    /// Name of the weight tensor.
    pub name: String,
    /// Which linear map.
    pub op: OpKind,
    /// Shape of the weight as stored.
    pub weight_shape: Vec<usize>,
    /// Shape of one input of the operator.
    pub input_shape: Vec<usize>,
    /// Shape of one output.
    pub output_shape: Vec<usize>,
    /// How the kernel is applied.
    pub geometry: Geometry,
    /// Where the geometry comes from.
    pub geometry_source: GeometrySource,
    /// Singular values, descending. Empty when `problem` says why there are none.
    pub sigma: Vec<f64>,
    /// How many singular values the operator has: min(inputs, outputs).
    pub count: usize,
    /// The method that was used.
    pub method: Method,
    /// Applications of `MᵀM` to a vector (0 for dense and Fourier).
    pub iterations: usize,
    /// Largest `‖Mᵀu − σv‖ / σ₁` over the values reported.
    pub residual: f64,
    /// Whether the residual reached the tolerance asked for.
    pub converged: bool,
    /// Frobenius norm of `M`, counted without forming it.
    pub frobenius: f64,
    /// Spectral norm of the kernel reshaped to (out, rest): Miyato's number, **not** the norm of `M`.
    pub reshaped_norm: f64,
    /// ‖M‖_F² / σ₁².
    pub stable_rank: f64,
    /// σ₁ / σ_min, only where all singular values are known.
    pub condition: Option<f64>,
    /// Wall time.
    pub seconds: f64,
    /// Why there is no spectrum: NaN weights, a geometry that does not fit, ….
    pub problem: Option<String>,
}

/// What kind of statement a number makes about σ₁.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkKind {
    /// The true value of this operator, to rounding.
    Exact,
    /// Converged from below to the tolerance.
    Estimate,
    /// Never above the true value.
    LowerBound,
    /// Never below the true value.
    UpperBound,
    /// Another quantity that is often mistaken for σ₁.
    Other,
}

/// One method's number for σ₁.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Short name: “Fourier (Sedghi)”.
    pub label: String,
    /// One sentence: what it is and when it is right.
    pub note: String,
    /// The number.
    pub value: f64,
    /// What it says about σ₁.
    pub kind: MarkKind,
    /// (value − σ₁) / σ₁ against the best value known.
    pub relative_error: f64,
    /// Wall time.
    pub seconds: f64,
}

/// A vector shown as images: one per channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelImages {
    /// Number of channels.
    pub channels: usize,
    /// Pixels down.
    pub height: usize,
    /// Pixels across.
    pub width: usize,
    /// Row-major (channels, height, width).
    pub values: Vec<f32>,
}

/// One singular triplet to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Triplet {
    /// The singular value.
    pub sigma: f64,
    /// Right singular vector: the input that is stretched most.
    pub right: ChannelImages,
    /// Left singular vector: where it goes.
    pub left: ChannelImages,
}

/// The top singular value at each spatial frequency of the circular convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrequencyMap {
    /// Grid rows; frequency zero is in the middle.
    pub height: usize,
    /// Grid columns.
    pub width: usize,
    /// Row-major top singular value per frequency.
    pub sigma: Vec<f32>,
    /// Whether these are singular values of the layer itself (circular padding) or an approximation.
    pub exact: bool,
    /// What to keep in mind, in one sentence.
    pub note: String,
}

/// All that is shown of one selected layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerDetail {
    /// The row of the table, with as many singular values as were affordable.
    pub layer: LayerReport,
    /// Whether `layer.sigma` holds all singular values.
    pub complete: bool,
    /// The other methods' numbers.
    pub marks: Vec<Mark>,
    /// σ₁ estimate after each application of `MᵀM`: name of the method and the values.
    pub traces: Vec<Trace>,
    /// The top triplets.
    pub triplets: Vec<Triplet>,
    /// For convolutions.
    pub frequency: Option<FrequencyMap>,
}

/// How an estimate approached its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The method.
    pub label: String,
    /// Estimates of σ₁, one per step.
    pub sigma: Vec<f64>,
    /// Applications of `MᵀM` to one vector after each step.
    pub applications: Vec<f64>,
}

/// One method's clipped copy of a layer, measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipOutcome {
    /// The method.
    pub method: ClipMethod,
    /// Singular values after, descending (all, or the top ones).
    pub sigma: Vec<f64>,
    /// Sum of `sigma` after, divided by the sum of the same number of values before: how much is kept.
    pub kept: f64,
    /// Values of at least 0.9 c.
    pub near_target: usize,
    /// For the Fourier method: σ₁ after cutting to the kernel's support minus c, divided by c; else 0.
    pub truncation_error: f64,
    /// ‖W' − W‖ / ‖W‖.
    pub weight_change: f64,
    /// Steps taken.
    pub steps: usize,
    /// Whether σ₁ ended within the tolerance.
    pub reached: bool,
    /// Wall time.
    pub seconds: f64,
}

/// Before and after for one layer, on a copy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipPreview {
    /// Name of the layer.
    pub name: String,
    /// The target.
    pub to: f64,
    /// Singular values before, descending.
    pub before: Vec<f64>,
    /// Whether `before` and the outcomes hold all singular values.
    pub complete: bool,
    /// The asked method first, then those it is compared with.
    pub outcomes: Vec<ClipOutcome>,
}

/// One clipped layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClippedLayer {
    /// Name of the weight tensor.
    pub name: String,
    /// σ₁ before.
    pub before: f64,
    /// σ₁ after.
    pub after: f64,
    /// Steps taken; 0 when the layer was already below the target.
    pub steps: usize,
    /// Whether σ₁ ended within the tolerance (or was below it from the start).
    pub reached: bool,
    /// ‖W' − W‖ / ‖W‖.
    pub weight_change: f64,
    /// Wall time.
    pub seconds: f64,
    /// Why it was left alone.
    pub problem: Option<String>,
}

/// What clipping a file did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClipReport {
    /// The file or source that was clipped.
    pub file: String,
    /// Where the result was written, if it was.
    pub out: Option<String>,
    /// The target.
    pub to: f64,
    /// One entry per layer.
    pub layers: Vec<ClippedLayer>,
    /// What is not a linear layer, and why.
    pub skipped: Vec<Skipped>,
}

/// Test accuracy of the embedded model with given weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Share of test images classified correctly.
    pub accuracy: f64,
    /// Test images.
    pub images: usize,
    /// Wilson 95 % interval.
    pub interval: [f64; 2],
}
