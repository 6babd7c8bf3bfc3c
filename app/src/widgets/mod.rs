//! What several panels share: tables, plots, heat maps, image grids, figures, badges, and what to show while waiting.

pub mod badge;
pub mod bipolar;
pub mod chart;
pub mod chart_ui;
pub mod choice;
pub mod colormap;
pub mod format;
pub mod heat_map;
pub mod image_grid;
pub mod keep;
pub mod picture;
pub mod scroll;
pub mod status;
pub mod table;
pub mod tile;
