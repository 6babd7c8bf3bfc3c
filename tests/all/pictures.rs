//! Pictures at fixed sizes, compared on every run; the README shows them. `UPDATE_SNAPSHOTS=1 tests/run pictures`
//! accepts a change. Without a renderer these tests fail: a picture that was not drawn was not checked.

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use plumb::shell::commands::CommandId;
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::Workbench;

use super::workbench::workbench;

const LARGE: [f32; 2] = [1280.0, 800.0];
const SMALL: [f32; 2] = [900.0, 600.0];

/// Wall times differ from run to run: cover them.
fn mask_times(harness: &mut Harness<'_, Workbench>) {
    let rects: Vec<egui::Rect> = harness
        .query_all_by(|node| node.label().or_else(|| node.value()).is_some_and(|text| ends_with_time(&text)))
        .map(|node| node.rect())
        .collect();
    for rect in rects {
        harness.mask(rect.expand(2.0));
    }
}

/// Whether a text ends like “842 ms”.
fn ends_with_time(text: &str) -> bool {
    let mut words = text.rsplit(' ');
    matches!(words.next(), Some("s" | "ms" | "µs" | "min"))
        && words.next().is_some_and(|word| word.parse::<f64>().is_ok())
}

fn picture(name: &str, theme: ThemeChoice, size: [f32; 2], commands: &[&'static str]) {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = workbench(home.path(), theme, size, Vec::new());
    for id in commands {
        harness.state_mut().command(CommandId(id));
        harness.step();
        harness.run();
    }
    mask_times(&mut harness);
    harness.snapshot(name);
}

#[test]
fn spectrum_dark() {
    picture("spectrum-dark", ThemeChoice::Dark, LARGE, &["spectrum.tab_spectrum"]);
}

#[test]
fn spectrum_light() {
    picture("spectrum-light", ThemeChoice::Light, LARGE, &["spectrum.tab_spectrum"]);
}

#[test]
fn spectrum_small() {
    picture("spectrum-small", ThemeChoice::Dark, SMALL, &["spectrum.tab_spectrum"]);
}

#[test]
fn clip_dark() {
    picture("clip-dark", ThemeChoice::Dark, LARGE, &["spectrum.tab_clip", "spectrum.clip_all"]);
}

#[test]
fn vectors_light() {
    picture("vectors-light", ThemeChoice::Light, LARGE, &["spectrum.tab_vectors"]);
}

#[test]
fn frequency_dark() {
    picture("frequency-dark", ThemeChoice::Dark, LARGE, &["spectrum.tab_frequency"]);
}

#[test]
fn methods_light() {
    picture("methods-light", ThemeChoice::Light, LARGE, &["spectrum.tab_methods"]);
}

#[test]
fn palette_dark() {
    picture("palette-dark", ThemeChoice::Dark, SMALL, &["shell.palette"]);
}

#[test]
fn settings_light() {
    picture("settings-light", ThemeChoice::Light, SMALL, &["shell.settings"]);
}
