//! The panel's rows of the command table.

use egui::{Key, KeyboardShortcut, Modifiers};

use crate::shell::commands::{CommandId, CommandSpec, Menu};

const fn alt(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::ALT, key)
}

macro_rules! commands {
    ($($name:ident = $id:literal, $menu:ident, $shortcut:expr, $text:literal, $tooltip:literal;)*) => {
        $(
            #[doc = $tooltip]
            pub const $name: CommandId = CommandId($id);
        )*

        /// All of them.
        pub const ALL: &[CommandSpec] = &[
            $(CommandSpec { id: $name, text: $text, tooltip: $tooltip, shortcut: $shortcut, menu: Menu::$menu },)*
        ];
    };
}

commands! {
    SAMPLE = "steer.sample", File, None, "Open tiny model", "Open the small language model with known answers that ships with Plumb.";
    FETCH = "steer.fetch", File, None, "Fetch SmolLM2", "Download SmolLM2-135M-Instruct, 98 MB, and open it with the autoencoder that ships with Plumb.";
    OPEN_MODEL = "steer.open_model", File, None, "Open language model…", "Choose a GGUF file, or a file in the folder of a model.";
    OPEN_SAE = "steer.open_sae", File, None, "Open autoencoder…", "Choose the folder of a sparse autoencoder.";
    INDEX = "steer.index", Run, None, "Index features over a file…", "Read a file of texts and keep what makes every feature fire.";
    MEASURE = "steer.measure", Run, None, "Measure the autoencoder on a file…", "Explained variance, sparsity and cost of the reconstruction on texts of your own.";
    STEER = "steer.steer", Run, Some(alt(Key::Enter)), "Steer now", "Write the continuations again, without and with steering.";
    LIVE = "steer.live", Run, Some(alt(Key::L)), "Steer while dragging", "Write the continuations again whenever something changes.";
    RACK = "steer.rack", Edit, Some(alt(Key::A)), "Add feature to the rack", "Put the selected feature into the steering rack.";
    RACK_BEST = "steer.rack_best", Edit, None, "Add the best candidates to the rack", "Put the first three features of Find into the steering rack.";
    CLEAR_RACK = "steer.clear_rack", Edit, None, "Empty the rack", "Take all features out of the steering rack.";
    RESET = "steer.reset", Edit, None, "Reset all strengths", "Bring every slider of the rack back to one largest activation taken away.";
    LABEL = "steer.label", Edit, Some(alt(Key::N)), "Name the feature", "Put the keyboard into the label field of the selected feature.";
    SEARCH = "steer.search", Edit, Some(alt(Key::S)), "Search features", "Put the keyboard into the search field.";
    TABLE = "steer.table", View, Some(alt(Key::T)), "Go to the feature table", "Give the feature table the keyboard.";
    SHOW_TABLE = "steer.show_table", View, Some(alt(Key::B)), "Show or hide the feature table", "Give the whole width to what stands beside the table.";
    NEXT = "steer.next", View, None, "Next feature", "Select the next feature of the table.";
    PREVIOUS = "steer.previous", View, None, "Previous feature", "Select the previous feature of the table.";
    DEAD = "steer.dead", View, None, "Show or hide dead features", "Take features that never fire into the table, or leave them out.";
    BLUR = "steer.blur", View, Some(alt(Key::R)), "Hide rude text", "Hide texts that the judge of toxicity objects to until they are revealed.";
    TAB_FEATURE = "steer.tab_feature", View, Some(alt(Key::Num1)), "Show feature", "What makes the selected feature fire and what it does.";
    TAB_STEER = "steer.tab_steer", View, Some(alt(Key::Num2)), "Show steering rack", "Turn features and read what the model writes.";
    TAB_FIND = "steer.tab_find", View, Some(alt(Key::Num3)), "Show find", "Features that tell two kinds of text apart.";
    TAB_SWEEP = "steer.tab_sweep", View, Some(alt(Key::Num4)), "Show sweep", "Toxicity against fluency over strengths and tiers.";
    TAB_SPLITTING = "steer.tab_splitting", View, Some(alt(Key::Num5)), "Show splitting", "One concept over autoencoders of several widths.";
    TAB_QUALITY = "steer.tab_quality", View, Some(alt(Key::Num6)), "Show autoencoder", "How far the autoencoder can be trusted.";
    FIND = "steer.find", Run, None, "Find features by contrast", "Score every feature on the two kinds of text.";
    SWEEP = "steer.sweep", Run, None, "Sweep strengths", "Steer at every strength of the grid in every tier.";
    IMPORT = "steer.import_labels", File, None, "Import labels…", "Read labels and lists from a RON or CSV file.";
    EXPORT = "steer.export_labels", File, None, "Export labels…", "Write labels and lists to a RON or CSV file.";
    EXPORT_TABLE = "steer.export_table", File, None, "Export feature table…", "Write the feature table as CSV with all digits.";
    SAVE_RUN = "steer.save_run", File, None, "Save steering run", "Write rack, prompts, texts and figures as a run folder.";
}
