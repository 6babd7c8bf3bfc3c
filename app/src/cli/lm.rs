//! `plumb fetch MODEL` and `plumb lm …`: language models without a window.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use plumb_core::source::Cache;
use plumb_nn::device::DeviceChoice;
use plumb_text::job::{FetchJob, GenerateJob, ModelSpec, Prompt, ScoreJob, TensorJob, Wanted};
use plumb_text::{HookPoint, Precision, Sampling};

use super::progress::Progress;
use super::{print_json, print_text};

/// Options of `plumb fetch`.
#[derive(Args, Debug)]
pub struct FetchArguments {
    /// `smollm2` (98 MB) or `hf:owner/repo[@revision]`.
    #[arg(value_name = "MODEL")]
    pub model: String,
}

/// Fetch a model and print where it is.
pub fn fetch(arguments: FetchArguments, cache: &Cache) -> Result<()> {
    let progress = Progress::start(0);
    let path = progress.run(FetchJob { model: arguments.model, cache: cache.clone() })?;
    progress.finish();
    print_text(&format!("{}\n", path.display()))
}

/// What to do with a language model.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the logits of every position: tensor `logits` of shape [tokens, vocabulary].
    Logits {
        #[command(flatten)]
        model: ModelArguments,
        #[command(flatten)]
        prompt: PromptArguments,
        /// The safetensors file to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write the residual stream at a hook point: tensor `resid` of shape [tokens, width].
    Resid {
        #[command(flatten)]
        model: ModelArguments,
        #[command(flatten)]
        prompt: PromptArguments,
        /// Where: blocks.N.hook_resid_pre or blocks.N.hook_resid_post.
        #[arg(long, value_name = "HOOK")]
        hook: HookPoint,
        /// The safetensors file to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print how probable a text is, token by token.
    Score {
        #[command(flatten)]
        model: ModelArguments,
        #[command(flatten)]
        prompt: PromptArguments,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Continue a text.
    Generate {
        #[command(flatten)]
        model: ModelArguments,
        #[command(flatten)]
        prompt: PromptArguments,
        #[command(flatten)]
        chat: ChatArguments,
        #[command(flatten)]
        sampling: SamplingArguments,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}

/// Which model.
#[derive(Args, Debug)]
pub struct ModelArguments {
    /// `smollm2`, `hf:owner/repo`, a GGUF file, or a folder with config.json and safetensors.
    #[arg(long = "model", value_name = "MODEL")]
    pub source: String,
    /// How weights are kept and multiplied.
    #[arg(long, value_enum, default_value_t)]
    pub precision: PrecisionChoice,
    /// Where it runs: auto, cpu, cuda or metal.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = device)]
    pub device: DeviceChoice,
}

/// The precision of weights.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum PrecisionChoice {
    /// As the file has them.
    #[default]
    Stored,
    /// 32-bit floats.
    F32,
    /// bfloat16.
    Bf16,
}

/// Reads a device's name.
pub fn device(text: &str) -> Result<DeviceChoice, String> {
    let word = text.to_ascii_lowercase();
    let found = DeviceChoice::ALL.into_iter().find(|choice| format!("{choice:?}").to_ascii_lowercase() == word);
    found.ok_or_else(|| "choose auto, cpu, cuda or metal".to_owned())
}

impl ModelArguments {
    /// The model as a job wants it.
    pub fn spec(self) -> ModelSpec {
        let precision = match self.precision {
            PrecisionChoice::Stored => Precision::AsStored,
            PrecisionChoice::F32 => Precision::F32,
            PrecisionChoice::Bf16 => Precision::Bf16,
        };
        ModelSpec { model: self.source, precision, device: self.device }
    }
}

/// A text in one of its two forms.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct PromptArguments {
    /// The text; the model's own special tokens are added.
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// Token ids, with commas between them.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub tokens: Vec<u32>,
}

/// Whether a text is a message.
#[derive(Args, Debug)]
pub struct ChatArguments {
    /// The text is a message: put it into the model's chat template, so that the model answers it.
    #[arg(long)]
    pub chat: bool,
}

impl PromptArguments {
    fn prompt(self) -> Prompt {
        match self.text {
            Some(text) => Prompt::Text(text),
            None => Prompt::Tokens(self.tokens),
        }
    }

    /// The text as a message where `chat` says so.
    fn message(self, chat: bool) -> Result<Prompt> {
        match self.prompt() {
            Prompt::Text(text) if chat => Ok(Prompt::Chat(text)),
            Prompt::Tokens(_) if chat => bail!("--chat is for --text: token ids are taken as they are"),
            prompt => Ok(prompt),
        }
    }
}

/// How tokens are chosen.
#[derive(Args, Debug)]
pub struct SamplingArguments {
    /// Logits are divided by this; 0 takes the most probable token every time.
    #[arg(long, default_value_t = 0.0)]
    pub temperature: f32,
    /// Only this many of the most probable tokens; 0 for all.
    #[arg(long, default_value_t = 0)]
    pub top_k: usize,
    /// Only the most probable tokens whose probabilities together reach this.
    #[arg(long, default_value_t = 1.0)]
    pub top_p: f32,
    /// Makes tokens that have occurred less probable; 1 for no penalty.
    #[arg(long, default_value_t = 1.0)]
    pub repetition_penalty: f32,
    /// Most tokens to generate.
    #[arg(long, default_value_t = 64)]
    pub max_tokens: usize,
    /// Seed of the choice.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Go on after the token that ends a text.
    #[arg(long)]
    pub ignore_end: bool,
}

impl SamplingArguments {
    /// As a job wants it.
    pub fn sampling(&self) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            repetition_penalty: self.repetition_penalty,
            seed: self.seed,
            max_tokens: self.max_tokens,
            ignore_end: self.ignore_end,
        }
    }
}

