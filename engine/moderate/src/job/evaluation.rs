//! Learning from one part of a data set and testing on the other, as a job.

use std::path::PathBuf;

use plumb_core::{Ctl, Job};
use serde::{Deserialize, Serialize};

use crate::evaluate::{Details, EvaluateSpec, Evaluation, evaluate};
use crate::import::Item;
use crate::import::file::{self, Format};
use crate::import::table::Columns;
use crate::{Error, past, sandbox};

/// Where the votes of an evaluation come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VotesFrom {
    /// Files.
    Files {
        /// Learn from these.
        train: Vec<PathBuf>,
        /// Test on these. Without any, the newest part of `train` is tested on.
        #[serde(default)]
        test: Vec<PathBuf>,
        /// Their format.
        #[serde(default)]
        format: Format,
        /// What their columns hold; guessed where it is not said.
        #[serde(default)]
        columns: Option<Box<Columns>>,
    },
    /// The made-up community with every moderator's vote on every case; the newest part is tested on.
    Sandbox {
        /// Seed of its votes.
        seed: u64,
    },
}

impl Default for VotesFrom {
    fn default() -> Self {
        Self::Sandbox { seed: sandbox::SEED }
    }
}

/// Votes to learn from and votes to test on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvaluateJob {
    /// Where they are.
    pub from: VotesFrom,
    /// How.
    pub spec: EvaluateSpec,
}

fn read_votes(paths: &[PathBuf], format: Format, columns: Option<&Columns>, ctl: &Ctl) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    for path in paths {
        ctl.check()?;
        ctl.progress(format!("reading {}", path.display()), 0, None);
        let found = file::read(path, format, columns)?;
        for row in found.bad.iter().take(20) {
            ctl.warn(format!("{} line {}", path.display(), row.line), row.reason.clone());
        }
        items.extend(found.items.into_iter().filter(|item| !item.votes.is_empty()));
    }
    Ok(items)
}

impl Job for EvaluateJob {
    type Output = (Evaluation, Details);
    type Partial = ();

    fn name(&self) -> String {
        "Evaluating the vote model".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, plumb_core::Error> {
        let (mut train, mut test) = match &self.from {
            VotesFrom::Files { train, test, format, columns } => (
                read_votes(train, *format, columns.as_deref(), ctl)?,
                read_votes(test, *format, columns.as_deref(), ctl)?,
            ),
            VotesFrom::Sandbox { seed } => (sandbox::full(sandbox::CLOCK, *seed)?, Vec::new()),
        };
        let split = match &self.from {
            VotesFrom::Files { test, .. } => test.is_empty(),
            VotesFrom::Sandbox { .. } => true,
        };
        if split {
            // A split by time: nothing that is tested on is older than what was learnt from.
            train.sort_by(|a, b| (past::age(a), &a.case.id).cmp(&(past::age(b), &b.case.id)));
            test = train.split_off(train.len() - train.len() / 4);
        }
        Ok(evaluate(&train, &test, &self.spec, ctl)?)
    }
}
