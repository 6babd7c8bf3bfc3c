//! `plumb sae` and `plumb steer` on the tiny checkpoints and on the world that ships with Plumb.

use std::path::Path;

use plumb_nn::checkpoint::Checkpoint;
use plumb_steer::world::{self, sets};
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

/// A corpus of the world's own texts, and a spec around it.
fn spec(home: &Path, method: &str, body: &str) -> std::path::PathBuf {
    let corpus = home.join("corpus.txt");
    let texts: Vec<String> = sets::texts(300, 5).iter().map(|text| world::text_of(text)).collect();
    std::fs::write(&corpus, texts.join("\n")).unwrap();
    let texts = format!(
        "texts: (corpora: [(name: \"world\", source: {:?}, format: lines)], context: 24, held_out: 20, seed: 1)",
        text(&corpus)
    );
    let file = home.join(format!("{method}.ron"));
    let spec = format!("(method: {method:?}, version: 1, title: \"Test\", about: \"\", spec: ({body} {texts},),)");
    std::fs::write(&file, spec).unwrap();
    file
}

#[test]
fn an_autoencoder_is_trained_measured_and_indexed_from_nothing() {
    let home = tempfile::tempdir().unwrap();
    let place = |name: &str| home.path().join(name).display().to_string();
    let train = format!(
        "model: (model: \"embedded:tiny\", device: cpu), hook: \"blocks.1.hook_resid_post\",
         train: [(features: 32, sparsity: batch_top_k(k: 4, aux: 0.03), steps: 40, batch: 128, seed: 1)],
         work: {:?}, out: {:?},",
        place("work"),
        place("saes")
    );
    let made = json(&plumb(home.path(), &["sae", "train", text(&spec(home.path(), "sae-train", &train)), "--json"]));
    assert_eq!(made[0]["features"], Value::from(32), "{made}");
    let sae = format!("{}/32", place("saes"));
    assert!(Path::new(&sae).join("sae_weights.safetensors").is_file());

    let pair = format!("pair: (model: (model: \"embedded:tiny\", device: cpu), sae: {sae:?}),");
    let eval = spec(home.path(), "sae-eval", &pair);
    let quality = json(&plumb(home.path(), &["sae", "eval", text(&eval), "--json"]));
    for key in ["l0", "explained_variance", "ce_score", "dead"] {
        assert!(quality[key].is_number(), "{key} is missing in {quality}");
    }
    let out = format!("{sae}/index");
    let index = spec(home.path(), "sae-index", &format!("{pair} out: {out:?},"));
    let indexed = json(&plumb(home.path(), &["sae", "index", text(&index), "--json"]));
    assert_eq!(indexed["table"]["features"], Value::from(32), "{indexed}");
    assert!(Path::new(&sae).join("index").is_dir());

    // The same specs are presets, and leave run folders.
    let run = plumb(home.path(), &["run", text(&eval)]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let folder = String::from_utf8(run.stdout).unwrap();
    let report = std::fs::read_to_string(Path::new(folder.trim()).join("report.json")).unwrap();
    let kept: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(kept["l0"], quality["l0"], "the same numbers both ways");

    // What was indexed says how large a unit is.
    let arguments = ["--tokens", "0,5,9,12,7", "--max-tokens", "4", "--ignore-end", "--json"];
    let generate = ["steer", "generate", "--model", "embedded:tiny", "--sae", &sae, "--feature", "3:-1"];
    let made = plumb(home.path(), &[&generate[..], &arguments].concat());
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success() || said.contains("largest activation"), "{said}");
}

#[test]
fn units_come_from_the_worlds_own_index() {
    let home = tempfile::tempdir().unwrap();
    let pair = ["--model", "embedded:tiny", "--sae", "embedded:tiny/128", "--json"];
    let find = [&["steer", "find"][..], &pair, &["--texts", "60", "--rounds", "0"]].concat();
    let best = json(&plumb(home.path(), &find))["candidates"][0]["score"]["feature"].as_u64().unwrap();
    let turn = format!("{best}:-1");
    let sampling = ["--tokens", "0,5,9,12,7", "--feature", &turn, "--max-tokens", "6", "--ignore-end"];
    let made = json(&plumb(home.path(), &[&["steer", "generate"][..], &pair, &sampling].concat()));
    assert!(made["steered_positions"].as_u64().unwrap() > 0, "{made}");
    assert!(made["trace"]["rows"][1]["delta_norm"].as_f64().unwrap() > 0.0, "{made}");
}

#[test]
fn widths_are_compared() {
    let home = tempfile::tempdir().unwrap();
    let arguments =
        ["--model", "embedded:tiny", "--saes", "embedded:tiny/64,embedded:tiny/128", "--texts", "40", "--json"];
    let found = json(&plumb(home.path(), &[&["steer", "splitting"][..], &arguments].concat()));
    let widths: Vec<u64> =
        found["rows"].as_array().unwrap().iter().map(|row| row["split"]["width"].as_u64().unwrap()).collect();
    assert_eq!(widths, [64, 128], "{found}");
}

#[test]
fn a_chat_template_is_asked_of_a_model_that_has_one() {
    let home = tempfile::tempdir().unwrap();
    let pair = ["--model", "embedded:tiny", "--sae", "embedded:tiny/64", "--feature", "3:-1:1"];
    let cases: [(Vec<&str>, &str); 3] = [
        (vec!["lm", "generate", "--model", "embedded:tiny", "--text", "the", "--chat"], "chat template"),
        ([&["steer", "generate"][..], &pair, &["--text", "the", "--chat"]].concat(), "chat template"),
        (
            [&["steer", "generate"][..], &pair, &["--tokens", "1,2", "--chat"]].concat(),
            "token ids are taken as they are",
        ),
    ];
    for (arguments, expected) in cases {
        let run = plumb(home.path(), &arguments);
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.code() == Some(1) && said.contains(expected), "{arguments:?}: {said}");
    }
}
