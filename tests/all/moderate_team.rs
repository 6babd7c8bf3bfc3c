//! The Moderate tab on a team's own log: signing in, importing with columns named by hand, replaying past cases, appeals,
//! notes taken back, and what others do meanwhile.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::Workbench;
use plumb_moderate::command::{Action, Command, SYSTEM};
use plumb_moderate::desk::Desk;
use plumb_moderate::model::{Case, Moderator, Reason};
use plumb_moderate::session::Session;
use plumb_moderate::state::{Phase, State};
use plumb_moderate::store::Sqlite;

use super::moderate::{count, press, sandbox, selected, settle, state, typed};
use super::open::{command, open, workbench};
use super::workbench::labels;

const LARGE: [f32; 2] = [1400.0, 900.0];

fn said(harness: &Harness<'_, Workbench>, text: &str) {
    assert!(!labels(harness, text).is_empty(), "“{text}” is not among {:?}", labels(harness, ""));
}

fn click(harness: &mut Harness<'_, Workbench>, label: &str) {
    harness.get_by_label(label).click();
    settle(harness);
}

/// Write into a field, over what is in it.
fn fill(harness: &mut Harness<'_, Workbench>, field: &str, text: &str) {
    harness.get_by_label(field).focus();
    harness.run();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    typed(harness, text);
}

fn command_of(key: &str, action: Action) -> Command {
    Command { key: key.to_owned(), actor: SYSTEM.to_owned(), at: 1_788_220_800, expect: None, action }
}

fn desk(path: &Path) -> Desk<Sqlite> {
    Desk::open(Sqlite::create(path).unwrap()).unwrap()
}

/// A team of three with one case.
fn team(path: &Path) {
    let mut desk = desk(path);
    for id in ["lee", "mo", "pat"] {
        let moderator = Moderator { id: id.to_owned(), trainee: false, active: true };
        desk.run(&command_of(id, Action::SetModerator(moderator))).unwrap();
    }
    arrive(&mut desk, "t1");
}

fn arrive(desk: &mut Desk<Sqlite>, id: &str) {
    arrive_with(desk, id, &format!("the text of {id}"));
}

fn arrive_with(desk: &mut Desk<Sqlite>, id: &str, text: &str) {
    let case = Case { id: id.to_owned(), body: text.to_owned(), author: "sam".to_owned(), ..Case::default() };
    for (step, action) in [
        ("arrive", Action::Arrive(case)),
        ("score", Action::Score(id.to_owned(), None)),
        ("solo", Action::Solo(id.to_owned())),
    ] {
        desk.run(&command_of(&format!("{step} {id}"), action)).unwrap();
    }
}

#[test]
fn past_cases_are_replayed_as_a_queue_and_the_teams_log_stays_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = sandbox(home.path(), ThemeChoice::Dark, LARGE);
    let (before, waiting) = (state(home.path()), count(&harness, "Review"));
    command(&mut harness, "moderate.onboarding");
    click(&mut harness, "Begin replay");
    assert_eq!(count(&harness, "Review"), 40);
    let mut same = 0;
    let mut majorities = 0;
    for i in 0..10 {
        let case = selected(&harness);
        let known = &before.cases[&case];
        assert_eq!(known.phase, Phase::Applied, "{case} is a past case");
        assert!(labels(&harness, "You: ").is_empty(), "the team's judgement is not shown before one's own");
        let remove = i % 2 == 0;
        press(&mut harness, if remove { Key::R } else { Key::A });
        if remove {
            press(&mut harness, Key::Num1);
        }
        said(&harness, if remove { "You: remove" } else { "You: approve" });
        let votes = plumb_moderate::past::item(&before, known).votes;
        for vote in &votes {
            said(&harness, &vote.moderator);
        }
        // In the sandbox a past case has one vote or three, so there is always a majority.
        majorities += 1;
        same += usize::from((2 * votes.iter().filter(|vote| vote.remove).count() > votes.len()) == remove);
        said(&harness, &format!("{} of 40 judged, {same} of {majorities} with the majority", i + 1));
        press(&mut harness, Key::J);
    }
    press(&mut harness, Key::P);
    said(&harness, "A replay has no panels");
    press(&mut harness, Key::U);
    said(&harness, "9 of 40 judged");
    command(&mut harness, "moderate.onboarding");
    said(&harness, "Show: How you do");
    said(&harness, "With the majority: ");
    click(&mut harness, "End replay");
    command(&mut harness, "moderate.queue");
    assert_eq!(count(&harness, "Review"), waiting);
    assert_eq!(state(home.path()), before, "nothing entered the team's log");
}

