//! The real window on a virtual screen: it opens with either renderer, quickly, and costs nothing while idle.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A process that is ended when the test is over, however it ends.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A virtual screen; the server chooses a free number and says it on its standard output.
pub fn screen() -> (Running, String) {
    let mut server = Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Xvfb is installed: tests/run installs it");
    let mut number = String::new();
    BufReader::new(server.stdout.take().expect("piped")).read_line(&mut number).expect("Xvfb says its display");
    (Running(server), format!(":{}", number.trim()))
}

/// Ticks of processor time a process has used.
#[cfg(target_os = "linux")]
fn ticks(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the window still runs");
    let fields: Vec<&str> = text.rsplit(')').next().expect("a name in brackets").split_whitespace().collect();
    fields[11].parse::<u64>().expect("user time") + fields[12].parse::<u64>().expect("system time")
}

/// A window and the seconds to its first frame.
#[cfg(target_os = "linux")]
fn start(renderer: &str, display: &str, home: &std::path::Path) -> (Running, f64) {
    let mut window = Running(
        Command::new(env!("CARGO_BIN_EXE_plumb"))
            .env("DISPLAY", display)
            .env_remove("WAYLAND_DISPLAY")
            .env("PLUMB_TIMING", "1")
            .args(["--renderer", renderer, "--home"])
            .arg(home)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts"),
    );
    let lines = BufReader::new(window.0.stderr.take().expect("piped")).lines();
    let said = lines.map_while(Result::ok).find(|line| line.contains("first frame after")).expect("a first frame");
    println!("{renderer}: {said}");
    let seconds = said.split(' ').find_map(|word| word.parse().ok()).expect("seconds");
    (window, seconds)
}

#[cfg(target_os = "linux")]
fn opens(renderer: &str) {
    let home = tempfile::tempdir().expect("a folder");
    let (_server, display) = screen();
    // Half a second on an idle machine. Test machines are busy, and a program that was just built is read from the disk:
    // the quickest of three starts counts.
    let mut started = start(renderer, &display, home.path());
    for _ in 0..2 {
        if started.1 >= 3.0 {
            drop(started);
            started = start(renderer, &display, home.path());
        }
    }
    let (window, seconds) = started;
    assert!(seconds < 3.0, "{renderer}: first frame after {seconds} s");

    // The sample is opened and computed; then nothing is left to do.
    let id = window.0.id();
    let deadline = Instant::now() + Duration::from_mins(1);
    let idle = loop {
        let before = ticks(id);
        std::thread::sleep(Duration::from_secs(2));
        let used = ticks(id) - before;
        if used == 0 || Instant::now() > deadline {
            break used;
        }
    };
    assert_eq!(idle, 0, "{renderer}: an idle window must use no processor time");
}

#[test]
#[cfg(target_os = "linux")]
fn the_window_opens_with_wgpu() {
    opens("wgpu");
}

#[test]
#[cfg(target_os = "linux")]
fn the_window_opens_with_glow() {
    opens("glow");
}
