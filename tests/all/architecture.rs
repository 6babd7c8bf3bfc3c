//! The plan of the house, held against the code.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_path_buf()
}

fn cargo_tree(package: &str, depth: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--package", package])
        .args(depth)
        .output()
        .expect("cargo tree runs");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn crates_in(tree: &str) -> Vec<&str> {
    tree.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

#[test]
fn engine_knows_no_window() {
    for package in ["plumb-core", "plumb-nn", "plumb-text", "plumb-vision", "plumb-spectrum", "plumb-steer"] {
        let tree = cargo_tree(package, &[]);
        for name in crates_in(&tree) {
            assert!(!matches!(name, "egui" | "eframe" | "winit" | "wgpu"), "{package} must not depend on {name}");
        }
    }
}

#[test]
fn window_knows_no_tensors() {
    let tree = cargo_tree("plumb", &["--depth", "1"]);
    for name in crates_in(&tree) {
        assert!(!name.starts_with("candle") && name != "faer", "the app must not depend on {name} directly");
    }
}

#[test]
fn arrows_run_one_way() {
    let forbidden = [
        ("plumb-core", &["plumb-nn", "plumb-text", "plumb-vision", "plumb-spectrum", "plumb-steer", "plumb"][..]),
        ("plumb-nn", &["plumb-text", "plumb-vision", "plumb-spectrum", "plumb-steer", "plumb"][..]),
        ("plumb-text", &["plumb-vision", "plumb-spectrum", "plumb-steer", "plumb-moderate", "plumb"][..]),
        ("plumb-vision", &["plumb-spectrum", "plumb-steer", "plumb"][..]),
        ("plumb-spectrum", &["plumb-steer", "plumb"][..]),
        ("plumb-steer", &["plumb-spectrum", "plumb"][..]),
        ("plumb-moderate", &["plumb-vision", "plumb-spectrum", "plumb-steer", "plumb"][..]),
    ];
    for (package, above) in forbidden {
        let tree = cargo_tree(package, &[]);
        for name in crates_in(&tree).into_iter().skip(1) {
            assert!(!above.contains(&name), "{package} must not depend on {name}");
        }
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("folder is readable") {
        let path = entry.expect("entry is readable").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut files = Vec::new();
    for folder in ["app", "engine", "tests"] {
        rust_files(&root().join(folder), &mut files);
    }
    assert!(files.len() > 20, "the walk found the sources");
    let mut faults = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("source is UTF-8");
        let lines = text.lines().count();
        let name = path.strip_prefix(root()).expect("inside the root").display().to_string();
        if lines > 600 {
            faults.push(format!("{name}: {lines} lines, split it"));
        }
        if !text.starts_with("//!") {
            faults.push(format!("{name}: does not begin with what it is (//!)"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn colours_live_in_the_theme() {
    let mut files = Vec::new();
    rust_files(&root().join("app/src"), &mut files);
    for path in files.iter().filter(|path| !path.components().any(|part| part.as_os_str() == "theme")) {
        let text = std::fs::read_to_string(path).expect("source is UTF-8");
        for needle in [
            "Color32::from_rgb(",
            "Color32::from_gray(",
            "Color32::WHITE",
            "Color32::BLACK",
            "Color32::RED",
            "hex_color!(",
        ] {
            assert!(!text.contains(needle), "{}: {needle} belongs in the theme", path.display());
        }
    }
}
