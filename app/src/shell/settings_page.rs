//! The tab with the settings.

use std::path::PathBuf;

use egui::{Frame, Label, Margin, RichText, ScrollArea, Slider, Ui, WidgetInfo};
use plumb_core::{Ctl, Error, Job, Lane, Slot};
use plumb_nn::device::{DeviceChoice, DeviceInfo, available};

use crate::shell::dialogs::DialogPurpose;
use crate::shell::settings::{Settings, ThemeChoice};
use crate::shell::workbench::Shared;
use crate::theme::{TITLE, UiExt as _};
use crate::widgets::choice::choice;
use crate::widgets::{format, keep, scroll, status};

/// Looks which devices answer; a driver may take its time.
struct Probe;

impl Job for Probe {
    type Output = Vec<DeviceInfo>;
    type Partial = ();

    fn name(&self) -> String {
        "Look for devices".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, Error> {
        ctl.check()?;
        Ok(available())
    }
}

const fn folder(what: &'static str, title: &'static str) -> DialogPurpose {
    DialogPurpose { owner: "shell", what, title, filters: &[], folder: true }
}

/// The state of the tab.
#[derive(Default)]
pub struct SettingsPage {
    devices: Slot<Vec<DeviceInfo>>,
    asked: bool,
    threads_at_start: Option<usize>,
}

impl SettingsPage {
    /// Take in answers. `look` starts the search for devices, which may be slow: not before the first frame.
    pub fn logic(&mut self, shared: &Shared, look: bool) {
        if look && !std::mem::replace(&mut self.asked, true) {
            self.devices.request(&shared.engine, Lane::Store, 0, Probe);
        }
        self.devices.poll();
    }

    /// What the status bar says of the device.
    pub fn device_line(&self, settings: &Settings) -> String {
        let found = self.devices.value().and_then(|all| all.iter().find(|one| one.choice == settings.device));
        match found {
            Some(info) if info.usable => format::device(&info.description).to_owned(),
            Some(_) => "Processor".to_owned(),
            None => match settings.device {
                DeviceChoice::Auto => "Automatic device".to_owned(),
                other => other.label().to_owned(),
            },
        }
    }

    /// Draw the tab.
    pub fn ui(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let tokens = ui.tokens();
        let threads_at_start = *self.threads_at_start.get_or_insert(shared.settings.threads);
        scroll::show(ui, "Settings", ScrollArea::vertical().auto_shrink(false), |ui| {
            Frame::new().inner_margin(Margin::same(16)).show(ui, |ui| {
                ui.set_max_width(680.0);
                ui.label(
                    RichText::new("Settings").text_style(egui::TextStyle::Name(TITLE.into())).color(tokens.text_strong),
                );
                section(ui, "Look", |ui| {
                    row(ui, "Theme", |ui| {
                        let options = [
                            (ThemeChoice::System, "System", "As the desktop says"),
                            (ThemeChoice::Light, "Light", ""),
                            (ThemeChoice::Dark, "Dark", ""),
                        ];
                        choice(ui, "Theme", &mut shared.settings.theme, &options);
                    });
                    row(ui, "Scale", |ui| scale(ui, &mut shared.settings.scale));
                });
                section(ui, "Computing", |ui| {
                    tall_row(ui, "Device", |ui| self.devices(ui, &mut shared.settings.device));
                    row(ui, "Threads", |ui| {
                        let most = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) * 2;
                        let value =
                            egui::DragValue::new(&mut shared.settings.threads).range(0..=most).custom_formatter(
                                |value, _| if value < 0.5 { "automatic".to_owned() } else { format!("{value}") },
                            );
                        let field = ui.add(value).on_hover_text("0 uses as many threads as the processor has.");
                        field.widget_info(|| WidgetInfo::labeled(egui::Role::SpinButton, true, "Threads"));
                        if shared.settings.threads != threads_at_start {
                            ui.label(RichText::new("Takes effect at the next start.").small().color(tokens.warning));
                        }
                    });
                    row(ui, "Seed", |ui| {
                        let field = ui.add(egui::DragValue::new(&mut shared.settings.seed).speed(0.1));
                        field.widget_info(|| WidgetInfo::labeled(egui::Role::SpinButton, true, "Seed"));
                        ui.label(
                            RichText::new("Of new experiments: same seed, same numbers.")
                                .small()
                                .color(tokens.text_weak),
                        );
                    });
                });
                section(ui, "Folders", |ui| {
                    let default = "In the user's cache folder";
                    folder_row(ui, "Downloads", default, folder("cache", "Folder for downloads"), shared, |s| {
                        &mut s.cache_dir
                    });
                    let default = "In the user's data folder";
                    folder_row(ui, "Runs", default, folder("runs", "Folder for runs"), shared, |s| &mut s.runs_dir);
                });
                ui.add_space(tokens.space_5);
                if ui.button("Back to the defaults").on_hover_text("Puts every setting of this page back.").clicked() {
                    shared.settings = Settings::default();
                }
            });
        });
    }

