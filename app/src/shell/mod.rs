//! The frame around the panels: tabs, commands, palette, notifications, jobs, settings, help, runs.

pub mod commands;
pub mod dialogs;
mod focus;
pub mod home;
mod job_tray;
mod journal;
pub mod layout;
mod markdown;
pub mod notify;
mod palette;
pub mod panel;
pub mod presets;
pub mod registry;
pub mod runs;
pub mod settings;
mod settings_page;
pub mod slots;
mod toasts;
pub mod window;
pub mod workbench;
