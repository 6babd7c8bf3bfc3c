//! Ctrl-C in a long command, `--home`, and a window where no graphics adapter answers.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::window::{Running, screen};

fn preset(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../presets/spectrum").join(name)
}

fn entries(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_a_long_run_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut child = Running(
        Command::new(env!("CARGO_BIN_EXE_plumb"))
            .arg("run")
            .arg(preset("train-digits.ron"))
            .arg("--home")
            .arg(home.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts"),
    );
    let runs = home.path().join("runs");
    let end = Instant::now() + Duration::from_secs(30);
    while !entries(&runs).iter().any(|name| name.ends_with(".incomplete")) {
        assert!(Instant::now() < end, "the run did not begin: {:?}", entries(home.path()));
        std::thread::sleep(Duration::from_millis(10));
    }
    // Well inside the training.
    std::thread::sleep(Duration::from_millis(700));
    let sent = Command::new("kill").args(["-INT", &child.0.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    let asked = Instant::now();
    let status = child.0.wait().expect("it ends");
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.0.stderr.take().expect("piped"), &mut said).unwrap();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("stopped. Nothing was written"), "{said}");
    assert!(entries(&runs).is_empty(), "nothing half written: {:?}", entries(&runs));
}

#[test]
fn home_holds_everything_a_command_writes() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    for arguments in [["--home", "HOME", "run", "PRESET"], ["run", "PRESET", "--home", "HOME"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_plumb"))
            .args(arguments.map(|word| match word {
                "HOME" => home.path().into(),
                "PRESET" => preset("sample.ron"),
                word => word.into(),
            }))
            .env("HOME", elsewhere.path())
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("PLUMB_HOME")
            .output()
            .expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(Path::new(&folder).starts_with(home.path().join("runs")), "{folder}");
        let info = std::fs::read_to_string(Path::new(&folder).join("run.json")).unwrap();
        assert!(info.contains("\"device\": \"cpu\""), "{info}");
    }
    assert!(entries(elsewhere.path()).is_empty(), "{:?}", entries(elsewhere.path()));
}

#[test]
#[cfg(target_os = "linux")]
fn without_an_adapter_the_safe_mode_is_named() {
    let home = tempfile::tempdir().unwrap();
    let (_server, display) = screen();
    let mut child = Running(
        Command::new(env!("CARGO_BIN_EXE_plumb"))
            .env("DISPLAY", display)
            .env_remove("WAYLAND_DISPLAY")
            .env("WGPU_BACKEND", "vulkan")
            .env("VK_ICD_FILENAMES", "/nonexistent")
            .env("VK_DRIVER_FILES", "/nonexistent")
            .arg("--home")
            .arg(home.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts"),
    );
    let end = Instant::now() + Duration::from_secs(30);
    let status = loop {
        if let Some(status) = child.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < end, "a window opened without an adapter");
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.0.stderr.take().expect("piped"), &mut said).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("plumb --renderer glow") && !said.contains("panicked"), "{said}");
}
