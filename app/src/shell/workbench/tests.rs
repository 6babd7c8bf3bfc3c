//! The shell through its accessibility tree, with the engine run inline.

use std::path::Path;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use plumb_core::Engine;

use super::Workbench;
use crate::shell::commands;
use crate::shell::layout::{RUNS, SETTINGS};
use crate::shell::settings::ThemeChoice;

fn harness<'a>(make: impl FnOnce() -> Workbench + 'a) -> Harness<'a, Workbench> {
    let mut harness = Harness::builder()
        .with_size([1200.0, 800.0])
        .with_max_steps(30)
        .with_os(egui::os::OperatingSystem::Nix)
        .build_eframe(move |cc| {
            let mut workbench = make();
            workbench.prepare(&cc.egui_ctx);
            workbench
        });
    harness.run();
    harness
}

fn plain<'a>(home: &Path) -> Harness<'a, Workbench> {
    let home = home.to_path_buf();
    harness(move || Workbench::for_tests(Engine::inline(), &home, ThemeChoice::Dark))
}

fn command(harness: &mut Harness<'_, Workbench>, id: commands::CommandId) {
    harness.state_mut().command(id);
    harness.run();
}

#[test]
fn the_palette_finds_runs_and_closes() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    harness.run();
    harness.get_by_role_and_label(Role::SearchInput, "Search commands").type_text("setti");
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    assert!(!harness.state().palette.is_open());
    assert_eq!(harness.state().layout.active, SETTINGS);

    harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
    harness.run();
    assert!(harness.state().palette.is_open());
    harness.key_press(Key::Escape);
    harness.run();
    assert!(!harness.state().palette.is_open(), "Escape closes the palette");
}

#[test]
fn theme_scale_and_help_answer_to_keys() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    harness.run();
    assert_eq!(harness.ctx.theme(), egui::Theme::Light);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Plus);
    harness.run();
    assert!((harness.state().settings().scale - 1.1).abs() < 1e-3);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Num0);
    harness.run();
    assert_eq!(harness.state().settings().scale, 1.0);
    harness.key_press(Key::F1);
    harness.run();
    harness.get_by_label("Close help").click();
    harness.run();
    assert!(!harness.state().layout.help);
}

#[test]
fn typing_a_question_mark_does_not_open_help() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    command(&mut harness, commands::OPEN);
    assert!(harness.ctx.text_edit_focused(), "the path field has the keyboard");
    harness.key_press(Key::Questionmark);
    harness.run();
    assert!(!harness.state().layout.help);
}

#[test]
fn what_the_path_field_held_is_replaced_by_typing_and_an_address_is_told_from_a_path() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    for (text, says) in [
        ("/no/such/file.safetensors", "/no/such/file.safetensors does not exist"),
        ("embedded:digits-resnet8", "embedded:digits-resnet8 is an address, not a file"),
    ] {
        command(&mut harness, commands::OPEN);
        // What a person's keys send, unlike a text typed through the accessibility tree, respects the selection.
        harness.event(egui::Event::Text(text.to_owned()));
        harness.run();
        harness.key_press(Key::Enter);
        harness.run();
        let all = harness.state().notifications().all();
        assert!(all.iter().any(|message| message.text.starts_with(says)), "{all:?}");
    }
}

#[test]
fn a_missing_file_gives_a_message_that_stays_in_the_history() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    command(&mut harness, commands::OPEN);
    harness.get_by_role_and_label(Role::TextInput, "Path").type_text("/no/such/file.safetensors");
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    harness.get_by_label("Put this message away").click();
    harness.run();
    command(&mut harness, commands::NOTICES);
    harness.get_by_label_contains("/no/such/file.safetensors does not exist");
    harness.get_by_label("Copy this message");
    harness.get_by_label("Forget this message").click();
    harness.run();
    assert!(harness.state().notifications().all().is_empty());
}

#[test]
fn every_popover_and_page_settles_and_has_names() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    let all = [
        commands::JOBS,
        commands::NOTICES,
        commands::PRESETS,
        commands::KEYS,
        commands::ABOUT,
        commands::SETTINGS,
        commands::RUNS,
        commands::HELP,
    ];
    for theme in [ThemeChoice::Dark, ThemeChoice::Light] {
        harness.state_mut().contents.shared.settings.theme = theme;
        for id in all {
            // `run` fails on an unnamed input, a missing glyph, or a window that does not come to rest.
            command(&mut harness, id);
        }
        harness.key_press(Key::Escape);
        harness.run();
    }
}

#[test]
fn an_idle_window_draws_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    harness.run();
    let steps = harness.run();
    assert!(steps <= 1, "{steps} frames without a reason");
}

#[test]
fn layout_and_settings_come_back() {
    let home = tempfile::tempdir().unwrap();
    {
        let mut workbench = Workbench::persisting(Engine::inline(), home.path());
        workbench.layout.show(SETTINGS);
        workbench.layout.close(RUNS);
        workbench.contents.shared.settings.scale = 1.5;
        workbench.close();
    }
    let mut workbench = Workbench::persisting(Engine::inline(), home.path());
    assert!(workbench.layout.is_open(SETTINGS) && !workbench.layout.is_open(RUNS));
    assert_eq!(workbench.settings().scale, 1.5);
    assert!(workbench.notifications().all().is_empty());

    std::fs::write(workbench.home.layout_file(), "not ron (").unwrap();
    workbench = Workbench::persisting(Engine::inline(), home.path());
    assert!(workbench.layout.is_open(RUNS), "the first tabs are back");
    assert!(workbench.notifications().all()[0].text.contains("were reset"));
}

#[test]
fn closed_tabs_come_back_from_the_empty_window() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    let panes: Vec<&'static str> = harness.state().contents.panels.iter().map(|panel| panel.id()).collect();
    for pane in panes.into_iter().chain([RUNS]) {
        harness.state_mut().layout.close(pane);
    }
    harness.run();
    harness.get_by_label("Put the tabs back").click();
    harness.run();
    assert!(harness.state().layout.is_open(RUNS));
}
