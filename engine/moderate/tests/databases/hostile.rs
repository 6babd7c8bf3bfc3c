//! Texts that want to be something else: SQL, markup, formulas, control and bidi characters, a megabyte, in every field.
//! They go in, come out as they were, and change nothing but themselves.

use plumb_moderate::command::{Action, SYSTEM};
use plumb_moderate::desk::Desk;
use plumb_moderate::export::{Export, Format};
use plumb_moderate::model::{Ballot, Case, CaseKind, Choice, Moderator, Policy, Prediction, Reason, Report, Verdict};
use plumb_moderate::queue::{Filter, Queue};
use plumb_moderate::state::Phase;
use plumb_moderate::store::{Memory, Repository as _};

use super::both::{Place, on_both};
use super::{command, names};

on_both!(hostile_text_stays_text, names_that_cannot_be_names_are_refused);

fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "'; DROP TABLE entry; DROP SCHEMA plumb CASCADE; --",
        "\" OR 1=1; UPDATE plumb.ballot SET ballot = '{}' --",
        "$1 $$ \\ \\u0000 \\\\u0000 %s {0} \\x00",
        "<script>alert(1)</script><img src=x onerror=alert(1)>&amp;<!--",
        "=cmd|' /C calc'!A1",
        "+1+1",
        "-1-1",
        "@SUM(1)",
        "\t=1+1",
        "\r=1+1",
        "  =1+1",
        "\n=1+1",
        "\u{202e}gnp.exe\u{202c} \u{2066}x\u{2069} \u{200f}",
        "\0\u{1}\u{7f}\u{9b}31m\u{1b}[31mred\u{1b}[0m\u{7}",
        "{\"kind\":\"decided\",\"case\":\"c0\"}\",\"kind\":\"decided",
        "\u{feff}\u{200b}\u{ad}\u{fdd0}\u{10ffff}",
        "ﷺ 🏳️‍🌈 👩‍👩‍👧‍👦 Z̷͎̈́͝ä̶l̸g̵o אבג عربي",
        "a,b;c\t\"quoted\"\r\nnext line",
        "",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("long text \u{202e}".repeat(80_000));
    texts
}

