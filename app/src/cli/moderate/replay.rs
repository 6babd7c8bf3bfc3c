//! Past cases for somebody new, as the window replays them: printed to be judged, then compared with the team. Nothing
//! enters the log.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use plumb_moderate::onboarding::{Lesson, Pick, Standing, standing};
use plumb_moderate::workplace::{OpenJob, ReviewJob, SignIn, Where};
use serde_json::json;

use super::data::existing;
use super::{DatabaseArguments, answer, now};
use crate::cli::progress::Progress;

/// Options of `replay`.
#[derive(Args, Debug)]
pub struct ReplayArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    /// How many cases.
    #[arg(long, default_value_t = 40)]
    pub cases: usize,
    /// Which past cases.
    #[arg(long, value_enum, default_value_t = PickChoice::Mixed)]
    pub pick: PickChoice,
    /// Which of them are drawn.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// What somebody said to them: CSV with the columns case and verdict (approve or remove). Without it the cases are
    /// printed, and how they ended is not.
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Which past cases.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PickChoice {
    /// With two votes or more, half of them split.
    Mixed,
    /// On which votes differ.
    Split,
    /// That a panel decided.
    Panels,
    /// All.
    All,
}

/// Print past cases, or how somebody judged them beside the team.
pub fn replay(arguments: ReplayArguments) -> Result<()> {
    let ReplayArguments { database, cases, pick, seed, answers, json } = arguments;
    existing(&database)?;
    let pick = match pick {
        PickChoice::Mixed => Pick::Mixed,
        PickChoice::Split => Pick::Split,
        PickChoice::Panels => Pick::Panels,
        PickChoice::All => Pick::All,
    };
    let who = SignIn {
        name: database.user.clone().unwrap_or_default(),
        password: std::env::var("PLUMB_PASSWORD").unwrap_or_default(),
        found: false,
    };
    let progress = Progress::start(seed);
    let opened = progress.run(OpenJob { at: Where::Database(database.db), who, now: now() })?;
    let lessons = progress.run(ReviewJob { work: opened.work, pick, count: cases })?;
    progress.finish();
    let Some(path) = answers else {
        let cases: Vec<_> = lessons.iter().map(|lesson| &lesson.case).collect();
        return answer(json, &cases, || {
            cases.iter().fold(String::new(), |mut text, case| {
                // Writing to a string does not fail.
                let _ = writeln!(text, "{}: {}", case.id, case.text_alone().replace('\n', " "));
                text
            })
        });
    };
    let said = read(&path)?;
    let answered = lessons.iter().filter_map(|lesson| Some((lesson, *said.get(&lesson.case.id)?)));
    let found = standing(answered.clone());
    let value = json!({ "standing": found, "cases": answered.map(|(lesson, _)| lesson).collect::<Vec<&Lesson>>() });
    answer(json, &value, || table(&found, lessons.len()))
}

/// Verdicts by case, true for removal.
fn read(path: &Path) -> Result<BTreeMap<String, bool>> {
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let head = reader.headers()?.clone();
    let column = |name: &str| {
        let place = head.iter().position(|known| known == name);
        place.with_context(|| format!("{} has no column “{name}”; it needs case and verdict", path.display()))
    };
    let (case, verdict) = (column("case")?, column("verdict")?);
    let mut said = BTreeMap::new();
    for row in reader.records() {
        let row = row?;
        let remove = match row.get(verdict).unwrap_or_default() {
            "remove" => true,
            "approve" => false,
            other => bail!("{}: “{other}” is neither approve nor remove", path.display()),
        };
        said.insert(row.get(case).unwrap_or_default().to_owned(), remove);
    }
    Ok(said)
}

fn table(found: &Standing, of: usize) -> String {
    let mut text = format!(
        "{} of {of} judged; {} of {} with the majority; {:.1} % of the team agree, {:.1} % with one of the team\n",
        found.answered,
        found.same,
        found.cases,
        100.0 * found.share,
        100.0 * found.team
    );
    for (rule, (cases, same)) in &found.rules {
        let rule = if rule.is_empty() { "no rule" } else { rule };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{rule}: {same} of {cases}");
    }
    text
}
