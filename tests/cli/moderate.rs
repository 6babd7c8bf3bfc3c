//! `plumb moderate`: from the practice community to panels, and the figures of a data set.

use std::collections::BTreeSet;
use std::fs;

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
