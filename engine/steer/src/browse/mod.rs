//! What a person at a feature browser asks for: jobs that open, look up, read, steer and compare, and give plain data.
//!
//! [`Opened`] is a model and an autoencoder with all that is known of them: how tokens are written, the feature index,
//! the measured quality, who judges toxicity. The jobs here take texts as people type them.

mod card;
mod judge;
mod live;
mod open;
mod search;
mod texts;
mod words;

pub use card::{AutoLabelsJob, CardJob, CardView, Strip};
pub use judge::JudgeJob;
pub use live::{LiveJob, LiveReport, LiveRow, Side};
pub use open::{About, Examples, OpenJob, OpenSpec, Opened};
pub use search::{Firing, Found, Reading, TextSearchJob, TokenSearchJob};
pub use texts::{
    CausalTextsJob, ChosenTextsJob, ContrastTexts, FileTextsJob, FindTextsJob, IndexTextsJob, QualityTextsJob,
    SplitTextsJob, SweepTextsJob,
};
pub use words::Words;

#[cfg(test)]
mod tests;
