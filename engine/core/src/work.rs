//! A job, its answer and its mailbox behind one face, so that a queue can hold jobs of any type.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::slot::{Mailbox, SharedMailbox};
use crate::{Ctl, Error, Job, JobState};

/// What a lane does with a request.
pub(crate) trait Work: Send {
    /// Run the job to its end and keep the answer.
    fn run(&mut self, ctl: &Ctl) -> JobState;
    /// Put the answer into the mailbox; “stopped” if the job never ran.
    fn deliver(&mut self);
}

/// The mailbox belongs to the slot: when the slot is gone, so is the mailbox and with it the answer.
pub(crate) struct TypedWork<J: Job> {
    job: Option<J>,
    outcome: Option<Result<J::Output, Error>>,
    mailbox: Weak<Mutex<Mailbox<J::Output, J::Partial>>>,
    /// Keeps a mailbox whose slot goes away during the delivery until the engine's locks are open again.
    delivered: Option<SharedMailbox<J::Output, J::Partial>>,
}

impl<J: Job> TypedWork<J> {
    pub(crate) fn new(job: J, mailbox: &SharedMailbox<J::Output, J::Partial>) -> Self {
        Self { job: Some(job), outcome: None, mailbox: Arc::downgrade(mailbox), delivered: None }
    }
}

impl<J: Job> Work for TypedWork<J> {
    fn run(&mut self, ctl: &Ctl) -> JobState {
        let Some(job) = self.job.take() else { return JobState::Cancelled };
        let outcome = catch_unwind(AssertUnwindSafe(|| job.run(ctl)))
            .unwrap_or_else(|panic| Err(Error::Panicked(panic_text(panic.as_ref()))));
        // A job that ended otherwise although it was told to stop was superseded: its answer is stale.
        // A panic is told in any case, because it is a bug.
        let outcome = match outcome {
            Err(Error::Panicked(text)) => Err(Error::Panicked(text)),
            _ if ctl.is_cancelled() => Err(Error::Cancelled),
            outcome => outcome,
        };
        let state = match &outcome {
            Ok(_) => JobState::Done,
            Err(Error::Cancelled) => JobState::Cancelled,
            Err(error) => JobState::Failed(error.to_string()),
        };
        self.outcome = Some(outcome);
        state
    }

    fn deliver(&mut self) {
        if let Some(mailbox) = self.mailbox.upgrade() {
            mailbox.lock().outcome = Some(self.outcome.take().unwrap_or(Err(Error::Cancelled)));
            self.delivered = Some(mailbox);
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
