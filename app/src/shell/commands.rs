//! The one table of commands: menus, palette, shortcuts and tooltips are made from it.

use egui::{Context, Key, KeyboardShortcut, Modifiers};

/// The name of a command: “shell.palette”, “spectrum.clip_all”.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub &'static str);

/// Which menu lists a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    /// Files, runs, leaving.
    File,
    /// Undo, redo, copies.
    Edit,
    /// Tabs, theme, scale.
    View,
    /// What computes.
    Run,
    /// Help.
    Help,
    /// Only in the palette.
    None,
}

impl Menu {
    /// The menus of the bar, in order.
    pub const BAR: [(Self, &'static str); 5] =
        [(Self::File, "File"), (Self::Edit, "Edit"), (Self::View, "View"), (Self::Run, "Run"), (Self::Help, "Help")];
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct CommandSpec {
    /// Its name.
    pub id: CommandId,
    /// What menu and palette show, in the imperative: “Clip all layers”.
    pub text: &'static str,
    /// One sentence.
    pub tooltip: &'static str,
    /// Keys, if any.
    pub shortcut: Option<KeyboardShortcut>,
    /// Where it is listed.
    pub menu: Menu,
}

/// A shortcut with Ctrl, or Cmd on a Mac.
pub const fn ctrl(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::COMMAND, key))
}

/// A shortcut with Ctrl and Shift, or Cmd and Shift on a Mac.
pub const fn ctrl_shift(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key))
}

/// A key alone.
pub const fn key(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::NONE, key))
}

/// A command without keys.
const NO_KEYS: Option<KeyboardShortcut> = None;

macro_rules! shell_commands {
    ($($name:ident = $id:literal, $menu:ident, $shortcut:expr, $text:literal, $tooltip:literal;)*) => {
        $(
            #[doc = $tooltip]
            pub const $name: CommandId = CommandId($id);
        )*

        /// The shell's own rows.
        pub const SHELL: &[CommandSpec] = &[
            $(CommandSpec { id: $name, text: $text, tooltip: $tooltip, shortcut: $shortcut, menu: Menu::$menu },)*
        ];
    };
}

shell_commands! {
    OPEN = "shell.open", File, ctrl(Key::O), "Open…", "Open a file, a preset or a run folder by its path or with a file dialog.";
    PRESETS = "shell.presets", File, ctrl_shift(Key::O), "Open preset…", "Choose one of the ready experiments that ship with Plumb.";
    SAVE_PRESET = "shell.save_preset", File, ctrl_shift(Key::S), "Save preset as…", "Write the experiment on screen to a preset file, which also runs from the command line.";
    RUNS = "shell.runs", File, ctrl_shift(Key::E), "Runs", "List the run folders: reopen, compare, show in the file manager.";
    SETTINGS = "shell.settings", File, ctrl(Key::Comma), "Settings", "Theme, scale, device, threads, folders and seed.";
    QUIT = "shell.quit", File, ctrl(Key::Q), "Quit", "Save the layout, stop what runs and close the window.";
    UNDO = "shell.undo", Edit, ctrl(Key::Z), "Undo", "Take back the last change in the tab in front.";
    REDO = "shell.redo", Edit, ctrl_shift(Key::Z), "Redo", "Do again what was taken back in the tab in front.";
    PALETTE = "shell.palette", View, ctrl(Key::P), "Command palette", "Find and run any command by typing a part of its name.";
    PALETTE_K = "shell.palette_k", None, ctrl(Key::K), "Search commands", "The command palette by its other shortcut.";
    JOBS = "shell.jobs", View, ctrl_shift(Key::J), "Jobs", "Show what runs, waits and has ended, with progress, warnings and log.";
    NOTICES = "shell.notifications", View, ctrl_shift(Key::N), "Notifications", "Show the messages since the start.";
    MENUS = "shell.menus", None, key(Key::F10), "Go to the menus", "Give the keyboard to the menus; the arrow keys move in them.";
    NEXT_TAB = "shell.next_tab", View, ctrl(Key::PageDown), "Next tab", "Bring the next tab to the front.";
    NEXT_ROW = "shell.next_row", View, key(Key::F6), "Next side", "Where tabs are split, give the commands to the tab on the next side.";
    CLOSE_TAB = "shell.close_tab", View, ctrl(Key::W), "Close tab", "Close the tab in front; View brings it back.";
    SPLIT_RIGHT = "shell.split_right", View, ctrl(Key::Backslash), "Move tab to the right", "Split the window and put the tab in front beside the others.";
    SPLIT_DOWN = "shell.split_down", View, ctrl_shift(Key::Backslash), "Move tab below", "Split the window and put the tab in front below the others.";
    JOIN = "shell.join", View, NO_KEYS, "One row of tabs", "Put tabs that were split off back into one row.";
    THEME = "shell.theme", View, ctrl_shift(Key::L), "Switch light and dark", "Change between the light and the dark theme.";
    ZOOM_IN = "shell.zoom_in", View, ctrl(Key::Plus), "Larger", "Show everything larger, up to 200 %.";
    ZOOM_OUT = "shell.zoom_out", View, ctrl(Key::Minus), "Smaller", "Show everything smaller, down to 75 %.";
    ZOOM_RESET = "shell.zoom_reset", View, ctrl(Key::Num0), "Normal size", "Back to 100 %.";
    RESET_LAYOUT = "shell.reset_layout", View, NO_KEYS, "Reset layout", "Put all tabs back to where they were at first.";
    STOP_ALL = "shell.stop_all", Run, ctrl(Key::Period), "Stop all jobs", "Stop everything that runs or waits.";
    HELP = "shell.help", Help, key(Key::F1), "Help for this tab", "What the tab in front does and what its controls mean.";
    HELP_MARK = "shell.help_mark", None, Some(KeyboardShortcut::new(Modifiers::NONE, Key::Questionmark)), "Show help", "Help for the tab in front by its other shortcut.";
    KEYS = "shell.keys", Help, NO_KEYS, "Keyboard shortcuts", "List every command with its keys.";
    ABOUT = "shell.about", Help, NO_KEYS, "About Plumb", "Version, machine and licences.";
}

