//! The command line is read as its help says.

use clap::CommandFactory;

use super::*;

#[test]
fn the_parser_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn files_and_commands_are_told_apart() {
    let window = Cli::try_parse_from(["plumb", "--renderer", "glow", "model.safetensors"]).unwrap();
    assert!(window.command.is_none());
    assert_eq!(window.window.files, [PathBuf::from("model.safetensors")]);
    let home = Cli::try_parse_from(["plumb", "spectrum", "a.pt", "--home", "here"]).unwrap();
    assert_eq!((home.home.as_deref(), home.clash()), (Some(std::path::Path::new("here")), None));
    let before = Cli::try_parse_from(["plumb", "--home", "here", "spectrum", "a.pt"]).unwrap();
    assert!(before.home.is_some() && before.command.is_some());
    let clash = Cli::try_parse_from(["plumb", "--renderer", "glow", "spectrum", "a.pt"]).unwrap();
    assert!(clash.clash().is_some());
    let spectrum = Cli::try_parse_from(["plumb", "spectrum", "a.pt", "--input", "28x28", "--padding-mode", "circular"]);
    let Some(Command::Spectrum(arguments)) = spectrum.unwrap().command else { panic!("the spectrum command") };
    assert_eq!(arguments.layers.geometry.fixed().input, Some([28, 28]));
}

#[test]
fn a_misspelt_command_line_is_refused() {
    for arguments in [
        vec!["plumb", "spectrum"],
        vec!["plumb", "spectrum", "a.pt", "--input", "0x3"],
        vec!["plumb", "spectrum", "a.pt", "--top", "0"],
        vec!["plumb", "clip", "a.pt", "--to", "1"],
        vec!["plumb", "clip", "a.pt", "--to", "one", "--out", "b"],
    ] {
        assert!(Cli::try_parse_from(&arguments).is_err(), "{arguments:?}");
    }
}