#[test]
fn an_appeal_goes_to_others_and_appeals_and_notes_are_taken_back() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = sandbox(home.path(), ThemeChoice::Dark, LARGE);
    command(&mut harness, "moderate.list_decided");
    let case = selected(&harness);
    press(&mut harness, Key::L);
    typed(&mut harness, "it was a quotation");
    harness.key_press_modifiers(Modifiers::SHIFT, Key::Enter);
    settle(&mut harness);
    let known = state(home.path());
    let appealed = &known.cases[&case];
    assert_eq!((appealed.phase, appealed.notes.len()), (Phase::PanelBlind, 1));
    let panel = &known.panels[appealed.panels.last().unwrap()];
    assert_eq!(panel.reason, Reason::Appeal);
    let judges: Vec<&String> = appealed.decisions.iter().map(|decision| &decision.by).collect();
    assert!(panel.members.iter().all(|member| !judges.contains(&member)), "{judges:?} judged it before");
    said(&harness, "The author appealed.");
    press(&mut harness, Key::U);
    let back = state(home.path());
    assert_eq!((back.cases[&case].phase, back.cases[&case].notes.len()), (Phase::Applied, 0));
    assert!(back.seq > known.seq, "by events, not by forgetting");

    press(&mut harness, Key::N);
    typed(&mut harness, "ask first");
    harness.key_press_modifiers(Modifiers::SHIFT, Key::Enter);
    settle(&mut harness);
    assert_eq!(state(home.path()).cases[&case].notes.len(), 1);
    click(&mut harness, "Take back note: ask first");
    assert!(state(home.path()).cases[&case].notes.is_empty());
    assert!(labels(&harness, "Take back note").is_empty());
}

const TABLE: &str = "post,who,said,ruling,when\n\
    a1,lee,\"first text, with a comma\",bad,1000\n\
    a1,mo,\"first text, with a comma\",fine,1001\n\
    a2,pat,second text,fine,1002\n\
    a3,lee,third text,perhaps,1003\n";

#[test]
fn a_table_is_imported_with_its_columns_named_by_hand() {
    let home = tempfile::tempdir().unwrap();
    let (db, table) = (home.path().join("team.db"), home.path().join("rulings.csv"));
    std::fs::write(&table, TABLE).unwrap();
    drop(desk(&db));
    let mut harness = workbench(home.path(), ThemeChoice::Light, LARGE, vec![Some(table)]);
    open(&mut harness, &db);
    command(&mut harness, "moderate.data");
    click(&mut harness, "Choose a file…");
    assert!(labels(&harness, "Import 3 cases").is_empty());
    for (name, column) in
        [("Case", "post"), ("Moderator", "who"), ("Text", "said"), ("Verdict", "ruling"), ("Time", "when")]
    {
        harness.get_by_label_contains(&format!("Column for {name}: ")).click();
        settle(&mut harness);
        // The list is drawn last, over everything else.
        let choices: Vec<_> = harness.query_all_by_label(column).collect();
        choices.last().unwrap().click();
        drop(choices);
        settle(&mut harness);
    }
    fill(&mut harness, "Values that remove", "bad");
    fill(&mut harness, "Values that approve", "fine");
    said(&harness, "3 judgements by 3 moderators on 2 cases");
    said(&harness, "1 row would be left out");
    said(&harness, "line 5: ");
    click(&mut harness, "Import 2 cases");
    said(&harness, "Imported: 2 cases new, 3 decisions new, 1 row refused.");
    let log: State = desk(&db).state().clone();
    assert_eq!((log.cases.len(), log.moderators.len()), (2, 1), "whoever began the file is on the team");
    assert_eq!(log.cases["a1"].case.body, "first text, with a comma");
    let votes = plumb_moderate::past::item(&log, &log.cases["a1"]).votes;
    assert_eq!(
        votes.iter().map(|vote| (vote.remove, vote.at)).collect::<Vec<_>>(),
        [(true, Some(1000)), (false, Some(1001))]
    );
    click(&mut harness, "Import 2 cases");
    said(&harness, "Imported: 0 cases new, 0 decisions new");
    assert_eq!(desk(&db).state().seq, log.seq, "a second time changes nothing");
}

#[test]
fn a_moderator_signs_in_with_a_password_and_does_what_moderators_may() {
    let home = tempfile::tempdir().unwrap();
    let db: PathBuf = home.path().join("team.db");
    team(&db);
    let mut lead = Session::found(Sqlite::create(&db).unwrap(), "lee", "long enough").unwrap();
    lead.set_password("mo", "another secret", false).unwrap();
    drop(lead);
    let mut harness = workbench(home.path(), ThemeChoice::Dark, LARGE, Vec::new());
    command(&mut harness, "moderate.sandbox");
    command(&mut harness, "moderate.data");
    let address = db.display().to_string();
    for password in ["wrong as can be", "another secret"] {
        fill(&mut harness, "Database", &address);
        fill(&mut harness, "Your name", "mo");
        fill(&mut harness, "Password", password);
        press(&mut harness, Key::Enter);
        if password.starts_with("wrong") {
            said(&harness, "The database could not be opened");
            said(&harness, "made up");
        }
    }
    command(&mut harness, "moderate.queue");
    assert!(labels(&harness, "Signed in as").is_empty(), "nobody takes another's place here");
    assert_eq!(count(&harness, "Review"), 1);
    press(&mut harness, Key::A);
    let log = desk(&db).state().clone();
    assert_eq!(log.cases["t1"].decisions[0].by, "mo");
    command(&mut harness, "moderate.data");
    said(&harness, "Only those who lead the team import.");
}