/// The keys of a command as text, in the way of this system.
pub fn shortcut_text(ctx: &Context, shortcut: &KeyboardShortcut) -> String {
    let text = ctx.format_shortcut(shortcut);
    [
        ("Comma", ","),
        ("Period", "."),
        ("Questionmark", "?"),
        ("Plus", "+"),
        ("Minus", "-"),
        ("PageDown", "Page down"),
        ("Backslash", "\\"),
    ]
    .into_iter()
    .find_map(|(name, sign)| text.strip_suffix(name).map(|keys| format!("{keys}{sign}")))
    .unwrap_or(text)
}

/// The first command whose shortcut was pressed; its key press is taken out of the input.
///
/// Shortcuts with Shift or Alt are looked at first because egui's match ignores them when they are extra.
/// Keys that a text field needs are left alone while one has the focus.
pub fn pressed<'a>(ctx: &Context, commands: impl Iterator<Item = &'a CommandSpec>) -> Option<CommandId> {
    let mut bound: Vec<(KeyboardShortcut, CommandId)> =
        commands.filter_map(|command| command.shortcut.map(|shortcut| (shortcut, command.id))).collect();
    bound.sort_by_key(|(shortcut, _)| !(shortcut.modifiers.shift || shortcut.modifiers.alt));
    let typing = ctx.text_edit_focused();
    ctx.input_mut(|input| {
        bound.into_iter().find_map(|(shortcut, id)| {
            let skip = typing && (shortcut.conflicts_with_text_editing() || edits_text(shortcut));
            // A question mark needs Shift on most keyboards: match the character, not the keys.
            let hit = if shortcut.logical_key == Key::Questionmark {
                !skip && take_question_mark(input)
            } else {
                !skip && input.consume_shortcut(&shortcut)
            };
            hit.then_some(id)
        })
    })
}

fn take_question_mark(input: &mut egui::InputState) -> bool {
    let before = input.events.len();
    input.events.retain(|event| {
        !matches!(event, egui::Event::Key { key: Key::Questionmark, pressed: true, modifiers, .. }
            if !modifiers.command && !modifiers.alt)
    });
    input.events.len() < before
}

/// Keys that text fields use and that egui does not list.
fn edits_text(shortcut: KeyboardShortcut) -> bool {
    matches!(shortcut.logical_key, Key::Z | Key::Y | Key::A | Key::C | Key::X | Key::V | Key::Delete | Key::Backspace)
}

/// Every fault of a table: two commands on the same keys, a missing tooltip, a name used twice.
pub fn faults(commands: &[CommandSpec]) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, one) in commands.iter().enumerate() {
        let name = one.id.0;
        if one.tooltip.trim().is_empty() || !one.tooltip.ends_with('.') {
            faults.push(format!("{name}: the tooltip must be a sentence"));
        }
        if one.text.trim().is_empty() {
            faults.push(format!("{name}: no text"));
        }
        for other in &commands[..index] {
            if one.id == other.id {
                faults.push(format!("{name} is there twice"));
            }
            if let (Some(a), Some(b)) = (one.shortcut, other.shortcut)
                && a == b
            {
                faults.push(format!("{name} and {} share {a:?}", other.id.0));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_clashes_and_every_command_is_explained() {
        let mut all = SHELL.to_vec();
        for panel in crate::shell::registry::panels() {
            all.extend_from_slice(panel.commands());
        }
        let faults = faults(&all);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn faults_are_found() {
        let twice = [SHELL[0], SHELL[0]];
        assert_eq!(faults(&twice).len(), 2, "the name and the keys");
    }

    fn press(shortcut: KeyboardShortcut, commands: &[CommandSpec]) -> Option<CommandId> {
        let ctx = Context::default();
        let mut input = egui::RawInput::default();
        input.events.push(egui::Event::Key {
            key: shortcut.logical_key,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers: shortcut.modifiers,
        });
        let mut hit = None;
        let output = ctx.run_ui(input, |ui| hit = hit.or(pressed(ui.ctx(), commands.iter())));
        output.drop_without_applying_deltas();
        hit
    }

    #[test]
    fn every_shell_shortcut_reaches_its_command() {
        for command in SHELL {
            if let Some(shortcut) = command.shortcut {
                assert_eq!(press(shortcut, SHELL), Some(command.id));
            }
        }
    }
}
