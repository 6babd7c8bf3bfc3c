//! What the model does: train, drift, score, route, simulate and evaluate.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use plumb_moderate::evaluate::EvaluateSpec;
use plumb_moderate::import::table::Columns;
use plumb_moderate::job::{DriftJob, EvaluateJob, RouteJob, ScoreJob, SimulateJob, TrainJob, VotesFrom};
use plumb_moderate::route::{Mode, Routing};
use plumb_moderate::train::TrainSpec;
use plumb_moderate::triage::RouteSpec;
use serde_json::json;

use super::arguments::{ModelArguments, ObjectiveChoice, ReadArguments};
use super::data::existing;
use super::{DatabaseArguments, answer, now};
use crate::cli::progress::Progress;

/// Options of `train`.
#[derive(Args, Debug)]
pub struct TrainArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    #[command(flatten)]
    pub model: ModelArguments,
    /// A vote this many days older than the newest counts half; 0 for no difference.
    #[arg(long, value_name = "DAYS", default_value_t = 180.0)]
    pub half_life: f64,
    /// Hold out every seventh case instead of the newest seventh.
    #[arg(long)]
    pub by_item: bool,
    /// Take the new model even where it is worse or cannot be compared.
    #[arg(long)]
    pub force: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Train on the log.
pub fn train(arguments: TrainArguments) -> Result<()> {
    let TrainArguments { database, model, half_life, by_item, force, json } = arguments;
    existing(&database)?;
    if !half_life.is_finite() || half_life < 0.0 {
        bail!("--half-life is a number of days, 0 or more");
    }
    let (kind, encoder) = model.choice();
    let spec = TrainSpec { kind, encoder, model: None, half_life_days: half_life, by_time: !by_item, force };
    let progress = Progress::start(0);
    let done = progress.run(TrainJob { place: database.place(), spec, now: now() })?;
    progress.finish();
    answer(json, &done, || {
        let card = &done.card;
        let mut text = format!(
            "{}: {} votes of {} moderators on {} cases\n",
            card.version, card.votes, card.moderators, card.items
        );
        match &card.held_out {
            Some(quality) => {
                let auc = quality.auc.map_or("–".to_owned(), |auc| format!("{auc:.3}"));
                let _ = writeln!(
                    text,
                    "on {} held-out votes: AUC {auc}, log loss {:.3}, calibration error {:.3}",
                    quality.votes, quality.nll, quality.ece
                );
            }
            None => text.push_str("too few votes to measure it\n"),
        }
        let _ = writeln!(text, "{}", done.why);
        text
    })
}

/// Options of `drift`.
#[derive(Args, Debug)]
pub struct DriftArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    /// Calibrate the model anew on the votes since, if that does better.
    #[arg(long)]
    pub recalibrate: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Look for drift.
pub fn drift(arguments: DriftArguments) -> Result<()> {
    let DriftArguments { database, recalibrate, json } = arguments;
    existing(&database)?;
    let progress = Progress::start(0);
    let (found, done) = progress.run(DriftJob { place: database.place(), recalibrate, seed: 1, now: now() })?;
    progress.finish();
    answer(json, &json!({ "drift": found, "recalibrated": done }), || {
        let mut text = format!("{}\n", found.advice);
        if let Some(done) = &done {
            let _ = writeln!(
                text,
                "calibration error {:.3} before, {:.3} after: {}",
                done.before.ece,
                done.after.ece,
                if done.taken { "taken" } else { "not taken" }
            );
        }
        text
    })
}

/// Options of `score`.
#[derive(Args, Debug)]
pub struct ScoreArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    /// What cases are ranked by.
    #[arg(long, value_enum, default_value_t)]
    pub objective: ObjectiveChoice,
    /// Only this many cases are printed; all are scored.
    #[arg(long, value_name = "COUNT")]
    pub top: Option<usize>,
    /// Do not write the scores into the log.
    #[arg(long)]
    pub dry_run: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Cases that are given their nearest past cases where --top does not say how many are wanted.
const SIMILAR: usize = 20;

