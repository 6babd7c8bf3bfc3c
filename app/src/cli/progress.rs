//! How far a job is, as a bar on a terminal; and Ctrl-C.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use crossbeam_channel::bounded;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;
use plumb_core::{Ctl, Job};

/// How often the bar is redrawn.
const REDRAW: Duration = Duration::from_millis(100);

/// Runs jobs on a thread of their own while the bar moves on this one.
pub struct Progress {
    bar: ProgressBar,
    seed: u64,
    running: Arc<Mutex<Option<Ctl>>>,
}

impl Progress {
    /// A bar on stderr, hidden where stderr is no terminal.
    pub fn start(seed: u64) -> Self {
        let bar = ProgressBar::new(0);
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {wide_msg} {eta}") {
            bar.set_style(style);
        }
        let running: Arc<Mutex<Option<Ctl>>> = Arc::default();
        let stop = Arc::clone(&running);
        let handler = move || match stop.lock().as_ref() {
            Some(ctl) if !ctl.is_cancelled() => {
                eprintln!("plumb: stopping; Ctrl-C again ends the program at once.");
                ctl.cancel();
            }
            _ => {
                eprintln!("plumb: stopped.");
                std::process::exit(i32::from(super::STOPPED))
            }
        };
        // Without a handler Ctrl-C ends the program at once, which is safe too: files are written whole.
        let _set_or_not = ctrlc::set_handler(handler);
        Self { bar, seed, running }
    }

    /// Run a job to its end. Ctrl-C asks it to stop; a second one ends the program at once.
    pub fn run<J: Job>(&self, job: J) -> Result<J::Output> {
        let (bell, heard) = bounded(1);
        let wake = Arc::new(move || {
            // Full means that it has rung already.
            let _already_rung = bell.try_send(());
        });
        let ctl = Ctl::with(self.seed, wake, None);
        *self.running.lock() = Some(ctl.clone());
        let job = {
            let ctl = ctl.clone();
            std::thread::Builder::new().name("plumb-command".to_owned()).spawn(move || job.run(&ctl))?
        };
        while !job.is_finished() {
            let progress = ctl.current_progress();
            self.bar.set_length(progress.total.unwrap_or(0));
            self.bar.set_position(progress.done);
            self.bar.set_message(progress.what);
            // Woken by the job or after a while: either way there may be something to draw.
            let _woken_or_not = heard.recv_timeout(REDRAW);
        }
        let outcome =
            job.join().map_err(|_panic| anyhow!("internal error in this command; please report what you did"))?;
        for warning in ctl.warnings() {
            self.bar.suspend(|| eprintln!("note: {}: {}", warning.place, warning.what));
        }
        Ok(outcome?)
    }

    /// Take the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
