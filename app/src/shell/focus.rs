//! The keyboard's place in the window: a ring around the control that has it, and where it goes on when that
//! control has gone or lost it.
//!
//! egui forgets the place when a field is left with Enter, on Escape, and when a control is disabled or disappears;
//! the next Tab would start at the first menu. Here the places are remembered, newest last, and Tab goes on from the
//! newest that is still there. The edges between regions, which only a pointer can drag, are passed over.

use egui::{Context, Event, FocusDirection, Id, Key, Stroke, StrokeKind};

use crate::theme::UiExt as _;

/// So many places are remembered.
const MOST: usize = 32;

/// A control that can be dragged and is thinner than this is an edge between two regions.
const EDGE: f32 = 12.0;

/// Frames until a card that was closed is out of egui's memory of widgets.
const CLOSING: u8 = 2;

/// Where the keyboard was, and whether it is in use.
#[derive(Debug, Default)]
pub struct Focus {
    trail: Vec<Id>,
    /// The last input was a key, not the pointer.
    keys: bool,
    /// Something lay open over the window.
    covered: bool,
    /// Frames until the place from before it opened is taken again.
    returning: u8,
    /// Where Tab goes on, past an edge.
    skip: Option<FocusDirection>,
    direction: Option<FocusDirection>,
}

impl Focus {
    /// Before anything is drawn. `covered` says that a card of the shell is open; egui's own menus are known here.
    pub fn before(&mut self, ctx: &Context, covered: bool) {
        let typing = ctx.text_edit_focused();
        let (pressed, key, direction) = ctx.input(|input| {
            let key = input.events.iter().any(
                |event| matches!(event, Event::Key { key, pressed: true, .. } if !typing || matches!(key, Key::Tab)),
            );
            let direction = input.key_pressed(Key::Tab).then_some(if input.modifiers.shift {
                FocusDirection::Previous
            } else {
                FocusDirection::Next
            });
            (input.pointer.any_pressed(), key, direction)
        });
        self.keys = !pressed && (self.keys || key);
        self.direction = direction.or(self.skip);
        let idle = ctx.memory(|memory| memory.focused().is_none());
        if direction.is_some() && idle {
            self.resume(ctx);
        }
        if let Some(direction) = self.skip.take() {
            ctx.memory_mut(|memory| memory.move_focus(direction));
        }
        let covered = covered || egui::Popup::is_any_open(ctx);
        if self.covered && !covered {
            self.returning = CLOSING;
            // What had the keyboard inside it is gone.
            if let Some(id) = ctx.memory(egui::Memory::focused) {
                ctx.memory_mut(|memory| memory.surrender_focus(id));
            }
        }
        self.covered = covered;
    }

    /// After everything is drawn: note the place and draw the ring.
    pub fn after(&mut self, ctx: &Context) {
        let Some(id) = ctx.memory(egui::Memory::focused) else {
            if self.returning > 0 {
                self.returning -= 1;
                if self.returning == 0 && self.keys {
                    self.resume(ctx);
                }
                ctx.request_repaint();
            }
            return;
        };
        self.returning = 0;
        let Some(response) = ctx.read_response(id) else { return };
        let size = response.rect.size();
        if response.sense.senses_drag()
            && size.min_elem() < EDGE
            && let Some(direction) = self.direction
        {
            self.skip = Some(direction);
            ctx.request_repaint();
            return;
        }
        if self.trail.last() != Some(&id) {
            self.trail.retain(|place| *place != id);
            self.trail.push(id);
            if self.trail.len() > MOST {
                self.trail.remove(0);
            }
        }
        if self.keys && response.interact_rect.is_positive() {
            let tokens = ctx.tokens();
            let painter = ctx.layer_painter(response.layer_id);
            let ring = response.interact_rect.expand(1.0);
            painter.rect_stroke(
                ring,
                f32::from(tokens.radius) + 1.0,
                Stroke::new(2.0, tokens.accent),
                StrokeKind::Middle,
            );
        }
    }

    /// Take the newest place that is still there.
    fn resume(&self, ctx: &Context) {
        let there = |id: &&Id| ctx.read_response(**id).is_some_and(|response| response.enabled());
        if let Some(id) = self.trail.iter().rev().find(there) {
            ctx.memory_mut(|memory| memory.request_focus(*id));
        }
    }
}
