//! What goes out comes back: exports, formulas, watched folders, and imports that change nothing twice.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

use plumb_core::{Ctl, Job as _};
use plumb_moderate::desk::Desk;
use plumb_moderate::export::{Export, Format as Written};
use plumb_moderate::import::file::{self, Format, guess};
use plumb_moderate::import::into_log::into_log;
use plumb_moderate::import::table::{self, Columns};
use plumb_moderate::import::{Imported, Item, LoggedVote};
use plumb_moderate::job::{ExportJob, ImportJob, Place, WatchJob};
use plumb_moderate::model::Case;
use plumb_moderate::past;
use plumb_moderate::store::Memory;
use proptest::prelude::*;

fn filled(items: Vec<Item>) -> Desk<Memory> {
    let mut desk = Desk::open(Memory::default()).unwrap();
    into_log(&mut desk, &Imported { items, bad: Vec::new() }, 0, &Ctl::new(1)).unwrap();
    desk
}

fn item(id: &str, body: &str, votes: &[(&str, bool)]) -> Item {
    let vote = |(who, remove): &(&str, bool)| LoggedVote { moderator: (*who).to_owned(), remove: *remove, at: Some(7) };
    let case =
        Case { id: id.to_owned(), body: body.to_owned(), community: "c".to_owned(), created_at: 7, ..Case::default() };
    Item { case, votes: votes.iter().map(vote).collect() }
}

