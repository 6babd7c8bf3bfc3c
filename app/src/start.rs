//! What the command line asks for: the window, or a command without one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::shell::home::Home;
use crate::shell::settings::Settings;
use crate::shell::window::{self, Renderer, WindowOptions};

/// Options of the window.
#[derive(Debug, Parser)]
#[command(name = "plumb", version, about = "Opens the workbench; files named here open in it.")]
struct WindowArgs {
    /// What draws the window; glow (OpenGL) is the safe mode.
    #[arg(long, value_enum, default_value = "wgpu")]
    renderer: Renderer,
    /// A preset to open.
    #[arg(long, value_name = "FILE")]
    preset: Option<PathBuf>,
    /// Keep settings, layout, cache and runs under this folder.
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Checkpoints, presets or run folders to open.
    files: Vec<PathBuf>,
}

/// Run the program with these arguments; the first one is the program's name.
pub fn start(started: Instant, args: Vec<OsString>) -> ExitCode {
    let args = match WindowArgs::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // If even that cannot be printed, the exit code is all that is left.
            let _unprinted = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let files = args.preset.into_iter().chain(args.files).collect();
    set_threads(Settings::load_quietly(&Home::find(args.home.as_deref()).settings_file()).threads);
    window::run(&WindowOptions { renderer: args.renderer, home: args.home, files, started: Some(started) })
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