#[test]
fn a_team_is_made_in_the_window_and_its_member_signs_in() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("new.db").display().to_string();
    let mut harness = workbench(home.path(), ThemeChoice::Light, LARGE, Vec::new());
    command(&mut harness, "moderate.sandbox");
    let sign_in = |harness: &mut Harness<'_, Workbench>, name: &str, password: &str| {
        command(harness, "moderate.data");
        fill(harness, "Database", &db);
        fill(harness, "Your name", name);
        fill(harness, "Password", password);
    };
    sign_in(&mut harness, "lee", "long enough");
    click(&mut harness, "Open and make the first account");
    command(&mut harness, "moderate.data");
    said(&harness, "Leaves: lee");
    fill(&mut harness, "Name of the member", "mo");
    fill(&mut harness, "Password of the member", "short");
    click(&mut harness, "Add to the team");
    said(&harness, "The team was not changed");
    fill(&mut harness, "Name of the member", "mo");
    fill(&mut harness, "Password of the member", "another secret");
    click(&mut harness, "Add to the team");
    said(&harness, "Leaves: mo");
    click(&mut harness, "Trainee: mo");
    assert!(desk(Path::new(&db)).state().moderators["mo"].trainee);
    click(&mut harness, "Full member: mo");
    sign_in(&mut harness, "mo", "another secret");
    press(&mut harness, Key::Enter);
    command(&mut harness, "moderate.data");
    said(&harness, "Only those who lead the team import.");
    assert!(labels(&harness, "Add to the team").is_empty());
    let log = desk(Path::new(&db)).state().clone();
    assert_eq!(log.moderators.values().filter(|one| one.active && !one.trainee).count(), 2);
}

#[test]
fn what_others_do_appears_without_asking() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("team.db");
    team(&db);
    let mut harness = workbench(home.path(), ThemeChoice::Dark, LARGE, Vec::new());
    open(&mut harness, &db);
    command(&mut harness, "moderate.queue");
    assert_eq!(count(&harness, "Review"), 1);
    let mut other = desk(&db);
    std::thread::sleep(Duration::from_millis(1500));
    arrive(&mut other, "t2");
    let start = Instant::now();
    while count(&harness, "Review") < 2 {
        assert!(start.elapsed() < Duration::from_secs(20), "it comes in time");
        std::thread::sleep(Duration::from_millis(50));
        harness.step();
    }
    said(&harness, "Case t2");
}

/// Written for this test: from right to left with names, numbers and emoji in between, on one line and on several.
const ELSEWHERE: [(&str, &str); 4] = [
    (
        "ar",
        "قال @sam إن النسخة 2.5 أفضل من version 3 🤣👍🏽 وهذا غير صحيح، لأن النسخة الجديدة تعمل بشكل أسرع على كل جهاز جربته حتى الآن.\nمن يكتب هذا لم يقرأ القواعد 🙄",
    ),
    ("he", "התגובה הזאת לא שייכת לנושא, ראו את הקישור example.com/rules 🤬🤡"),
    ("en", "👨‍👩‍👧 🖕🏿 🤦‍♀️ 🇩🇪 🏳️‍🌈 1️⃣ 🥺 emoji that a moderator has to tell apart"),
    ("mixed", "The sign says “ممنوع الدخول”, which means no entry."),
];

fn elsewhere(name: &str, theme: ThemeChoice) {
    plumb::widgets::format::hide_what_varies();
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("team.db");
    team(&db);
    let mut log = desk(&db);
    for (id, text) in ELSEWHERE {
        arrive_with(&mut log, id, text);
    }
    drop(log);
    // This window fails where a character is missing from the fonts that ship.
    let mut harness = workbench(home.path(), theme, super::pictures::LARGE, Vec::new());
    open(&mut harness, &db);
    command(&mut harness, "moderate.queue");
    harness.snapshot(name);
}

#[test]
fn moderate_scripts_light() {
    elsewhere("moderate-scripts-light", ThemeChoice::Light);
}

#[test]
fn moderate_replay_dark() {
    plumb::widgets::format::hide_what_varies();
    let home = tempfile::tempdir().unwrap();
    let mut harness = sandbox(home.path(), ThemeChoice::Dark, super::pictures::LARGE);
    command(&mut harness, "moderate.onboarding");
    click(&mut harness, "Begin replay");
    press(&mut harness, Key::A);
    harness.snapshot("moderate-replay-dark");
}
