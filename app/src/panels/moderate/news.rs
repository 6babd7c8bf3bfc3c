//! What others do while the tab is on screen: the engine hears of it and wakes the window. Where it cannot, the database
//! is asked now and then.

use std::sync::Arc;
use std::time::Duration;

use plumb_moderate::state::Phase;
use plumb_moderate::workplace::Hearing;

use super::state::State;
use crate::shell::panel::PanelCx;
use crate::shell::slots::forget_error;

/// Seconds between two looks for what others did, where no news comes by itself.
pub const NEWS: f64 = 5.0;

/// Seconds between two looks where it does: panels whose time is over end when somebody looks.
const OVERDUE: f64 = 60.0;

impl State {
    /// Hear of the database that was opened.
    pub fn listen(&mut self, cx: &PanelCx<'_>) {
        let window = cx.egui.clone();
        let wake = Arc::new(move || window.request_repaint());
        self.watch = self.opened.as_ref().and_then(|opened| opened.work.watch(wake));
    }

    /// Whether news comes by itself, and why not.
    pub fn hearing(&self) -> Option<Hearing> {
        self.watch.as_ref().map(plumb_moderate::workplace::Watch::hearing)
    }

    /// Read what others did, if there is something or it is time to ask. `drawn`: the tab is on screen.
    pub fn look_for_news(&mut self, drawn: bool, cx: &PanelCx<'_>) {
        let Some(watch) = &self.watch else { return };
        watch.want(drawn);
        if !drawn {
            return;
        }
        let pause = match watch.hearing() {
            Hearing::Live => OVERDUE,
            Hearing::Connecting => NEWS,
            // It is tried again elsewhere, and wakes the window when it succeeds.
            Hearing::Lost(_) => return,
        };
        let heard = watch.take_news();
        let now = cx.egui.input(|input| input.time);
        if heard || now - self.refreshed >= pause {
            self.refreshed = now;
            if heard && self.refreshing.error().is_some() {
                forget_error(&mut self.refreshing);
            }
            self.refresh(None, cx);
            // A vote on a blind panel changes no case, but perhaps how many have voted.
            let blind = self.case().is_some_and(|look| look.view.phase == Phase::PanelBlind);
            if heard && blind {
                self.ask_look(cx);
            }
        }
        cx.egui.request_repaint_after(Duration::from_secs_f64(pause));
    }
}
