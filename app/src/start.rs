//! What the command line asks for: the window, or a command without one.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser as _;

use crate::cli::{self, Cli};
use crate::shell::home::Home;
use crate::shell::settings::Settings;
use crate::shell::window::{self, WindowOptions};

/// Run the program with these arguments; the first one is the program's name.
pub fn start(started: Instant, args: Vec<OsString>) -> ExitCode {
    let args = match Cli::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // If even that cannot be printed, the exit code is all that is left.
            let _unprinted = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    if let Some(clash) = args.clash() {
        eprintln!("error: {clash}");
        return ExitCode::from(2);
    }
    let home = Home::find(args.home.as_deref());
    set_threads(Settings::load_quietly(&home.settings_file()).threads);
    if let Some(command) = args.command {
        return cli::run(command, &home);
    }
    let files = args.window.preset.into_iter().chain(args.window.files).collect();
    window::run(&WindowOptions {
        renderer: args.window.renderer.unwrap_or_default(),
        home,
        files,
        started: Some(started),
    })
}

/// Bound the pool that computes; it is made at its first use and cannot change later.
fn set_threads(threads: usize) {
    if threads == 0 || std::env::var_os("RAYON_NUM_THREADS").is_some() {
        return;
    }
    #[expect(unsafe_code, reason = "no other thread runs yet, so nobody reads the environment meanwhile")]
    // SAFETY: called first thing in `main`, before any thread is started.
    unsafe {
        std::env::set_var("RAYON_NUM_THREADS", threads.to_string());
    }
}
