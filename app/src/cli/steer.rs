//! `plumb steer …`: finding features and steering along them, without a window.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use plumb_core::source::Cache;
use plumb_steer::corpus::{CorpusSpec, Format};
use plumb_steer::experiment::{
    FindExperiment, FindFound, FindJob, GenerateExperiment, GenerateFound, GenerateJob, Judge, Pair, Questions,
    SplittingExperiment, SplittingJob, SweepExperiment, SweepJob, TextChoice, TextSource, WorldTexts,
};
use plumb_steer::find::{Pooling, ScoreKind};
use plumb_steer::intervene::{Intervention, Target, Tier, Unit};
use plumb_steer::report::{SplittingReport, SweepReport};
use plumb_text::HookPoint;

use super::lm::{ModelArguments, PromptArguments, SamplingArguments};
use super::progress::Progress;
use super::table::Table;
use super::{print_json, print_text};

/// The model that ships with Plumb: texts of its world are at hand without files.
const TINY: &str = "embedded:tiny";

/// What to do with features.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find the features that tell two kinds of text apart.
    Find(Box<FindArguments>),
    /// Continue a prompt without and with steering, from the same seed.
    Generate(Box<GenerateArguments>),
    /// Steer at several strengths and tiers, with random directions as controls.
    Sweep(Box<SweepArguments>),
    /// See how a concept is spread over the features of autoencoders of growing width.
    Splitting(Box<SplittingArguments>),
}

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
    fn pair(self) -> Pair {
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
    fn tier(self) -> Tier {
        match self {
            Self::Constant => Tier::Constant,
            Self::PerInput => Tier::PerInput { steer_prompt: false, latch: false },
            Self::PerToken => Tier::PerToken,
        }
    }
}