fn written(desk: &Desk<Memory>, what: Export, format: Written) -> String {
    let mut bytes = Vec::new();
    what.write(desk.state(), format, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn formulas_are_defused_in_csv_only() {
    let desk = filled(vec![item("=cmd|' /C calc'!A1", "@SUM(1+1)", &[("+a", true), ("b", false)])]);
    for what in [Export::Decisions, Export::Votes, Export::Splits] {
        let csv = written(&desk, what, Written::Csv);
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert!(!rows.is_empty());
        for cell in rows.iter().flatten() {
            assert!(!cell.starts_with(['=', '+', '@', '\t', '-']), "{cell} in {csv}");
        }
        assert!(written(&desk, what, Written::Jsonl).contains("\"=cmd|"));
    }
}

/// What a row says of a case.
fn essence(items: &[Item]) -> Vec<(String, String, Vec<LoggedVote>)> {
    items.iter().map(|item| (item.case.id.clone(), item.case.body.clone(), item.votes.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any text, name and verdict survives export and import in both formats, and a second import changes nothing.
    #[test]
    fn votes_come_back(
        texts in prop::collection::vec(("[=+@'\"a-z\\-][^\0]{0,20}", "['=+@a-zא-ת][ -~]{0,8}", any::<bool>(), any::<bool>()), 1..8)
    ) {
        let items: Vec<Item> = texts
            .iter()
            .enumerate()
            .map(|(i, (body, who, a, b))| item(&format!("{i}"), body, &[(who.trim(), *a), ("second", *b)]))
            .collect();
        let desk = filled(items);
        let before = past::items(desk.state());
        for format in [Written::Csv, Written::Jsonl] {
            let text = written(&desk, Export::Votes, format);
            let found = match format {
                Written::Csv => table::csv(text.as_bytes(), &Columns::own(), "x").unwrap(),
                Written::Jsonl => table::jsonl(text.as_bytes(), &Columns::own()),
            };
            prop_assert!(found.bad.is_empty(), "{:?}", found.bad);
            let mut other = Desk::open(Memory::default()).unwrap();
            into_log(&mut other, &found, 0, &Ctl::new(1)).unwrap();
            prop_assert_eq!(essence(&past::items(other.state())), essence(&before));
            let seq = other.head().seq;
            into_log(&mut other, &found, 9, &Ctl::new(1)).unwrap();
            prop_assert_eq!(other.head().seq, seq);
        }
    }
}

#[test]
fn a_later_log_adds_what_is_new_and_an_edited_text_is_refused() {
    let mut desk = filled(vec![item("1", "x", &[("a", true)])]);
    let mut later = item("1", "x", &[("a", false), ("b", true)]);
    later.votes.iter_mut().for_each(|vote| vote.at = Some(9));
    let found = Imported { items: vec![later, item("1", "y", &[])], bad: Vec::new() };
    let done = into_log(&mut desk, &found, 0, &Ctl::new(1)).unwrap();
    assert_eq!((done.cases, done.decisions, done.refused.len()), (0, 2, 1), "{done:?}");
    assert_eq!(done.refused[0].line, 2);
    let votes = &past::items(desk.state())[0].votes;
    assert_eq!(votes.len(), 2);
    assert!(!votes.iter().find(|vote| vote.moderator == "a").unwrap().remove, "a's last word");
}

#[test]
fn reported_items_of_reddit_wait_and_new_reports_are_added() {
    let listing = |count: u32| {
        format!(
            "{{\"kind\":\"t1\",\"data\":{{\"name\":\"t1_a\",\"body\":\"rude\",\"subreddit\":\"s\",\"author\":\"u\",\"created_utc\":5.0,\
             \"user_reports\":[[\"spam\",{count},false,true]],\"mod_reports\":[[\"civility\",\"ann\"]]}}}}\n"
        )
    };
    assert_eq!(guess(listing(2).as_bytes()), Format::Reddit);
    let mut desk = filled(Vec::new());
    let import = |desk: &mut Desk<Memory>, count| {
        let found = plumb_moderate::import::reddit::read(listing(count).as_bytes());
        assert!(found.bad.is_empty(), "{:?}", found.bad);
        into_log(desk, &found, 0, &Ctl::new(1)).unwrap()
    };
    assert_eq!(import(&mut desk, 2).cases, 1);
    assert_eq!(import(&mut desk, 2).reports, 0);
    assert_eq!(import(&mut desk, 5).reports, 3);
    let case = &desk.state().cases["t1_a"].case;
    assert_eq!(case.reports.iter().map(|report| report.count).sum::<u64>(), 6);
}

#[test]
fn formats_and_columns_are_found_out() {
    assert_eq!(guess(b"{\"1\": {\"text\": \"x\", \"annotators\": \"a\", \"annotations\": \"1\"}}"), Format::Jsonl);
    assert_eq!(guess(b"{\n \"1\": {\n  \"annotators\": \"a\"}}"), Format::Lewidi);
    assert_eq!(guess(b"{\"action\":\"removelink\",\"mod\":\"a\"}\n"), Format::Reddit);
    assert_eq!(guess("\u{feff}item_id,rater_id,x\n".as_bytes()), Format::Dices);
    assert_eq!(guess(b"a,b\n"), Format::Csv);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    std::fs::write(&path, "Comment_ID,Worker_ID,Comment,Label,noise\n1,a,hello,1,\n1,b,hello,0,\n2,a,=x,maybe,\n")
        .unwrap();
    let found = file::preview(&path, Format::Auto, None, 5).unwrap();
    assert_eq!((found.cases, found.votes, found.bad_rows, found.moderators), (1, 2, 1, 2), "{found:?}");
    assert_eq!(found.columns.unwrap().verdict, "Label");
    let missing = Columns { text: "Body".to_owned(), ..Columns::own() };
    assert!(file::preview(&path, Format::Auto, Some(&missing), 5).unwrap().problem.is_some());
    assert!(file::read(&folder.path().join("none.csv"), Format::Auto, None).is_err());
}

#[test]
fn jobs_import_watch_and_export() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let place = Place { db: folder.path().join("a.db").to_str().unwrap().to_owned(), ..Place::default() };
    let csv = "case,moderator,verdict,text\n1,a,remove,one\n1,b,approve,one\n2,a,perhaps,two\n";
    std::fs::write(inbox.join("log.csv"), csv).unwrap();
    std::fs::write(inbox.join("bad.csv"), "nothing,here\n1,2\n").unwrap();
    let watch = WatchJob {
        place: place.clone(),
        folder: inbox.clone(),
        format: Format::Auto,
        columns: None,
        pause: 0.01,
        looks: Some(3),
        now: 0,
    };
    let ctl = Ctl::new(1);
    let done = watch.run(&ctl).unwrap();
    assert_eq!((done.len(), done[0].summary.cases, done[0].bad[0].line), (1, 1, 4));
    assert!(ctl.warnings().iter().any(|warning| warning.place.ends_with("bad.csv")), "{:?}", ctl.warnings());
    let files = vec![inbox.join("log.csv")];
    let import = ImportJob { place: place.clone(), files, format: Format::Auto, columns: None, now: 0 };
    let again = import.run(&Ctl::new(1)).unwrap();
    assert_eq!((again[0].summary.cases, again[0].summary.decisions), (0, 0));
    let out = folder.path().join("out.csv");
    let export = ExportJob { place, what: Export::Votes, format: Written::Csv, out: out.clone(), now: 0 };
    assert_eq!(export.run(&Ctl::new(1)).unwrap(), 2);
    assert_eq!(file::read(&out, Format::Auto, None).unwrap().items[0].votes.len(), 2);
}
