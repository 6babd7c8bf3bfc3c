//! What is looked at: an opened checkpoint and the list of its linear layers.
//!
//! Opening reads headers only; the numbers of a layer are read when it is its turn. Changed copies of tensors
//! ([`Edits`]) stand beside the file, which is never written to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plumb_core::source::{Cache, Source, SourceError};
use plumb_core::{Cancelled, Ctl};
use plumb_nn::checkpoint::{Checkpoint, CheckpointError, ConvNode};
use plumb_vision::nets::LinearLayer;
use plumb_vision::saved;

use crate::clip::batch_norm;
use crate::geometry::{Geometry, OpKind};
use crate::guess::{self, Guess, TensorShape};
use crate::layers::{BatchNormInfo, LayerInfo};
use crate::op::Real;
use crate::report::{GeometrySource, Skipped};
use crate::sidecar::{self, GeometryTable, LayerGeometry, SidecarError};

/// Changed copies of tensors by name, row-major in the tensor's shape.
pub type Edits = BTreeMap<String, Arc<Vec<f32>>>;

/// Why a source could not be opened, read or saved.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// The source gives no file.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file is no checkpoint, or reading it failed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The geometry table could not be read or written.
    #[error(transparent)]
    Sidecar(#[from] SidecarError),
    /// No layer of that name.
    #[error("there is no linear layer named \"{name}\"; {}", known_layers(known))]
    NoLayer {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A changed copy has another size than the tensor.
    #[error("the changed copy of \"{name}\" has {got} numbers where the file has {expected}; undo the change")]
    WrongCount {
        /// The tensor.
        name: String,
        /// Numbers in the file.
        expected: usize,
        /// Numbers in the copy.
        got: usize,
    },
    /// The description inside the file is damaged.
    #[error("the file's own list of layers is damaged ({0}); train or export the model again")]
    Description(String),
    /// Stopped.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

fn known_layers(known: &[String]) -> String {
    const SHOWN: usize = 8;
    match known.len() {
        0 => "the file has none".to_owned(),
        count if count <= SHOWN => format!("there are: {}", known.join(", ")),
        count => format!("there are {count}, among them {}", known[..SHOWN].join(", ")),
    }
}

impl From<SubjectError> for plumb_core::Error {
    fn from(error: SubjectError) -> Self {
        match error {
            SubjectError::Cancelled(_) | SubjectError::Source(SourceError::Cancelled(_)) => Self::Cancelled,
            other => Self::failed(&other),
        }
    }
}

/// Files that ship with Plumb, as a cache wants them.
pub fn embedded_files() -> &'static [plumb_core::source::Embedded] {
    static FILES: std::sync::OnceLock<Vec<plumb_core::source::Embedded>> = std::sync::OnceLock::new();
    FILES.get_or_init(|| {
        plumb_vision::samples::EMBEDDED.iter().map(|sample| (sample.name, sample.file_name, sample.bytes)).collect()
    })
}

/// An opened source. Cheap to clone: the open file is shared.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The source, as it was asked for.
    pub source: String,
    /// Its linear layers.
    pub layers: Vec<LayerInfo>,
    /// The other tensors, each with the reason.
    pub skipped: Vec<Skipped>,
    checkpoint: Arc<Checkpoint>,
}

impl Subject {
    /// Open a source: fetch it if need be, read its header, tell its layers, and take geometry from the file,
    /// from the table saved beside it, or from guessing, in that order of trust but the table first of all.
    pub fn open(source: &str, cache: &Cache, ctl: &Ctl) -> Result<Self, SubjectError> {
        let path = Source::parse(source)?.resolve(cache, ctl)?;
        ctl.check()?;
        let checkpoint = Checkpoint::open(&path)?;
        let shapes: Vec<TensorShape<'_>> = checkpoint
            .tensors()
            .iter()
            .map(|tensor| TensorShape { name: &tensor.name, shape: &tensor.shape, float: tensor.dtype.is_float() })
            .collect();
        let mut found = guess::guess(&shapes);
        if !checkpoint.conv_nodes().is_empty() {
            take_nodes(&mut found, checkpoint.conv_nodes());
        }
        if let Some(text) = checkpoint.metadata().get(saved::GEOMETRY_KEY) {
            let described: Vec<LinearLayer> =
                serde_json::from_str(text).map_err(|error| SubjectError::Description(error.to_string()))?;
            take_description(&mut found, &described);
        }
        let unread =
            checkpoint.skipped().iter().map(|(name, reason)| Skipped { name: name.clone(), reason: reason.clone() });
        found.skipped.extend(unread);
        let subject = Self {
            source: source.to_owned(),
            layers: found.layers,
            skipped: found.skipped,
            checkpoint: Arc::new(checkpoint),
        };
        let saved = sidecar::load(&path)?;
        Ok(subject.with_table(&saved, GeometrySource::Saved))
    }

    /// The file on this machine.
    pub fn path(&self) -> &Path {
        self.checkpoint.path()
    }

