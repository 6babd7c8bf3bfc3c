//! The Moderate tab inside the window, on the made-up community: a queue cleared by keys, a panel from blind votes to
//! reveal, undo, search, the forecast.

use egui::accesskit::Toggled;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::Workbench;
use plumb::widgets::format;
use plumb_moderate::model::{Channel, Verdict};
use plumb_moderate::state::State;
use plumb_moderate::store::Sqlite;

use super::open::{command, workbench_for_texts};
use super::pictures::{LARGE, SMALL};
use super::workbench::labels;

pub fn settle(harness: &mut Harness<'_, Workbench>) {
    for _ in 0..4 {
        harness.run();
    }
}

pub fn press(harness: &mut Harness<'_, Workbench>, key: Key) {
    harness.key_press(key);
    settle(harness);
}

pub fn typed(harness: &mut Harness<'_, Workbench>, text: &str) {
    harness.event(egui::Event::Text(text.to_owned()));
    settle(harness);
}

pub fn sandbox<'a>(home: &std::path::Path, theme: ThemeChoice, size: [f32; 2]) -> Harness<'a, Workbench> {
    let mut harness = workbench_for_texts(home, theme, size);
    command(&mut harness, "moderate.sandbox");
    command(&mut harness, "moderate.queue");
    settle(&mut harness);
    harness
}

/// The state that the sandbox's file holds, read without the window.
pub fn state(home: &std::path::Path) -> State {
    let path = home.join("cache/moderate/windowsill.db");
    let desk = plumb_moderate::desk::Desk::open(Sqlite::create(&path).unwrap()).unwrap();
    desk.state().clone()
}

/// “Review 83” → 83.
pub fn count(harness: &Harness<'_, Workbench>, list: &str) -> usize {
    let label = labels(harness, &format!("List: {list} "));
    label[0].rsplit(' ').next().unwrap().parse().unwrap()
}

pub fn selected(harness: &Harness<'_, Workbench>) -> String {
    let mut rows = harness.query_all_by_label_contains("Case w");
    let row = rows.rfind(|node| node.accesskit_node().toggled() == Some(Toggled::True));
    let label = row.and_then(|row| row.accesskit_node().label()).expect("a case is selected");
    label.trim_start_matches("Case ").split(',').next().unwrap().to_owned()
}

#[test]
fn thirty_cases_are_cleared_by_keys_alone() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = sandbox(home.path(), ThemeChoice::Dark, [1400.0, 900.0]);
    let before = count(&harness, "Review");
    assert!(before > 40, "{before} cases wait");
    let mut wanted = Vec::new();
    for i in 0..30 {
        let case = selected(&harness);
        if i % 3 == 0 {
            press(&mut harness, Key::R);
            press(&mut harness, Key::Num2);
            wanted.push((case, Verdict::Remove, Some("topic".to_owned())));
        } else {
            press(&mut harness, Key::A);
            wanted.push((case, Verdict::Approve, None));
        }
    }
    assert_eq!(count(&harness, "Review"), before - 30);
    let state = state(home.path());
    for (case, verdict, rule) in &wanted {
        let decisions = &state.cases[case].decisions;
        assert_eq!(decisions.len(), 1, "{case} was decided once");
        assert_eq!((decisions[0].verdict, &decisions[0].rule), (*verdict, rule), "{case}");
        assert_eq!((decisions[0].by.as_str(), decisions[0].channel), ("amina", Channel::Solo));
    }
    assert!(labels(&harness, "30 handled").len() == 1, "they are counted: {:?}", labels(&harness, "handled"));
}

