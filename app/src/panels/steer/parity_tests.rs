//! What the window shows is what its preset gives without a window, number by number.

use plumb_core::source::Cache;
use plumb_core::{Ctl, Job};
use plumb_steer::experiment::{Experiment, ExperimentJob, Found};

use super::action::Action;
use super::commands;
use super::state::Tab;
use super::tests::{Desk, act, command, desk, settle};

/// The preset of the tab in front, run without a window.
fn headless(desk: &Desk) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let preset = folder.path().join("preset.ron");
    std::fs::write(&preset, super::preset::text(&desk.panel.state).unwrap()).unwrap();
    let experiment = Experiment::load(&preset).unwrap().unwrap();
    let ctl = Ctl::new(experiment.seed());
    let cache = Cache::new(folder.path().join("cache"), &[]);
    ExperimentJob { experiment, cache, runs: folder.path().join("runs") }.run(&ctl).unwrap().1
}

#[test]
fn find_sweep_splitting_and_texts_are_the_same_without_a_window() {
    let mut harness = desk([1400.0, 900.0], "embedded:tiny/128");
    let state = &mut harness.state_mut().panel.state;
    state.find_spec.rounds = 20;
    state.find_spec.top = 4;
    state.sweep_spec.continuations = 1;
    state.sweep_spec.random_controls = 1;
    state.typed.strengths = "1 3".to_owned();
    state.sampling.seed = 5;

    command(&mut harness, commands::FIND);
    act(&mut harness, Action::Causal);
    let state = &harness.state().panel.state;
    let Found::Find(found) = headless(harness.state()) else { panic!("not what was asked") };
    assert_eq!(Some(&found.report), state.find.value());
    assert_eq!(found.causal.as_ref(), state.causal.value());

    let best = found.report.candidates[0].score.feature;
    act(&mut harness, Action::Rack(best));
    command(&mut harness, commands::SWEEP);
    let Found::Sweep(swept) = headless(harness.state()) else { panic!("not what was asked") };
    assert_eq!(Some(&swept), harness.state().panel.state.sweep.value());
    assert!(swept.points.iter().all(|point| point.neutral_kl.is_some()), "side effects are measured");

    harness.state_mut().panel.state.settings.tab = Tab::Splitting;
    act(&mut harness, Action::Split);
    let Found::Splitting(split) = headless(harness.state()) else { panic!("not what was asked") };
    assert_eq!(Some(&split), harness.state().panel.state.split.value());

    command(&mut harness, commands::STEER);
    let Found::Generate(made) = headless(harness.state()) else { panic!("not what was asked") };
    let row = &harness.state().panel.state.live.value().unwrap().rows[0];
    assert_eq!((&made.tokens.baseline, &made.tokens.steered), (&row.baseline.tokens, &row.steered.tokens));
    assert_eq!(
        (made.toxicity.steered, made.perplexity.steered),
        (row.steered.toxicity.unwrap(), row.steered.perplexity)
    );
    assert_eq!(made.kl, row.kl);
    settle(&mut harness);
}
