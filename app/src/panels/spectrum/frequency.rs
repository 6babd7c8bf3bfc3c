//! The largest singular value at each spatial frequency.

use egui::{RichText, Ui, vec2};
use plumb_spectrum::report::LayerDetail;

use crate::theme::UiExt as _;
use crate::widgets::badge::{Mark, Tone, badge};
use crate::widgets::chart_ui::SaveRequest;
use crate::widgets::colormap::ColorMap;
use crate::widgets::heat_map::{Grid, HeatMap};
use crate::widgets::{format, picture, status};

/// The heat map, what it is, and the caution where padding makes it an approximation.
pub fn ui(ui: &mut Ui, map: &mut HeatMap, detail: &LayerDetail, version: u64) -> Option<SaveRequest> {
    let tokens = ui.tokens();
    let Some(frequency) = &detail.frequency else {
        let text = "Only convolutions have a frequency response.";
        ui.label(RichText::new(text).color(tokens.text_weak));
        return None;
    };
    let mut save = None;
    let title = format!("Frequency response of {}", detail.layer.name);
    ui.horizontal(|ui| {
        ui.label(RichText::new(&title).strong().color(tokens.text_strong));
        let (mark, tone, word) = if frequency.exact {
            (Mark::Disc, Tone::Good, "exact for circular padding")
        } else {
            (Mark::Triangle, Tone::Caution, "approximate here")
        };
        badge(ui, mark, tone, word);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.menu_button("Export", |ui| {
                let stem = format::file_stem(&title.to_lowercase());
                if ui.button("Copy CSV").clicked() {
                    ui.ctx().copy_text(csv(frequency.width, &frequency.sigma));
                    ui.close();
                }
                if ui.button("Save CSV…").clicked() {
                    let bytes = csv(frequency.width, &frequency.sigma).into_bytes();
                    save = Some(SaveRequest { name: format!("{stem}.csv"), bytes });
                    ui.close();
                }
                if ui.button("Save PNG…").clicked() {
                    let grid = grid_of(frequency);
                    let mut own = HeatMap::default();
                    let bytes = picture::png(ui.ctx(), vec2(640.0, 560.0), |ui| {
                        ui.label(RichText::new(&title).heading());
                        let room = ui.available_size() - vec2(0.0, 8.0);
                        own.show(ui, room, 0, &grid, |_, _, _| String::new());
                    });
                    save = Some(SaveRequest { name: format!("{stem}.png"), bytes });
                    ui.close();
                }
            })
            .response
            .on_hover_text("Copy or save the heat map");
        });
    });
    ui.add_space(4.0);
    if frequency.exact {
        ui.add(egui::Label::new(RichText::new(&frequency.note).small().color(tokens.text_weak)).wrap());
    } else {
        status::note(ui, &frequency.note);
    }
    ui.add_space(8.0);
    let room = ui.available_size();
    let (h, w) = (frequency.height as isize, frequency.width as isize);
    let side = room.x.min(520.0);
    map.show(ui, vec2(side, room.y.clamp(160.0, 480.0)), version, &grid_of(frequency), |row, column, value| {
        let (down, across) = (row as isize - h / 2, column as isize - w / 2);
        let size = format::number(f64::from(value));
        format!("σ = {size}\n{across} cycles across the width, {down} down the height")
    });
    ui.add_space(4.0);
    let text = "Frequency zero (a constant image) is in the middle; the finest pattern is at the edges.";
    ui.label(RichText::new(text).small().color(tokens.text_weak));
    save
}

fn grid_of(frequency: &plumb_spectrum::report::FrequencyMap) -> Grid<'_> {
    Grid {
        name: "Frequency response",
        height: frequency.height,
        width: frequency.width,
        values: &frequency.sigma,
        map: ColorMap::Sequential,
    }
}

fn csv(width: usize, values: &[f32]) -> String {
    values
        .chunks(width.max(1))
        .map(|row| format::csv_line(row.iter().map(ToString::to_string)))
        .collect::<Vec<_>>()
        .concat()
}