#[test]
fn undo_skip_search_and_bulk_do_what_they_say() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = sandbox(home.path(), ThemeChoice::Dark, [1400.0, 900.0]);
    let before = count(&harness, "Review");
    let case = selected(&harness);
    press(&mut harness, Key::A);
    assert_eq!(count(&harness, "Review"), before - 1);
    press(&mut harness, Key::U);
    assert_eq!((count(&harness, "Review"), selected(&harness)), (before, case.clone()), "it is back, and in front");
    assert!(state(home.path()).cases[&case].decisions.is_empty());

    // A panel that one asked for can be withdrawn.
    press(&mut harness, Key::P);
    assert_eq!(count(&harness, "Review"), before - 1);
    press(&mut harness, Key::U);
    assert_eq!(count(&harness, "Review"), before);
    assert!(state(home.path()).running.iter().all(|panel| !panel.starts_with(&case)));

    press(&mut harness, Key::S);
    assert_ne!(selected(&harness), case);
    press(&mut harness, Key::T);
    assert_eq!(selected(&harness), case, "what was skipped comes back");

    // A note, with Shift+Enter.
    press(&mut harness, Key::N);
    typed(&mut harness, "ask the author first");
    harness.key_press_modifiers(Modifiers::SHIFT, Key::Enter);
    settle(&mut harness);
    assert_eq!(state(home.path()).cases[&case].notes, [("amina".to_owned(), "ask the author first".to_owned())]);

    // Search: keys typed into the field are text and nothing else.
    press(&mut harness, Key::Slash);
    typed(&mut harness, "kettle");
    harness.key_press(Key::A);
    harness.key_press(Key::R);
    settle(&mut harness);
    let found = labels(&harness, "Case w");
    assert!(!found.is_empty() && found.len() < before, "{found:?}");
    assert!(state(home.path()).cases.values().all(|case| case.decisions.iter().all(|d| d.channel != Channel::Solo)));
    press(&mut harness, Key::Escape);

    // Many at once: nothing happens before Enter.
    for _ in 0..3 {
        press(&mut harness, Key::M);
    }
    assert_eq!(labels(&harness, "3 marked").len(), 1);
    harness.get_by_label("Approve…").click();
    settle(&mut harness);
    assert_eq!(labels(&harness, "Approve 3 cases?").len(), 1);
    assert_eq!(count(&harness, "Review"), before);
    press(&mut harness, Key::Enter);
    assert_eq!(count(&harness, "Review"), before - 3);
}

/// Be another moderator of the sandbox.
pub fn sign_in(harness: &mut Harness<'_, Workbench>, name: &str) {
    if labels(harness, &format!("Signed in as {name}")).is_empty() {
        harness.get_by_label_contains("Signed in as ").click();
        settle(harness);
        harness.get_by_label(name).click();
        settle(harness);
    }
    assert_eq!(labels(harness, &format!("Signed in as {name}")).len(), 1, "{name}: {:?}", labels(harness, ""));
}

#[test]
fn three_moderators_go_through_a_blind_panel_to_the_reveal() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = sandbox(home.path(), ThemeChoice::Dark, [1400.0, 900.0]);
    command(&mut harness, "moderate.list_panels");
    let case = selected(&harness);
    let state_before = state(home.path());
    let panel = state_before.panels[state_before.cases[&case].panels.last().unwrap()].clone();
    assert!(panel.hidden && panel.members.len() == 3);
    for (i, member) in panel.members.iter().enumerate() {
        sign_in(&mut harness, member);
        assert_eq!(labels(&harness, &format!("{i} of 3 voted")).len(), 1, "{:?}", labels(&harness, "voted"));
        assert!(labels(&harness, "Vote of ").is_empty(), "nobody's vote is shown while the panel is blind");
        let rationale = format!("reason number {i}");
        if i == 1 {
            press(&mut harness, Key::R);
            press(&mut harness, Key::Num1);
        } else {
            press(&mut harness, Key::A);
        }
        typed(&mut harness, &rationale);
        harness.key_press_modifiers(Modifiers::SHIFT, Key::Enter);
        settle(&mut harness);
        // Back to the same case: after a vote the next one comes by itself.
        for _ in 0..200 {
            if selected(&harness) == case {
                break;
            }
            press(&mut harness, Key::K);
        }
        assert_eq!(selected(&harness), case);
        assert!(i == 2 || labels(&harness, "reason number 0").len() <= 1, "the others' reasons are not on screen");
    }
    let votes = labels(&harness, "Vote of ");
    assert_eq!(votes.len(), 3, "all votes are side by side: {votes:?}");
    for (i, member) in panel.members.iter().enumerate() {
        let said = format!("Vote of {member}: {}: reason number {i}", if i == 1 { "remove" } else { "approve" });
        assert!(votes.contains(&said), "{said} is not in {votes:?}");
    }

    // The last one talks, revises once, and closes.
    harness.get_by_label("Message to the panel").click();
    settle(&mut harness);
    typed(&mut harness, "two of us read it as a joke");
    press(&mut harness, Key::Enter);
    assert_eq!(labels(&harness, "two of us read it as a joke").len(), 1);
    harness.get_by_label("Revise my vote once").click();
    settle(&mut harness);
    typed(&mut harness, " and more");
    harness.key_press_modifiers(Modifiers::SHIFT, Key::Enter);
    settle(&mut harness);
    assert_eq!(labels(&harness, "Revised from approve").len(), 1);
    harness.get_by_label("Close and count").click();
    settle(&mut harness);
    let state = state(home.path());
    let known = &state.cases[&case];
    let decision = known.decisions.last().unwrap();
    assert_eq!((decision.verdict, decision.channel), (Verdict::Approve, Channel::Panel));
    let votes = &state.panels[&panel.id].votes;
    assert_eq!(votes.len(), 3);
    assert_eq!(votes[&panel.members[2]].revised_from.as_ref().unwrap().rationale, "reason number 2");
    assert_eq!(state.panels[&panel.id].messages.len(), 1);
}

