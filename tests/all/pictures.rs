//! Pictures at fixed sizes, compared on every run; the README shows them. `UPDATE_SNAPSHOTS=1 tests/run pictures`
//! accepts a change. Without a renderer these tests fail: a picture that was not drawn was not checked.

use std::path::Path;

use plumb::shell::settings::ThemeChoice;
use plumb::widgets::format;

use super::open::{command, open, workbench};

pub const LARGE: [f32; 2] = [1280.0, 800.0];
pub const SMALL: [f32; 2] = [900.0, 600.0];
const HUGE: [f32; 2] = [1920.0, 1200.0];

pub fn picture(name: &str, theme: ThemeChoice, size: [f32; 2], commands: &[&'static str]) {
    format::hide_what_varies();
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = workbench(home.path(), theme, size, Vec::new());
    for id in commands {
        command(&mut harness, id);
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

#[test]
fn clip_huge_light() {
    picture("clip-huge-light", ThemeChoice::Light, HUGE, &["spectrum.tab_clip", "spectrum.clip_all"]);
}

#[test]
fn scale_200_dark() {
    let mut commands = vec!["shell.zoom_in"; 10];
    commands.push("spectrum.tab_spectrum");
    picture("scale-200-dark", ThemeChoice::Dark, HUGE, &commands);
}

#[test]
fn error_small_light() {
    format::hide_what_varies();
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = workbench(home.path(), ThemeChoice::Light, SMALL, Vec::new());
    // From the folder of this package: the same words on every machine.
    open(&mut harness, Path::new("../engine/nn/tests/checkpoint/fixtures/stranger.pt"));
    harness.snapshot("error-small-light");
}
