//! `plumb steer …`: finding features and steering along them, without a window.

mod arguments;
mod tables;

use anyhow::{Result, bail};
use clap::Subcommand;
use plumb_core::source::Cache;
use plumb_steer::experiment::{
    FindExperiment, FindJob, GenerateExperiment, GenerateJob, Questions, SplittingExperiment, SplittingJob,
    SweepExperiment, SweepJob, WorldTexts,
};
use plumb_steer::find::{Pooling, ScoreKind};
use plumb_steer::intervene::Intervention;

use arguments::{
    FindArguments, GenerateArguments, PoolingChoice, RankChoice, SplittingArguments, SweepArguments, TINY, choice,
};

use super::progress::Progress;
use super::{print_json, print_text};

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
    let mut spec = FindExperiment { judge: arguments.answer.judge, ..FindExperiment::default() };
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
    if arguments.answer.json { print_json(&found) } else { print_text(&tables::candidates(&found)) }
}

fn generate(arguments: GenerateArguments, cache: Cache) -> Result<()> {
    let sampling = arguments.sampling.sampling();
    let intervention = Intervention {
        targets: arguments.steering.targets(),
        tier: arguments.steering.tier.tier(),
        ..Intervention::default()
    };
    let (prompt, tokens) = (arguments.prompt.text.unwrap_or_default(), arguments.prompt.tokens);
    let (pair, judge, chat) = (arguments.pair.pair(), arguments.answer.judge, arguments.chat.chat);
    if chat && !tokens.is_empty() {
        bail!("--chat is for --text: token ids are taken as they are");
    }
    let spec = GenerateExperiment { pair, prompt, tokens, chat, intervention, sampling, judge };
    let progress = Progress::start(spec.sampling.seed);
    let found = progress.run(GenerateJob { spec, cache })?;
    progress.finish();
    if arguments.answer.json { print_json(&found) } else { print_text(&tables::side_by_side(&found)) }
}

fn sweep(arguments: SweepArguments, cache: Cache) -> Result<()> {
    let model = arguments.pair.model.source.clone();
    let mut spec = SweepExperiment { judge: arguments.answer.judge, ..SweepExperiment::default() };
    spec.prompts = choice(arguments.prompts, &model, WorldTexts::Challenging, arguments.count, "--prompts")?;
    spec.prompts.chat = arguments.chat.chat;
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
    if arguments.answer.json { print_json(&found) } else { print_text(&tables::points(&found)) }
}

fn splitting(arguments: SplittingArguments, cache: Cache) -> Result<()> {
    let mut spec = SplittingExperiment { judge: arguments.answer.judge, ..SplittingExperiment::default() };
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
    if arguments.answer.json { print_json(&found) } else { print_text(&tables::widths(&found)) }
}
