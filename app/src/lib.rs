//! Plumb's window and command line: everything that draws or prints. The numbers come from the engine crates.

pub mod cli;
pub mod panels;
pub mod shell;
mod start;
pub mod theme;
pub mod widgets;

pub use start::start;
