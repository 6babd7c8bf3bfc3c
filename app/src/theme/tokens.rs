//! Design tokens: what a colour, a distance or a size is *for*.

use std::sync::LazyLock;

use egui::Color32;
use serde::{Deserialize, Deserializer};

/// The roles of one theme. Colours come from `dark.ron` and `light.ron`, sizes are the same in both.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Background of panels.
    #[serde(deserialize_with = "color")]
    pub surface: Color32,
    /// Background of what lies above panels: cards, menus, pop-ups.
    #[serde(deserialize_with = "color")]
    pub surface_raised: Color32,
    /// Background of text fields and plots.
    #[serde(deserialize_with = "color")]
    pub surface_field: Color32,
    /// Background of what lies below panels: bars, code, rails.
    #[serde(deserialize_with = "color")]
    pub surface_sunken: Color32,
    /// Background under the pointer.
    #[serde(deserialize_with = "color")]
    pub surface_hover: Color32,
    /// Background of what is being pressed.
    #[serde(deserialize_with = "color")]
    pub surface_pressed: Color32,
    /// Hairlines between regions.
    #[serde(deserialize_with = "color")]
    pub border: Color32,
    /// Edges of controls and of what has the focus.
    #[serde(deserialize_with = "color")]
    pub border_strong: Color32,
    /// Running text.
    #[serde(deserialize_with = "color")]
    pub text: Color32,
    /// Captions and units.
    #[serde(deserialize_with = "color")]
    pub text_weak: Color32,
    /// Headings and figures.
    #[serde(deserialize_with = "color")]
    pub text_strong: Color32,
    /// The one accent: what is selected or running, links.
    #[serde(deserialize_with = "color")]
    pub accent: Color32,
    /// Background of what is selected.
    #[serde(deserialize_with = "color")]
    pub accent_quiet: Color32,
    /// Text on the accent.
    #[serde(deserialize_with = "color")]
    pub accent_text: Color32,
    /// As it should be.
    #[serde(deserialize_with = "color")]
    pub success: Color32,
    /// Look twice.
    #[serde(deserialize_with = "color")]
    pub warning: Color32,
    /// Failed.
    #[serde(deserialize_with = "color")]
    pub danger: Color32,
    /// Under pop-ups.
    #[serde(deserialize_with = "color")]
    pub shadow: Color32,
    /// Over the window while a question is open.
    #[serde(deserialize_with = "color")]
    pub backdrop: Color32,
    /// Curves and groups, told apart also by people who see fewer colours.
    #[serde(deserialize_with = "colors")]
    pub series: [Color32; 8],
    /// Stops of the colour map from low to high; lightness rises along it.
    #[serde(deserialize_with = "color_list")]
    pub heat: Vec<Color32>,
    /// Distances, each about half as large again as the one before, in points.
    #[serde(skip, default = "Sizes::default")]
    pub sizes: Sizes,
    /// Half a gap.
    #[serde(skip, default = "space::<2>")]
    pub space_1: f32,
    /// Between an icon and its text.
    #[serde(skip, default = "space::<4>")]
    pub space_2: f32,
    /// Between controls.
    #[serde(skip, default = "space::<8>")]
    pub space_3: f32,
    /// Inside cards.
    #[serde(skip, default = "space::<12>")]
    pub space_4: f32,
    /// Between groups.
    #[serde(skip, default = "space::<16>")]
    pub space_5: f32,
    /// Around pages.
    #[serde(skip, default = "space::<24>")]
    pub space_6: f32,
    /// Corner radius of controls and cards.
    #[serde(skip, default = "radius")]
    pub radius: u8,
    /// Height of a row in lists and tables.
    #[serde(skip, default = "space::<24>")]
    pub row_height: f32,
}

/// The type scale, in points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizes {
    /// Captions.
    pub small: f32,
    /// Running text.
    pub body: f32,
    /// Names of sections.
    pub heading: f32,
    /// Names of pages.
    pub title: f32,
    /// Numbers and code.
    pub mono: f32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { small: 11.5, body: 13.0, heading: 15.0, title: 20.0, mono: 12.0 }
    }
}

fn space<const N: u8>() -> f32 {
    f32::from(N)
}

fn radius() -> u8 {
    4
}

fn parse(text: &str) -> Result<Color32, String> {
    Color32::from_hex(text).map_err(|error| format!("“{text}” is not a colour: {error:?}"))
}

fn color<'de, D: Deserializer<'de>>(from: D) -> Result<Color32, D::Error> {
    parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

fn color_list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Color32>, D::Error> {
    Vec::<String>::deserialize(from)?.iter().map(|text| parse(text).map_err(serde::de::Error::custom)).collect()
}

fn colors<'de, D: Deserializer<'de>>(from: D) -> Result<[Color32; 8], D::Error> {
    let list = color_list(from)?;
    let found = list.len();
    <[Color32; 8]>::try_from(list)
        .ok()
        .ok_or_else(|| serde::de::Error::custom(format!("8 series colours, not {found}")))
}

impl Tokens {
    /// The tokens of a theme.
    pub fn of(theme: egui::Theme) -> &'static Self {
        static DARK: LazyLock<Tokens> = LazyLock::new(|| Tokens::embedded(include_str!("dark.ron")));
        static LIGHT: LazyLock<Tokens> = LazyLock::new(|| Tokens::embedded(include_str!("light.ron")));
        match theme {
            egui::Theme::Dark => &DARK,
            egui::Theme::Light => &LIGHT,
        }
    }

    #[expect(clippy::expect_used, reason = "the files are part of the program and a test reads both")]
    fn embedded(text: &str) -> Self {
        ron::from_str(text).expect("embedded tokens are valid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance after WCAG 2.
    fn luminance(color: Color32) -> f32 {
        let rgba = egui::Rgba::from(color);
        0.2126 * rgba.r() + 0.7152 * rgba.g() + 0.0722 * rgba.b()
    }

    fn contrast(a: Color32, b: Color32) -> f32 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_is_readable_on_every_surface() {
        for theme in [egui::Theme::Dark, egui::Theme::Light] {
            let t = Tokens::of(theme);
            for surface in [t.surface, t.surface_raised, t.surface_sunken] {
                for (name, text) in [("text", t.text), ("weak", t.text_weak), ("strong", t.text_strong)] {
                    assert!(contrast(text, surface) >= 4.5, "{theme:?} {name}: {}", contrast(text, surface));
                }
                for (name, mark) in [("success", t.success), ("warning", t.warning), ("danger", t.danger)] {
                    assert!(contrast(mark, surface) >= 3.0, "{theme:?} {name}: {}", contrast(mark, surface));
                }
            }
            assert!(contrast(t.accent_text, t.accent) >= 4.5, "{theme:?} text on the accent");
        }
    }
}
