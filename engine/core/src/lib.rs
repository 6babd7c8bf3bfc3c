//! The ground floor of Plumb: how work is asked for, watched, stopped, recorded and repeated.
//!
//! Nothing here knows a method, a tensor or a window. A method describes an experiment as a serialisable
//! spec, turns it into a [`Job`], and the [`Engine`] runs the job on a named [`Lane`] while a [`Slot`] on
//! the asking side keeps the newest answer. [`Ctl`] is the thread between the two: cancellation, progress,
//! partial results, warnings and the seed.
//!
//! ```
//! use plumb_core::{Ctl, Engine, Error, Job, Lane, Slot};
//!
//! struct Sum(Vec<f64>);
//!
//! impl Job for Sum {
//!     type Output = f64;
//!     type Partial = ();
//!     fn name(&self) -> String {
//!         "Sum".to_owned()
//!     }
//!     fn run(self, ctl: &Ctl) -> Result<f64, Error> {
//!         let mut sum = 0.0;
//!         for number in self.0 {
//!             ctl.check()?;
//!             sum += number;
//!         }
//!         Ok(sum)
//!     }
//! }
//!
//! // Without threads; `Engine::start` gives every lane one.
//! let engine = Engine::inline();
//! let mut slot = Slot::new();
//! slot.request(&engine, Lane::Device, 0, Sum(vec![1.0, 2.0]));
//! slot.poll();
//! assert_eq!(slot.value(), Some(&3.0));
//! ```

pub mod atomic;
mod ctl;
mod engine;
pub mod environment;
mod error;
mod job;
pub mod preset;
pub mod random;
pub mod run_folder;
mod slot;
pub mod source;
pub mod statistics;
mod work;

pub use ctl::{Cancelled, Ctl, Progress, Warning};
pub use engine::{Engine, Lane};
pub use error::Error;
pub use job::{Job, JobId, JobInfo, JobState};
pub use slot::{Slot, SlotState};
