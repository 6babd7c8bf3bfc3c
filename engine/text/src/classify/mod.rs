//! How toxic a text is: a list of words, a linear model on hashed n-grams that ships inside Plumb, and BERT classifiers read from files.

mod clean;
mod lexicon;
mod linear;
mod quality;
mod train;

pub use clean::plain;
pub use lexicon::Lexicon;
pub use linear::NgramClassifier;
pub use quality::{Functionality, Held, Quality, Source};
pub use train::{Example, Trained, train};
