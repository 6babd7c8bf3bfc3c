//! The panel's rows of the command table.

use egui::{Key, KeyboardShortcut, Modifiers};

use crate::shell::commands::{CommandId, CommandSpec, Menu, ctrl, ctrl_shift};

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
    SAMPLE = "spectrum.sample", File, None, "Open sample model", "Open the residual network on digits that ships with Plumb.";
    OPEN = "spectrum.open", File, ctrl_shift(Key::M), "Open model file…", "Choose a checkpoint whose layers are inspected.";
    COMPARE = "spectrum.compare", File, ctrl(Key::D), "Compare with…", "Open a second checkpoint beside the first.";
    EXPORT_MODEL = "spectrum.export_model", File, ctrl(Key::E), "Export weights…", "Write all tensors, clipped ones included, as safetensors.";
    EXPORT_TABLE = "spectrum.export_table", File, ctrl_shift(Key::T), "Export layer table…", "Write the layer table as CSV with all digits.";
    SAVE_RUN = "spectrum.save_run", File, ctrl(Key::S), "Save run folder", "Write spec, report, table and pictures of what is on screen.";
    SURVEY = "spectrum.survey", Run, ctrl(Key::R), "Compute spectra again", "Compute the singular values of all layers again.";
    CLIP_LAYER = "spectrum.clip_layer", Run, ctrl(Key::Enter), "Clip this layer", "Bring σ₁ of the selected layer down to the target.";
    CLIP_ALL = "spectrum.clip_all", Run, ctrl_shift(Key::Enter), "Clip all layers", "Bring σ₁ of every layer down to the target.";
    LOG = "spectrum.log", View, ctrl(Key::L), "Linear or logarithmic", "Switch the scale of the singular values.";
    FILTER = "spectrum.filter", Edit, ctrl(Key::F), "Filter layers", "Put the keyboard into the filter field.";
    PROBLEMS = "spectrum.problems", View, ctrl_shift(Key::P), "Only layers that need a look", "Show only problems, guesses and layers that did not converge.";
    TABLE = "spectrum.table", View, ctrl(Key::T), "Go to the layer table", "Give the table the keyboard.";
    DETAIL = "spectrum.detail", View, ctrl(Key::G), "Go to the selected layer", "Give the keyboard to the tabs of the selected layer.";
    NEXT = "spectrum.next", View, Some(alt(Key::ArrowDown)), "Next layer", "Select the next layer of the table.";
    PREVIOUS = "spectrum.previous", View, Some(alt(Key::ArrowUp)), "Previous layer", "Select the previous layer of the table.";
    TAB_SPECTRUM = "spectrum.tab_spectrum", View, ctrl(Key::Num1), "Show spectrum", "Singular values, energy and histogram of the selected layer.";
    TAB_METHODS = "spectrum.tab_methods", View, ctrl(Key::Num2), "Show methods", "What other methods say about σ₁, and convergence.";
    TAB_VECTORS = "spectrum.tab_vectors", View, ctrl(Key::Num3), "Show singular vectors", "The input that is stretched most and where it goes.";
    TAB_FREQUENCY = "spectrum.tab_frequency", View, ctrl(Key::Num4), "Show frequency response", "Largest singular value per spatial frequency.";
    TAB_CLIP = "spectrum.tab_clip", View, ctrl(Key::Num5), "Show clipping", "Choose a target and see what it does.";
    TAB_GEOMETRY = "spectrum.tab_geometry", View, ctrl(Key::Num6), "Show geometry", "Stride, padding and input size of the selected layer.";
    VIEW_LAYERS = "spectrum.view_layers", View, ctrl(Key::Num7), "Show layers", "The layers of one checkpoint.";
    VIEW_COMPARE = "spectrum.view_compare", View, ctrl(Key::Num8), "Show comparison", "Two checkpoints side by side.";
    VIEW_TRAINING = "spectrum.view_training", View, ctrl(Key::Num9), "Show training curves", "σ₁ per layer over the epochs of a run.";
}
