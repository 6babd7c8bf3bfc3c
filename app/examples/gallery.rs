//! Every icon, text style and colour role in both themes, to look at: `cargo run --release --example gallery`.

use egui::{Color32, RichText, ScrollArea, TextStyle, Ui};
use plumb::theme::{self, Icon, TITLE, Tokens, UiExt as _};

struct Gallery;

impl eframe::App for Gallery {
    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        egui::CentralPanel::default().show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                if ui.button("Switch light and dark").clicked() {
                    let dark = ui.visuals().dark_mode;
                    ui.ctx().set_theme(if dark { egui::Theme::Light } else { egui::Theme::Dark });
                }
                text(ui);
                icons(ui);
                colours(ui, ui.tokens());
            });
        });
    }
}

fn text(ui: &mut Ui) {
    let styles =
        [TextStyle::Name(TITLE.into()), TextStyle::Heading, TextStyle::Body, TextStyle::Small, TextStyle::Monospace];
    for style in styles {
        ui.label(RichText::new(format!("{style:?}: σ₁ = 4.857, 8×8×3, ‖Mᵀu − σv‖ ≤ 10⁻⁴")).text_style(style));
    }
}

fn icons(ui: &mut Ui) {
    ui.horizontal_wrapped(|ui| {
        for icon in Icon::ALL {
            icon.button(ui, &format!("{icon:?}"));
        }
    });
}

fn colours(ui: &mut Ui, tokens: &Tokens) {
    let roles: [(&str, Color32); 12] = [
        ("surface", tokens.surface),
        ("surface_raised", tokens.surface_raised),
        ("surface_sunken", tokens.surface_sunken),
        ("surface_field", tokens.surface_field),
        ("surface_hover", tokens.surface_hover),
        ("border", tokens.border),
        ("text", tokens.text),
        ("text_weak", tokens.text_weak),
        ("accent", tokens.accent),
        ("success", tokens.success),
        ("warning", tokens.warning),
        ("danger", tokens.danger),
    ];
    for (name, color) in roles {
        swatches(ui, name, &[color]);
    }
    swatches(ui, "series", &tokens.series);
    swatches(ui, "heat", &tokens.heat);
}

fn swatches(ui: &mut Ui, name: &str, colors: &[Color32]) {
    ui.horizontal(|ui| {
        for color in colors {
            let (rect, _) = ui.allocate_exact_size(egui::vec2(32.0, 18.0), egui::Sense::hover());
            ui.painter().rect(rect, 3.0, *color, (1.0, ui.tokens().border), egui::StrokeKind::Inside);
        }
        ui.label(name);
    });
}

fn main() -> eframe::Result {
    eframe::run_native(
        "plumb-gallery",
        eframe::NativeOptions::default(),
        Box::new(|cc| {
            theme::apply(&cc.egui_ctx);
            Ok(Box::new(Gallery))
        }),
    )
}
