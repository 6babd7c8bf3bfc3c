//! A figure with its name, unit and meaning.

use egui::{Frame, Label, Margin, Response, RichText, Role, Sense, Ui, WidgetInfo};

use crate::theme::UiExt as _;

/// One figure to show large.
#[derive(Clone, Debug, Default)]
pub struct Tile<'a> {
    /// What it is: “Largest σ₁”.
    pub name: &'a str,
    /// The figure, formatted.
    pub value: String,
    /// A short line under it: which layer, of how many.
    pub detail: String,
    /// Formula, unit, sample size.
    pub meaning: &'a str,
    /// What a right click copies; the value if empty.
    pub exact: String,
}

impl Tile<'_> {
    /// Draw it `width` points wide.
    pub fn show(&self, ui: &mut Ui, width: f32) -> Response {
        let tokens = ui.tokens();
        let inner = Frame::new()
            .fill(tokens.surface_raised)
            .stroke((1.0, tokens.border))
            .corner_radius(4)
            .inner_margin(Margin::symmetric(10, 6))
            .show(ui, |ui| {
                ui.set_width(width - 22.0);
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 1.0;
                    let label = |text: RichText| Label::new(text).truncate().selectable(false);
                    ui.add(label(RichText::new(self.name).small().color(tokens.text_weak)));
                    ui.add(label(crate::theme::semibold(&self.value).size(18.0).color(tokens.text_strong)));
                    ui.add(label(RichText::new(&self.detail).small().color(tokens.text_weak)));
                });
            });
        let response = ui.interact(inner.response.rect, inner.response.id.with("tile"), Sense::CLICK | Sense::HOVER);
        response.widget_info(|| {
            WidgetInfo::labeled(Role::Status, true, format!("{}: {} {}", self.name, self.value, self.detail))
        });
        response.context_menu(|ui| {
            if ui.button("Copy value").clicked() {
                let text = if self.exact.is_empty() { self.value.clone() } else { self.exact.clone() };
                ui.ctx().copy_text(text);
                ui.close();
            }
        });
        response.on_hover_ui(|ui| {
            ui.set_max_width(320.0);
            ui.label(RichText::new(self.name).strong());
            ui.label(self.meaning);
            if !self.detail.is_empty() {
                ui.label(RichText::new(&self.detail).small().color(tokens.text_weak));
            }
        })
    }
}

/// The same figures in one line of text, for small windows.
pub fn line(ui: &mut Ui, tiles: &[Tile<'_>]) {
    let tokens = ui.tokens();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        for (i, tile) in tiles.iter().enumerate() {
            if i > 0 {
                ui.label(RichText::new("·").color(tokens.text_weak));
            }
            ui.label(RichText::new(tile.name).small().color(tokens.text_weak));
            let value = ui.label(RichText::new(&tile.value).strong().color(tokens.text_strong));
            value.widget_info(|| {
                WidgetInfo::labeled(Role::Status, true, format!("{}: {} {}", tile.name, tile.value, tile.detail))
            });
            value.on_hover_text(format!("{}\n{}", tile.detail, tile.meaning));
        }
    });
}

/// A row of tiles that share the width; they wrap when they would be narrower than `least` points.
pub fn row(ui: &mut Ui, tiles: &[Tile<'_>], least: f32) {
    if tiles.is_empty() {
        return;
    }
    let gap = 8.0;
    let available = ui.available_width();
    let fit = (((available + gap) / (least + gap)).floor() as usize).clamp(1, tiles.len());
    let width = (available - gap * (fit - 1) as f32) / fit as f32;
    for chunk in tiles.chunks(fit) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = gap;
            for tile in chunk {
                tile.show(ui, width);
            }
        });
    }
}
