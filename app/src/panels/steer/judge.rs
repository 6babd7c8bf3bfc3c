//! Who says what is toxic: a menu that stands wherever toxicity is shown or measured.

use egui::{Key, RichText, Role, Ui, WidgetInfo};
use plumb_steer::experiment::Judge;

use super::action::{Action, Work};
use super::state::State;
use crate::theme::UiExt as _;
use crate::widgets::{keep, status};

/// A judge in few words.
pub fn name(judge: &Judge) -> String {
    match judge {
        Judge::Classifier => "classifier".to_owned(),
        Judge::Lexicon => "word list".to_owned(),
        Judge::Bert(source) => {
            let last = source.trim_end_matches('/').rsplit('/').next().unwrap_or(source);
            last.to_owned()
        }
    }
}

/// The menu, and what opening another judge is doing.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    if state.is_world() {
        let text = RichText::new("judge: the world").small().color(ui.tokens().text_weak);
        ui.add(egui::Label::new(text).extend())
            .on_hover_text("In the tiny world it is known which words are rude, so no judge is needed");
        return;
    }
    let now = state.judge_at_work();
    let title = format!("judge: {}", name(&now));
    let menu = ui.menu_button(RichText::new(&title).small(), |ui| {
        ui.set_min_width(260.0);
        for (judge, text, hover) in [
            (Judge::Classifier, "Classifier", "A linear model on pieces of words that ships with Plumb"),
            (Judge::Lexicon, "Word list", "A text counts as rude if any word of a list is in it"),
        ] {
            if ui.radio(now == judge, text).on_hover_text(hover).clicked() {
                actions.push(Action::Judge(judge));
                ui.close();
            }
        }
        ui.separator();
        ui.label("A BERT classifier");
        let edit = egui::TextEdit::singleline(&mut state.judge_field)
            .hint_text("hf:unitary/toxic-bert, or a folder")
            .desired_width(250.0);
        let field = ui.add(edit);
        field.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Classifier's folder or repository"));
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let source = state.judge_field.trim().to_owned();
        ui.horizontal(|ui| {
            let hover = "One of its classes must be called toxic, toxicity, hate or offensive";
            let used = keep::button(ui, !source.is_empty(), "Use it").hover(hover).clicked();
            if (used || entered) && !source.is_empty() {
                actions.push(Action::Judge(Judge::Bert(source.clone())));
                ui.close();
            }
            if ui.button("Choose a folder…").clicked() {
                actions.push(Action::JudgeDialog);
                ui.close();
            }
        });
    });
    menu.response.on_hover_text("Who says what is toxic: in the texts, in Find and in Sweep");
}

/// What opening a judge is doing, and what went wrong with it.
pub fn news(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    if state.judging.is_pending() && status::busy(ui, "Opening the judge", state.judging.progress().as_ref()) {
        actions.push(Action::Stop(Work::Judge));
    }
    if let Some(error) = state.judging.error()
        && status::error_box(ui, "The judge could not be opened", &error.to_string())
    {
        actions.push(Action::Dismiss(Work::Judge));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judges_are_named_shortly() {
        assert_eq!(name(&Judge::Bert("hf:unitary/toxic-bert".to_owned())), "toxic-bert");
        assert_eq!(name(&Judge::Bert("/models/bert/".to_owned())), "bert");
        assert_eq!(name(&Judge::Lexicon), "word list");
    }
}
