//! Words of the command line that stand for the engine's choices.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use plumb_moderate::export::{Export, Format as ExportFormat};
use plumb_moderate::import::file::Format;
use plumb_moderate::import::table::Columns;
use plumb_moderate::score::Objective;
use plumb_moderate::vote_model::Kind;

/// The format of files to be read.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum FormatChoice {
    /// Found out from the file.
    #[default]
    Auto,
    /// A table with a head line, one judgement a row.
    Csv,
    /// JSON lines, one judgement a line.
    Jsonl,
    /// Reddit's moderation log or reported items, one JSON object a line.
    Reddit,
    /// Le-Wi-Di JSON.
    Lewidi,
    /// The CSV of DICES.
    Dices,
}

impl From<FormatChoice> for Format {
    fn from(choice: FormatChoice) -> Self {
        match choice {
            FormatChoice::Auto => Self::Auto,
            FormatChoice::Csv => Self::Csv,
            FormatChoice::Jsonl => Self::Jsonl,
            FormatChoice::Reddit => Self::Reddit,
            FormatChoice::Lewidi => Self::Lewidi,
            FormatChoice::Dices => Self::Dices,
        }
    }
}

/// What cases are ranked by.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum ObjectiveChoice {
    /// Expected disagreement and the chance of a split together.
    #[default]
    Combined,
    /// Expected disagreement of two moderators.
    Disagreement,
    /// Consistency that a panel would gain.
    Gain,
}

impl From<ObjectiveChoice> for Objective {
    fn from(choice: ObjectiveChoice) -> Self {
        match choice {
            ObjectiveChoice::Combined => Self::Combined,
            ObjectiveChoice::Disagreement => Self::Disagreement,
            ObjectiveChoice::Gain => Self::Gain,
        }
    }
}

/// What the vote model reads.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ModelChoice {
    /// Words and parts of words, of any language.
    Ngrams,
    /// Sentence vectors: texts of like meaning are alike, also in other words.
    Sentences,
}

impl From<ModelChoice> for Kind {
    fn from(choice: ModelChoice) -> Self {
        match choice {
            ModelChoice::Ngrams => Self::Ngrams,
            ModelChoice::Sentences => Self::Sentences,
        }
    }
}

/// Which vote model.
#[derive(Args, Debug)]
pub struct ModelArguments {
    /// What the vote model reads [default: what the model in use reads, and ngrams where there is none].
    #[arg(long, value_enum)]
    pub model: Option<ModelChoice>,
    /// A folder with a sentence encoder for --model sentences, such as `plumb fetch minilm` prints
    /// [default: the English vectors that ship].
    #[arg(long, value_name = "DIR", requires = "model")]
    pub encoder: Option<PathBuf>,
}

impl ModelArguments {
    /// The kind and the encoder's folder.
    pub fn choice(self) -> (Option<Kind>, Option<PathBuf>) {
        (self.model.map(Into::into), self.encoder)
    }
}

/// What is exported.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ExportChoice {
    /// The decision that holds, one row a case.
    Decisions,
    /// Everybody's last word, one row a case and moderator.
    Votes,
    /// Cases whose votes differ.
    Splits,
}

impl From<ExportChoice> for Export {
    fn from(choice: ExportChoice) -> Self {
        match choice {
            ExportChoice::Decisions => Self::Decisions,
            ExportChoice::Votes => Self::Votes,
            ExportChoice::Splits => Self::Splits,
        }
    }
}

/// How it is written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum ExportFormatChoice {
    /// For spreadsheets.
    #[default]
    Csv,
    /// For programs.
    Jsonl,
}

impl From<ExportFormatChoice> for ExportFormat {
    fn from(choice: ExportFormatChoice) -> Self {
        match choice {
            ExportFormatChoice::Csv => Self::Csv,
            ExportFormatChoice::Jsonl => Self::Jsonl,
        }
    }
}

/// How files are read.
#[derive(Args, Debug)]
pub struct ReadArguments {
    /// The files' format.
    #[arg(long, value_enum, default_value_t)]
    pub format: FormatChoice,
    /// Which column holds what, as FIELD=COLUMN with commas between: case, moderator, text, context, verdict, at,
    /// community. What is not named is guessed from the names.
    #[arg(long, value_name = "FIELD=COLUMN,…", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Values of the verdict column that mean removal.
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub removes: Vec<String>,
    /// Values of the verdict column that mean approval.
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub approves: Vec<String>,
}

impl ReadArguments {
    /// The columns, `start` being what is guessed; `None` when nothing was said.
    pub fn columns(&self, start: impl FnOnce() -> Columns) -> Result<Option<Columns>> {
        if self.columns.is_empty() && self.removes.is_empty() && self.approves.is_empty() {
            return Ok(None);
        }
        let mut columns = start();
        for pair in &self.columns {
            let Some((field, column)) = pair.split_once('=') else {
                bail!("“{pair}” is not FIELD=COLUMN");
            };
            let column = column.to_owned();
            match field.trim() {
                "case" => columns.case = column,
                "moderator" => columns.moderator = column,
                "text" => columns.text = column,
                "verdict" => columns.verdict = column,
                "context" => columns.context = Some(column),
                "at" => columns.at = Some(column),
                "community" => columns.community = Some(column),
                other => bail!(
                    "there is no field “{other}”; choose from case, moderator, text, context, verdict, at, community"
                ),
            }
        }
        let lower = |words: &[String]| words.iter().map(|word| word.trim().to_lowercase()).collect::<Vec<_>>();
        if !self.removes.is_empty() {
            columns.removes = lower(&self.removes);
        }
        if !self.approves.is_empty() {
            columns.approves = lower(&self.approves);
        }
        Ok(Some(columns))
    }
}