/// Do it.
pub fn run(command: Command, cache: &Cache) -> Result<()> {
    let cache = cache.clone();
    match command {
        Command::Logits { model, prompt, out } => tensor(model, prompt, Wanted::Logits, &out, cache),
        Command::Resid { model, prompt, hook, out } => tensor(model, prompt, Wanted::Resid(hook), &out, cache),
        Command::Score { model, prompt, json } => {
            let progress = Progress::start(0);
            let report = progress.run(ScoreJob { model: model.spec(), prompt: prompt.prompt(), cache })?;
            progress.finish();
            if json {
                return print_json(&report);
            }
            let rows = report.tokens.iter().zip(&report.logprobs);
            // Quoted, so that spaces and line ends can be seen.
            let mut lines: Vec<_> = rows.map(|(token, logprob)| format!("{logprob:>9.4}  {token:?}")).collect();
            lines.push(format!("\nperplexity {:.4}\n", report.perplexity));
            print_text(&lines.join("\n"))
        }
        Command::Generate { model, prompt, chat, sampling, json } => {
            let (sampling, seed) = (sampling.sampling(), sampling.seed);
            let prompt = prompt.message(chat.chat)?;
            let progress = Progress::start(seed);
            let report = progress.run(GenerateJob { model: model.spec(), prompt, sampling, cache })?;
            progress.finish();
            if json {
                return print_json(&report);
            }
            if report.text.is_empty() && !report.tokens.is_empty() {
                let ids: Vec<_> = report.tokens.iter().map(ToString::to_string).collect();
                return print_text(&format!("{}\n", ids.join(",")));
            }
            print_text(&format!("{}\n", report.text))
        }
    }
}

fn tensor(model: ModelArguments, prompt: PromptArguments, wanted: Wanted, out: &Path, cache: Cache) -> Result<()> {
    super::sae::refuse_folder(out)?;
    let progress = Progress::start(0);
    let shape = progress.run(TensorJob {
        model: model.spec(),
        prompt: prompt.prompt(),
        wanted,
        out: out.to_path_buf(),
        cache,
    })?;
    progress.finish();
    print_text(&format!("{} {shape:?}\n", out.display()))
}
