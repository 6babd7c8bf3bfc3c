//! What a region says when it has nothing to show yet: busy with a reason, failed with a reason, empty with one action.

use egui::{Frame, Margin, ProgressBar, RichText, Role, Sense, Ui, WidgetInfo, vec2};
use plumb_core::Progress;

use crate::theme::{Icon, UiExt as _};
use crate::widgets::format;

/// What is being done and how far it is, with a button to stop it. True if the button was pressed.
///
/// It does not ask for a repaint: the engine wakes the window when the progress changes.
pub fn busy(ui: &mut Ui, reason: &str, progress: Option<&Progress>) -> bool {
    let mut stop = false;
    ui.horizontal(|ui| {
        let fraction = progress.and_then(Progress::fraction);
        let what = progress.map(|p| p.what.as_str()).filter(|what| !what.is_empty()).unwrap_or(reason);
        let mark = match fraction {
            Some(fraction) => ui.add(ProgressBar::new(fraction).desired_width(120.0).desired_height(6.0)),
            None => ui.add(Icon::Loader.image(15.0, ui.tokens().accent)),
        };
        mark.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, reason));
        mark.on_hover_text(reason);
        let left = progress.and_then(Progress::seconds_left).filter(|left| *left > 2.0);
        let text = match left {
            Some(left) => format!("{what}, about {} left", format::seconds(f64::from(left))),
            None => what.to_owned(),
        };
        stop = ui.button("Stop").on_hover_text(format!("Stop: {reason}")).clicked();
        ui.add(egui::Label::new(RichText::new(text).small().color(ui.tokens().text_weak)).truncate());
    });
    stop
}

/// Something went wrong: what, and why. What was shown before stays beside it. True if “Dismiss” was pressed.
pub fn error_box(ui: &mut Ui, title: &str, reason: &str) -> bool {
    let tokens = ui.tokens();
    let mut dismissed = false;
    Frame::new()
        .fill(tokens.danger.gamma_multiply(0.12))
        .stroke((1.0, tokens.danger.gamma_multiply(0.6)))
        .corner_radius(4)
        .inner_margin(Margin::symmetric(10, 8))
        .show(ui, |ui| {
            ui.horizontal_top(|ui| {
                let (rect, mark) = ui.allocate_exact_size(vec2(14.0, 18.0), Sense::hover());
                mark.widget_info(|| WidgetInfo::labeled(Role::Alert, true, format!("{title}. {reason}")));
                super::badge::paint_mark(ui, rect, super::badge::Mark::Cross, tokens.danger);
                ui.vertical(|ui| {
                    ui.label(RichText::new(title).strong().color(tokens.text_strong));
                    ui.add(egui::Label::new(RichText::new(reason).color(tokens.text)).wrap());
                    dismissed = ui.button("Dismiss").clicked();
                });
            });
        });
    dismissed
}

/// A note inside a region: a caution or an explanation.
pub fn note(ui: &mut Ui, text: &str) {
    let tokens = ui.tokens();
    ui.horizontal_top(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(12.0, 16.0), Sense::hover());
        super::badge::paint_mark(ui, rect, super::badge::Mark::Diamond, tokens.warning);
        ui.add(egui::Label::new(RichText::new(text).small().color(tokens.text_weak)).wrap());
    });
}

/// Nothing here yet: one sentence that says why and one button that changes it.
pub fn empty(ui: &mut Ui, title: &str, sentence: &str, action: Option<&str>) -> bool {
    let tokens = ui.tokens();
    let mut clicked = false;
    ui.vertical_centered(|ui| {
        ui.add_space((ui.available_height() * 0.25).clamp(12.0, 140.0));
        ui.label(RichText::new(title).heading().color(tokens.text_strong));
        ui.add_space(4.0);
        ui.scope(|ui| {
            ui.set_max_width(420.0);
            ui.add(egui::Label::new(RichText::new(sentence).color(tokens.text_weak)).wrap());
        });
        if let Some(action) = action {
            ui.add_space(12.0);
            clicked = ui.button(action).clicked();
        }
    });
    clicked
}
