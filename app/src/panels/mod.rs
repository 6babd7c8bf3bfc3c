//! One folder per method: what it shows, its state, one file per region, its help page.

pub mod moderate;
pub mod spectrum;
pub mod steer;