#[test]
fn who_votes_goes_on_to_the_next_vote() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = sandbox(home.path(), ThemeChoice::Dark, [1400.0, 900.0]);
    harness.get_by_label_contains("votes for you").click();
    settle(&mut harness);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let case = selected(&harness);
        let state = state(home.path());
        let panel = &state.panels[state.cases[&case].panels.last().unwrap()];
        assert!(panel.members.iter().any(|member| member == "amina"), "{case} is not amina's to vote on");
        assert!(!seen.contains(&case));
        seen.push(case);
        press(&mut harness, Key::A);
        typed(&mut harness, "harmless");
        harness.key_press_modifiers(Modifiers::SHIFT, Key::Enter);
        settle(&mut harness);
    }
}

#[test]
fn settings_forecast_and_disagreement_show_the_engines_figures() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = sandbox(home.path(), ThemeChoice::Dark, [1400.0, 900.0]);
    command(&mut harness, "moderate.settings");
    settle(&mut harness);
    let items = plumb_moderate::past::items(&state(home.path()));
    let spec = plumb_moderate::train::TrainSpec::default();
    let objective = plumb_moderate::score::Objective::Combined;
    let seed = harness.state().settings().seed;
    let ctl = plumb_core::Ctl::new(seed);
    let outlook = plumb_moderate::outlook::outlook(&items, &spec, objective, 3, seed, &ctl).unwrap();
    let at = outlook.at(0.3);
    let gain = format!("Share of the gain: {}", format::percent(at.gain));
    assert_eq!(labels(&harness, &gain).len(), 1, "{:?}", labels(&harness, "Share of the gain"));
    assert_eq!(labels(&harness, &at.message).len(), 1, "{}", at.message);

    command(&mut harness, "moderate.disagreement");
    settle(&mut harness);
    let explored = plumb_moderate::explore::explore(&state(home.path()), seed);
    let alpha = format!("Agreement: {}", format::short(explored.alpha.unwrap()));
    assert_eq!(labels(&harness, &alpha).len(), 1, "{:?}", labels(&harness, "Agreement"));

    command(&mut harness, "moderate.report");
    settle(&mut harness);
    let all = labels(&harness, "");
    for name in ["amina", "bertil", "chidi", "dolores", "emre", "fumiko", "grzegorz", "hana"] {
        let named: Vec<_> = all.iter().filter(|label| label.contains(name) && !label.contains("Signed in")).collect();
        assert!(named.is_empty(), "the report names {named:?}");
    }
}

#[test]
fn a_newcomer_judges_twelve_past_cases_and_the_log_stays_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = sandbox(home.path(), ThemeChoice::Dark, [1400.0, 900.0]);
    let before = state(home.path()).seq;
    command(&mut harness, "moderate.onboarding");
    harness.get_by_label("Begin").click();
    settle(&mut harness);
    for i in 0..12 {
        press(&mut harness, if i % 2 == 0 { Key::A } else { Key::R });
        assert_eq!(labels(&harness, "You: ").len(), 1);
        press(&mut harness, Key::J);
    }
    assert_eq!(labels(&harness, "With the majority: ").len(), 1, "{:?}", labels(&harness, ""));
    assert_eq!(state(home.path()).seq, before);
}

/// A page of the sandbox.
fn page(name: &str, theme: ThemeChoice, size: [f32; 2], commands: &[&'static str]) {
    format::hide_what_varies();
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = sandbox(home.path(), theme, size);
    for id in commands {
        command(&mut harness, id);
        settle(&mut harness);
    }
    harness.snapshot(name);
}

#[test]
fn moderate_queue_dark() {
    page("moderate-queue-dark", ThemeChoice::Dark, LARGE, &[]);
}

#[test]
fn moderate_queue_light() {
    page("moderate-queue-light", ThemeChoice::Light, LARGE, &["moderate.remove"]);
}

#[test]
fn moderate_queue_small() {
    page("moderate-queue-small", ThemeChoice::Dark, SMALL, &[]);
}

#[test]
fn moderate_vote_light() {
    page("moderate-vote-light", ThemeChoice::Light, LARGE, &["moderate.list_panels", "moderate.next"]);
}

#[test]
fn moderate_disagreement_dark() {
    page("moderate-disagreement-dark", ThemeChoice::Dark, LARGE, &["moderate.disagreement"]);
}

#[test]
fn moderate_settings_light() {
    page("moderate-settings-light", ThemeChoice::Light, LARGE, &["moderate.settings"]);
}
