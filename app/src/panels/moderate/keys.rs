//! Single keys of the queue. They are not in the table of commands, because they mean something only while the queue is
//! on screen and nothing is being typed; the help page lists all of them.

use egui::{Key, Modifiers, Ui};

use super::action::Action;
use super::state::{Asking, State, Tab};

/// A key, how it is written, what it does.
pub type Binding = (Key, &'static str, Action, &'static str);

/// All of them.
pub const BINDINGS: &[Binding] = &[
    (Key::J, "j", Action::Step(1), "next case"),
    (Key::K, "k", Action::Step(-1), "previous case"),
    (Key::A, "a", Action::Approve, "approve"),
    (Key::R, "r", Action::Remove, "remove, then the rule by its number"),
    (Key::P, "p", Action::Panel, "ask for a panel"),
    (Key::E, "e", Action::Escalate, "escalate to the whole team"),
    (Key::U, "u", Action::Undo, "undo"),
    (Key::N, "n", Action::Note, "note"),
    (Key::L, "l", Action::Appeal, "enter an appeal"),
    (Key::S, "s", Action::Skip, "skip"),
    (Key::T, "t", Action::Return, "return to what was skipped"),
    (Key::V, "v", Action::Reveal, "show hidden text"),
    (Key::M, "m", Action::Mark, "mark for doing the same to many"),
    (Key::C, "c", Action::Bucket(super::state::Bucket::Review), "change the list: review, panels, decided, all"),
    (Key::W, "w", Action::Why, "write the reason of a vote"),
    (Key::O, "o", Action::Abstain, "abstain from a vote"),
    (Key::Slash, "/", Action::Search, "search"),
];

/// The keys of the rule picker and of confidence.
pub const DIGITS: [Key; 10] =
    [Key::Num0, Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];

/// How a key is written, for buttons.
pub fn written(action: &Action) -> &'static str {
    BINDINGS.iter().find(|(_, _, bound, _)| bound == action).map_or("", |(_, text, ..)| text)
}

/// Take the keys that were pressed.
pub fn read(ui: &Ui, state: &State, actions: &mut Vec<Action>) {
    if egui::Popup::is_any_open(ui.ctx()) || state.opened.is_none() {
        return;
    }
    let take = |modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
    let asking = state.asking != Asking::Nothing;
    if asking && take(Modifiers::NONE, Key::Escape) {
        actions.push(Action::Leave);
        return;
    }
    if ui.ctx().text_edit_focused() {
        if state.settings.tab == Tab::Queue && take(Modifiers::SHIFT, Key::Enter) {
            let words = matches!(state.asking, Asking::Note(_) | Asking::Appeal(_));
            actions.push(if words { Action::SaveWords } else { Action::Cast });
        }
        return;
    }
    if ui.input(|input| input.modifiers.command || input.modifiers.alt) {
        return;
    }
    if state.settings.tab == Tab::Queue && take(Modifiers::SHIFT, Key::Enter) {
        actions.push(Action::Cast);
        return;
    }
    match state.settings.tab {
        Tab::Queue => queue(state, take, actions),
        Tab::Onboarding => {
            for (key, answer) in [(Key::A, false), (Key::R, true)] {
                if take(Modifiers::NONE, key) {
                    actions.push(Action::Answer(answer));
                }
            }
            if take(Modifiers::NONE, Key::J) {
                actions.push(Action::NextLesson);
            }
        }
        _ => {}
    }
}

fn queue(state: &State, take: impl Fn(Modifiers, Key) -> bool, actions: &mut Vec<Action>) {
    for (number, key) in DIGITS.iter().enumerate() {
        if !take(Modifiers::NONE, *key) {
            continue;
        }
        if matches!(state.asking, Asking::Rule(_)) {
            // 1 to 9, then 0 for the tenth.
            actions.push(Action::Rule(Some(if number == 0 { 9 } else { number - 1 })));
        } else if (1..=5).contains(&number) {
            actions.push(Action::Confidence(number as u8));
        }
    }
    if let Asking::Bulk(bulk) = state.asking
        && take(Modifiers::NONE, Key::Enter)
    {
        actions.push(Action::BulkNow(bulk));
        return;
    }
    if matches!(state.asking, Asking::Rule(_)) && take(Modifiers::NONE, Key::X) {
        actions.push(Action::Rule(None));
        return;
    }
    if take(Modifiers::SHIFT, Key::M) {
        actions.push(Action::MarkAll);
    }
    for (key, _, action, _) in BINDINGS {
        if take(Modifiers::NONE, *key) {
            actions.push(match action {
                Action::Bucket(_) => Action::Bucket(state.settings.bucket.next()),
                other => other.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_and_the_help_page_lists_all() {
        let help = include_str!("help.md");
        for (i, (key, text, _, what)) in BINDINGS.iter().enumerate() {
            assert!(BINDINGS[..i].iter().all(|(other, ..)| other != key), "{text} is bound twice");
            let line = format!("| {text} | {what} |");
            assert!(help.contains(&line), "the help page lacks “{line}”");
        }
    }
}
