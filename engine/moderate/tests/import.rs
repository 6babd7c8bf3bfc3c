//! Files good and bad: good rows are kept, bad ones listed, nothing is done twice, nothing panics.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

use plumb_core::Ctl;
use plumb_moderate::desk::Desk;
use plumb_moderate::import::table::{self, Columns};
use plumb_moderate::import::{into_log::into_log, lewidi, reddit};
use plumb_moderate::store::Memory;
use proptest::prelude::*;

const DICES: &str = "item_id,rater_id,context,response,Q_overall\n\
    1,a,\"Hello, you\",Go away,Yes\n\
    1,b,\"Hello, you\",Go away,No\n\
    2,a,x,Fine,Perhaps\n\
    3,a\n\
    4,b,,\"two\nlines\",Unsure\n";

#[test]
fn a_table_keeps_good_rows_and_lists_bad_ones() {
    let found = table::csv(DICES.as_bytes(), &Columns::dices(), "dices.csv").unwrap();
    assert_eq!(found.items.len(), 2);
    assert_eq!((found.items[0].counts().approve, found.items[0].counts().remove), (1, 1));
    assert_eq!(found.bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [4, 5], "{:?}", found.bad);
    let windows = b"item_id,rater_id,response,Q_overall\r\n1,a,x,Yes\r\n2,a,y,perhaps\r\n";
    assert_eq!(table::csv(windows, &Columns::dices(), "").unwrap().bad[0].line, 3, "lines may end in CR LF");
    let lines = b"{\"item_id\":1,\"rater_id\":\"a\",\"response\":\"x\",\"Q_overall\":\"Yes\"}\n\nnonsense\n[1]\n";
    let found = table::jsonl(lines, &Columns::dices());
    assert_eq!((found.items.len(), found.bad[0].line, found.bad[1].line), (1, 3, 4));
    assert!(table::csv(b"a,b\n", &Columns::dices(), "x.csv").unwrap_err().to_string().contains("item_id"));
}

const REDDIT: &str = r#"{"action":"removecomment","mod":"ann","target_fullname":"t1_a","target_body":"rude","created_utc":5}
{"action":"approvecomment","mod":"bob","target_fullname":"t1_a","target_body":"rude","created_utc":6}
{"action":"approvecomment","mod":"ann","target_fullname":"t1_a","target_body":"rude","created_utc":7.0}
{"action":"removelink","mod":"AutoModerator","target_fullname":"t3_b","created_utc":8}
{"action":"banuser","mod":"ann","created_utc":9}
{"action":"removelink","mod":"ann","created_utc":9}
"#;

#[test]
fn a_moderation_log_counts_the_last_word_and_goes_in_once() {
    let found = reddit::read(REDDIT.as_bytes());
    assert_eq!((found.items.len(), found.items[0].votes.len()), (1, 2));
    assert_eq!(found.items[0].counts().approve, 2, "ann changed her mind");
    assert_eq!(found.bad.len(), 1);
    let mut desk = Desk::open(Memory::default()).unwrap();
    let first = into_log(&mut desk, &found, 0, &Ctl::new(1)).unwrap();
    assert_eq!((first.cases, first.decisions), (1, 2));
    let before = desk.head().clone();
    let again = into_log(&mut desk, &found, 99, &Ctl::new(1)).unwrap();
    assert_eq!((again.cases, again.decisions, again.refused.len()), (0, 0, 0));
    assert_eq!(*desk.head(), before);
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), text in "\\PC{0,200}") {
        let mut csv = DICES.as_bytes()[..40].to_vec();
        csv.extend(&bytes);
        let _ = table::csv(&csv, &Columns::dices(), "x");
        let _ = table::csv(&bytes, &Columns::dices(), "x");
        let _ = table::jsonl(&bytes, &Columns::dices());
        let _ = reddit::read(&bytes);
        let _ = lewidi::read(&text, "x");
    }

    #[test]
    fn damaged_lines_never_lose_the_good_ones(cut in 1_usize..600) {
        let line = REDDIT.lines().next().unwrap();
        let broken: String = REDDIT.chars().take(cut).collect();
        let found = reddit::read(format!("{line}\n{broken}\n{line}").as_bytes());
        prop_assert_eq!(found.items.len(), 1);
    }
}
