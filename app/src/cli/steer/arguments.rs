//! What `plumb steer` is asked: its options, and the engine's words for them.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use plumb_steer::corpus::{CorpusSpec, Format};
use plumb_steer::experiment::{Judge, Pair, TextChoice, TextSource, WorldTexts};
use plumb_steer::intervene::{Target, Tier, Unit};
use plumb_text::HookPoint;

use crate::cli::lm::{ChatArguments, ModelArguments, PromptArguments, SamplingArguments};

/// The model that ships with Plumb: texts of its world are at hand without files.
pub const TINY: &str = "embedded:tiny";

/// A model and an autoencoder.
#[derive(Args, Debug)]
pub struct PairArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    /// A name that ships with Plumb, a folder, a Gemma Scope `params.npz`, or `hf:owner/repo/folder`.
    #[arg(long, value_name = "SAE")]
    pub sae: String,
    /// Where the stream is read and changed [default: where the autoencoder says].
    #[arg(long, value_name = "HOOK")]
    pub hook: Option<HookPoint>,
    /// A feature index, for largest activations [default: the one beside the autoencoder].
    #[arg(long, value_name = "DIR")]
    pub index: Option<PathBuf>,
}

impl PairArguments {
    pub(super) fn pair(self) -> Pair {
        Pair { model: self.model.spec(), sae: self.sae, hook: self.hook, index: self.index }
    }
}

/// Which features and how.
#[derive(Args, Debug)]
pub struct SteeringArguments {
    /// FEATURE:STRENGTH or FEATURE:STRENGTH:MAXIMUM; negative strengths suppress. May be given several times.
    #[arg(long = "feature", value_name = "J:S", required = true, allow_hyphen_values = true, value_parser = feature)]
    pub features: Vec<Feature>,
    /// What a strength of 1 means.
    #[arg(long, value_enum, default_value_t)]
    pub unit: UnitChoice,
    /// Where the features act.
    #[arg(long, value_enum, default_value_t)]
    pub tier: TierChoice,
    /// The gate of the conditional tiers opens above this activation.
    #[arg(long, default_value_t = 0.0)]
    pub threshold: f32,
}

/// A feature, its strength, and its largest activation where the user knows better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feature {
    number: usize,
    strength: f32,
    reference: Option<f32>,
}

fn feature(text: &str) -> Result<Feature, String> {
    let wrong = || format!("“{text}” is no feature: write its number, a colon and a strength, as in 17:-1.5");
    let mut parts = text.split(':');
    let number = parts.next().and_then(|part| part.trim().parse().ok()).ok_or_else(wrong)?;
    let strength = parts.next().and_then(|part| part.trim().parse().ok()).ok_or_else(wrong)?;
    let reference = parts.next().map(|part| part.trim().parse().map_err(|_not_a_number| wrong())).transpose()?;
    if parts.next().is_some() {
        return Err(wrong());
    }
    Ok(Feature { number, strength, reference })
}

/// The unit of strengths.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum UnitChoice {
    /// The feature's largest activation, along its direction.
    #[default]
    MaxAct,
    /// Length 1 along its direction.
    Raw,
    /// One decoder vector as long as it is.
    Decoder,
    /// The length of the residual vector at hand.
    Norm,
}

/// Where features act.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum TierChoice {
    /// Everywhere.
    #[default]
    Constant,
    /// In the continuation, if the feature fires in the prompt.
    PerInput,
    /// Only where the feature fires.
    PerToken,
}

impl TierChoice {
    pub(super) fn tier(self) -> Tier {
        match self {
            Self::Constant => Tier::Constant,
            Self::PerInput => Tier::PerInput { steer_prompt: false, latch: false },
            Self::PerToken => Tier::PerToken,
        }
    }
}

impl SteeringArguments {
    pub(super) fn targets(&self) -> Vec<Target> {
        let unit = match self.unit {
            UnitChoice::MaxAct => Unit::MaxAct,
            UnitChoice::Raw => Unit::Raw,
            UnitChoice::Decoder => Unit::RawUnnormalised,
            UnitChoice::Norm => Unit::ResidNorm,
        };
        let target = |feature: &Feature| {
            let mut target = Target::add(feature.number, feature.strength, unit, feature.reference);
            target.threshold = self.threshold;
            target
        };
        self.features.iter().map(target).collect()
    }
}

/// Reads who says what is toxic.
fn judge(text: &str) -> Result<Judge, String> {
    Ok(match text {
        "" => return Err("choose classifier, lexicon, or a BERT classifier".to_owned()),
        "classifier" => Judge::Classifier,
        "lexicon" => Judge::Lexicon,
        bert => Judge::Bert(bert.to_owned()),
    })
}

/// Texts of two kinds.
#[derive(Args, Debug)]
pub struct ContrastArguments {
    /// Texts of the first kind (toxic), one per line.
    #[arg(long, value_name = "FILE")]
    pub toxic: Option<PathBuf>,
    /// Texts of the second kind (neutral), one per line.
    #[arg(long, value_name = "FILE")]
    pub neutral: Option<PathBuf>,
    /// At most so many of each; 0 for all.
    #[arg(long, default_value_t = 0)]
    pub texts: usize,
    /// Line i of one file belongs to line i of the other.
    #[arg(long)]
    pub paired: bool,
}

