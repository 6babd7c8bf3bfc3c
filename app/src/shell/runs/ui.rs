//! The list and the comparison, drawn.

use egui::{Align, Frame, Label, Layout, Margin, RichText, ScrollArea, Ui, WidgetInfo};
use plumb_core::run_folder::{RunState, RunSummary};

use super::{Comparison, RunsPage, folder_name};
use crate::shell::workbench::Shared;
use crate::theme::{Icon, TITLE, UiExt as _};
use crate::widgets::{format, keep, scroll, status};

impl RunsPage {
    /// Draw the tab.
    pub fn ui(&mut self, ui: &mut Ui, shared: &mut Shared) {
        self.ask(shared);
        let tokens = ui.tokens();
        Frame::new().inner_margin(Margin::same(16)).show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.label(RichText::new("Runs").text_style(egui::TextStyle::Name(TITLE.into())).color(tokens.text_strong));
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    if Icon::Refresh.button(ui, "Read the list again").clicked() {
                        self.refresh();
                    }
                    if Icon::FolderOpen.button(ui, "Show the folder of all runs in the file manager").clicked() {
                        let folder = shared.runs_dir.clone();
                        show_folder(ui, &folder, shared);
                    }
                });
            });
            let folder = shared.runs_dir.display().to_string();
            ui.add(Label::new(RichText::new(folder).small().color(tokens.text_weak)).truncate());
            ui.add_space(tokens.space_3);
            let count = self.list.value().map_or(0, Vec::len);
            if let Some(error) = self.list.error().map(ToString::to_string) {
                status::error_box(ui, "The list cannot be read", &error);
            }
            if count == 0 {
                if self.list.is_pending() {
                    status::busy(ui, "Reading the list of runs", None);
                } else {
                    let sentence = "A run folder keeps what was asked, what came out, and the numbers behind every picture. Panels write one when you run an experiment.";
                    status::empty(ui, "No runs yet", sentence, None);
                }
                return;
            }
            self.toolbar(ui, shared);
            let half = if self.picked.len() == 2 { ui.available_height() * 0.5 } else { f32::INFINITY };
            let shrink = [false, self.picked.len() == 2];
            let area = ScrollArea::vertical().id_salt("runs").max_height(half).auto_shrink(shrink);
            scroll::show(ui, "Runs", area, |ui| self.rows(ui, shared));
            if self.picked.len() == 2 {
                ui.separator();
                self.comparison(ui);
            }
        });
    }

    fn toolbar(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let tokens = ui.tokens();
        ui.horizontal(|ui| {
            let field =
                egui::TextEdit::singleline(&mut self.filter).hint_text("Filter by name or method").desired_width(220.0);
            ui.add(field).widget_info(|| WidgetInfo::labeled(egui::Role::SearchInput, true, "Filter runs"));
            let ready = self.picked.len() == 2;
            let button = egui::Button::image_and_text(Icon::Compare.small(ui), "Compare");
            let compare = keep::keep(ui, ready, "Compare", |ui| ui.add(button));
            if compare.hover("Two runs side by side: tick them first").clicked() {
                self.ask_comparison(shared);
            }
            if !self.picked.is_empty() && ui.button("Untick all").clicked() {
                self.picked.clear();
                self.comparison.clear();
            }
            if self.picked.len() == 1 {
                ui.label(RichText::new("Tick a second run to compare.").small().color(tokens.text_weak));
            }
        });
        ui.add_space(tokens.space_2);
    }

    fn rows(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let needle = self.filter.trim().to_lowercase();
        let runs: Vec<RunSummary> = self.list.value().cloned().unwrap_or_default();
        for run in runs {
            let name = folder_name(&run.path);
            if !needle.is_empty()
                && !format!("{name} {} {}", run.info.name, run.info.method).to_lowercase().contains(&needle)
            {
                continue;
            }
            ui.push_id(&run.path, |ui| self.row(ui, shared, &run, &name));
        }
    }

    fn row(&mut self, ui: &mut Ui, shared: &mut Shared, run: &RunSummary, name: &str) {
        let tokens = ui.tokens();
        Frame::new()
            .fill(tokens.surface_raised)
            .stroke((1.0, tokens.border))
            .corner_radius(tokens.radius)
            .inner_margin(Margin::symmetric(10, 6))
            .show(ui, |ui| {
                ui.horizontal(|ui| {
                    let mut ticked = self.picked.contains(&run.path);
                    let tick = ui.checkbox(&mut ticked, "");
                    tick.widget_info(|| {
                        WidgetInfo::selected(egui::Role::CheckBox, true, ticked, format!("Compare {name}"))
                    });
                    if tick.on_hover_text("Tick two runs to compare them.").changed() {
                        if ticked {
                            self.picked.insert(run.path.clone())
                        } else {
                            self.picked.remove(&run.path)
                        };
                        while self.picked.len() > 2 {
                            let other = self.picked.iter().find(|path| **path != run.path).cloned();
                            other.map(|path| self.picked.remove(&path));
                        }
                        if self.picked.len() == 2 {
                            self.ask_comparison(shared);
                        }
                    }
                    let width = (ui.available_width() - 130.0).max(80.0);
                    ui.vertical(|ui| {
                        ui.set_width(width);
                        ui.spacing_mut().item_spacing.y = 1.0;
                        let title = if run.info.name.is_empty() { name } else { &run.info.name };
                        ui.add(Label::new(RichText::new(title).color(tokens.text_strong)).truncate());
                        ui.add(Label::new(RichText::new(facts(run, name)).small().color(tokens.text_weak)).truncate());
                        if let Some(problem) = &run.problem {
                            ui.add(Label::new(RichText::new(problem).small().color(tokens.danger)).wrap());
                        }
                    });
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        let open = Icon::FolderOpen.button(ui, "Show in the file manager");
                        if open.clicked() {
                            show_folder(ui, &run.path, shared);
                        }
                        if ui.button("Reopen").on_hover_text("Show this run in the tab of its method.").clicked() {
                            self.reopen = Some((run.info.method.clone(), run.path.clone()));
                            ui.ctx().request_repaint();
                        }
                    });
                });
            });
    }

    fn comparison(&mut self, ui: &mut Ui) {
        let tokens = ui.tokens();
        if let Some(error) = self.comparison.error().map(ToString::to_string) {
            if status::error_box(ui, "These runs cannot be compared", &error) {
                self.comparison.clear();
            }
            return;
        }
        let Some(found) = self.comparison.value() else {
            status::busy(ui, "Comparing two runs", None);
            return;
        };
        let title = match found.differences.len() {
            0 => format!("No differences in {} values", found.compared),
            1 => format!("1 difference in {} values", found.compared),
            many => format!("{many} differences in {} values", found.compared),
        };
        ui.horizontal(|ui| {
            ui.label(RichText::new(title).heading().color(tokens.text_strong));
            if ui.small_button("Copy as CSV").clicked() {
                ui.ctx().copy_text(csv(found));
            }
        });
        ui.label(RichText::new("Wall times are left out.").small().color(tokens.text_weak));
        if found.differences.is_empty() {
            return;
        }
        let width = ui.available_width();
        let cell = |ui: &mut Ui, text: RichText, width: f32| {
            ui.scope(|ui| {
                ui.set_width(width);
                ui.add(Label::new(text).truncate());
            });
        };
        let widths = [width * 0.4, width * 0.28, width * 0.28];
        ui.horizontal(|ui| {
            for (text, width) in ["Value", &found.left, &found.right].into_iter().zip(widths) {
                cell(ui, RichText::new(text).small().color(tokens.text_weak), width);
            }
        });
        let height = ui.text_style_height(&egui::TextStyle::Monospace);
        let area = ScrollArea::vertical().id_salt("differences").auto_shrink(false);
        scroll::rows(ui, "Differences", area, height, found.differences.len(), |ui, rows| {
            for one in &found.differences[rows] {
                ui.horizontal(|ui| {
                    for (text, width) in [&one.place, &one.left, &one.right].into_iter().zip(widths) {
                        cell(ui, RichText::new(text).monospace(), width);
                    }
                });
            }
        });
    }
}

