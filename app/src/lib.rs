//! Plumb's window and command line: everything that draws or prints. The numbers come from the engine crates.

pub mod shell;
pub mod theme;
pub mod widgets;
