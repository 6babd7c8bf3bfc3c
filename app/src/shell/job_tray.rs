//! What runs, waits and has ended, with progress, warnings and log.

use egui::{Align, Label, Layout, ProgressBar, RichText, ScrollArea, Ui, WidgetInfo};
use plumb_core::{Engine, JobId, JobInfo, JobState};

use crate::theme::{Icon, UiExt as _};
use crate::widgets::{format, scroll};

/// How many ended jobs are listed.
const ENDED: usize = 20;

/// Draw the tray. `log_of` is the job whose log is unfolded.
pub fn show(ui: &mut Ui, engine: &Engine, log_of: &mut Option<JobId>) {
    let tokens = ui.tokens();
    let jobs = engine.jobs();
    if jobs.is_empty() {
        ui.label(RichText::new("Nothing has run yet.").color(tokens.text_weak));
        return;
    }
    let (open, ended): (Vec<&JobInfo>, Vec<&JobInfo>) = jobs.iter().partition(|job| job.seconds.is_none());
    let area = ScrollArea::vertical().max_height(ui.available_height().min(460.0)).auto_shrink([false, true]);
    scroll::show(ui, "Jobs", area, |ui| {
        for job in open.into_iter().chain(ended.into_iter().rev().take(ENDED)) {
            ui.push_id(job.id.0, |ui| one(ui, engine, job, log_of));
            ui.separator();
        }
    });
}

fn one(ui: &mut Ui, engine: &Engine, job: &JobInfo, log_of: &mut Option<JobId>) {
    let tokens = ui.tokens();
    let (icon, color, word) = match &job.state {
        JobState::Waiting => (Icon::Loader, tokens.text_weak, "waiting"),
        JobState::Running => (Icon::Play, tokens.accent, "running"),
        JobState::Done => (Icon::Check, tokens.success, "done"),
        JobState::Failed(_) => (Icon::Error, tokens.danger, "failed"),
        JobState::Cancelled => (Icon::CircleX, tokens.text_weak, "stopped"),
    };
    ui.horizontal(|ui| {
        icon.show(ui, 14.0, color, word);
        let name_width = (ui.available_width() - 130.0).max(80.0);
        ui.scope(|ui| {
            ui.set_max_width(name_width);
            ui.add(Label::new(RichText::new(&job.name).color(tokens.text_strong)).truncate());
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if job.seconds.is_none() && Icon::Stop.button(ui, &format!("Stop {}", job.name)).clicked() {
                engine.cancel(job.id);
            }
            let unfolded = *log_of == Some(job.id);
            let name = if unfolded { "Hide the log" } else { "Show the log" };
            if Icon::FileText.button(ui, name).clicked() {
                *log_of = (!unfolded).then_some(job.id);
            }
            let time = job
                .seconds
                .map_or_else(|| word.to_owned(), |seconds| format!("{word}, {}", format::seconds(f64::from(seconds))));
            ui.label(RichText::new(time).small().color(tokens.text_weak));
        });
    });
    if job.state == JobState::Running {
        progress(ui, job);
    }
    if let JobState::Failed(reason) = &job.state {
        ui.add(Label::new(RichText::new(reason).small().color(tokens.danger)).wrap().selectable(true));
    }
    for warning in job.warnings.iter().take(3) {
        ui.horizontal_top(|ui| {
            Icon::Warning.show(ui, 12.0, tokens.warning, "Warning");
            let text = format!("{}: {}", warning.place, warning.what);
            ui.add(Label::new(RichText::new(text).small().color(tokens.text_weak)).wrap());
        });
    }
    if job.warnings.len() > 3 {
        let rest = format!("and {} more warnings in the log", job.warnings.len() - 3);
        ui.label(RichText::new(rest).small().color(tokens.text_weak));
    }
    if *log_of == Some(job.id) {
        log(ui, engine, job);
    }
}

fn progress(ui: &mut Ui, job: &JobInfo) {
    let tokens = ui.tokens();
    let fraction = job.progress.fraction();
    let bar = ui.add(ProgressBar::new(fraction.unwrap_or(0.0)).desired_height(5.0).desired_width(ui.available_width()));
    bar.widget_info(|| WidgetInfo::labeled(egui::Role::ProgressIndicator, true, &job.name));
    let mut text = job.progress.what.clone();
    if let Some(total) = job.progress.total {
        text = std::format!("{text}  {} of {total}", job.progress.done);
    }
    if let Some(left) = job.progress.seconds_left().filter(|left| *left > 1.0) {
        text.push_str(", about ");
        text.push_str(&format::seconds(f64::from(left)));
        text.push_str(" left");
    }
    if !text.is_empty() {
        ui.add(Label::new(RichText::new(text).small().color(tokens.text_weak)).truncate());
    }
}

fn log(ui: &mut Ui, engine: &Engine, job: &JobInfo) {
    let tokens = ui.tokens();
    let mut lines: Vec<String> =
        engine.job_log(job.id).into_iter().map(|(seconds, text)| format!("{seconds:8.2} s  {text}")).collect();
    lines.extend(job.warnings.iter().map(|warning| format!("   warning  {}: {}", warning.place, warning.what)));
    egui::Frame::new().fill(tokens.surface_sunken).corner_radius(tokens.radius).inner_margin(8.0).show(ui, |ui| {
        if lines.is_empty() {
            ui.label(RichText::new("This job said nothing.").small().color(tokens.text_weak));
            return;
        }
        let height = ui.text_style_height(&egui::TextStyle::Monospace);
        let area = ScrollArea::vertical().max_height(160.0).auto_shrink([false, true]).stick_to_bottom(true);
        scroll::rows(ui, "Log", area, height, lines.len(), |ui, rows| {
            for line in &lines[rows] {
                ui.add(Label::new(RichText::new(line).monospace()).truncate());
            }
        });
        if ui.small_button("Copy log").clicked() {
            ui.ctx().copy_text(lines.join("\n"));
        }
    });
}