    /// The open file.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The layer of that name.
    pub fn layer(&self, name: &str) -> Result<&LayerInfo, SubjectError> {
        self.layers.iter().find(|layer| layer.name == name).ok_or_else(|| SubjectError::NoLayer {
            name: name.to_owned(),
            known: self.layers.iter().map(|layer| layer.name.clone()).collect(),
        })
    }

    /// The layers of these names, all where none is named.
    pub fn chosen(&self, names: &[String]) -> Result<Vec<&LayerInfo>, SubjectError> {
        if names.is_empty() {
            return Ok(self.layers.iter().collect());
        }
        names.iter().map(|name| self.layer(name)).collect()
    }

    /// The same file with rows of a geometry table put in; rows of layers it does not have are left out.
    #[must_use]
    pub fn with_geometry(&self, table: &GeometryTable) -> Self {
        self.with_table(table, GeometrySource::Given)
    }

    fn with_table(&self, table: &GeometryTable, source: GeometrySource) -> Self {
        let mut subject = self.clone();
        for layer in &mut subject.layers {
            if let Some(row) = table.get(&layer.name)
                && (row.op != layer.op || row.geometry != layer.geometry)
            {
                layer.op = row.op;
                layer.geometry = row.geometry.clone();
                layer.geometry_source = source;
            } else if table.contains_key(&layer.name) && layer.geometry_source == GeometrySource::Guessed {
                // Saved as it was guessed: somebody agreed to it.
                layer.geometry_source = source;
            }
        }
        subject
    }

    /// The rows a person gave or saved.
    pub fn geometry_table(&self) -> GeometryTable {
        let known = |layer: &&LayerInfo| matches!(layer.geometry_source, GeometrySource::Given | GeometrySource::Saved);
        self.layers
            .iter()
            .filter(known)
            .map(|layer| (layer.name.clone(), LayerGeometry { op: layer.op, geometry: layer.geometry.clone() }))
            .collect()
    }

    /// Save these rows beside the file. Gives the path of the table.
    pub fn save_geometry(&self) -> Result<PathBuf, SubjectError> {
        Ok(sidecar::save(self.path(), &self.geometry_table())?)
    }

    /// Whether the file says which network its weights belong to, so that accuracy can be measured.
    pub fn has_network(&self) -> bool {
        self.checkpoint.metadata().contains_key(saved::NET_KEY)
    }

    /// A tensor's numbers, changed ones where there are any.
    pub fn numbers<T: Real>(&self, name: &str, edits: &Edits) -> Result<Vec<T>, SubjectError> {
        if let Some(changed) = edits.get(name) {
            let expected = self.checkpoint.entry(name).map_or(0, plumb_nn::checkpoint::TensorEntry::elements);
            if changed.len() != expected {
                return Err(SubjectError::WrongCount { name: name.to_owned(), expected, got: changed.len() });
            }
            return Ok(changed.iter().map(|&value| T::of(f64::from(value))).collect());
        }
        if size_of::<T>() == size_of::<f32>() {
            Ok(self.checkpoint.read_f32(name)?.into_iter().map(|value| T::of(f64::from(value))).collect())
        } else {
            Ok(self.checkpoint.read_f64(name)?.into_iter().map(T::of).collect())
        }
    }

    /// A layer's kernel as its operator takes it: for a batch norm the scales `γ / sqrt(variance + ε)`.
    pub fn weight<T: Real>(&self, layer: &LayerInfo, edits: &Edits) -> Result<Vec<T>, SubjectError> {
        match (&layer.op, &layer.batch_norm) {
            (OpKind::BatchNorm, Some(norm)) => {
                let gamma = self.numbers::<f64>(&norm.gamma, edits)?;
                let variance = self.numbers::<f64>(&norm.variance, edits)?;
                Ok(batch_norm::scale(&gamma, &variance, norm.eps).into_iter().map(T::of).collect())
            }
            _ => self.numbers(&layer.name, edits),
        }
    }
}

/// An ONNX graph says how each weight is used, and which ones are.
fn take_nodes(found: &mut Guess, nodes: &[ConvNode]) {
    let mut layers = Vec::new();
    for node in nodes {
        let Some(layer) = found.layers.iter().find(|layer| layer.name == node.weight) else { continue };
        if layers.iter().any(|known: &LayerInfo| known.name == node.weight) {
            continue;
        }
        match from_node(layer, node) {
            Ok(layer) => layers.push(layer),
            Err(reason) => found.skipped.push(Skipped { name: node.weight.clone(), reason }),
        }
    }
    for layer in &found.layers {
        if !nodes.iter().any(|node| node.weight == layer.name) {
            let reason = "no convolution, matrix product or batch norm of the graph uses it as its weight".to_owned();
            found.skipped.push(Skipped { name: layer.name.clone(), reason });
        }
    }
    guess::pair_batch_norms(&mut layers);
    found.layers = layers;
}