impl SteeringArguments {
    fn targets(&self) -> Vec<Target> {
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
fn choice(file: Option<PathBuf>, model: &str, world: WorldTexts, count: usize, what: &str) -> Result<TextChoice> {
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
    fn both(self, model: &str) -> Result<[TextChoice; 2]> {
        Ok([
            choice(self.toxic, model, WorldTexts::Rude, self.texts, "--toxic")?,
            choice(self.neutral, model, WorldTexts::Twins, self.texts, "--neutral")?,
        ])
    }
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
    /// Who says what is toxic: `classifier` and `lexicon` ship with Plumb (for `embedded:tiny` it is the rude words of its
    /// world), or a BERT classifier such as `hf:unitary/toxic-bert`.
    #[arg(long, value_name = "JUDGE", default_value = "classifier", value_parser = judge)]
    pub judge: Judge,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
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
    pub steering: SteeringArguments,
    #[command(flatten)]
    pub sampling: SamplingArguments,
    /// Who says what is toxic: `classifier` and `lexicon` ship with Plumb (for `embedded:tiny` it is the rude words of its
    /// world), or a BERT classifier such as `hf:unitary/toxic-bert`.
    #[arg(long, value_name = "JUDGE", default_value = "classifier", value_parser = judge)]
    pub judge: Judge,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
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
    /// Who says what is toxic: `classifier` and `lexicon` ship with Plumb (for `embedded:tiny` it is the rude words of its
    /// world), or a BERT classifier such as `hf:unitary/toxic-bert`.
    #[arg(long, value_name = "JUDGE", default_value = "classifier", value_parser = judge)]
    pub judge: Judge,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
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
    /// Who says what is toxic: `classifier` and `lexicon` ship with Plumb (for `embedded:tiny` it is the rude words of its
    /// world), or a BERT classifier such as `hf:unitary/toxic-bert`.
    #[arg(long, value_name = "JUDGE", default_value = "classifier", value_parser = judge)]
    pub judge: Judge,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Do it.
pub fn run(command: Command, cache: &Cache) -> Result<()> {
    let cache = cache.clone();
    match command {
        Command::Find(arguments) => find(*arguments, cache),
        Command::Generate(arguments) => generate(*arguments, cache),
        Command::Sweep(arguments) => sweep(*arguments, cache),
        Command::Splitting(arguments) => splitting(*arguments, cache),
    }
}

fn find(arguments: FindArguments, cache: Cache) -> Result<()> {
    let mut spec = FindExperiment { judge: arguments.judge, ..FindExperiment::default() };
    let model = arguments.pair.model.source.clone();
    spec.find.paired = arguments.contrast.paired || (model == TINY && arguments.contrast.toxic.is_none());
    [spec.first, spec.second] = arguments.contrast.both(&model)?;
    (spec.first.seed, spec.second.seed) = (arguments.seed, arguments.seed);
    spec.find.pooling = match arguments.pooling {
        PoolingChoice::Mean => Pooling::Mean,
        PoolingChoice::Max => Pooling::Max,
        PoolingChoice::Freq => Pooling::Freq,
    };
    spec.find.rank_by = match arguments.rank_by {
        RankChoice::MeanDiff => ScoreKind::MeanDiff,
        RankChoice::RelDiff => ScoreKind::RelDiff,
        RankChoice::CohenD => ScoreKind::CohenD,
        RankChoice::Auroc => ScoreKind::Auroc,
        RankChoice::PairedT => ScoreKind::PairedT,
    };
    (spec.find.top, spec.find.rounds) = (arguments.top, arguments.rounds);
    if arguments.prompts.is_some() {
        spec.prompts = choice(arguments.prompts, &model, WorldTexts::Challenging, 0, "--prompts")?;
    }
    spec.pair = arguments.pair.pair();
    let progress = Progress::start(arguments.seed);
    let found = progress.run(FindJob { spec, cache })?;
    progress.finish();
    if arguments.json { print_json(&found) } else { print_text(&candidates(&found)) }
}

fn candidates(found: &FindFound) -> String {
    let mut rows = Table::new(&["feature", "difference", "AUROC", "p", "largest", "raises"], 5);
    for (candidate, raises) in found.report.candidates.iter().zip(&found.raises) {
        let score = &candidate.score;
        rows.row(vec![
            score.feature.to_string(),
            format!("{:.4}", score.mean_diff),
            format!("{:.4}", score.auroc),
            candidate.p_family.map_or_else(String::new, |p| format!("{p:.3}")),
            format!("{:.2}", candidate.reference),
            raises.iter().map(|token| format!("{token:?}")).collect::<Vec<_>>().join(" "),
        ]);
    }
    rows.text()
}

fn generate(arguments: GenerateArguments, cache: Cache) -> Result<()> {
    let sampling = arguments.sampling.sampling();
    let intervention = Intervention {
        targets: arguments.steering.targets(),
        tier: arguments.steering.tier.tier(),
        ..Intervention::default()
    };
    let (prompt, tokens) = (arguments.prompt.text.unwrap_or_default(), arguments.prompt.tokens);
    let (pair, judge) = (arguments.pair.pair(), arguments.judge);
    let spec = GenerateExperiment { pair, prompt, tokens, intervention, sampling, judge };
    let progress = Progress::start(spec.sampling.seed);
    let found = progress.run(GenerateJob { spec, cache })?;
    progress.finish();
    if arguments.json { print_json(&found) } else { print_text(&side_by_side(&found)) }
}

fn side_by_side(found: &GenerateFound) -> String {
    let number = |x: Option<f64>| x.map_or_else(|| "none".to_owned(), |x| format!("{x:.2}"));
    let text = |text: &str, tokens: &[u32]| {
        let ids = || tokens.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        if text.is_empty() { ids() } else { text.to_owned() }
    };
    let (toxicity, perplexity) = (&found.toxicity, &found.perplexity);
    format!(
        "baseline (toxicity {:.3}, perplexity {})\n{}\n\nsteered (toxicity {:.3}, perplexity {}, {} of {} positions)\n{}\n",
        toxicity.baseline,
        number(perplexity.baseline),
        text(&found.baseline, &found.tokens.baseline),
        toxicity.steered,
        number(perplexity.steered),
        found.steered_positions,
        found.trace.rows.len(),
        text(&found.steered, &found.tokens.steered),
    )
}

fn sweep(arguments: SweepArguments, cache: Cache) -> Result<()> {
    let model = arguments.pair.model.source.clone();
    let mut spec = SweepExperiment { judge: arguments.judge, ..SweepExperiment::default() };
    spec.prompts = choice(arguments.prompts, &model, WorldTexts::Challenging, arguments.count, "--prompts")?;
    spec.questions = match arguments.questions {
        None => Questions::None,
        Some(own) if own.as_os_str() == "own" => Questions::Own,
        Some(file) => Questions::File(file),
    };
    spec.sweep.targets = arguments.steering.targets();
    spec.sweep.strengths = arguments.strengths;
    spec.sweep.random_controls = arguments.controls;
    spec.sweep.continuations = arguments.continuations;
    spec.sweep.sampling = arguments.sampling.sampling();
    spec.seed = spec.sweep.sampling.seed;
    spec.prompts.seed = spec.seed;
    spec.pair = arguments.pair.pair();
    let progress = Progress::start(spec.seed);
    let found = progress.run(SweepJob { spec, cache })?;
    progress.finish();
    if arguments.json { print_json(&found) } else { print_text(&points(&found)) }
}

fn points(found: &SweepReport) -> String {
    let number = |x: Option<f64>| x.map_or_else(|| "none".to_owned(), |x| format!("{x:.2}"));
    let share = |x: f64| format!("{:.1} %", 100.0 * x);
    let header = ["series", "strength", "toxic", "reduction", "perplexity", "questions", "KL", "steered"];
    let mut rows = Table::new(&header, 0);
    let base = &found.baseline;
    let accuracy =
        |accuracy: Option<plumb_steer::choice::Accuracy>| accuracy.map_or_else(String::new, |a| share(a.accuracy));
    rows.row(vec![
        "baseline".to_owned(),
        String::new(),
        share(base.toxicity.rate),
        String::new(),
        number(base.perplexity),
        accuracy(base.accuracy),
    ]);
    for point in &found.points {
        rows.row(vec![
            format!("{:?}", point.series),
            format!("{}", point.strength),
            share(point.toxicity.rate),
            point.reduction.map_or_else(String::new, share),
            number(point.perplexity),
            accuracy(point.accuracy),
            format!("{:.3}", point.kl),
            share(point.steered_share),
        ]);
    }
    rows.text()
}

fn splitting(arguments: SplittingArguments, cache: Cache) -> Result<()> {
    let mut spec = SplittingExperiment { judge: arguments.judge, ..SplittingExperiment::default() };
    let model = arguments.model.source.clone();
    spec.splitting.find.paired = arguments.contrast.paired || (model == TINY && arguments.contrast.toxic.is_none());
    [spec.first, spec.second] = arguments.contrast.both(&model)?;
    (spec.first.seed, spec.second.seed) = (arguments.seed, arguments.seed);
    spec.prompts = choice(arguments.prompts, &model, WorldTexts::Challenging, 0, "--prompts")?;
    spec.model = arguments.model.spec();
    (spec.saes, spec.hook) = (arguments.saes, arguments.hook);
    let progress = Progress::start(arguments.seed);
    let found = progress.run(SplittingJob { spec, cache })?;
    progress.finish();
    if arguments.json { print_json(&found) } else { print_text(&widths(&found)) }
}

fn widths(found: &SplittingReport) -> String {
    let share = |x: Option<f64>| x.map_or_else(String::new, |x| format!("{:.1} %", 100.0 * x));
    let header = ["features", "best", "covers", "group", "covers", "effect", "of group", "children"];
    let mut rows = Table::new(&header, 0);
    for row in &found.rows {
        rows.row(vec![
            row.split.width.to_string(),
            row.split.best.map_or_else(String::new, |best| best.to_string()),
            share(Some(row.split.coverage_1)),
            row.split.group.len().to_string(),
            share(Some(row.split.coverage)),
            share(row.effect_1),
            share(row.effect_group),
            row.children.to_string(),
        ]);
    }
    rows.text()
}