/// Score the queue.
pub fn score(arguments: ScoreArguments) -> Result<()> {
    let ScoreArguments { database, objective, top, dry_run, json } = arguments;
    existing(&database)?;
    let progress = Progress::start(0);
    let place = database.place();
    let (objective, similar) = (objective.into(), top.unwrap_or(SIMILAR));
    let mut found = progress.run(ScoreJob { place, objective, keep: !dry_run, similar, now: now() })?;
    progress.finish();
    found.truncate(top.unwrap_or(usize::MAX));
    answer(json, &found, || {
        let line = |case: &plumb_moderate::triage::Scored| {
            let parts: Vec<&str> = case.parts.iter().map(|part| part.part.trim()).collect();
            let mut text = format!("{:>7.4}  {}  {}\n", case.score, case.case, parts.join(" · "));
            for past in &case.similar {
                let _ = writeln!(
                    text,
                    "         like {} ({:.2}): {} to approve, {} to remove",
                    past.case, past.likeness, past.approve, past.remove
                );
            }
            text
        };
        found.iter().map(line).collect()
    })
}

/// Options of `route`.
#[derive(Args, Debug)]
pub struct RouteArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    /// Share of cases that go to panels.
    #[arg(long, value_name = "SHARE", default_value_t = 0.3, conflicts_with_all = ["threshold", "capacity", "manual"])]
    pub budget: f64,
    /// Panels for every case above this score.
    #[arg(long, value_name = "SCORE", conflicts_with_all = ["capacity", "manual"])]
    pub threshold: Option<f64>,
    /// Panels for cases above this score, while there are free seats.
    #[arg(long, value_name = "SCORE", conflicts_with = "manual")]
    pub capacity: Option<f64>,
    /// No panels but audits and those that moderators ask for.
    #[arg(long)]
    pub manual: bool,
    /// Share of the other cases that get a panel at random, to measure what the model misses.
    #[arg(long, value_name = "SHARE", default_value_t = 0.03)]
    pub audit: f64,
    /// What cases are ranked by.
    #[arg(long, value_enum, default_value_t)]
    pub objective: ObjectiveChoice,
    /// Seed of the audit.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Only say what would happen.
    #[arg(long)]
    pub dry_run: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Route the queue.
pub fn route(arguments: RouteArguments) -> Result<()> {
    let RouteArguments { database, budget, threshold, capacity, manual, audit, objective, seed, dry_run, json } =
        arguments;
    existing(&database)?;
    for (name, share) in [("--budget", budget), ("--audit", audit)] {
        if !(0.0..=1.0).contains(&share) {
            bail!("{name} is a share from 0 to 1");
        }
    }
    let mode = match (threshold, capacity, manual) {
        (Some(score), ..) => Mode::Threshold(score),
        (_, Some(score), _) => Mode::Capacity(score),
        (_, _, true) => Mode::Manual,
        _ => Mode::Budget(budget),
    };
    let spec = RouteSpec {
        routing: Routing { mode, audit, ..Routing::default() },
        objective: objective.into(),
        seed,
        dry_run,
    };
    let progress = Progress::start(seed);
    let done = progress.run(RouteJob { place: database.place(), spec, now: now() })?;
    progress.finish();
    answer(json, &done, || {
        let mut text = format!(
            "{} cases to panels, {} more as an audit, {} to one moderator each\n",
            done.model.len(),
            done.audit.len(),
            done.solo
        );
        if !done.trusted {
            text.push_str("The model is not calibrated well enough to choose: train it on more votes.\n");
        }
        if done.dry_run {
            text.push_str("Nothing was changed.\n");
        }
        text
    })
}

