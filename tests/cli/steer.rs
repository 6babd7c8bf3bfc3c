//! `plumb sae` and `plumb steer` on the tiny checkpoints and on the world that ships with Plumb.

use std::path::Path;

use plumb_nn::checkpoint::Checkpoint;
use serde_json::Value;

use super::{json, plumb, text};

/// The residual stream of a few tokens of the tiny model that ships.
fn resid(home: &Path) -> std::path::PathBuf {
    let out = home.join("resid.safetensors");
    let run = plumb(
        home,
        &[
            "lm",
            "resid",
            "--model",
            "embedded:tiny",
            "--tokens",
            "1,5,9,12,7",
            "--hook",
            "blocks.1.hook_resid_post",
            "--out",
            text(&out),
        ],
    );
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    out
}

#[test]
fn a_stream_is_encoded() {
    let home = tempfile::tempdir().unwrap();
    let (input, out) = (resid(home.path()), home.path().join("features.safetensors"));
    let arguments = ["sae", "encode", "--sae", "embedded:tiny/128", "--in", text(&input), "--out", text(&out)];
    let run = plumb(home.path(), &arguments);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let found = Checkpoint::open(&out).unwrap();
    assert_eq!(found.entry("features").unwrap().shape, [5, 128]);
    let features = found.read_f32("features").unwrap();
    for row in features.chunks_exact(128) {
        let fire = row.iter().filter(|z| **z > 0.0).count();
        assert!(row.iter().all(|z| *z >= 0.0) && fire > 0 && fire <= 8, "at most k features fire, {fire} do");
    }
}

#[test]
fn features_are_found_and_turned() {
    let home = tempfile::tempdir().unwrap();
    let pair = ["--model", "embedded:tiny", "--sae", "embedded:tiny/512", "--json"];
    let find = [&["steer", "find"][..], &pair, &["--texts", "60", "--rounds", "20", "--rank-by", "auroc"]].concat();
    let found = json(&plumb(home.path(), &find));
    let best = &found["candidates"][0]["score"];
    assert!(best["auroc"].as_f64().unwrap() > 0.8, "{best}");
    assert_eq!(found["raises"][0].as_array().map(Vec::len), Some(8));
    let (feature, largest) = (best["feature"].as_u64().unwrap(), found["candidates"][0]["reference"].as_f64().unwrap());

    let turn = format!("{feature}:-1:{largest}");
    let sampling = ["--tokens", "0,5,9,12,7", "--feature", &turn, "--max-tokens", "10", "--ignore-end"];
    let made = json(&plumb(home.path(), &[&["steer", "generate"][..], &pair, &sampling].concat()));
    for key in ["baseline", "steered", "trace", "toxicity", "perplexity", "kl"] {
        assert!(!made[key].is_null(), "{key} is missing in {made}");
    }
    assert!(made["baseline"].is_string() && made["toxicity"]["steered"].is_number());
    // Five tokens of the prompt and nine of the continuation pass, and all but the BOS token are changed.
    assert_eq!(made["trace"]["rows"].as_array().map(Vec::len), Some(14));
    assert_eq!(made["steered_positions"], Value::from(13));

    let grid = ["--feature", &turn, "--strengths", "0,1", "--controls", "1", "--count", "6", "--continuations", "1"];
    let sweep = json(&plumb(home.path(), &[&["steer", "sweep"][..], &pair, &grid, &["--max-tokens", "6"]].concat()));
    // Three tiers... of which the command line asks for all, and one control, at two strengths each.
    assert_eq!(sweep["points"].as_array().map(Vec::len), Some(8));
    assert_eq!(sweep["points"][0]["kl"], Value::from(0.0), "strength 0 changes nothing");
}

#[test]
fn a_preset_of_steering_runs_and_leaves_a_folder() {
    let home = tempfile::tempdir().unwrap();
    let preset = Path::new(env!("CARGO_MANIFEST_DIR")).join("../presets/steer/find-tiny.ron");
    let run = plumb(home.path(), &["run", text(&preset)]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let folder = String::from_utf8(run.stdout).unwrap();
    assert!(Path::new(folder.trim()).join("report.json").is_file(), "{folder}");
}

#[test]
fn what_is_wrong_is_said() {
    let home = tempfile::tempdir().unwrap();
    let input = resid(home.path());
    let out = home.path().join("out.safetensors");
    let other = home.path().join("logits.safetensors");
    let made =
        plumb(home.path(), &["lm", "logits", "--model", "embedded:tiny", "--tokens", "1,2", "--out", text(&other)]);
    assert!(made.status.success());
    let cases: [(&[&str], &str); 6] = [
        (&["sae", "encode", "--sae", "embedded:tiny/7", "--in", text(&input), "--out", text(&out)], "the widths are"),
        (&["sae", "encode", "--sae", "no-such-folder", "--in", text(&input), "--out", text(&out)], "no-such-folder"),
        (&["sae", "encode", "--sae", "embedded:tiny", "--in", text(&other), "--out", text(&out)], "“resid”"),
        (
            &[
                "steer",
                "generate",
                "--model",
                "embedded:tiny",
                "--sae",
                "embedded:tiny",
                "--tokens",
                "1",
                "--feature",
                "9999:-1:1",
            ],
            "feature 9999 does not exist",
        ),
        (
            &["steer", "find", "--model", "embedded:tiny", "--sae", "embedded:tiny", "--toxic", "nowhere.txt"],
            "nowhere.txt",
        ),
        (&["sae", "train", "no-such-spec.ron"], "no-such-spec.ron"),
    ];
    for (arguments, expected) in cases {
        let run = plumb(home.path(), arguments);
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!out.exists(), "nothing half written");
    }
    let run =
        plumb(home.path(), &["steer", "generate", "--model", "x", "--sae", "y", "--text", "z", "--feature", "17"]);
    assert_eq!(run.status.code(), Some(2), "the command line itself is at fault");
}
