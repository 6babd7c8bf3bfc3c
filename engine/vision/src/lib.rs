//! Image sets, small networks, the loop that trains them, and the sample models that ship with Plumb.
//!
//! Images are (N, C, H, W) with pixels in [0, 1]; normalisation is the first step *inside* each network, so
//! that a perturbation has the same size in pixels whatever the network does to them.

pub mod digits;
mod error;
pub mod evaluate;
pub mod fashion;
pub mod images;
pub mod job;
pub mod nets;
pub mod samples;
pub mod saved;
pub mod train;

pub use error::VisionError;
