//! How a model reads texts: as rows of numbers that the same regression learns from.

use std::fmt::Debug;

use plumb_core::Ctl;

use crate::Error;

/// A text as a model sees it: columns and their values, ascending; columns that are not named are 0.
pub type Row = Vec<(u32, f32)>;

/// Turns texts into rows.
pub trait Reader: Clone + Debug + PartialEq + Send + Sync {
    /// Choose the columns by `texts`, where they depend on texts.
    fn learn(&mut self, texts: &[&String]);
    /// Make what is not saved, after loading; an error where that cannot be had any more.
    fn prepare(&mut self) -> Result<(), Error>;
    /// How many columns a row may have.
    fn width(&self) -> usize;
    /// The rows of `texts`.
    fn rows(&self, texts: &[&String], ctl: &Ctl) -> Result<Vec<Row>, Error>;
    /// The row of one text.
    fn of(&self, text: &str) -> Row;
    /// Calls `found` with each part of `text` that has a column of its own. Where columns are not parts of texts, never.
    fn parts(&self, text: &str, found: &mut dyn FnMut(&str, u32));
}
