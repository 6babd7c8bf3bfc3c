//! What can be asked for: the serialisable description of an experiment. A preset is exactly this.

use serde::{Deserialize, Serialize};

use crate::geometry::{Geometry, OpKind};

/// Which method finds the singular values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Dense SVD where the matrix is small enough, block Krylov elsewhere.
    #[default]
    Auto,
    /// Block Lanczos bidiagonalisation with a Rayleigh–Ritz finish: few applications of the operator.
    Krylov,
    /// The paper's shifted subspace iteration (PowerQR), with a Rayleigh–Ritz finish.
    PowerQr,
    /// SVD of the whole matrix: the exact reference.
    Dense,
    /// Fourier blocks (Sedghi, with the stride polyphase form): exact for circular padding only.
    Fourier,
}

/// Where the weights come from, as text: `embedded:NAME`, a path, or `hf:owner/repo/file`.
pub type SourceText = String;

/// Ask for the singular values of a file's layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpectrumSpec {
    /// The checkpoint.
    pub source: SourceText,
    /// Only these layers; all of them when empty.
    pub layers: Vec<String>,
    /// How many singular values per layer.
    pub top: usize,
    /// The method.
    pub method: Method,
    /// Relative residual at which the iteration stops: `‖Mᵀu − σv‖ ≤ tolerance · σ₁`.
    pub tolerance: f64,
    /// Block Krylov stops already when it expects the values to be right to this relative accuracy (an estimate, no
    /// bound), which is long before the vectors are; 0 stops by residual alone.
    pub accuracy: f64,
    /// Most applications of `MᵀM` per layer before it is reported as not converged.
    pub max_iterations: usize,
    /// Compute in 64-bit floats instead of 32-bit ones.
    pub double: bool,
    /// Geometry for layers whose file does not say it; `None` leaves the guess.
    pub geometry: GeometryOverride,
    /// Seed of the starting vectors.
    pub seed: u64,
}

impl Default for SpectrumSpec {
    fn default() -> Self {
        Self {
            source: String::new(),
            layers: Vec::new(),
            top: 4,
            method: Method::Auto,
            tolerance: 1e-4,
            accuracy: 0.0,
            max_iterations: 1000,
            double: false,
            geometry: GeometryOverride::default(),
            seed: 0,
        }
    }
}

/// Parts of a geometry that the asker fixes for every layer it applies to. `None` keeps what is known or guessed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GeometryOverride {
    /// Treat the weight as this map.
    pub op: Option<OpKind>,
    /// Input height and width in pixels.
    pub input: Option<[usize; 2]>,
    /// Step between output pixels.
    pub stride: Option<usize>,
    /// Pixels added on each side.
    pub padding: Option<usize>,
    /// What the added pixels hold.
    pub padding_mode: Option<crate::geometry::PaddingMode>,
    /// Step between taps.
    pub dilation: Option<usize>,
    /// Channel groups.
    pub groups: Option<usize>,
}

impl GeometryOverride {
    /// The geometry with the fixed parts put in.
    #[must_use]
    pub fn applied_to(&self, mut geometry: Geometry) -> Geometry {
        if let Some(input) = self.input {
            geometry.input = input;
        }
        if let Some(stride) = self.stride {
            geometry.stride = [stride, stride];
        }
        if let Some(padding) = self.padding {
            geometry.set_padding([padding; 2], [padding; 2]);
        }
        if let Some(mode) = self.padding_mode {
            geometry.padding_mode = mode;
        }
        if let Some(dilation) = self.dilation {
            geometry.dilation = [dilation, dilation];
        }
        if let Some(groups) = self.groups {
            geometry.groups = groups;
        }
        geometry
    }
}

/// Whether values below the target are raised to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClipMode {
    /// Only bring σ₁ down to c.
    #[default]
    Clip,
    /// Bring σ₁ to c from above and from below, as the authors' code does for convolutions.
    Equalise,
}

/// Which method brings σ₁ to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipMethod {
    /// FastClip with Gauss–Newton steps on the top singular triplets.
    #[default]
    FastClip,
    /// FastClip with the paper's fixed step λ on the top triplet.
    FixedStep,
    /// Gouk: divide the kernel by max(1, σ₁ / c).
    Scale,
    /// Miyato: divide the kernel by the norm of its reshaped matrix, times c.
    Miyato,
    /// Senderovich: clamp the Fourier blocks, go back, cut to the kernel's support.
    Fourier,
}

/// Ask for layers to be clipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClipSpec {
    /// The checkpoint.
    pub source: SourceText,
    /// Only these layers; all of them when empty.
    pub layers: Vec<String>,
    /// The target c of σ₁.
    pub to: f64,
    /// Clip or equalise.
    pub mode: ClipMode,
    /// Accepted relative distance of σ₁ from c.
    pub tolerance: f64,
    /// The method.
    pub method: ClipMethod,
    /// λ of [`ClipMethod::FixedStep`]; 0 takes 1 / (kh · kw), which never overshoots to first order.
    pub step: f64,
    /// Most steps per layer before it is reported as not reached.
    pub max_steps: usize,
    /// Also clip batch norms, by clamping γ (Gouk).
    pub batch_norm: bool,
    /// Clip each convolution together with the batch norm that follows it, in eval mode.
    pub compose: bool,
    /// Compute in 64-bit floats.
    pub double: bool,
    /// Geometry for layers whose file does not say it.
    pub geometry: GeometryOverride,
    /// Seed of the starting vectors.
    pub seed: u64,
}

impl Default for ClipSpec {
    fn default() -> Self {
        Self {
            source: String::new(),
            layers: Vec::new(),
            to: 1.0,
            mode: ClipMode::Clip,
            tolerance: 0.01,
            method: ClipMethod::FastClip,
            step: 0.0,
            max_steps: 200,
            batch_norm: false,
            compose: false,
            double: false,
            geometry: GeometryOverride::default(),
            seed: 0,
        }
    }
}
