//! The input that is stretched most and where it goes, as images per channel.

use egui::{RichText, ScrollArea, Ui};
use plumb_spectrum::report::{ChannelImages, LayerDetail};

use crate::theme::UiExt as _;
use crate::widgets::choice::choice;
use crate::widgets::image_grid::{Channels, ImageGrid};
use crate::widgets::{format, scroll};

/// Textures of the two vectors on show.
#[derive(Debug, Default)]
pub struct Vectors {
    /// Which triplet, from zero.
    pub index: usize,
    right: ImageGrid,
    left: ImageGrid,
}

impl Vectors {
    /// Draw the chosen triplet. `version` changes with the detail.
    pub fn ui(&mut self, ui: &mut Ui, detail: &LayerDetail, version: u64) {
        let tokens = ui.tokens();
        let Some(last) = detail.triplets.len().checked_sub(1) else {
            ui.label(RichText::new("This layer has no singular vectors to show.").color(tokens.text_weak));
            return;
        };
        self.index = self.index.min(last);
        ui.horizontal(|ui| {
            ui.label(RichText::new("Triplet").color(tokens.text_weak));
            let names: Vec<String> = (1..=detail.triplets.len()).map(|i| i.to_string()).collect();
            let options: Vec<(usize, &str, &str)> =
                names.iter().enumerate().map(|(i, name)| (i, name.as_str(), "")).collect();
            choice(ui, "Singular triplet", &mut self.index, &options);
            let sigma = detail.triplets[self.index].sigma;
            ui.label(RichText::new(format!("σ = {}", format::number(sigma))).strong().color(tokens.text_strong));
        });
        ui.add_space(6.0);
        let triplet = &detail.triplets[self.index];
        let key = version.wrapping_mul(64) + self.index as u64;
        let wide = ui.available_width() > 560.0;
        scroll::show(ui, "Vectors", ScrollArea::vertical().id_salt("vectors").auto_shrink(false), |ui| {
            let right = |ui: &mut Ui, grid: &mut ImageGrid| {
                let text = "Right vector v: the input stretched most";
                one(ui, grid, text, key, &triplet.right);
            };
            let left = |ui: &mut Ui, grid: &mut ImageGrid| {
                let text = "Left vector u: where it goes, M v = σ u";
                one(ui, grid, text, key, &triplet.left);
            };
            if wide {
                ui.columns(2, |columns| {
                    right(&mut columns[0], &mut self.right);
                    left(&mut columns[1], &mut self.left);
                });
            } else {
                right(ui, &mut self.right);
                ui.add_space(12.0);
                left(ui, &mut self.left);
            }
        });
    }
}

fn one(ui: &mut Ui, grid: &mut ImageGrid, title: &str, version: u64, images: &ChannelImages) {
    let tokens = ui.tokens();
    ui.add(egui::Label::new(RichText::new(title).strong().color(tokens.text_strong)).truncate());
    let size = format!(
        "{} of {}×{}; unit length, its sign is arbitrary",
        format::counted(images.channels, "channel", "channels"),
        images.height,
        images.width
    );
    ui.label(RichText::new(size).small().color(tokens.text_weak));
    ui.add_space(4.0);
    let tile = match images.width * images.height {
        0 | 1 => 16.0,
        _ if images.channels == 1 => ui.available_width().min(images.width as f32 * 24.0),
        _ => (images.width as f32 * 6.0).clamp(44.0, 96.0),
    };
    let vector = Channels {
        name: title,
        channels: images.channels,
        height: images.height,
        width: images.width,
        values: &images.values,
    };
    grid.show(ui, tile, version, &vector);
}
