//! Building blocks on candle that train correctly: device choice, seeded tensors, layers, an optimiser, and
//! the geometry that says how a kernel meets its input.

pub mod checkpoint;
pub mod device;
pub mod geometry;
pub mod layers;
pub mod lbfgs;
pub mod logistic;
pub mod optim;
pub mod params;
mod params_file;
pub mod random;
