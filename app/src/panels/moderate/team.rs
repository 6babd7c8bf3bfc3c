//! Who is on the team, for those who lead: joining, leaving, trainees, and passwords where the database asks for them.

use egui::{RichText, Role, Ui, WidgetInfo};
use plumb_core::Lane;
use plumb_moderate::workplace::{Member, TeamJob};

use super::action::{Action, Work};
use super::data::field;
use super::state::State;
use crate::shell::panel::PanelCx;
use crate::theme::{UiExt as _, semibold};
use crate::widgets::badge::{Mark, Tone, badge};
use crate::widgets::{format, status};

impl State {
    /// Change the team.
    pub fn change_team(&mut self, member: Member, cx: &PanelCx<'_>) {
        let Some(opened) = &self.opened else { return };
        self.counter += 1;
        let key = format!("team {} {} {}", member.name, format::clock_millis(), self.counter);
        let job = TeamJob { work: opened.work.clone(), member, now: format::clock(), key };
        self.joining.request(cx.engine, Lane::Store, cx.settings.seed, job);
    }
}

/// Draw the section.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let Some(board) = state.board.clone() else { return };
    ui.label(semibold("Team").color(tokens.text_strong));
    for one in &board.team {
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(&one.id).color(if one.active { tokens.text } else { tokens.text_weak }));
            if !one.active {
                badge(ui, Mark::Disc, Tone::Plain, "left");
            } else if one.trainee {
                badge(ui, Mark::Disc, Tone::Changed, "trainee");
            }
            let as_is = Member { name: one.id.clone(), trainee: one.trainee, active: one.active, ..Member::default() };
            let mut change = |ui: &mut Ui, text: &str, hover: &str, member: Member| {
                let button = ui.button(RichText::new(text).small());
                button.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{text}: {}", one.id)));
                if button.on_hover_text(hover).clicked() {
                    actions.push(Action::Team(Box::new(member)));
                }
            };
            if one.active {
                let (text, hover) = if one.trainee {
                    ("Full member", "Their votes count and they decide alone")
                } else {
                    ("Trainee", "Votes in the shadow of panels and decides nothing; open seats go to others")
                };
                change(ui, text, hover, Member { trainee: !one.trainee, ..as_is.clone() });
                change(ui, "Leaves", "Open seats go to others; what they did stays", Member { active: false, ..as_is });
            } else {
                change(ui, "Comes back", "Is drawn for panels again", Member { active: true, ..as_is });
            }
        });
    }
    if board.team.is_empty() {
        status::note(ui, "Nobody is on the team: nobody can decide or sit on a panel.");
    }
    ui.add_space(4.0);
    let accounts = state.opened.as_ref().is_some_and(|opened| opened.accounts);
    ui.horizontal_wrapped(|ui| {
        field(ui, "Name of the member", "Name", &mut state.member.name, false, 160.0);
        if accounts {
            field(
                ui,
                "Password of the member",
                "Password, 8 characters or more",
                &mut state.member.password,
                true,
                200.0,
            );
            ui.checkbox(&mut state.member.lead, "leads").on_hover_text("May change the team, its rules and import");
        }
        ui.checkbox(&mut state.member.trainee, "trainee");
        let ready = !state.member.name.trim().is_empty() && !state.joining.is_pending();
        if ui.add_enabled(ready, egui::Button::new("Add to the team")).clicked() {
            let member = Member { active: true, ..state.member.clone() };
            actions.push(Action::Team(Box::new(member)));
        }
    });
    if accounts {
        let text = "A name that is on the team already gets the new password and role. On PostgreSQL only the owner of the database adds people; each gets a database role of their own.";
        ui.add(egui::Label::new(RichText::new(text).small().color(tokens.text_weak)).wrap());
    }
    if let Some(error) = state.joining.error()
        && status::error_box(ui, "The team was not changed", &error.to_string())
    {
        actions.push(Action::Dismiss(Work::Team));
    }
    ui.add_space(12.0);
}
