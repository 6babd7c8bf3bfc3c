//! The panel as a person uses it, through its accessibility tree: the real engine run inline, the tiny world.

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use plumb_core::Engine;

use plumb_steer::experiment::Questions;

use super::action::Action;
use super::state::{SearchBy, Tab};
use super::{SteerPanel, commands};
use crate::shell::commands::CommandId;
use crate::shell::dialogs::FileDialogs;
use crate::shell::notify::Notifications;
use crate::shell::panel::{Panel as _, PanelCx};
use crate::shell::settings::Settings;

/// The panel with everything a window gives it.
pub(super) struct Desk {
    pub(super) panel: SteerPanel,
    engine: Engine,
    settings: Settings,
    notify: Notifications,
    dialogs: FileDialogs,
    home: tempfile::TempDir,
    themed: bool,
    command: Option<CommandId>,
    action: Option<Action>,
}

impl Desk {
    fn frame(&mut self, ui: &mut egui::Ui) {
        if !std::mem::replace(&mut self.themed, true) {
            crate::theme::apply(ui.ctx());
            crate::theme::animations(ui.ctx(), false);
            return;
        }
        let (runs, cache) = (self.home.path().join("runs"), self.home.path().join("cache"));
        let ctx = ui.ctx().clone();
        let mut cx = PanelCx {
            engine: &self.engine,
            settings: &self.settings,
            notify: &mut self.notify,
            dialogs: &mut self.dialogs,
            commands: &mut Vec::new(),
            runs_dir: &runs,
            cache_dir: &cache,
            egui: &ctx,
        };
        if let Some(command) = self.command.take() {
            self.panel.run_command(command, &mut cx);
        }
        if let Some(action) = self.action.take() {
            self.panel.state.act(action, &mut cx);
        }
        self.panel.logic(&mut cx);
        self.panel.ui(ui, &mut cx);
    }
}

pub(super) fn desk<'a>(size: [f32; 2], sae: &str) -> Harness<'a, Desk> {
    let mut panel = SteerPanel::default();
    panel.state.started = true;
    panel.state.sampling.max_tokens = 10;
    "embedded:tiny".clone_into(&mut panel.state.model);
    sae.clone_into(&mut panel.state.sae);
    let desk = Desk {
        panel,
        engine: Engine::inline(),
        settings: Settings::default(),
        notify: Notifications::default(),
        dialogs: FileDialogs::scripted(Vec::new()),
        home: tempfile::tempdir().unwrap(),
        themed: false,
        command: None,
        action: Some(Action::Open),
    };
    let mut harness = Harness::builder()
        .with_size(size)
        .with_max_steps(60)
        .build_ui_state(|ui, desk: &mut Desk| desk.frame(ui), desk);
    settle(&mut harness);
    harness
}

/// Frames until nothing is on its way: an answer arrives with the frame after the one that asked.
pub(super) fn settle(harness: &mut Harness<'_, Desk>) {
    for _ in 0..8 {
        harness.run();
    }
}

pub(super) fn command(harness: &mut Harness<'_, Desk>, id: CommandId) {
    harness.state_mut().command = Some(id);
    settle(harness);
}

pub(super) fn act(harness: &mut Harness<'_, Desk>, action: Action) {
    harness.state_mut().action = Some(action);
    settle(harness);
}

fn press(harness: &mut Harness<'_, Desk>, key: Key) {
    harness.key_press(key);
    settle(harness);
}

/// What the labels on screen that begin with `name:` say.
fn said(harness: &Harness<'_, Desk>, name: &str) -> Vec<String> {
    let begin = format!("{name}: ");
    // Plain text keeps what it says as its value.
    let label = |node: egui_kittest::Node<'_>| node.accesskit_node().label().or(node.accesskit_node().value());
    harness.query_all_by_label_contains(&begin).filter_map(label).filter(|label| label.starts_with(&begin)).collect()
}

#[test]
fn the_world_opens_and_every_tab_settles() {
    for size in [[900.0, 600.0], [1280.0, 800.0]] {
        let mut harness = desk(size, "embedded:tiny/64");
        assert!(harness.state().panel.state.opened.is_some(), "{:?}", harness.state().panel.state.opening.error());
        assert!(!said(&harness, "Text").is_empty(), "the first feature's texts are on screen");
        for tab in [Tab::Feature, Tab::Steer, Tab::Find, Tab::Sweep, Tab::Splitting, Tab::Quality] {
            harness.state_mut().panel.state.settings.tab = tab;
            settle(&mut harness);
            assert!(harness.query_all_by_label_contains("clash").next().is_none(), "id clash in {tab:?}");
        }
    }
}

