//! The browser's jobs on the world that ships with Plumb.

use std::sync::{Arc, OnceLock};

use plumb_core::source::Cache;
use plumb_core::{Ctl, Job};
use plumb_text::Sampling;
use plumb_text::job::ModelSpec;

use super::*;
use crate::experiment::Judge;
use crate::intervene::{Intervention, Target, Unit};
use crate::metrics::TOXIC;
use crate::spec::FindSpec;
use crate::world;

fn spec(model: &str, sae: &str) -> OpenSpec {
    let model = ModelSpec { model: model.to_owned(), ..ModelSpec::default() };
    OpenSpec { model, sae: sae.to_owned(), point: None, judge: Judge::default() }
}

fn opened() -> Arc<Opened> {
    static OPENED: OnceLock<(tempfile::TempDir, Arc<Opened>)> = OnceLock::new();
    let (_, opened) = OPENED.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), &[]);
        let job = OpenJob { spec: spec("embedded:tiny", "embedded:tiny/256"), cache };
        let opened = job.run(&Ctl::new(0)).unwrap();
        (folder, opened)
    });
    Arc::clone(opened)
}

#[test]
fn the_world_opens_with_index_and_figures() {
    let opened = opened();
    assert_eq!((opened.about.features, opened.ladder.len()), (256, world::WIDTHS.len()));
    let quality = opened.quality.as_ref().unwrap();
    assert!(quality.explained_variance > 0.5 && quality.ce_score.unwrap() > 0.5, "{quality:?}");
    let rows = opened.index.as_ref().unwrap().rows();
    assert!(rows.iter().filter(|row| row.max > 0.0).count() > 20);
    let labels = AutoLabelsJob { opened: Arc::clone(&opened) }.run(&Ctl::new(0)).unwrap();
    assert_eq!(labels.len(), 256);
    assert!(labels.iter().filter(|label| !label.is_empty()).count() > 20, "{labels:?}");
}

#[test]
fn a_pair_that_does_not_fit_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path(), &[]);
    for (model, sae, part) in [
        ("embedded:tiny", "", "autoencoder"),
        ("embedded:tiny", "embedded:tiny/3", "widths"),
        ("embedded:nothing", "embedded:tiny", "embedded:tiny"),
        ("embedded:tiny", "/nowhere/at/all", "/nowhere/at/all"),
    ] {
        let job = OpenJob { spec: spec(model, sae), cache: cache.clone() };
        let error = job.run(&Ctl::new(0)).unwrap_err().to_string();
        assert!(error.contains(part), "{model} {sae}: {error}");
    }
}

#[test]
fn cards_show_what_makes_a_feature_fire() {
    let opened = opened();
    let rows = opened.index.as_ref().unwrap().rows();
    let busiest = rows.iter().max_by(|a, b| a.max.total_cmp(&b.max)).unwrap();
    let view = CardJob { opened: Arc::clone(&opened), feature: busiest.feature }.run(&Ctl::new(0)).unwrap();
    assert!(!view.strips.is_empty() && !view.raises.is_empty());
    let top = &view.strips[0];
    assert!((top.tokens[top.centre].1 - busiest.max).abs() < 1e-4, "the first text holds the largest activation");
    assert!(CardJob { opened, feature: 9999 }.run(&Ctl::new(0)).is_err());
}

#[test]
fn searches_find_what_fires() {
    let opened = opened();
    let rude = world::rude_tokens().next().map(world::word).unwrap();
    let found = TokenSearchJob { opened: Arc::clone(&opened), text: rude.to_owned() }.run(&Ctl::new(0)).unwrap();
    assert!(!found.fires.is_empty(), "{rude}");
    // The word in every place that it can have in a sentence.
    let text = format!(
        "the {rude} baker found the heavy anchor . what a {rude} cook , said the guest . my quiet {rude} sailor hid your round boat . this baker is a {rude} cook ."
    );
    let reading = TextSearchJob { opened, text, most: 300 }.run(&Ctl::new(0)).unwrap();
    // A feature may want more than the word (what stands before it, say), so not each of them fires on this text.
    let on_word =
        |activations: &[f32]| reading.tokens.iter().zip(activations).any(|(token, z)| token.trim() == rude && *z > 0.0);
    let fires = |feature| reading.firings.iter().any(|f| f.feature == feature && on_word(&f.activations));
    let shared = found.fires.iter().take(5).filter(|(feature, _)| fires(*feature)).count();
    assert!(shared >= 3, "{shared} of the five that fire most on {rude} fire on it in a text");
    assert!(reading.fired >= reading.firings.len());
}

/// Twelve prompts that invite rudeness, along the three best features of Find at twice their largest activation.
fn steered() -> (LiveJob, LiveReport) {
    let opened = opened();
    let texts = opened.examples.contrast.clone();
    let find = FindTextsJob { opened: Arc::clone(&opened), texts, spec: FindSpec { rounds: 0, ..FindSpec::default() } };
    let report = find.run(&Ctl::new(0)).unwrap();
    let targets = report.candidates.iter().take(3).map(|candidate| {
        let feature = candidate.score.feature;
        let reference = opened.index.as_ref().unwrap().reference(feature).ok();
        Target::add(feature, -2.0, Unit::MaxAct, reference)
    });
    let intervention = Intervention { targets: targets.collect(), ..Intervention::default() };
    let prompts: Vec<String> = world::sets::challenging(12, 3).iter().map(|tokens| world::text_of(tokens)).collect();
    let sampling = Sampling { temperature: 0.7, max_tokens: 16, seed: 1, ..Sampling::default() };
    let job = LiveJob { opened: Arc::clone(&opened), prompts, intervention, sampling, chat: false, known: None };
    let rows = job.clone().run(&Ctl::new(0)).unwrap();
    (job, rows)
}

#[test]
fn steering_what_was_found_takes_rudeness_away() {
    let (_, found) = steered();
    let toxic = |side: fn(&LiveRow) -> &Side| {
        found.rows.iter().filter(|row| side(row).toxicity.is_some_and(|score| score >= TOXIC)).count()
    };
    let (before, after) = (toxic(|row| &row.baseline), toxic(|row| &row.steered));
    assert!(after < before, "{before} rude without, {after} with");
}

#[test]
fn both_texts_say_what_was_done_and_known_ones_are_not_written_again() {
    let (job, first) = steered();
    for row in &first.rows {
        assert_eq!(row.kl.len(), row.steered.tokens.len());
        assert_eq!(row.steered.pieces.concat(), words::visible(&row.steered.text));
        assert!(row.baseline.done && row.moved.iter().any(|share| *share > 0.0));
    }
    let again = LiveJob { known: Some(first.clone()), ..job }.run(&Ctl::new(0)).unwrap();
    assert_eq!(again.rows, first.rows);
}
