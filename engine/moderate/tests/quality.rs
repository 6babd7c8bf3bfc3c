//! V4 to V8 on the Le-Wi-Di sets, which are not part of the repository. They are looked for in `PLUMB_DATA`
//! or `../shared/data` beside the workspace; without them the tests say that they were skipped.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

use std::path::PathBuf;

use plumb_core::Ctl;
use plumb_moderate::agreement::{self, Counts};
use plumb_moderate::evaluate::{Details, EvaluateSpec, Evaluation, evaluate};
use plumb_moderate::import::{Item, lewidi};
use plumb_moderate::vote_model::Kind;

fn folder() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("PLUMB_DATA").map_or(root, PathBuf::from).join("moderation");
    if data.is_dir() {
        return Some(data);
    }
    eprintln!("SKIPPED: there is no {}; set PLUMB_DATA to the folder with the data sets", data.display());
    None
}

fn read(name: &str, parts: &[&str]) -> Option<Vec<Item>> {
    let folder = folder()?;
    let mut items = Vec::new();
    for part in parts {
        let text = std::fs::read_to_string(folder.join(format!("{name}_{part}.json"))).unwrap();
        let imported = lewidi::read(&text, part).unwrap();
        assert!(imported.bad.is_empty(), "{:?}", imported.bad);
        items.extend(imported.items);
    }
    Some(items)
}

fn run(name: &str, kind: Kind, log_regime: bool) -> Option<(Evaluation, Details)> {
    let (train, test) = (read(name, &["train", "dev"])?, read(name, &["test"])?);
    let spec = EvaluateSpec { kind, log_regime, ..EvaluateSpec::default() };
    let (found, details) = evaluate(&train, &test, &spec, &Ctl::new(7)).unwrap();
    println!(
        "{name} {kind:?} log={log_regime} auc {:.3} ap {:.3} vote auc {:.3} ece {:.3} b90 {:.2} train {:.1} s p95 {:.2} ms alpha {:?}",
        found.auc.unwrap(),
        found.average_precision.unwrap(),
        found.vote_auc.unwrap(),
        found.vote_ece,
        details.b90,
        found.train_seconds,
        found.score_p95_ms,
        details.alpha_interval,
    );
    for (point, interval) in found.gain.iter().zip(&details.gain_interval) {
        print!("  g({:.1}) {:.3} [{:.3}, {:.3}]", point[0], point[1], interval[0], interval[1]);
    }
    println!("  latent(.3) {:.3} overturn(.3) {:.3}", details.latent_at_30, details.overturn_at_30);
    Some((found, details))
}

/// V4.
#[test]
fn the_loader_counts_what_is_there() {
    let table = [
        ("HS-Brexit", 0.1470, 0.3475, 0.1293, 0.3080),
        ("ConvAbuse", 0.0891, 0.6495, 0.1610, 0.1375),
        ("MD-Agreement", 0.2883, 0.3587, 0.3411, 0.5783),
        ("ArMIS", 0.2305, 0.5242, 0.4111, 0.3457),
    ];
    for (name, pairwise, alpha, removed, split) in table {
        let Some(items) = read(name, &["train", "dev", "test"]) else { return };
        let counts: Vec<Counts> = items.iter().map(Item::counts).collect();
        // The mean of the items' shares: items of ConvAbuse have different numbers of votes.
        let share = counts.iter().map(|counts| counts.share()).sum::<f64>() / counts.len() as f64;
        let splits = counts.iter().filter(|counts| counts.split()).count();
        let near = |found: f64, expected: f64, what: &str| {
            assert!((found - expected).abs() < 0.000_051, "{name}: {what} {found}, expected {expected}");
        };
        near(agreement::pairwise_disagreement(&counts), pairwise, "pairwise disagreement");
        near(agreement::alpha(&counts).unwrap(), alpha, "alpha");
        near(share, removed, "share removed");
        near(splits as f64 / counts.len() as f64, split, "non-unanimous");
    }
}

/// V5, V6, V7 and the calibration of V8.
#[test]
fn the_model_ranks_as_well_as_it_must() {
    let table = [
        ("HS-Brexit", 0.80, 0.50, 0.82, 0.8770, 0.9001),
        ("ConvAbuse", 0.75, 0.58, 0.88, 0.9396, 0.9465),
        ("MD-Agreement", 0.68, 0.34, 0.66, 0.7704, 0.8168),
    ];
    let mut faults = Vec::new();
    for (name, auc, g3, g6, c0, c1) in table {
        let Some((full, details)) = run(name, Kind::Ngrams, false) else { return };
        let mut need = |what: &str, fits: bool| {
            if !fits {
                faults.push(format!("{name}: {what}"));
            }
        };
        need("c0", (full.c0 - c0).abs() < 0.000_051 && (full.c1 - c1).abs() < 0.000_051);
        need("auc", full.auc.unwrap() >= auc);
        need("g(0.3)", full.gain[3][1] >= g3);
        need("g(0.6)", full.gain[6][1] >= g6);
        for i in 1..10 {
            need("random mean", (full.gain_random[i][1] - full.gain_random[i][0]).abs() <= 0.02);
            // Near the ends the curve of a small set has no room above chance.
            need(
                "above random",
                ![3, 6].contains(&i) || full.gain[i][1] > full.gain_random[i][1] + 2.0 * details.random_sd[i],
            );
            need(
                "oracle",
                full.gain_oracle[i][1] >= full.gain[i][1] && full.gain_oracle[i + 1][1] >= full.gain_oracle[i][1],
            );
        }
        if name == "ConvAbuse" {
            need("calibration", full.vote_ece <= 0.08);
        }
        let (log, _) = run(name, Kind::Ngrams, true).unwrap();
        need("log regime", full.auc.unwrap() - log.auc.unwrap() <= 0.05);
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The second model: worse at ranking than the one on n-grams, as well calibrated, and better than chance where that one is.
#[test]
fn sentence_vectors_rank_better_than_chance() {
    for (name, vote_auc, auc) in [("HS-Brexit", 0.76, 0.70), ("ConvAbuse", 0.86, 0.73), ("MD-Agreement", 0.71, 0.64)] {
        let Some((found, details)) = run(name, Kind::Sentences, false) else { return };
        assert!(found.vote_auc.unwrap() >= vote_auc && found.auc.unwrap() >= auc, "{name}");
        assert!(found.vote_ece <= 0.08, "{name}: {}", found.vote_ece);
        for i in [3, 6] {
            let chance = found.gain_random[i][1] + 2.0 * details.random_sd[i];
            assert!(found.gain[i][1] > chance, "{name}: g({}) {} against {chance}", found.gain[i][0], found.gain[i][1]);
        }
    }
}

/// Arabic text goes the same way.
#[test]
fn arabic_works() {
    let Some((found, _)) = run("ArMIS", Kind::Ngrams, false) else { return };
    assert!(found.auc.unwrap() > 0.5);
}