/// Options of `simulate`.
#[derive(Args, Debug)]
pub struct SimulateArguments {
    /// The team's database.
    #[arg(long, value_name = "FILE|URL", required_unless_present = "sandbox")]
    pub db: Option<String>,
    /// Who signs in, where the file has accounts.
    #[arg(long = "as", value_name = "NAME")]
    pub user: Option<String>,
    /// The made-up practice community instead of a database.
    #[arg(long, conflicts_with = "db")]
    pub sandbox: bool,
    #[command(flatten)]
    pub model: ModelArguments,
    /// Seats of a panel; odd.
    #[arg(long, default_value_t = 3)]
    pub panel: usize,
    /// What cases are ranked by.
    #[arg(long, value_enum, default_value_t)]
    pub objective: ObjectiveChoice,
    /// Seed of the intervals.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

fn odd(panel: usize) -> Result<()> {
    if panel.is_multiple_of(2) || panel > 99 {
        bail!("--panel is an odd number up to 99");
    }
    Ok(())
}

/// Forecast from the log.
pub fn simulate(arguments: SimulateArguments) -> Result<()> {
    let SimulateArguments { db, user, sandbox: _, model, panel, objective, seed, json } = arguments;
    odd(panel)?;
    let place = match db {
        Some(db) => {
            let database = DatabaseArguments { db, user };
            existing(&database)?;
            Some(database.place())
        }
        None => None,
    };
    let progress = Progress::start(seed);
    let (kind, encoder) = model.choice();
    let spec = TrainSpec { kind, encoder, ..TrainSpec::default() };
    let outlook = progress.run(SimulateJob { place, spec, objective: objective.into(), panel, seed, now: now() })?;
    progress.finish();
    let value = outlook.forecast();
    answer(json, &value, || {
        let mut text = "budget  panels/day  extra votes/day  consistency  gain (95 % interval)\n".to_owned();
        for at in &value.budgets {
            let _ = writeln!(
                text,
                "{:>5.0} %  {:>10.1}  {:>15.1}  {:>11.4}  {:.2} ({:.2} to {:.2})",
                100.0 * at.budget,
                at.panels_a_day,
                at.extra_votes_a_day,
                at.expected,
                at.gain,
                at.gain_interval[0],
                at.gain_interval[1]
            );
        }
        let _ = writeln!(text, "{}", outlook.at(0.3).message);
        text
    })
}

/// Options of `evaluate`.
#[derive(Args, Debug)]
pub struct EvaluateArguments {
    #[command(flatten)]
    pub read: ReadArguments,
    #[command(flatten)]
    pub model: ModelArguments,
    /// Files to learn from.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub train: Vec<PathBuf>,
    /// Files to test on. Without any, the newest quarter of the others.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub test: Vec<PathBuf>,
    /// Seats of a panel; odd.
    #[arg(long, default_value_t = 3)]
    pub panel: usize,
    /// Learn from one vote an item, drawn at random, as a log of solo decisions would hold.
    #[arg(long)]
    pub log_regime: bool,
    /// What cases are ranked by.
    #[arg(long, value_enum, default_value_t)]
    pub objective: ObjectiveChoice,
    /// Seed of that draw, of the intervals and of the random orders.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Learn, test, and print.
pub fn evaluate(arguments: EvaluateArguments) -> Result<()> {
    let EvaluateArguments { read, model, train, test, panel, log_regime, objective, seed, json } = arguments;
    odd(panel)?;
    let columns = read.columns(Columns::own)?;
    let (kind, encoder) = model.choice();
    let (kind, objective) = (kind.unwrap_or_default(), objective.into());
    let spec = EvaluateSpec { panel, log_regime, seed, objective, kind, encoder, model: None };
    let progress = Progress::start(seed);
    let (found, details) = progress.run(EvaluateJob {
        from: VotesFrom::Files { train, test, format: read.format.into(), columns: columns.map(Box::new) },
        spec,
    })?;
    progress.finish();
    let mut value = serde_json::to_value(&found)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("b90".to_owned(), json!(details.b90));
        fields.insert("gain_interval".to_owned(), json!(details.gain_interval));
        fields.insert("alpha_interval".to_owned(), json!(details.alpha_interval));
        fields.insert("latent_at_30".to_owned(), json!(details.latent_at_30));
        fields.insert("overturn_at_30".to_owned(), json!(details.overturn_at_30));
        fields.insert("votes_per_case_at_30".to_owned(), json!(details.votes_per_case_at_30));
    }
    answer(json, &value, || {
        let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.4}"));
        let mut text = format!(
            "{} items, {} votes, {} moderators\npairwise disagreement {:.4}, Krippendorff's alpha {}, split {:.4}\n\
             votes: AUC {}, calibration error {:.4}\nsplit items: AUC {}, average precision {}\n\
             consistency alone {:.4}, by panels of {panel} {:.4}\n\nbudget  gain   95 % interval    random  oracle\n",
            found.items,
            found.votes,
            found.moderators,
            found.pairwise_disagreement,
            number(found.krippendorff_alpha),
            found.non_unanimous,
            number(found.vote_auc),
            found.vote_ece,
            number(found.auc),
            number(found.average_precision),
            found.c0,
            found.c1
        );
        for (i, [budget, gain]) in found.gain.iter().enumerate() {
            let [low, high] = details.gain_interval.get(i).copied().unwrap_or_default();
            let at = |curve: &[[f64; 2]]| curve.get(i).map_or(0.0, |point| point[1]);
            let _ = writeln!(
                text,
                "{:>5.0} %  {gain:.3}  {low:.3} to {high:.3}  {:.3}   {:.3}",
                100.0 * budget,
                at(&found.gain_random),
                at(&found.gain_oracle)
            );
        }
        let _ = writeln!(
            text,
            "\nnine tenths of the gain with {:.0} % of the cases; learnt in {:.1} s, a case is scored in {:.2} ms (95th percentile)",
            100.0 * details.b90,
            found.train_seconds,
            found.score_p95_ms
        );
        text
    })
}
