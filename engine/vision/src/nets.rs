//! Small networks: a multi-layer perceptron, SimpleConv (one convolution and one matrix) and narrow residual
//! networks in the CIFAR style: a 3×3 stem with stride 1, one block per stage, strided convolutions instead of
//! pools, a global average at the end.

use candle_core::{DType, Device, Tensor};
use plumb_core::random::Random;
use plumb_nn::geometry::{Geometry, OpKind, PaddingMode};
use plumb_nn::layers::{BatchNorm2d, Conv2d, Linear, Mode};
use plumb_nn::params::Params;
use serde::{Deserialize, Serialize};

use crate::VisionError;

/// Which network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetKind {
    /// Matrices and ReLU; `widths` are the hidden sizes.
    Mlp,
    /// One 3×3 convolution, batch norm, ReLU, one matrix; `widths` is one number.
    SimpleConv,
    /// Three stages of one residual block; `widths` are three numbers.
    #[default]
    ResNet8,
    /// Four stages of one residual block; `widths` are four numbers.
    ResNet10,
}

impl NetKind {
    /// Its name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Mlp => "Multi-layer perceptron",
            Self::SimpleConv => "SimpleConv",
            Self::ResNet8 => "ResNet-8",
            Self::ResNet10 => "ResNet-10",
        }
    }
}

/// All that is needed to build a network again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetSpec {
    /// Which network.
    pub kind: NetKind,
    /// Channels (or hidden sizes) of the stages.
    pub widths: Vec<usize>,
    /// Whether a batch norm follows each convolution.
    pub batch_norm: bool,
    /// What lies outside the image, for the 3×3 convolutions.
    pub padding_mode: PaddingMode,
    /// Channels, height and width of an image.
    pub input: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// Subtracted from each pixel inside the network.
    pub mean: f64,
    /// Each pixel is divided by this inside the network.
    pub deviation: f64,
}

impl Default for NetSpec {
    fn default() -> Self {
        Self {
            kind: NetKind::ResNet8,
            widths: vec![8, 16, 32],
            batch_norm: true,
            padding_mode: PaddingMode::Zeros,
            input: [1, 8, 8],
            classes: 10,
            mean: 0.0,
            deviation: 1.0,
        }
    }
}

/// No dimension of a network built here is larger: a checkpoint's description must not exhaust the memory.
const LARGEST: usize = 4096;

impl NetSpec {
    fn check(&self) -> Result<(), VisionError> {
        let stages = match self.kind {
            NetKind::SimpleConv => Some(1),
            NetKind::ResNet8 => Some(3),
            NetKind::ResNet10 => Some(4),
            NetKind::Mlp => None,
        };
        if let Some(stages) = stages
            && self.widths.len() != stages
        {
            let (label, given) = (self.kind.label(), self.widths.len());
            return Err(VisionError::Spec(format!("{label} takes {stages} widths, but {given} are given")));
        }
        let sizes = || self.widths.iter().chain(&self.input).chain([&self.classes]);
        if self.widths.len() > 16 || sizes().any(|&size| size == 0 || size > LARGEST) {
            return Err(VisionError::Spec(format!("widths, input and classes must lie in 1..={LARGEST}: {self:?}")));
        }
        if !(self.mean.is_finite() && self.deviation.is_finite() && self.deviation > 0.0) {
            return Err(VisionError::Spec("the pixel deviation must be positive".to_owned()));
        }
        Ok(())
    }
}

/// A linear layer of a network and how its weight meets its input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearLayer {
    /// Name of the weight tensor.
    pub weight: String,
    /// Which linear map.
    pub op: OpKind,
    /// How it is applied, with the size of its input.
    pub geometry: Geometry,
    /// Prefix of the batch norm that follows it.
    pub batch_norm: Option<String>,
    /// ε of that batch norm.
    pub bn_eps: f64,
}

/// A convolution and the batch norm that follows it.
#[derive(Clone, Debug)]
struct Unit {
    conv: Conv2d,
    conv_name: String,
    norm: Option<(BatchNorm2d, String)>,
}