fn hostile_text_stays_text(place: &impl Place) {
    // Names of roles on the server, too.
    let team = ["h'; DROP ROLE owner; --", "h\"<b>=1", "=h\u{202e}{}\\"].map(str::to_owned);
    place.admit(&team);
    let mut lead = Desk::open(place.lead()).unwrap();
    lead.run(&command("policy", SYSTEM, Action::SetPolicy(Policy { discuss_splits: false, ..Policy::default() })))
        .unwrap();
    for who in &team {
        let moderator = Moderator { id: who.clone(), trainee: false, active: true };
        lead.run(&command(&format!("join {who}"), SYSTEM, Action::SetModerator(moderator))).unwrap();
    }
    let texts = texts();
    for (i, text) in texts.iter().enumerate() {
        // Names are kept short and free of control characters; everything else is as it comes.
        let name: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
        let id = format!("{name}{i}");
        let some = Some(text.clone());
        let case = Case {
            id: id.clone(),
            community: text.clone(),
            kind: CaseKind::Post,
            title: some.clone(),
            body: text.clone(),
            parent_body: some.clone(),
            thread_title: some.clone(),
            author: text.clone(),
            reports: vec![Report { reason: text.clone(), count: u64::MAX }, Report { reason: "x".into(), count: 2 }],
            rule_hints: vec![text.clone()],
            ..Case::default()
        };
        let p = team.iter().map(|who| (who.clone(), 0.5)).collect();
        let prediction = Prediction { model: text.clone(), p, disagreement: Some(0.5), entropy: None, gain: None };
        let actions = [
            Action::Arrive(case.clone()),
            Action::Report(id.clone(), text.clone(), u64::MAX),
            Action::Score(id.clone(), Some(prediction)),
            Action::OpenPanel(id.clone(), Reason::Model, vec![text.clone()]),
        ];
        for (step, action) in actions.into_iter().enumerate() {
            lead.run(&command(&format!("{step} {id}"), SYSTEM, action)).unwrap();
        }
        let note = command(&format!("note {id}"), &team[0], Action::Note(id.clone(), text.clone()));
        Desk::open(place.member(&team[0])).unwrap().run(&note).unwrap();
        // What ends a text for the database is refused in votes, and said; an empty reason is no reason.
        let clean = text.replace('\0', "");
        let rationale = if clean.trim().is_empty() { "no words".to_owned() } else { clean.clone() };
        for who in &team {
            let ballot = Ballot {
                choice: Choice::Remove,
                rule: Some(clean.clone()),
                rationale: rationale.clone(),
                confidence: 5,
            };
            let vote = Action::Vote(format!("{id}/1"), ballot);
            Desk::open(place.member(who)).unwrap().run(&command(&format!("vote {who} {id}"), who, vote)).unwrap();
        }
        lead.refresh().unwrap();
        let state = lead.state().case(&id).unwrap();
        assert_eq!((state.phase, state.decisions[0].verdict), (Phase::Decided, Verdict::Remove), "{id}");
        assert_eq!(Case { reports: Vec::new(), ..state.case.clone() }, Case { reports: Vec::new(), ..case });
        assert_eq!((state.case.reported(), &state.notes[0].1), (u64::MAX, text));
    }
    let again = Desk::open(place.lead()).unwrap();
    assert_eq!(again.state(), lead.state(), "read again, it is what it was");
    lead.verify().unwrap();

    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    lead.repository().backup(&copy).unwrap();
    let mut memory = Memory::default();
    memory.restore(&copy).unwrap();
    assert_eq!(Desk::open(memory).unwrap().state(), lead.state());

    for what in [Export::Decisions, Export::Votes] {
        let write = |format| {
            let mut bytes = Vec::new();
            what.write(lead.state(), format, &mut bytes).unwrap();
            bytes
        };
        let csv = write(Format::Csv);
        let mut rows = 0;
        for row in csv::Reader::from_reader(&csv[..]).records() {
            for cell in &row.unwrap() {
                let first = cell.trim_start_matches([' ', '\u{feff}', '\n', '\r', '\t']).chars().next();
                assert!(
                    !matches!(first, Some('=' | '+' | '-' | '@')),
                    "{:?} would be a formula",
                    &cell[..cell.len().min(40)]
                );
            }
            rows += 1;
        }
        assert_eq!(rows, if what == Export::Votes { 3 * texts.len() } else { texts.len() });
        let lines = String::from_utf8(write(Format::Jsonl)).unwrap();
        let bodies: Vec<String> = lines
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned())
            .collect();
        for text in &texts {
            assert!(bodies.iter().any(|body| body.contains(text.as_str())), "{:?}", &text[..text.len().min(20)]);
        }
    }
    // Searching a megabyte of text is no work.
    let queue = Queue::of(lead.state());
    let start = std::time::Instant::now();
    for text in &texts {
        let needle: String = text.chars().take(40).collect();
        let _ = queue.filter(&Filter { text: needle, ..Filter::default() });
    }
    assert!(start.elapsed().as_secs_f64() < 5.0, "{:?}", start.elapsed());
}

/// Long, empty or unprintable names, and the program's own.
fn names_that_cannot_be_names_are_refused(place: &impl Place) {
    let mut lead = Desk::open(place.lead()).unwrap();
    super::team(&mut lead, &names("hn", 3), 1);
    let head = lead.head().clone();
    for (i, id) in [String::new(), "a\0b".to_owned(), "a\nb".to_owned(), "x".repeat(1001)].into_iter().enumerate() {
        let error = lead.run(&command(&format!("a{i}"), SYSTEM, Action::Arrive(Case { id, ..Case::default() })));
        assert!(error.unwrap_err().to_string().contains("name of a case"));
    }
    for (i, id) in [String::new(), "a\u{7}".to_owned(), "x".repeat(64), SYSTEM.to_owned()].into_iter().enumerate() {
        let moderator = Moderator { id, trainee: false, active: true };
        let error =
            lead.run(&command(&format!("m{i}"), SYSTEM, Action::SetModerator(moderator))).unwrap_err().to_string();
        assert!(error.contains("name of a moderator") || error.contains("nobody may be called"), "{error}");
    }
    // The same name twice: the same case is the same, another one is refused.
    let same = Case { id: "c0".into(), body: "text".into(), ..Case::default() };
    assert!(lead.run(&command("same", SYSTEM, Action::Arrive(same))).unwrap().repeated);
    let other = Case { id: "c0".into(), body: "another text".into(), ..Case::default() };
    let error = lead.run(&command("other", SYSTEM, Action::Arrive(other))).unwrap_err().to_string();
    assert!(error.contains("another case is called"), "{error}");
    let reports = [Action::Report("c0".into(), "rude".into(), 1)].into_iter().cycle().take(3).enumerate();
    let commands: Vec<_> = reports.map(|(i, action)| command(&format!("r{i}"), SYSTEM, action)).collect();
    assert!(lead.run_all(&commands).unwrap().is_empty());
    assert_eq!(lead.state().case("c0").unwrap().case.reported(), 3);
    assert_eq!(lead.head().seq, head.seq + 3, "nothing that was refused left a trace");
    lead.verify().unwrap();
}