fn from_node(layer: &LayerInfo, node: &ConvNode) -> Result<LayerInfo, String> {
    let mut layer = layer.clone();
    layer.geometry_source = GeometrySource::File;
    let spatial = layer.weight_shape.len().saturating_sub(2);
    layer.op = match (node.op.as_str(), spatial) {
        ("Gemm" | "MatMul", _) => OpKind::Dense,
        ("BatchNormalization", _) => return Ok(layer),
        ("Conv", 1) => OpKind::Conv1d,
        ("Conv", 2) => OpKind::Conv2d,
        ("ConvTranspose", 1) => OpKind::ConvTranspose1d,
        ("ConvTranspose", 2) => OpKind::ConvTranspose2d,
        (op, axes) => return Err(format!("a {op} over {axes} axes, which Plumb does not measure")),
    };
    if layer.op == OpKind::Dense {
        return Ok(layer);
    }
    // A conv1d has its one axis in the second entry.
    let pair = |values: &[usize], first: usize| match *values {
        [one] => [first, one],
        [down, across] => [down, across],
        _ => [1, 1],
    };
    let mut geometry = Geometry {
        stride: pair(&node.strides, 1),
        dilation: pair(&node.dilations, 1),
        groups: node.group.max(1),
        output_padding: if node.output_padding.is_empty() { [0, 0] } else { pair(&node.output_padding, 0) },
        ..layer.geometry.clone()
    };
    match &node.input_shape {
        Some(shape) if shape.len() == spatial + 2 => geometry.input = pair(&shape[2..], 1),
        // The node says everything but the size.
        _ => layer.geometry_source = GeometrySource::Guessed,
    }
    let [begin, end] = sides(node, &layer, &geometry)?;
    geometry.set_padding(begin, end);
    geometry.padding_mode = node.padding_mode;
    layer.geometry = geometry;
    Ok(layer)
}

/// A node's padding before and after the image; for a transposed convolution, what is cut off its output.
fn sides(node: &ConvNode, layer: &LayerInfo, geometry: &Geometry) -> Result<[[usize; 2]; 2], String> {
    let kernel = &layer.weight_shape[2..];
    let first = 2 - kernel.len();
    let mut sides = [[0; 2]; 2];
    let same = matches!(node.auto_pad.as_deref(), Some("SAME_UPPER" | "SAME_LOWER"));
    for (at, &k) in kernel.iter().enumerate() {
        let axis = first + at;
        let (n, stride, extra) = (geometry.input[axis], geometry.stride[axis].max(1), geometry.output_padding[axis]);
        let span = k.saturating_sub(1) * geometry.dilation[axis] + 1;
        let output = node.output_size.as_ref().and_then(|size| size.get(at).copied());
        // In all, where the node says the size of the output instead.
        let total = if layer.op.is_transposed() && (same || output.is_some()) {
            let (grown, wanted) = (stride * n.saturating_sub(1) + span + extra, output.unwrap_or(n * stride));
            Some(grown.checked_sub(wanted).ok_or_else(|| {
                format!("its output of {wanted} pixels is larger than its kernel gives ({grown}); export it with output_padding")
            })?)
        } else if same {
            Some(((n.div_ceil(stride) - 1) * stride + span).saturating_sub(n))
        } else {
            None
        };
        let [begin, end] = match total {
            Some(total) if node.auto_pad.as_deref() == Some("SAME_UPPER") => [total / 2, total.div_ceil(2)],
            // `SAME_LOWER`, and a transposed convolution told its size.
            Some(total) => [total.div_ceil(2), total / 2],
            None if node.auto_pad.is_none() && node.pads.len() == 2 * kernel.len() => {
                [node.pads[at], node.pads[at + kernel.len()]]
            }
            None => [0, 0],
        };
        (sides[0][axis], sides[1][axis]) = (begin, end);
    }
    Ok(sides)
}

/// A file that Plumb wrote lists its layers in the order of the network.
fn take_description(found: &mut Guess, described: &[LinearLayer]) {
    let mut layers = Vec::new();
    for entry in described {
        let Some(at) = found.layers.iter().position(|layer| layer.name == entry.weight) else { continue };
        let mut layer = found.layers.remove(at);
        layer.op = entry.op;
        layer.geometry = entry.geometry.clone();
        layer.geometry_source = GeometrySource::File;
        layer.batch_norm = entry.batch_norm.as_ref().map(|prefix| BatchNormInfo {
            gamma: format!("{prefix}.weight"),
            variance: format!("{prefix}.running_var"),
            eps: entry.bn_eps,
        });
        let norm = layer.batch_norm.clone();
        let size = layer.output_size();
        layers.push(layer);
        let Some(norm) = norm else { continue };
        if let Some(at) = found.layers.iter().position(|layer| layer.name == norm.gamma) {
            let mut follows = found.layers.remove(at);
            follows.geometry.input = size.unwrap_or([1, 1]);
            follows.geometry_source = GeometrySource::File;
            follows.batch_norm = Some(norm);
            layers.push(follows);
        }
    }
    layers.append(&mut found.layers);
    found.layers = layers;
}
