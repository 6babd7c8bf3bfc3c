//! What a classifier was made from and how good it is: the table that ships beside it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of texts used to make a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its licence.
    pub licence: String,
    /// Different texts in it after cleaning.
    pub texts: usize,
    /// Of them toxic by most of those who judged.
    pub toxic: usize,
}

/// How good the model is on texts it has not seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Which texts.
    pub set: String,
    /// How many.
    pub texts: usize,
    /// Of them toxic.
    pub toxic: usize,
    /// Area under the ROC curve; 0.5 is chance.
    pub auc: f64,
    /// 95 % interval of the area (DeLong).
    pub auc_interval: [f64; 2],
    /// Expected calibration error over 15 bins of equally many texts.
    pub calibration_error: f64,
    /// Share of the toxic texts that score 0.5 or more.
    pub found: f64,
    /// Share of the others that score 0.5 or more.
    pub false_alarms: f64,
}

/// One kind of test case of HateCheck (Röttger et al. 2021).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Functionality {
    /// Its name there; `_h` cases are hateful, `_nh` ones are not.
    pub name: String,
    /// Whether its cases are hateful.
    pub hateful: bool,
    /// Cases.
    pub cases: usize,
    /// Share judged as HateCheck judges, from 0.5 on counting as toxic.
    pub right: f64,
    /// Its 95 % interval (Wilson).
    pub interval: [f64; 2],
    /// Mean probability.
    pub mean: f64,
}

/// The table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// One sentence on the model.
    pub model: String,
    /// The command that made it.
    pub command: String,
    /// Bytes of the model.
    pub bytes: usize,
    /// Texts it learnt from, was calibrated on, was measured on.
    pub parts: [usize; 3],
    /// Strength of the penalty on weights, chosen on the calibration part.
    pub penalty: f64,
    /// What it was made from.
    pub sources: Vec<Source>,
    /// How good it is.
    pub held_out: Vec<Held>,
    /// HateCheck, none of which was learnt from.
    pub hatecheck: Vec<Functionality>,
}

impl fmt::Display for Quality {
    /// As Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let [learnt, calibrated, measured] = self.parts;
        writeln!(
            f,
            "{}\nLearnt from {learnt} texts, calibrated on {calibrated}, measured on {measured}; penalty {}; {} bytes.\n",
            self.model, self.penalty, self.bytes
        )?;
        writeln!(f, "| source | licence | texts | toxic |\n|---|---|---|---|")?;
        for Source { name, licence, texts, toxic } in &self.sources {
            writeln!(f, "| {name} | {licence} | {texts} | {toxic} |")?;
        }
        writeln!(
            f,
            "\n| held-out texts | texts | toxic | AUC | 95 % interval | calibration error | found | false alarms |\n|---|---|---|---|---|---|---|---|"
        )?;
        for held in &self.held_out {
            let [low, high] = held.auc_interval;
            let (found, alarms) = (percent(held.found), percent(held.false_alarms));
            let Held { set, texts, toxic, auc, calibration_error, .. } = held;
            writeln!(
                f,
                "| {set} | {texts} | {toxic} | {auc:.4} | {low:.4}–{high:.4} | {calibration_error:.4} | {found} | {alarms} |"
            )?;
        }
        writeln!(
            f,
            "\n| HateCheck | hateful | cases | right | 95 % interval | mean score |\n|---|---|---|---|---|---|"
        )?;
        for Functionality { name, hateful, cases, right, interval: [low, high], mean } in &self.hatecheck {
            let hateful = if *hateful { "yes" } else { "no" };
            let (right, low, high) = (percent(*right), percent(*low), percent(*high));
            writeln!(f, "| {name} | {hateful} | {cases} | {right} | {low}–{high} | {mean:.2} |")?;
        }
        Ok(())
    }
}
