//! `plumb moderate`: from the practice community to panels, and the figures of a data set.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{json, plumb, text};

#[test]
fn the_practice_community_goes_all_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let (db, out, copy) = (home.join("team.db"), home.join("votes.csv"), home.join("copy.db"));
    let run = |arguments: &[&str]| json(&plumb(home, &[&["moderate"], arguments, &["--json"]].concat()));
    let db = text(&db);
    let filled = run(&["sandbox", "--db", db]);
    assert_eq!((filled["filled"]["cases"].as_u64(), filled["filled"]["waiting"].as_u64()), (Some(401), Some(120)));
    assert!(filled["notice"].as_str().unwrap().contains("made up"));
    assert_eq!(run(&["train", "--db", db])["replaced"], true);
    let scored = run(&["score", "--db", db, "--top", "5"]);
    assert_eq!(scored.as_array().unwrap().len(), 5);
    let routed = run(&["route", "--db", db, "--audit", "0.1"]);
    let sent = routed["model"].as_array().unwrap().len() + routed["audit"].as_array().unwrap().len();
    assert_eq!(sent as u64 + routed["solo"].as_u64().unwrap(), 120);
    let simulated = run(&["simulate", "--db", db]);
    assert_eq!(simulated["budgets"].as_array().unwrap().len(), 11);
    assert!(run(&["drift", "--db", db])["drift"]["advice"].is_string());
    let rows = run(&["export", "votes", "--db", db, "--out", text(&out)])["rows"].as_u64().unwrap();
    assert_eq!(
        fs::read_to_string(&out).unwrap().lines().next().unwrap(),
        "case,community,moderator,verdict,at,text,context"
    );
    // What was exported goes into another log, once.
    let other = home.join("other.db");
    let first = run(&["import", text(&out), "--db", text(&other)]);
    assert_eq!((first[0]["decisions"].as_u64(), first[0]["bad"].as_array().unwrap().len()), (Some(rows), 0));
    assert_eq!(run(&["import", text(&out), "--db", text(&other)])[0]["decisions"], 0);
    let events = run(&["verify", "--db", db])["events"].clone();
    assert_eq!(run(&["backup", "--db", db, "--out", text(&copy)])["events"], events);
    let back = home.join("back.db");
    assert_eq!(run(&["restore", "--from", text(&copy), "--db", text(&back)])["events"], events);
    let refused = plumb(home, &["moderate", "restore", "--from", text(&copy), "--db", text(&back)]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the file exists"));
}

#[test]
fn evaluate_prints_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    json(&plumb(home, &["moderate", "sandbox", "--out", text(home), "--json"]));
    let votes = fs::read_to_string(home.join("votes.jsonl")).unwrap();
    let lines: Vec<&str> = votes.lines().collect();
    let (train, test) = lines.split_at(8 * 300);
    for (name, lines) in [("train.jsonl", train), ("test.jsonl", test)] {
        fs::write(home.join(name), lines.join("\n")).unwrap();
    }
    let (train, test) = (home.join("train.jsonl"), home.join("test.jsonl"));
    let arguments = [
        "moderate",
        "evaluate",
        "--train",
        text(&train),
        "--test",
        text(&test),
        "--panel",
        "3",
        "--seed",
        "5",
        "--json",
    ];
    let found = json(&plumb(home, &arguments));
    let fields = [
        "items",
        "votes",
        "moderators",
        "pairwise_disagreement",
        "krippendorff_alpha",
        "non_unanimous",
        "vote_auc",
        "vote_ece",
        "auc",
        "average_precision",
        "c0",
        "c1",
        "gain",
        "gain_random",
        "gain_oracle",
        "train_seconds",
        "score_p95_ms",
    ];
    let known: BTreeSet<&String> = found.as_object().unwrap().keys().collect();
    for field in fields {
        assert!(known.contains(&field.to_owned()), "{field} is missing in {known:?}");
    }
    assert_eq!(
        (found["items"].as_u64(), found["votes"].as_u64(), found["moderators"].as_u64()),
        (Some(401), Some(3208), Some(8))
    );
    assert_eq!(found["gain"].as_array().unwrap().len(), 11);
    let again = json(&plumb(home, &arguments));
    assert_eq!((&found["gain"], &found["auc"]), (&again["gain"], &again["auc"]), "the same seed, the same numbers");
}

#[test]
fn mistakes_are_told_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let none = home.join("none.db");
    for (arguments, code, says) in [
        (vec!["score", "--db", text(&none)], 1, "no such file"),
        (vec!["simulate", "--sandbox", "--panel", "4"], 1, "odd"),
        (vec!["evaluate", "--train", text(&none)], 1, "cannot be read"),
        (vec!["export", "everything", "--db", "x", "--out", "y"], 2, "possible values"),
        (vec!["restore", "--from", text(&none), "--db", "x"], 1, "no such file"),
    ] {
        let output = plumb(home, &[&["moderate"], &arguments[..]].concat());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
    }
    assert!(!none.exists(), "a misspelt name makes no database");
    let table = home.join("t.csv");
    fs::write(&table, "who,what,case,verdict\na,x,1,remove\nb,x,1,keep\nb,y,2,perhaps\n").unwrap();
    let preview = json(&plumb(
        home,
        &[
            "moderate",
            "import",
            text(&table),
            "--db",
            text(&none),
            "--preview",
            "--columns",
            "moderator=who,text=what",
            "--json",
        ],
    ));
    assert_eq!((preview[0]["cases"].as_u64(), preview[0]["bad"][0]["line"].as_u64()), (Some(1), Some(4)));
    assert!(!none.exists(), "a preview writes nothing");
}

