//! The answers of `plumb steer` as tables.

use plumb_steer::experiment::{FindFound, GenerateFound};
use plumb_steer::report::{SplittingReport, SweepReport};

use crate::cli::table::Table;

pub(super) fn candidates(found: &FindFound) -> String {
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

pub(super) fn side_by_side(found: &GenerateFound) -> String {
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

pub(super) fn points(found: &SweepReport) -> String {
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
            point.series.to_string(),
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

pub(super) fn widths(found: &SplittingReport) -> String {
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
