//! Messages on screen: cards at the lower right, and the history.

use std::time::{Instant, SystemTime};

use egui::{
    Align, Align2, Area, Color32, Context, Frame, Label, Layout, Margin, Order, RichText, ScrollArea, Ui, vec2,
};

use crate::shell::notify::{Level, Notice, Notifications};
use crate::theme::{Icon, Tokens, UiExt as _};
use crate::widgets::scroll;

/// At most this many cards are up.
const CARDS: usize = 4;

fn look(level: Level, tokens: &Tokens) -> (Icon, Color32) {
    match level {
        Level::Info => (Icon::Info, tokens.accent),
        Level::Success => (Icon::Success, tokens.success),
        Level::Warning => (Icon::Warning, tokens.warning),
        Level::Error => (Icon::Error, tokens.danger),
    }
}

/// The cards that are up.
pub fn show(ctx: &Context, notifications: &mut Notifications) {
    let up: Vec<Notice> = notifications.all().iter().rev().filter(|notice| notice.card).take(CARDS).cloned().collect();
    if up.is_empty() {
        return;
    }
    let tokens = ctx.tokens();
    let window = ctx.input(egui::InputState::viewport_rect);
    let width = 360.0_f32.min(window.width() - 32.0);
    let mut away = None;
    let area = Area::new(egui::Id::unique("toasts"))
        .order(Order::Foreground)
        .anchor(Align2::RIGHT_BOTTOM, vec2(-12.0, -40.0))
        .show(ctx, |ui| {
            ui.spacing_mut().item_spacing.y = tokens.space_3;
            for notice in up.iter().rev() {
                let (icon, color) = look(notice.level, tokens);
                Frame::popup(ui.style())
                    .fill(tokens.surface_raised)
                    .corner_radius(6)
                    .inner_margin(Margin::same(10))
                    .show(ui, |ui| {
                        ui.set_width(width - 22.0);
                        ui.horizontal_top(|ui| {
                            icon.show(ui, 16.0, color, notice.level.word());
                            let text_width = ui.available_width() - 34.0;
                            ui.vertical(|ui| {
                                ui.set_width(text_width);
                                let text = Label::new(RichText::new(&notice.text).color(tokens.text)).wrap();
                                let response = ui.add(text);
                                let level = notice.level.word();
                                response.widget_info(|| {
                                    egui::WidgetInfo::labeled(
                                        egui::Role::Alert,
                                        true,
                                        format!("{level}: {}", notice.text),
                                    )
                                });
                            });
                            if Icon::Close.button(ui, "Put this message away").clicked() {
                                away = Some(notice.id);
                            }
                        });
                    });
            }
        });
    if area.response.contains_pointer() {
        notifications.hold(Instant::now());
    }
    if let Some(id) = away {
        notifications.put_away(id);
    }
}

/// Every message since the start, newest first.
pub fn history(ui: &mut Ui, notifications: &mut Notifications) {
    let tokens = ui.tokens();
    notifications.mark_seen();
    if notifications.all().is_empty() {
        ui.label(RichText::new("No messages since the start.").color(tokens.text_weak));
        return;
    }
    let mut dismissed = None;
    let area = ScrollArea::vertical().max_height(ui.available_height().min(420.0)).auto_shrink([false, true]);
    scroll::show(ui, "Messages", area, |ui| {
        for notice in notifications.all().iter().rev() {
            let (icon, color) = look(notice.level, tokens);
            ui.push_id(notice.id, |ui| {
                ui.horizontal_top(|ui| {
                    icon.show(ui, 15.0, color, notice.level.word());
                    let width = ui.available_width() - 92.0;
                    ui.vertical(|ui| {
                        ui.set_width(width);
                        ui.spacing_mut().item_spacing.y = 1.0;
                        ui.add(Label::new(RichText::new(&notice.text).color(tokens.text)).wrap().selectable(true));
                        let when = format!("{}, {}", notice.level.word(), age(notice.at));
                        ui.label(RichText::new(when).small().color(tokens.text_weak));
                    });
                    ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
                        if Icon::Close.button(ui, "Forget this message").clicked() {
                            dismissed = Some(notice.id);
                        }
                        if Icon::Copy.button(ui, "Copy this message").clicked() {
                            ui.ctx().copy_text(notice.text.clone());
                        }
                    });
                });
            });
        }
    });
    if let Some(id) = dismissed {
        notifications.dismiss(id);
    }
}

/// “3 min ago”.
fn age(at: SystemTime) -> String {
    let seconds = SystemTime::now().duration_since(at).map_or(0, |age| age.as_secs());
    match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        _ => format!("{} h ago", seconds / 3600),
    }
}