fn facts(run: &RunSummary, name: &str) -> String {
    let mut facts = vec![run.info.method.clone(), run.info.started.replace('T', " ").replace('Z', " UTC")];
    if run.state == RunState::Incomplete {
        facts.push("incomplete".to_owned());
    } else {
        facts.push(format::seconds(run.info.seconds));
    }
    facts.push(format!("seed {}", run.info.seed));
    if !run.info.device.is_empty() {
        facts.push(run.info.device.clone());
    }
    if !run.info.warnings.is_empty() {
        facts.push(format!("{} warnings", run.info.warnings.len()));
    }
    if !run.info.name.is_empty() {
        facts.push(name.to_owned());
    }
    facts.retain(|fact| !fact.is_empty());
    facts.join(" · ")
}

fn show_folder(ui: &Ui, folder: &std::path::Path, shared: &mut Shared) {
    if folder.is_dir() {
        ui.ctx().open_url(egui::OpenUrl::new_tab(format!("file://{}", folder.display())));
    } else {
        shared.notify.info(format!("{} does not exist yet.", folder.display()));
    }
}

fn csv(found: &Comparison) -> String {
    let mut out = format::csv_line(["value", &found.left, &found.right]);
    for one in &found.differences {
        out += &format::csv_line([&one.place, &one.left, &one.right]);
    }
    out
}
