//! The panel's rows of the command table. Single keys are in `keys`.

use crate::shell::commands::{CommandId, CommandSpec, Menu};

macro_rules! commands {
    ($($name:ident = $id:literal, $menu:ident, $text:literal, $tooltip:literal;)*) => {
        $(
            #[doc = $tooltip]
            pub const $name: CommandId = CommandId($id);
        )*

        /// All of them.
        pub const ALL: &[CommandSpec] = &[
            $(CommandSpec { id: $name, text: $text, tooltip: $tooltip, shortcut: None, menu: Menu::$menu },)*
        ];
    };
}

commands! {
    SANDBOX = "moderate.sandbox", File, "Open moderation sandbox", "Open the made-up community that ships with Plumb.";
    OPEN = "moderate.open", File, "Open moderation database…", "Choose a team's SQLite file.";
    IMPORT = "moderate.import", File, "Import cases…", "Read cases and judgements from a log or a table into the open database.";
    EXPORT_DECISIONS = "moderate.export_decisions", File, "Export decisions…", "Write the decision on every case as CSV.";
    EXPORT_VOTES = "moderate.export_votes", File, "Export votes…", "Write everybody's last word on every case as CSV.";
    EXPORT_SPLITS = "moderate.export_splits", File, "Export split cases…", "Write the cases whose votes differ as CSV.";
    REFRESH = "moderate.refresh", View, "Look for moderation news", "Read what others did in the same database.";
    QUEUE = "moderate.queue", View, "Show moderation queue", "Cases, one after the other.";
    DISAGREEMENT = "moderate.disagreement", View, "Show disagreement", "Where moderators differ: cases, rules, pairs.";
    SETTINGS = "moderate.settings", View, "Show panel settings", "Panels, budget with a forecast from this log, the model.";
    ONBOARDING = "moderate.onboarding", View, "Show on-boarding", "Judge past cases and see what the team said.";
    REPORT = "moderate.report", View, "Show moderation report", "Figures for others, without names and texts.";
    DATA = "moderate.data", View, "Show moderation data", "Open, import, export.";
    REVIEW = "moderate.list_review", View, "List what waits for review", "Cases for one moderator, most reports first.";
    PANELS = "moderate.list_panels", View, "List panels", "Cases that a panel decides, oldest first.";
    DECIDED = "moderate.list_decided", View, "List what is decided", "Decided cases, newest first.";
    NEXT = "moderate.next", None, "Next case", "Go to the next case of the list.";
    APPROVE = "moderate.approve", Run, "Approve case", "The case stays up and leaves the queue.";
    REMOVE = "moderate.remove", Run, "Remove case…", "Choose the rule the case breaks; then it is marked for removal.";
    PANEL = "moderate.panel", Run, "Ask for a panel", "Moderators drawn at random vote on the case without seeing each other's votes.";
    UNDO_LAST = "moderate.undo", Edit, "Undo last verdict", "Take back your last verdict or panel.";
    MARK_ALL = "moderate.mark_all", Edit, "Mark all listed cases", "Mark every case that is shown, to do the same to all.";
    CARRIED_OUT = "moderate.carried_out", Run, "Mark decisions as carried out…", "Say that the platform did what was decided for the marked cases.";
    SORT_IN = "moderate.sort_in", Run, "Sort in new cases", "Send new cases to panels where the model expects disagreement, to one moderator otherwise.";
    TRAIN = "moderate.train", Run, "Train the vote model", "Learn from this team's log; a worse model does not replace a better one.";
}
