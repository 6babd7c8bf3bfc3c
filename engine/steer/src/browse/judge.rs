//! Another judge for a pair that is open.

use std::sync::Arc;

use plumb_core::source::Cache;
use plumb_core::{Ctl, Error, Job};
use plumb_text::job::ModelSpec;

use super::Opened;
use crate::experiment::Judge;

/// Opens a judge, fetched if need be; the pair comes out with it.
#[derive(Clone, Debug)]
pub struct JudgeJob {
    /// The pair.
    pub opened: Arc<Opened>,
    /// Its model, for the device that the judge runs on.
    pub model: ModelSpec,
    /// The judge.
    pub judge: Judge,
    /// Where fetched files are kept.
    pub cache: Cache,
}

impl Job for JudgeJob {
    type Output = Arc<Opened>;
    type Partial = ();

    fn name(&self) -> String {
        "Open the judge of toxicity".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Arc<Opened>, Error> {
        ctl.progress("Opening the judge", 0, None);
        let model = ModelSpec { model: self.opened.about.model.clone(), ..self.model };
        let scorer = self.judge.open(&model, &self.cache, ctl)?;
        Ok(Arc::new(self.opened.judged(self.judge, scorer)))
    }
}
