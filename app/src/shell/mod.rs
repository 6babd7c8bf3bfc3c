//! The frame around the panels: tabs, commands, palette, notifications, jobs, settings, help, runs.

pub mod commands;
pub mod dialogs;
pub mod home;
pub mod notify;
pub mod panel;
pub mod registry;
pub mod settings;
