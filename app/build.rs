//! Puts the preset files into the program: a table of method, file name and text.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn sorted(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../presets");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut table = String::from("const PRESETS: &[(&str, EmbeddedPreset)] = &[\n");
    for method in sorted(&folder)?.iter().filter(|path| path.is_dir()) {
        for file in sorted(method)?.iter().filter(|path| path.extension().is_some_and(|ending| ending == "ron")) {
            let (method, file_name) = (name(method), name(file));
            let path = file.canonicalize()?.display().to_string();
            let row =
                format!("    ({method:?}, EmbeddedPreset {{ file: {file_name:?}, text: include_str!({path:?}) }}),\n");
            // Writing to a string cannot fail.
            let _written = table.write_str(&row);
        }
    }
    table.push_str("];\n");
    let out = std::env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    std::fs::write(out.join("presets.rs"), table)
}
