//! What an answer is *for*: the asking side's place for the newest answer.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::engine::{Engine, Lane, Ticket};
use crate::{Error, Job, JobId, Progress, Warning};

/// What a slot knows right now. The previous value stays visible in every state.
#[derive(Debug)]
pub enum SlotState {
    /// Nothing was asked, or the last answer has arrived.
    Idle,
    /// An answer is on its way.
    Pending(JobId),
    /// The last request failed.
    Failed(Error),
}

/// Keeps the newest answer to one question. Asking again replaces a waiting request and cancels a
/// running one; late answers never arrive because each request has its own mailbox.
///
/// Not `Clone` on purpose: two copies of a slot would cancel each other's requests.
#[derive(Debug)]
pub struct Slot<T, P = ()> {
    value: Option<T>,
    partial: Option<P>,
    warnings: Vec<Warning>,
    state: SlotState,
    ticket: Option<Ticket<T, P>>,
}

/// Where a job leaves its answer: one place, the newest wins.
#[derive(Debug)]
pub(crate) struct Mailbox<T, P> {
    pub(crate) partial: Option<P>,
    pub(crate) outcome: Option<Result<T, Error>>,
}

pub(crate) type SharedMailbox<T, P> = Arc<Mutex<Mailbox<T, P>>>;

impl<T: Send + 'static, P: Send + 'static> Default for Slot<T, P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + 'static, P: Send + 'static> Slot<T, P> {
    /// An empty slot.
    pub fn new() -> Self {
        Self { value: None, partial: None, warnings: Vec::new(), state: SlotState::Idle, ticket: None }
    }

    /// Ask. The newest request wins. The answer is taken in by [`poll`](Self::poll), also from an inline engine,
    /// so that the asker sees it arrive.
    pub fn request<J: Job<Output = T, Partial = P>>(&mut self, engine: &Engine, lane: Lane, seed: u64, job: J) {
        self.partial = None;
        self.warnings.clear();
        if let Some(older) = self.ticket.take() {
            older.replace();
        }
        let ticket = engine.submit(lane, seed, job);
        self.state = SlotState::Pending(ticket.job);
        self.ticket = Some(ticket);
    }

    /// Take in what has arrived. Call once per frame; true if anything changed.
    pub fn poll(&mut self) -> bool {
        let Some(ticket) = &self.ticket else { return false };
        let (partial, outcome) = {
            let mut mailbox = ticket.mailbox.lock();
            (mailbox.partial.take(), mailbox.outcome.take())
        };
        let mut changed = false;
        if let Some(partial) = partial {
            self.partial = Some(partial);
            changed = true;
        }
        if let Some(outcome) = outcome {
            self.warnings = ticket.ctl.warnings();
            self.ticket = None;
            self.state = match outcome {
                Ok(value) => {
                    self.value = Some(value);
                    self.partial = None;
                    SlotState::Idle
                }
                Err(Error::Cancelled) => SlotState::Idle,
                Err(error) => SlotState::Failed(error),
            };
            changed = true;
        }
        changed
    }

    /// Stop the request on its way, if any. The value stays.
    pub fn cancel(&mut self) {
        if let Some(ticket) = &self.ticket {
            ticket.stop();
        }
    }

    /// Forget value, error and request.
    pub fn clear(&mut self) {
        self.cancel();
        self.ticket = None;
        self.value = None;
        self.partial = None;
        self.warnings.clear();
        self.state = SlotState::Idle;
    }

    /// Put a value in without asking (tests, undo).
    pub fn set(&mut self, value: T) {
        self.clear();
        self.value = Some(value);
    }

    /// The newest whole answer.
    pub fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// The newest whole answer, to change in place.
    pub fn value_mut(&mut self) -> Option<&mut T> {
        self.value.as_mut()
    }

    /// The newest partial answer of the request on its way.
    pub fn partial(&self) -> Option<&P> {
        self.partial.as_ref()
    }

    /// What the last finished request skipped.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// What the slot knows right now.
    pub fn state(&self) -> &SlotState {
        &self.state
    }

    /// Whether an answer is on its way.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, SlotState::Pending(_))
    }

    /// The last error, if the last request failed.
    pub fn error(&self) -> Option<&Error> {
        if let SlotState::Failed(error) = &self.state { Some(error) } else { None }
    }

    /// How far the request on its way is.
    pub fn progress(&self) -> Option<Progress> {
        self.ticket.as_ref().map(|ticket| ticket.ctl.current_progress())
    }
}

impl<T, P> Drop for Slot<T, P> {
    /// A panel that goes away stops what it asked for.
    fn drop(&mut self) {
        if let Some(ticket) = &self.ticket {
            ticket.stop();
        }
    }
}