#[test]
fn steering_from_the_keyboard_alone() {
    let mut harness = desk([1400.0, 900.0], "embedded:tiny/128");
    command(&mut harness, commands::FIND);
    let best = harness.state().panel.state.find.value().unwrap().candidates[0].score.feature;
    act(&mut harness, Action::Look(best));
    command(&mut harness, commands::TAB_STEER);
    command(&mut harness, commands::TABLE);
    press(&mut harness, Key::Enter);
    assert!(harness.state().panel.state.edit.rack.holds(best), "Enter puts the selected feature into the rack");
    command(&mut harness, commands::BLUR);
    assert!(!harness.state().panel.state.settings.blur);
    command(&mut harness, commands::STEER);
    let (before, baseline) = (said(&harness, "Steered"), said(&harness, "Baseline"));
    assert_eq!((before.len(), baseline.len()), (1, 1), "both sides are on screen");
    // Asked here, because at the strengths below the model may end its text at once, which has no divergence to show.
    assert!(!harness.query_all_by_label_contains("KL per token").collect::<Vec<_>>().is_empty());
    let name = format!("Strength of feature {best}");
    let slider = |harness: &Harness<'_, Desk>| {
        harness.state().panel.state.edit.rack.slots.iter().find(|slot| slot.feature == best).unwrap().strength
    };
    assert_eq!(slider(&harness), -1.0);
    harness.get_by_label(&name).focus();
    settle(&mut harness);
    for _ in 0..6 {
        harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowLeft);
        settle(&mut harness);
    }
    assert!(slider(&harness) <= -4.0, "arrow keys move the slider: {}", slider(&harness));
    let after = said(&harness, "Steered");
    assert_ne!(after, before, "what the model writes has changed");
    assert_eq!(said(&harness, "Baseline"), baseline, "the baseline has not");
    let last = slider(&harness);
    command(&mut harness, crate::shell::commands::UNDO);
    assert!(slider(&harness) > last, "undo moves it back: {}", slider(&harness));
}

#[test]
fn searches_by_label_token_and_text() {
    let mut harness = desk([1400.0, 900.0], "embedded:tiny/128");
    let shown = |harness: &Harness<'_, Desk>| harness.state().panel.state.table.order().len();
    command(&mut harness, commands::DEAD);
    let all = shown(&harness);
    assert_eq!(all, 128);
    let label = harness.state().panel.state.auto.iter().find(|label| !label.is_empty()).cloned().unwrap();
    let word = label.split(" · ").next().unwrap().to_owned();
    harness.state_mut().panel.state.table.filter.clone_from(&word);
    settle(&mut harness);
    assert!((1..all).contains(&shown(&harness)), "{word}");
    for (by, text) in [(SearchBy::Token, word.clone()), (SearchBy::Text, format!("the {word} ."))] {
        act(&mut harness, Action::ClearSearch);
        let state = &mut harness.state_mut().panel.state;
        state.settings.search_by = by;
        state.search = text;
        act(&mut harness, Action::Search);
        assert!((1..all).contains(&shown(&harness)), "{by:?} {word}: {}", shown(&harness));
        assert!(harness.query_by_label_contains("Match, largest first").is_some(), "sorted by the match");
    }
    act(&mut harness, Action::ClearSearch);
    assert_eq!(shown(&harness), all);
}

#[test]
fn labels_are_kept_undone_and_given_out() {
    let mut harness = desk([1400.0, 900.0], "embedded:tiny/64");
    let feature = harness.state().panel.state.selected().unwrap();
    command(&mut harness, commands::LABEL);
    harness.event(egui::Event::Text("my name".to_owned()));
    settle(&mut harness);
    command(&mut harness, commands::TABLE);
    assert_eq!(harness.state().panel.state.label(feature), "my name");
    let file = super::labels::place(&harness.state().home.path().join("runs"), "embedded:tiny/64");
    assert!(std::fs::read_to_string(&file).unwrap().contains("my name"), "kept in {}", file.display());
    command(&mut harness, crate::shell::commands::UNDO);
    assert_ne!(harness.state().panel.state.label(feature), "my name");
    command(&mut harness, crate::shell::commands::REDO);
    assert_eq!(harness.state().panel.state.label(feature), "my name");
    assert!(harness.state().panel.state.edit.labels.csv().contains("my name"));
}