    fn devices(&mut self, ui: &mut Ui, device: &mut DeviceChoice) {
        let tokens = ui.tokens();
        ui.vertical(|ui| {
            let Some(found) = self.devices.value() else {
                status::busy(ui, "Looking for devices", None);
                return;
            };
            for info in found {
                ui.horizontal(|ui| {
                    let radio = egui::RadioButton::new(*device == info.choice, info.choice.label());
                    if ui.add_enabled(info.usable, radio).clicked() {
                        *device = info.choice;
                    }
                    let found = info.description.strip_prefix("Using the processor: ").unwrap_or(&info.description);
                    let found = format::device(found);
                    ui.add(Label::new(RichText::new(found).small().color(tokens.text_weak)).truncate());
                });
            }
        });
    }
}

fn scale(ui: &mut Ui, scale: &mut f32) {
    // The slider would run away under the pointer if the window changed size while it is dragged.
    let id = ui.scope_id().with("scale being dragged");
    let mut percent = ui.data(|data| data.get_temp(id)).unwrap_or(*scale * 100.0);
    let slider = Slider::new(&mut percent, 75.0..=200.0).step_by(5.0).fixed_decimals(0).suffix(" %");
    let response = ui.add(slider);
    response.widget_info(|| WidgetInfo::slider(true, f64::from(percent), "Scale"));
    if response.dragged() {
        ui.data_mut(|data| data.insert_temp(id, percent));
    } else {
        ui.data_mut(|data| data.remove::<f32>(id));
        if response.drag_stopped() || response.changed() {
            *scale = percent / 100.0;
        }
    }
}

fn section(ui: &mut Ui, name: &str, add: impl FnOnce(&mut Ui)) {
    let tokens = ui.tokens();
    ui.add_space(tokens.space_5);
    ui.label(RichText::new(name).heading().color(tokens.text_strong));
    ui.add_space(tokens.space_2);
    Frame::new()
        .fill(tokens.surface_raised)
        .stroke((1.0, tokens.border))
        .corner_radius(6)
        .inner_margin(Margin::symmetric(14, 10))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 10.0;
            add(ui);
        });
}

fn row(ui: &mut Ui, name: &str, add: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        row_name(ui, name);
        add(ui);
    });
}

/// A row whose contents are several lines.
fn tall_row(ui: &mut Ui, name: &str, add: impl FnOnce(&mut Ui)) {
    ui.horizontal_top(|ui| {
        row_name(ui, name);
        add(ui);
    });
}

fn row_name(ui: &mut Ui, name: &str) {
    let size = egui::vec2(110.0, ui.spacing().interact_size.y);
    ui.allocate_ui_with_layout(size, egui::Layout::left_to_right(egui::Align::Center), |ui| {
        ui.set_min_size(size);
        ui.label(name);
    });
}

fn folder_row(
    ui: &mut Ui,
    name: &str,
    default: &str,
    purpose: DialogPurpose,
    shared: &mut Shared,
    field: impl Fn(&mut Settings) -> &mut Option<PathBuf>,
) {
    row(ui, name, |ui| {
        let mut text = field(&mut shared.settings).as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let width = (ui.available_width() - 110.0).clamp(120.0, 380.0);
        let edit = ui.add(egui::TextEdit::singleline(&mut text).hint_text(default).desired_width(width));
        edit.widget_info(|| {
            WidgetInfo::labeled(egui::Role::TextInput, true, format!("Folder for {}", name.to_lowercase()))
        });
        if edit.changed() {
            *field(&mut shared.settings) = (!text.trim().is_empty()).then(|| PathBuf::from(text.trim()));
        }
        if keep::button(ui, !shared.dialogs.is_open(), "Browse…").clicked() {
            shared.dialogs.open(purpose);
        }
    });
}