/// Lines of a file, or what the made-up world has.
pub(super) fn choice(
    file: Option<PathBuf>,
    model: &str,
    world: WorldTexts,
    count: usize,
    what: &str,
) -> Result<TextChoice> {
    let from = match file {
        Some(source) => {
            TextSource::Corpus(Box::new(CorpusSpec { source, format: Format::Lines, ..Default::default() }))
        }
        None if model == TINY => TextSource::World(world),
        None => bail!("{what} is needed: a file with one text per line"),
    };
    Ok(TextChoice { from, count, ..TextChoice::default() })
}

impl ContrastArguments {
    pub(super) fn both(self, model: &str) -> Result<[TextChoice; 2]> {
        Ok([
            choice(self.toxic, model, WorldTexts::Rude, self.texts, "--toxic")?,
            choice(self.neutral, model, WorldTexts::Twins, self.texts, "--neutral")?,
        ])
    }
}

/// Who judges, and how the answer is printed.
#[derive(Args, Debug)]
pub struct AnswerArguments {
    /// Who says what is toxic: `classifier` and `lexicon` ship with Plumb (for `embedded:tiny` it is the rude words of its
    /// world), or a BERT classifier such as `hf:unitary/toxic-bert`.
    #[arg(long, value_name = "JUDGE", default_value = "classifier", value_parser = judge)]
    pub judge: Judge,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Options of `plumb steer find`.
#[derive(Args, Debug)]
pub struct FindArguments {
    #[command(flatten)]
    pub pair: PairArguments,
    #[command(flatten)]
    pub contrast: ContrastArguments,
    /// How a text's tokens become one number.
    #[arg(long, value_enum, default_value_t)]
    pub pooling: PoolingChoice,
    /// Which score ranks.
    #[arg(long, value_enum, default_value_t)]
    pub rank_by: RankChoice,
    /// How many candidates.
    #[arg(long, default_value_t = 20)]
    pub top: usize,
    /// Shuffles for the p-values; 0 for none.
    #[arg(long, default_value_t = 200)]
    pub rounds: usize,
    /// Try the candidates by steering on these prompts, one per line.
    #[arg(long, value_name = "FILE")]
    pub prompts: Option<PathBuf>,
    /// Seed of shuffles and draws.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub answer: AnswerArguments,
}

/// How a text's tokens become one number.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum PoolingChoice {
    /// Their mean.
    #[default]
    Mean,
    /// The largest.
    Max,
    /// The share of tokens where the feature fires.
    Freq,
}

/// Which score ranks.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum RankChoice {
    /// Difference of the means.
    #[default]
    MeanDiff,
    /// That, divided by the second mean.
    RelDiff,
    /// That difference, divided by the standard deviation.
    CohenD,
    /// Probability that a toxic text has the larger value.
    Auroc,
    /// Mean difference of pairs by its standard error.
    PairedT,
}

/// Options of `plumb steer generate`.
#[derive(Args, Debug)]
pub struct GenerateArguments {
    #[command(flatten)]
    pub pair: PairArguments,
    #[command(flatten)]
    pub prompt: PromptArguments,
    #[command(flatten)]
    pub chat: ChatArguments,
    #[command(flatten)]
    pub steering: SteeringArguments,
    #[command(flatten)]
    pub sampling: SamplingArguments,
    #[command(flatten)]
    pub answer: AnswerArguments,
}

/// Options of `plumb steer sweep`.
#[derive(Args, Debug)]
pub struct SweepArguments {
    #[command(flatten)]
    pub pair: PairArguments,
    /// Features; their strengths are multiplied by those of the grid.
    #[command(flatten)]
    pub steering: SteeringArguments,
    /// Prompts, one per line.
    #[arg(long, value_name = "FILE")]
    pub prompts: Option<PathBuf>,
    #[command(flatten)]
    pub chat: ChatArguments,
    /// At most so many prompts; 0 for all.
    #[arg(long, default_value_t = 0)]
    pub count: usize,
    /// The grid of strengths.
    #[arg(long, value_delimiter = ',', default_value = "0.25,0.5,1,1.5,2,2.5")]
    pub strengths: Vec<f32>,
    /// Random directions of the same length, as controls.
    #[arg(long, default_value_t = 5)]
    pub controls: usize,
    /// Continuations of each prompt.
    #[arg(long, default_value_t = 4)]
    pub continuations: usize,
    /// Multiple-choice questions in JSONL, or `own` for those of Plumb.
    #[arg(long, value_name = "FILE")]
    pub questions: Option<PathBuf>,
    #[command(flatten)]
    pub sampling: SamplingArguments,
    #[command(flatten)]
    pub answer: AnswerArguments,
}

/// Options of `plumb steer splitting`.
#[derive(Args, Debug)]
pub struct SplittingArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    /// Autoencoders of the same place, narrowest first, with commas between them.
    #[arg(long, value_name = "SAES", value_delimiter = ',', required = true)]
    pub saes: Vec<String>,
    /// Where the stream is read and changed [default: where the autoencoders say].
    #[arg(long, value_name = "HOOK")]
    pub hook: Option<HookPoint>,
    #[command(flatten)]
    pub contrast: ContrastArguments,
    /// Prompts to steer on, one per line.
    #[arg(long, value_name = "FILE")]
    pub prompts: Option<PathBuf>,
    /// Seed of draws.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub answer: AnswerArguments,
}
