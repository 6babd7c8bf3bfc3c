//! `plumb sae …`: sparse autoencoders without a window.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Subcommand;
use plumb_core::preset::{self, Kind};
use plumb_core::source::Cache;
use plumb_nn::device::DeviceChoice;
use plumb_steer::experiment::{SAE_EVAL, SAE_INDEX, SAE_TRAIN};
use plumb_steer::quality::Quality;
use plumb_steer::sae_job::{EncodeJob, SaeEvalJob, SaeIndexJob, SaeTrainJob, Trained};
use plumb_steer::sae_spec::{SaeEvalSpec, SaeIndexSpec, SaeTrainSpec};
use serde::de::DeserializeOwned;

use super::progress::Progress;
use super::{lm, print_json, print_text};

/// What to do with a sparse autoencoder.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Encode a residual stream: tensor `resid` [tokens, width] becomes tensor `features` [tokens, features].
    Encode {
        /// A name that ships with Plumb, a folder, a Gemma Scope `params.npz`, or `hf:owner/repo/folder`.
        #[arg(long, value_name = "SAE")]
        sae: String,
        /// The file with the residual stream, as `plumb lm resid` writes it.
        #[arg(long = "in", value_name = "FILE")]
        input: PathBuf,
        /// The safetensors file to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Where it runs: auto, cpu, cuda or metal.
        #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = lm::device)]
        device: DeviceChoice,
    },
    /// Harvest activations and train autoencoders on them. An interrupted run goes on where it was.
    Train(SpecArguments),
    /// Measure an autoencoder: what it keeps, how sparse it is, what its reconstruction costs the model.
    Eval(SpecArguments),
    /// Find for every feature what makes it fire, and keep it in a folder that opens at once.
    Index(SpecArguments),
}

/// An experiment in a file.
#[derive(clap::Args, Debug)]
pub struct SpecArguments {
    /// A preset with the method sae-train, sae-eval or sae-index.
    #[arg(value_name = "SPEC.ron")]
    pub spec: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

impl SpecArguments {
    fn load<S: DeserializeOwned>(&self, kind: Kind) -> Result<S> {
        Ok(preset::load::<S>(&self.spec, kind)?.spec)
    }
}

/// Do it.
pub fn run(command: Command, cache: &Cache) -> Result<()> {
    let cache = cache.clone();
    match command {
        Command::Encode { sae, input, out, device } => {
            refuse_folder(&out)?;
            let progress = Progress::start(0);
            let shape = progress.run(EncodeJob { sae, input, out: out.clone(), device, cache })?;
            progress.finish();
            print_text(&format!("{} {shape:?}\n", out.display()))
        }
        Command::Train(arguments) => {
            let spec: SaeTrainSpec = arguments.load(SAE_TRAIN)?;
            let progress = Progress::start(spec.texts.seed);
            let saes = progress.run(SaeTrainJob { spec, cache })?;
            progress.finish();
            if arguments.json {
                return print_json(&saes);
            }
            let of =
                |one: &Trained| format!("{}: {} features\n{}", one.folder.display(), one.features, lines(&one.quality));
            print_text(&saes.iter().map(of).collect::<Vec<_>>().concat())
        }
        Command::Eval(arguments) => {
            let spec: SaeEvalSpec = arguments.load(SAE_EVAL)?;
            let progress = Progress::start(spec.texts.seed);
            let quality = progress.run(SaeEvalJob { spec, cache })?;
            progress.finish();
            if arguments.json { print_json(&quality) } else { print_text(&lines(&quality)) }
        }
        Command::Index(arguments) => {
            let spec: SaeIndexSpec = arguments.load(SAE_INDEX)?;
            let progress = Progress::start(spec.texts.seed);
            let made = progress.run(SaeIndexJob { spec, cache })?;
            progress.finish();
            if arguments.json {
                return print_json(&made);
            }
            let (table, folder) = (&made.table, made.folder.display());
            print_text(&format!(
                "{folder}: {} features over {} tokens of {}, {} of them dead, {:.0} tokens/s\n",
                table.features, table.tokens, table.corpus, made.dead, made.tokens_per_second
            ))
        }
    }
}

/// An output file that is a folder is a slip of the hand.
pub fn refuse_folder(out: &Path) -> Result<()> {
    if out.is_dir() {
        bail!("{} is a folder: name a file in it", out.display());
    }
    Ok(())
}

/// The figures, one per line.
fn lines(quality: &Quality) -> String {
    let score = |score: Option<f64>| score.map_or_else(|| "not measured".to_owned(), |score| format!("{score:.4}"));
    format!(
        "  tokens             {}\n  features per token {:.2}\n  explained variance {:.4}\n  CE score           {}\n  KL score           {}\n  dead               {:.2} %\n",
        quality.tokens,
        quality.l0,
        quality.explained_variance,
        score(quality.ce_score),
        score(quality.kl_score),
        100.0 * quality.dead,
    )
}
