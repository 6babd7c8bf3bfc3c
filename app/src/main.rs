//! `plumb` opens the workbench; `plumb COMMAND` does the same work without a window.

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    plumb::start(Instant::now(), std::env::args_os().collect())
}
