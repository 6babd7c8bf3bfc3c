//! Steered generation as a job.

use std::ops::ControlFlow;
use std::sync::Arc;

use plumb_core::{Ctl, Error, Job};
use plumb_text::Sampling;

use super::Subject;
use crate::attached::SteeredGeneration;
use crate::intervene::Intervention;

/// Continue a prompt without and with steering. Partial results are the text so far: of the baseline, and of the
/// steered continuation once it has begun.
#[derive(Clone, Debug)]
pub struct GenerateJob {
    /// Model and SAE.
    pub subject: Arc<Subject>,
    /// Tokens of the prompt, BOS included.
    pub prompt: Vec<u32>,
    /// What is done to the stream.
    pub intervention: Intervention,
    /// How tokens are chosen.
    pub sampling: Sampling,
}

impl Job for GenerateJob {
    type Output = SteeredGeneration;
    type Partial = [String; 2];

    fn name(&self) -> String {
        format!("Steer {}", self.subject.name)
    }

    fn run(self, ctl: &Ctl) -> Result<SteeredGeneration, Error> {
        let mut texts = [String::new(), String::new()];
        let made = self.subject.attached().generate(
            &self.prompt,
            &self.intervention,
            &self.sampling,
            ctl,
            &mut |steered, step| {
                texts[usize::from(steered)].push_str(step.text);
                ctl.partial(texts.clone());
                ControlFlow::Continue(())
            },
        );
        Ok(made?)
    }
}
