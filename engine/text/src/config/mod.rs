//! What a decoder is made of: sizes, norms, positions, caps. Read from a `config.json` or a GGUF file.

pub(crate) mod gguf;
mod hf;

use std::f64::consts::PI;

/// The layouts that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Learned positions, LayerNorm, matrices stored input first (Conv1D).
    Gpt2,
    /// Rotary positions, RMSNorm, gated MLP (also Mistral and Qwen2).
    Llama,
    /// Llama with a second norm after attention and MLP, soft caps and windows in every other block.
    Gemma2,
    /// Gemma 2 without caps, with normalised queries and keys and a second rotary base.
    Gemma3,
}

/// How activations are normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// Mean and variance, with a bias.
    Layer,
    /// Root mean square.
    Rms,
    /// Root mean square, multiplied by one plus the stored weight.
    RmsPlusOne,
}

/// The bend between the two halves of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU by its tanh formula (`gelu_new`, `gelu_pytorch_tanh`).
    GeluTanh,
    /// x·σ(x).
    Silu,
    /// max(x, 0).
    Relu,
}

/// Rotary positions: pair i of a head turns by position · base^(-2i/D).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    /// The base of the frequencies.
    pub base: f64,
    /// How frequencies are stretched for longer contexts.
    pub scaling: RopeScaling,
}

/// How a model stretches its rotary frequencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// All frequencies divided by a factor.
    Linear(f64),
    /// Low frequencies divided, high ones kept, the ones between blended (Llama 3).
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Fewer turns than this in the original context: low.
        low: f64,
        /// More turns than this in the original context: high.
        high: f64,
        /// The original context.
        original: f64,
    },
}

impl Rope {
    /// Frequencies without stretching.
    pub fn plain(base: f64) -> Self {
        Self { base, scaling: RopeScaling::None }
    }

    /// Angle per position of each of the `head_dim`/2 pairs.
    pub(crate) fn frequencies(&self, head_dim: usize) -> Vec<f32> {
        let stretch = |frequency: f64| match self.scaling {
            RopeScaling::None => frequency,
            RopeScaling::Linear(factor) => frequency / factor,
            RopeScaling::Llama3 { factor, low, high, original } => {
                let turns = original * frequency / (2.0 * PI);
                let blend = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                frequency * (blend + (1.0 - blend) / factor)
            }
        };
        let pair = |i: usize| self.base.powf(-2.0 * i as f64 / head_dim as f64);
        (0..head_dim / 2).map(|i| stretch(pair(i)) as f32).collect()
    }
}

/// What differs from block to block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockKind {
    /// A position sees itself and this many minus one before it; all of them if `None`.
    pub window: Option<usize>,
    /// Its rotary positions; `None` where positions are learned.
    pub rope: Option<Rope>,
}

/// A decoder's description.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent property of a checkpoint")]
pub struct Config {
    /// The layout.
    pub family: Family,
    /// Tokens there are.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of the MLP.
    pub d_mlp: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Most positions in one sequence.
    pub context: usize,
    /// One entry per block.
    pub blocks: Vec<BlockKind>,
    /// The kind of norm.
    pub norm: Norm,
    /// Added to the variance before the root is taken.
    pub norm_epsilon: f64,
    /// The MLP's bend.
    pub activation: Activation,
    /// Whether the MLP multiplies by a gate.
    pub gated: bool,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Whether the attention's output has a bias.
    pub out_bias: bool,
    /// Whether the MLP has biases.
    pub mlp_bias: bool,
    /// Whether attention and MLP outputs are normalised before they are added.
    pub sandwich: bool,
    /// Whether queries and keys are normalised.
    pub qk_norm: bool,
    /// Factor of the attention scores.
    pub attention_scale: f64,
    /// c of c·tanh(scores/c).
    pub attention_cap: Option<f64>,
    /// c of c·tanh(logits/c).
    pub final_cap: Option<f64>,
    /// Factor of the embedding.
    pub embedding_scale: Option<f64>,
    /// Whether the unembedding is the embedding.
    pub tied: bool,
    /// The token that begins a text, where the model knows one.
    pub bos: Option<u32>,
    /// Tokens that end a text.
    pub eos: Vec<u32>,
}

impl Config {
    /// Numbers in the residual stream's way: blocks of the model.
    pub fn depth(&self) -> usize {
        self.blocks.len()
    }

    /// Width of all queries.
    pub(crate) fn d_q(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all keys, or of all values.
    pub(crate) fn d_kv(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Whether the sizes make a model.
    pub(crate) fn check(&self) -> Result<(), String> {
        let sizes = [
            ("the vocabulary", self.vocabulary),
            ("the width", self.d_model),
            ("the MLP's width", self.d_mlp),
            ("the number of heads", self.heads),
            ("the number of key heads", self.kv_heads),
            ("a head's width", self.head_dim),
            ("the context", self.context),
            ("the number of blocks", self.blocks.len()),
        ];
        for (what, size) in sizes {
            if size == 0 || size > 1 << 24 {
                return Err(format!("{what} is {size}, which no model has"));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(format!("{} heads cannot share {} key heads", self.heads, self.kv_heads));
        }
        let rotary = self.blocks.iter().any(|block| block.rope.is_some());
        if rotary && !self.head_dim.is_multiple_of(2) {
            return Err(format!("rotary positions need an even head width, not {}", self.head_dim));
        }
        Ok(())
    }
}
