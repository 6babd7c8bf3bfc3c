//! The workbench driven from outside: through its accessibility tree, its command line and its source tree.

mod architecture;
mod pictures;
mod workbench;