impl Unit {
    fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor, VisionError> {
        let y = self.conv.forward(x)?;
        Ok(match &self.norm {
            Some((norm, _)) => norm.forward(&y, mode)?,
            None => y,
        })
    }

    fn detached(&self) -> Self {
        let norm = self.norm.as_ref().map(|(norm, name)| (norm.detached(), name.clone()));
        Self { conv: self.conv.detached(), conv_name: self.conv_name.clone(), norm }
    }

    fn describe(&self, input: [usize; 2]) -> (LinearLayer, [usize; 2]) {
        let geometry = Geometry { input, ..self.conv.geometry.clone() };
        let kernel = self.conv.weight.dims().get(2).copied().unwrap_or(1);
        let out = [0, 1].map(|axis| (input[axis] + 2 * geometry.padding[axis] - kernel) / geometry.stride[axis] + 1);
        let layer = LinearLayer {
            weight: format!("{}.weight", self.conv_name),
            op: OpKind::Conv2d,
            geometry,
            batch_norm: self.norm.as_ref().map(|(_, name)| name.clone()),
            bn_eps: self.norm.as_ref().map_or(0.0, |(norm, _)| norm.eps),
        };
        (layer, out)
    }
}

/// `relu(second(relu(first(x))) + shortcut(x))`
#[derive(Clone, Debug)]
struct Block {
    first: Unit,
    second: Unit,
    shortcut: Option<Unit>,
}

impl Block {
    fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor, VisionError> {
        let y = self.second.forward(&self.first.forward(x, mode)?.relu()?, mode)?;
        let around = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x, mode)?,
            None => x.clone(),
        };
        Ok((y + around)?.relu()?)
    }
}

/// A network and its numbers.
#[derive(Clone, Debug)]
pub struct Net {
    spec: NetSpec,
    params: Params,
    stem: Option<Unit>,
    blocks: Vec<Block>,
    matrices: Vec<(Linear, String)>,
}

struct Builder<'a> {
    params: Params,
    random: Random,
    spec: &'a NetSpec,
}

impl Builder<'_> {
    fn unit(
        &mut self,
        conv: &str,
        norm: &str,
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
    ) -> Result<Unit, VisionError> {
        let geometry = Geometry {
            stride: [stride; 2],
            padding: [kernel / 2; 2],
            padding_mode: if kernel == 1 { PaddingMode::Zeros } else { self.spec.padding_mode },
            ..Geometry::default()
        };
        let bias = !self.spec.batch_norm;
        let layer = Conv2d::new(&mut self.params, &mut self.random, conv, channels, kernel, geometry, bias)?;
        let norm = if self.spec.batch_norm {
            Some((BatchNorm2d::new(&mut self.params, norm, channels[1])?, norm.to_owned()))
        } else {
            None
        };
        Ok(Unit { conv: layer, conv_name: conv.to_owned(), norm })
    }

    fn block(&mut self, stage: usize, channels: [usize; 2], stride: usize) -> Result<Block, VisionError> {
        let name = |part: &str| format!("layer{stage}.0.{part}");
        let first = self.unit(&name("conv1"), &name("bn1"), channels, 3, stride)?;
        let second = self.unit(&name("conv2"), &name("bn2"), [channels[1]; 2], 3, 1)?;
        let shortcut = if stride != 1 || channels[0] != channels[1] {
            Some(self.unit(&name("shortcut.0"), &name("shortcut.1"), channels, 1, stride)?)
        } else {
            None
        };
        Ok(Block { first, second, shortcut })
    }

    fn matrix(&mut self, name: &str, inputs: usize, outputs: usize) -> Result<(Linear, String), VisionError> {
        Ok((Linear::new(&mut self.params, &mut self.random, name, inputs, outputs)?, name.to_owned()))
    }
}

