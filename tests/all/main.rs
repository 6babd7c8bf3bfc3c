//! The workbench driven from outside: through its accessibility tree, its command line and its source tree.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod architecture;
mod columns;
mod files;
mod geometry;
mod keyboard;
mod moderate;
mod moderate_team;
mod open;
mod pictures;
mod runs;
mod settings;
mod speed;
mod steer;
mod tabs;
mod wide;
mod workbench;
