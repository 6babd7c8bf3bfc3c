//! Splitting: one concept over autoencoders of growing width, side by side.

use egui::{Id, RichText, Role, Ui, WidgetInfo};
use plumb_steer::report::{SplittingReport, SplittingRow};

use super::action::{Action, Work};
use super::state::State;
use crate::theme::UiExt as _;
use crate::widgets::chart::{Axis, Chart, Draw, LegendPlace, Series};
use crate::widgets::chart_ui::chart_ui;
use crate::widgets::{format, keep, status};

/// Coverage and effect over width.
pub fn chart(report: &SplittingReport) -> Chart {
    let of = |value: &dyn Fn(&SplittingRow) -> Option<f64>| -> Vec<[f64; 2]> {
        report.rows.iter().filter_map(|row| Some([row.split.width as f64, value(row)?])).collect()
    };
    let series = vec![
        Series::pairs("best feature fires at", of(&|row| Some(row.split.coverage_1)), Draw::Dots, 0),
        Series::pairs("its group fires at", of(&|row| Some(row.split.coverage)), Draw::Dots, 2),
        Series::pairs("toxicity gone, best feature", of(&|row| row.effect_1), Draw::Dots, 1),
        Series::pairs("toxicity gone, group", of(&|row| row.effect_group), Draw::Dots, 3),
    ];
    Chart {
        title: "One concept over widths".to_owned(),
        x: Axis::scaled("features of the autoencoder", true),
        y: Axis::linear("share"),
        series: series.into_iter().filter(|series| !series.points.is_empty()).collect(),
        legend: LegendPlace::BottomRight,
        include_y: vec![0.0, 1.0],
        ..Chart::default()
    }
}

/// Draw the region.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let ladder = state.opened.as_ref().map(|opened| opened.ladder.clone()).unwrap_or_default();
    let text = "In a wider autoencoder one concept is spread over several features: the best of them fires at fewer of the concept's tokens, and steering along it alone does less.";
    ui.add(egui::Label::new(RichText::new(text).color(tokens.text_weak)).wrap());
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("words of the concept").small().color(tokens.text_weak));
        let width = (ui.available_width() - 220.0).clamp(120.0, 420.0);
        let hidden = state.settings.blur && !state.revealed.contains("concept") && !state.typed.concept.is_empty();
        if hidden {
            if ui.button("Reveal the words").on_hover_text("They may be rude, so they are hidden").clicked() {
                state.revealed.insert("concept".to_owned());
            }
        } else {
            let edit = egui::TextEdit::singleline(&mut state.typed.concept);
            let field =
                ui.add(edit.hint_text("nothing for rude words; or words, separated by spaces").desired_width(width));
            field.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Words of the concept"));
        }
        let hover = "Compare the autoencoders of this model's ladder, with the texts of Find and the prompts of Steer";
        if keep::button(ui, ladder.len() > 1, "Compare widths").hover(hover).clicked() {
            actions.push(Action::Split);
        }
    });
    if state.split.is_pending() && status::busy(ui, "Comparing widths", state.split.progress().as_ref()) {
        actions.push(Action::Stop(Work::Split));
    }
    if let Some(error) = state.split.error()
        && status::error_box(ui, "The widths could not be compared", &error.to_string())
    {
        actions.push(Action::Dismiss(Work::Split));
    }
    if ladder.len() < 2 {
        let text = "Plumb knows no other widths for this pair. The tiny world has five; SAELens folders that differ only in their width, side by side in one folder, are found by themselves.";
        status::empty(ui, "One width only", text, None);
        return;
    }
    let report = state.split.partial().filter(|_| state.split.is_pending()).or_else(|| state.split.value()).cloned();
    let Some(report) = report.filter(|report| !report.rows.is_empty()) else {
        if !state.split.is_pending() {
            let names: Vec<&str> = ladder.iter().map(String::as_str).collect();
            status::empty(ui, "Not compared yet", &format!("Autoencoders of this ladder: {}.", names.join(", ")), None);
        }
        return;
    };
    let height = (ui.available_height() * 0.55).max(200.0);
    let outcome = chart_ui(ui, Id::unique(("steer", "splitting")), height, &chart(&report), |_| {});
    actions.extend(outcome.save.map(Action::Save));
    ui.add_space(6.0);
    rows(ui, &report);
}

fn rows(ui: &mut Ui, report: &SplittingReport) {
    let tokens = ui.tokens();
    let heads = [
        ("Width", "Features of the autoencoder"),
        ("Best", "The candidate that fires at most of the concept's positions"),
        ("Covers", "Share of the positions where it fires"),
        ("Group", "Candidates that together fire at the wanted share"),
        ("Group covers", "Share of the positions where any of the group fires"),
        ("Effect", "Reduction of the toxic rate by the best feature alone"),
        ("Group's effect", "The same by the group"),
        ("Children", "Features pointing the same way as the narrowest one's best"),
    ];
    let share = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), format::percent);
    egui::ScrollArea::both().id_salt("splitting").auto_shrink(false).show(ui, |ui| {
        egui::Grid::new("splitting").num_columns(heads.len()).spacing([18.0, 4.0]).striped(true).show(ui, |ui| {
            for (head, meaning) in heads {
                ui.label(RichText::new(head).small().strong().color(tokens.text_weak)).on_hover_text(meaning);
            }
            ui.end_row();
            for row in &report.rows {
                let split = &row.split;
                let best = split.best.map_or_else(|| "–".to_owned(), |feature| feature.to_string());
                for text in [
                    format::count(split.width),
                    best,
                    share(Some(split.coverage_1)),
                    split.group.len().to_string(),
                    share(Some(split.coverage)),
                    share(row.effect_1),
                    share(row.effect_group),
                    row.children.to_string(),
                ] {
                    ui.label(RichText::new(text).color(tokens.text));
                }
                ui.end_row();
            }
        });
        if let Some(trend) = report.coverage_trend {
            let word = if trend < 0.0 { "falls" } else { "does not fall" };
            let text =
                format!("Coverage of the best feature {word} with width (rank correlation {}).", format::number(trend));
            ui.label(RichText::new(text).small().color(tokens.text_weak));
        }
    });
}