impl Net {
    /// A network with PyTorch's default start. Same spec and seed, same numbers.
    pub fn new(spec: &NetSpec, seed: u64, device: &Device) -> Result<Self, VisionError> {
        spec.check()?;
        let mut build = Builder { params: Params::new(DType::F32, device), random: Random::new(seed, "weights"), spec };
        let [channels, height, width] = spec.input;
        let (mut stem, mut blocks, mut matrices) = (None, Vec::new(), Vec::new());
        let first = spec.widths.first().copied().unwrap_or(channels);
        match spec.kind {
            NetKind::Mlp => {
                let mut size = channels * height * width;
                for (at, &hidden) in spec.widths.iter().enumerate() {
                    matrices.push(build.matrix(&format!("fc{}", at + 1), size, hidden)?);
                    size = hidden;
                }
                matrices.push(build.matrix("fc", size, spec.classes)?);
            }
            NetKind::SimpleConv => {
                stem = Some(build.unit("conv1", "bn1", [channels, first], 3, 1)?);
                matrices.push(build.matrix("fc", first * height * width, spec.classes)?);
            }
            NetKind::ResNet8 | NetKind::ResNet10 => {
                stem = Some(build.unit("conv1", "bn1", [channels, first], 3, 1)?);
                let mut size = first;
                for (at, &next) in spec.widths.iter().enumerate() {
                    blocks.push(build.block(at + 1, [size, next], if at == 0 { 1 } else { 2 })?);
                    size = next;
                }
                matrices.push(build.matrix("fc", size, spec.classes)?);
            }
        }
        Ok(Self { spec: spec.clone(), params: build.params, stem, blocks, matrices })
    }

    /// What it was built from.
    pub fn spec(&self) -> &NetSpec {
        &self.spec
    }

    /// Its numbers.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The same network on the same numbers without gradients for them: passes cost less memory.
    #[must_use]
    pub fn detached(&self) -> Self {
        let block = |block: &Block| Block {
            first: block.first.detached(),
            second: block.second.detached(),
            shortcut: block.shortcut.as_ref().map(Unit::detached),
        };
        Self {
            spec: self.spec.clone(),
            params: self.params.clone(),
            stem: self.stem.as_ref().map(Unit::detached),
            blocks: self.blocks.iter().map(block).collect(),
            matrices: self.matrices.iter().map(|(matrix, name)| (matrix.detached(), name.clone())).collect(),
        }
    }

    /// Images (N, C, H, W) with pixels in [0, 1] → logits (N, classes).
    pub fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, VisionError> {
        let mut x = images.affine(1.0 / self.spec.deviation, -self.spec.mean / self.spec.deviation)?;
        if let Some(stem) = &self.stem {
            x = stem.forward(&x, mode)?.relu()?;
        }
        for block in &self.blocks {
            x = block.forward(&x, mode)?;
        }
        x = if self.blocks.is_empty() { x.flatten_from(1)? } else { x.mean(3)?.mean(2)? };
        for (at, (matrix, _)) in self.matrices.iter().enumerate() {
            x = matrix.forward(&x)?;
            if at + 1 < self.matrices.len() {
                x = x.relu()?;
            }
        }
        Ok(x)
    }

    /// Every linear layer with its exact geometry for images of the network's own size, in forward order.
    pub fn linear_layers(&self) -> Vec<LinearLayer> {
        let [_, height, width] = self.spec.input;
        let mut size = [height, width];
        let mut layers = Vec::new();
        if let Some(stem) = &self.stem {
            let (layer, out) = stem.describe(size);
            layers.push(layer);
            size = out;
        }
        for block in &self.blocks {
            let (first, middle) = block.first.describe(size);
            let (second, out) = block.second.describe(middle);
            layers.extend([first, second]);
            layers.extend(block.shortcut.as_ref().map(|shortcut| shortcut.describe(size).0));
            size = out;
        }
        layers.extend(self.matrices.iter().map(|(matrix, name)| LinearLayer {
            weight: format!("{name}.weight"),
            op: OpKind::Dense,
            geometry: Geometry { input: [1, matrix.weight.dims().get(1).copied().unwrap_or(1)], ..Geometry::default() },
            batch_norm: None,
            bn_eps: 0.0,
        }));
        layers
    }
}