#[test]
fn mistakes_are_told_and_lose_nothing() {
    let mut harness = desk([1200.0, 800.0], "embedded:tiny/64");
    let rows = harness.state().panel.state.rows.len();
    for (model, sae, part) in [
        ("embedded:tiny", "embedded:tiny/7", "widths"),
        ("/no/such/model", "embedded:tiny/64", "/no/such/model"),
        ("embedded:tiny", "", "autoencoder"),
    ] {
        act(&mut harness, Action::OpenPair(model.to_owned(), sae.to_owned()));
        assert!(harness.query_all_by_label_contains("The model could not be opened").next().is_some(), "{model} {sae}");
        assert!(harness.query_all_by_label_contains(part).next().is_some(), "{model} {sae}: says {part}");
        assert_eq!(harness.state().panel.state.rows.len(), rows, "what was open stays");
    }
    harness.get_by_label("Dismiss").click();
    settle(&mut harness);
    assert!(harness.query_all_by_label_contains("The model could not be opened").next().is_none());
}

#[test]
fn a_sweep_loads_a_point_into_the_rack() {
    let mut harness = desk([1400.0, 900.0], "embedded:tiny/128");
    command(&mut harness, commands::FIND);
    let best = harness.state().panel.state.find.value().unwrap().candidates[0].score.feature;
    act(&mut harness, Action::Rack(best));
    let state = &mut harness.state_mut().panel.state;
    state.typed.strengths = "1 3".to_owned();
    state.sweep_spec.continuations = 1;
    state.sweep_spec.random_controls = 1;
    command(&mut harness, commands::SWEEP);
    let points = harness.state().panel.state.sweep.value().map(|report| report.points.len());
    assert_eq!(points, Some(8), "{:?}", harness.state().panel.state.sweep.error());
    act(&mut harness, Action::LoadPoint(1));
    assert_eq!(harness.state().panel.state.edit.rack.slots[0].strength, -3.0);
}

#[test]
fn rude_texts_are_hidden_until_revealed() {
    let mut harness = desk([1400.0, 1500.0], "embedded:tiny/128");
    command(&mut harness, commands::FIND);
    let best = harness.state().panel.state.find.value().unwrap().candidates[0].score.feature;
    act(&mut harness, Action::Look(best));
    command(&mut harness, commands::TAB_FEATURE);
    let texts = said(&harness, "Text");
    assert!(texts.iter().any(|text| text == "Text: hidden"), "{texts:?}");
    harness.get_all_by_label("Reveal").next().unwrap().click();
    settle(&mut harness);
    let revealed = said(&harness, "Text");
    let hidden = |texts: &[String]| texts.iter().filter(|text| *text == "Text: hidden").count();
    assert!(hidden(&revealed) < hidden(&texts) || revealed.len() > texts.len(), "one of them is shown");
    command(&mut harness, commands::BLUR);
    assert_eq!(hidden(&said(&harness, "Text")), 0);
}

#[test]
fn dead_features_are_out_of_the_way_until_wanted() {
    let mut harness = desk([1400.0, 900.0], "embedded:tiny/512");
    let state = &harness.state().panel.state;
    let dead = state.rows.iter().filter(|row| row.max <= 0.0).count();
    assert!(dead > 0 && state.table.order().len() == 512 - dead, "{dead} dead");
    let largest: Vec<f32> = state.table.order().iter().map(|row| state.rows[*row].max).collect();
    assert!(largest.is_sorted_by(|a, b| a >= b) && largest[0] > 0.0, "the strongest come first");
    let first = state.selected().and_then(|feature| state.row(feature)).unwrap();
    assert!(first.max > 0.0 && first.density < 0.03, "something with examples is selected: {first:?}");
    harness.get_by_label(&format!("Show {dead} dead")).click();
    settle(&mut harness);
    assert_eq!(harness.state().panel.state.table.order().len(), 512);
}

#[test]
fn a_sweep_asks_questions_from_a_file() {
    let mut harness = desk([1400.0, 900.0], "embedded:tiny/128");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("questions.jsonl");
    let words = harness.state().panel.state.typed.prompts.clone();
    let line =
        |answer: usize| format!("{{\"question\": {words:?}, \"choices\": [\".\", \",\"], \"answer\": {answer}}}\n");
    std::fs::write(&file, line(0) + &line(1)).unwrap();
    let feature = harness.state().panel.state.selected().unwrap();
    act(&mut harness, Action::Rack(feature));
    let state = &mut harness.state_mut().panel.state;
    state.typed.strengths = "1".to_owned();
    (state.sweep_spec.continuations, state.sweep_spec.random_controls) = (1, 1);
    state.questions = Questions::File(file);
    command(&mut harness, commands::SWEEP);
    let report = harness.state().panel.state.sweep.value().cloned().unwrap_or_default();
    let accuracy = report.baseline.accuracy.unwrap();
    assert_eq!((accuracy.count, accuracy.accuracy), (2, 0.5), "of two opposite answers one is right");
    assert!(report.points.iter().all(|point| point.accuracy.is_some()));
    assert!(harness.query_all_by_label_contains("50.0 % of 2 questions right").next().is_some());
}
