//! A vector of (channels, height, width) as small images, one per channel, on a colour scale around zero.

use egui::{
    Color32, ColorImage, Rect, RichText, Role, Sense, TextureHandle, TextureOptions, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use crate::theme::UiExt as _;
use crate::widgets::colormap::{ColorMap, symmetric_range};
use crate::widgets::format;

/// What to draw.
#[derive(Clone, Copy, Debug)]
pub struct Channels<'a> {
    /// Name in the accessibility tree.
    pub name: &'a str,
    /// Channels.
    pub channels: usize,
    /// Pixels down.
    pub height: usize,
    /// Pixels across.
    pub width: usize,
    /// Row-major (channels, height, width).
    pub values: &'a [f32],
}

/// Keeps the texture of one vector.
#[derive(Default)]
pub struct ImageGrid {
    texture: Option<(u64, TextureHandle)>,
}

impl std::fmt::Debug for ImageGrid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageGrid").field("uploaded", &self.texture.is_some()).finish()
    }
}

/// More channels than this are not drawn; the panel says so.
pub const MOST_CHANNELS: usize = 256;
const GAP: f32 = 3.0;

impl ImageGrid {
    /// Draw the channels as tiles about `tile` points wide, wrapped to the width there is.
    pub fn show(&mut self, ui: &mut Ui, tile: f32, version: u64, vector: &Channels<'_>) {
        let (w, h) = (vector.width, vector.height);
        let shown = vector.channels.min(MOST_CHANNELS);
        if w == 0 || h == 0 || shown == 0 || vector.values.len() < shown * w * h {
            ui.label("No values to show.");
            return;
        }
        let tokens = ui.tokens();
        let stops = ColorMap::Diverging.stops(tokens);
        let range = symmetric_range(vector.values);
        let key = version.wrapping_mul(2) + u64::from(ui.visuals().dark_mode);
        // The atlas is about square, so that many channels stay under the largest texture side.
        let across = ((shown as f32 * h as f32 / w as f32).sqrt().ceil() as usize).clamp(1, shown);
        let down = shown.div_ceil(across);
        if self.texture.as_ref().is_none_or(|(old, _)| *old != key) {
            let mut image = ColorImage::filled([across * w, down * h], Color32::TRANSPARENT);
            for channel in 0..shown {
                let (left, top) = ((channel % across) * w, (channel / across) * h);
                for y in 0..h {
                    for x in 0..w {
                        let value = vector.values[(channel * h + y) * w + x];
                        image.pixels[(top + y) * across * w + left + x] = ColorMap::color(&stops, range, value);
                    }
                }
            }
            self.texture = Some((key, ui.ctx().load_texture(vector.name, image, TextureOptions::NEAREST)));
        }
        let Some((_, texture)) = &self.texture else { return };
        let size = vec2(tile, (tile * h as f32 / w as f32).clamp(6.0, tile * 3.0));
        let columns = (((ui.available_width() + GAP) / (tile + GAP)).floor() as usize).clamp(1, shown);
        let rows = shown.div_ceil(columns);
        let whole = vec2(columns as f32 * (size.x + GAP) - GAP, rows as f32 * (size.y + GAP) - GAP);
        let (rect, response) = ui.allocate_exact_size(whole, Sense::hover());
        let label = format!("{}, {} images of {h}×{w}", vector.name, vector.channels);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
        let place = |channel: usize| {
            let at = vec2((channel % columns) as f32 * (size.x + GAP), (channel / columns) as f32 * (size.y + GAP));
            Rect::from_min_size(rect.min + at, size)
        };
        if ui.is_rect_visible(rect) {
            for channel in 0..shown {
                let unit = vec2(1.0 / across as f32, 1.0 / down as f32);
                let corner = pos2((channel % across) as f32 * unit.x, (channel / across) as f32 * unit.y);
                let target = place(channel);
                ui.painter().image(texture.id(), target, Rect::from_min_size(corner, unit), crate::theme::UNTINTED);
                ui.painter().rect_stroke(target, 0, (1.0, tokens.border), egui::StrokeKind::Outside);
            }
        }
        if shown < vector.channels {
            let text = format!("The first {shown} of {} channels are drawn.", vector.channels);
            ui.label(RichText::new(text).small().color(tokens.text_weak));
        }
        let Some(pointer) = response.hover_pos() else { return };
        let Some(channel) = (0..shown).find(|channel| place(*channel).contains(pointer)) else { return };
        let target = place(channel);
        let offset: Vec2 = pointer - target.min;
        let x = ((offset.x / target.width() * w as f32) as usize).min(w - 1);
        let y = ((offset.y / target.height() * h as f32) as usize).min(h - 1);
        let value = f64::from(vector.values[(channel * h + y) * w + x]);
        ui.painter().rect_stroke(target, 0, (1.5, tokens.accent), egui::StrokeKind::Outside);
        response.on_hover_text_at_pointer(format!(
            "Channel {channel}, row {y}, column {x}\nValue {}",
            format::number(value)
        ));
    }
}
