//! How Plumb looks: design tokens, type, icons. The only place that names a colour, a radius or a type size.

mod fonts;
pub mod icons;
mod style;
mod tokens;

use egui::{Context, Ui};

pub use fonts::{SEMIBOLD, semibold};
pub use icons::Icon;
pub use style::{TITLE, animations, apply};
pub use tokens::{Sizes, Tokens};

/// What a texture is multiplied with to be shown as it is.
pub const UNTINTED: egui::Color32 = egui::Color32::WHITE;

/// The tokens of the theme in force.
pub trait UiExt {
    /// The tokens of the theme in force.
    fn tokens(&self) -> &'static Tokens;
}

impl UiExt for Ui {
    fn tokens(&self) -> &'static Tokens {
        Tokens::of(egui::Theme::from_dark_mode(self.visuals().dark_mode))
    }
}

impl UiExt for Context {
    fn tokens(&self) -> &'static Tokens {
        Tokens::of(self.theme())
    }
}
