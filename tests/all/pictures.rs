//! Pictures at fixed sizes, compared on every run; the README shows them. `UPDATE_SNAPSHOTS=1 tests/run pictures`
//! accepts a change. Without a renderer these tests fail: a picture that was not drawn was not checked.

use plumb::shell::commands::CommandId;
use plumb::shell::settings::ThemeChoice;
use plumb::widgets::format;

use super::workbench::workbench;

const LARGE: [f32; 2] = [1280.0, 800.0];
const SMALL: [f32; 2] = [900.0, 600.0];

fn picture(name: &str, theme: ThemeChoice, size: [f32; 2], commands: &[&'static str]) {
    format::hide_what_varies();
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = workbench(home.path(), theme, size, Vec::new());
    for id in commands {
        harness.state_mut().command(CommandId(id));
        harness.step();
        harness.run();
    }
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
