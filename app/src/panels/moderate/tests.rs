//! The panel's state without a window.

use plumb_moderate::model::Choice;
use plumb_moderate::state::Phase;

use super::state::{Blur, Bucket, Draft, State};

#[test]
fn every_phase_is_in_exactly_one_part_of_the_queue() {
    use Phase::{Appealed, Applied, Decided, Escalated, New, PanelBlind, PanelOpen, Scored, Solo};
    for phase in [New, Scored, Solo, PanelBlind, PanelOpen, Escalated, Decided, Applied, Appealed] {
        let parts = [Bucket::Review, Bucket::Panels, Bucket::Decided];
        assert_eq!(parts.iter().filter(|part| part.phases().contains(&phase)).count(), 1, "{phase:?}");
    }
}

#[test]
fn a_vote_needs_a_choice_and_a_reason_unless_it_abstains() {
    let mut draft = Draft::of("a/1");
    assert!(!draft.ready());
    draft.choice = Some(Choice::Remove);
    draft.rationale = "  ".to_owned();
    assert!(!draft.ready());
    "It insults.".clone_into(&mut draft.rationale);
    assert!(draft.ready());
    let abstains = Draft { choice: Some(Choice::Abstain), ..Draft::of("a/1") };
    assert!(abstains.ready());
}

#[test]
fn a_revealed_text_stays_revealed_and_the_switch_is_obeyed() {
    let mut state = State::default();
    assert!(state.hides("a", 0.9) && !state.hides("a", 0.1));
    state.settings.blur = Blur::All;
    assert!(state.hides("a", 0.0));
    state.revealed.insert("a".to_owned());
    assert!(!state.hides("a", 0.9) && state.hides("b", 0.0));
    state.settings.blur = Blur::Off;
    assert!(!state.hides("b", 1.0));
}
