//! Singular values of implicitly linear layers, and clipping them.
//!
//! After Ebrahimpour-Boroojeny, Telgarsky and Sundaram, “Spectrum Extraction and Clipping for Implicitly
//! Linear Layers” (FastClip, 2024). A layer is *implicitly linear* if `f(x) = M x + b` with `M` never formed:
//! dense, convolution of any geometry, batch norm in eval mode, average pooling, and chains of them.
//!
//! Symbols: `M` the operator, `W` its kernel, `σ_i` singular values in descending order, `u_i`, `v_i` left and
//! right singular vectors, `c` the clip target, `k` how many triplets are asked for.
mod blocks;
pub mod bounds;
pub mod clip;
pub mod dense;
pub mod detail;
pub mod experiment;
pub mod export;
pub mod fourier;
pub mod geometry;
pub mod guess;
pub mod job;
pub mod krylov;
pub mod layers;
pub mod op;
pub mod power_qr;
pub mod report;
pub mod sidecar;
pub mod singular;
pub mod spec;
pub mod subject;
pub mod survey;
pub mod train;