/// A preset's report without what differs from run to run.
fn report(home: &Path, preset: &Path) -> Value {
    let run = plumb(home, &["run", text(preset)]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let folder = String::from_utf8(run.stdout).unwrap();
    let report = fs::read(Path::new(folder.trim()).join("report.json")).unwrap();
    plumb_core::run_folder::without_times(&serde_json::from_slice(&report).unwrap())
}

#[test]
fn presets_of_moderation_run_and_repeat() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let shipped = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../presets/moderate").join(name);
    let words = report(home, &shipped("evaluate-sandbox.ron"));
    assert_eq!(words, report(home, &shipped("evaluate-sandbox.ron")), "the same preset, the same figures");
    let sentences = report(home, &shipped("evaluate-sandbox-sentences.ron"));
    assert_eq!((&words["items"], &words["c0"]), (&sentences["items"], &sentences["c0"]), "the same cases");
    assert_ne!(words["gain"], sentences["gain"], "another model");
    let forecast = report(home, &shipped("simulate-sandbox.ron"));
    assert_eq!(forecast, report(home, &shipped("simulate-sandbox.ron")));
    let same = json(&plumb(home, &["moderate", "simulate", "--sandbox", "--json"]));
    assert_eq!(forecast, same, "the command gives the same numbers");

    // Importing by a preset, with its names changed to ours.
    let (table, db) = (home.join("log.csv"), home.join("log.db"));
    fs::write(&table, "case,moderator,verdict,text\n1,a,remove,one\n1,b,approve,one\n2,a,perhaps,two\n").unwrap();
    let preset = fs::read_to_string(shipped("import-log.ron")).unwrap();
    let preset = preset.replace("team.db", text(&db)).replace("decisions.csv", text(&table));
    let own = home.join("own.ron");
    fs::write(&own, preset).unwrap();
    let first = report(home, &own);
    assert_eq!((&first["files"][0]["cases"], &first["files"][0]["bad"][0]["line"]), (&1.into(), &4.into()), "{first}");
    assert_eq!(report(home, &own)["files"][0]["decisions"], 0, "a second run changes nothing");

    let missing = plumb(home, &["run", text(&shipped("evaluate-hs-brexit.ron"))]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("HS-Brexit_train.json"));
}

/// The model on sentence vectors: chosen by name, kept, and retrained as what it is.
#[test]
fn the_model_on_sentence_vectors_is_chosen_by_name() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let db = home.join("team.db");
    let db = text(&db);
    let run = |arguments: &[&str]| json(&plumb(home, &[&["moderate"], arguments, &["--json"]].concat()));
    run(&["sandbox", "--db", db]);
    assert_eq!(run(&["train", "--db", db, "--model", "sentences"])["card"]["spec"]["kind"], "sentences");
    let scored = run(&["score", "--db", db, "--top", "2"]);
    let (parts, similar) = (scored[0]["parts"].as_array().unwrap(), scored[0]["similar"].as_array().unwrap());
    assert!(parts.is_empty() && similar.len() == 3, "past cases are the reasons, not words: {scored}");
    assert_eq!(run(&["train", "--db", db, "--force"])["card"]["spec"]["kind"], "sentences", "it stays what it is");
    assert_eq!(run(&["train", "--db", db, "--force", "--model", "ngrams"])["card"]["spec"]["kind"], "ngrams");
    assert!(!run(&["score", "--db", db, "--top", "1"])[0]["parts"].as_array().unwrap().is_empty());
    let wrong = plumb(home, &["moderate", "train", "--db", db, "--model", "sentences", "--encoder", "nowhere"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("nowhere"));
}

#[test]
fn past_cases_are_replayed_without_a_window() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let (db, answers) = (home.join("team.db"), home.join("answers.csv"));
    let db = text(&db);
    json(&plumb(home, &["moderate", "sandbox", "--db", db, "--json"]));
    let replay = ["moderate", "replay", "--db", db, "--as", "amina", "--cases", "30", "--json"];
    let cases = json(&plumb(home, &replay));
    let cases: Vec<&str> = cases.as_array().unwrap().iter().map(|case| case["id"].as_str().unwrap()).collect();
    assert_eq!(cases.len(), 30);
    let rows = cases.iter().map(|case| format!("{case},remove\n")).collect::<Vec<_>>().concat();
    fs::write(&answers, format!("case,verdict\n{rows}")).unwrap();
    let found = json(&plumb(home, &[&replay[..], &["--answers", text(&answers)]].concat()));
    // Who removes everything agrees with the majority where it removed.
    let removed = found["cases"].as_array().unwrap().iter().filter(|case| {
        let said = case["said"].as_array().unwrap();
        2 * said.iter().filter(|said| said["remove"] == true).count() > said.len()
    });
    assert_eq!(found["standing"]["same"].as_u64().unwrap() as usize, removed.count());
    assert_eq!(found["standing"]["answered"], 30);
    fs::write(&answers, "case,verdict\nw001,perhaps\n").unwrap();
    let refused = plumb(home, &[&replay[..], &["--answers", text(&answers)]].concat());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("neither approve nor remove"));
}
