//! A grid of numbers as colours: the texture goes up once per result, the value under the cursor is read from the numbers.

use egui::{
    Color32, ColorImage, Pos2, Rect, Response, RichText, Role, Sense, TextureHandle, TextureOptions, Ui, Vec2,
    WidgetInfo, pos2, vec2,
};

use crate::theme::UiExt as _;
use crate::widgets::colormap::{ColorMap, range_of, symmetric_range};
use crate::widgets::format;

/// What to draw.
#[derive(Clone, Copy, Debug)]
pub struct Grid<'a> {
    /// Name in the accessibility tree.
    pub name: &'a str,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Row-major values.
    pub values: &'a [f32],
    /// Which colours.
    pub map: ColorMap,
}

impl Grid<'_> {
    fn range(&self) -> [f32; 2] {
        match self.map {
            ColorMap::Sequential => range_of(self.values),
            ColorMap::Diverging => symmetric_range(self.values),
        }
    }
}

/// Keeps the texture of one result.
#[derive(Default)]
pub struct HeatMap {
    texture: Option<(u64, TextureHandle)>,
}

impl std::fmt::Debug for HeatMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeatMap").field("uploaded", &self.texture.is_some()).finish()
    }
}

impl HeatMap {
    /// Draw `grid` no larger than `size`, a legend beside it. `version` changes when the values do;
    /// `describe` says what is under the cursor: row, column, value.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        size: Vec2,
        version: u64,
        grid: &Grid<'_>,
        describe: impl Fn(usize, usize, f32) -> String,
    ) -> Option<Response> {
        if grid.width == 0 || grid.height == 0 || grid.values.len() < grid.width * grid.height {
            return None;
        }
        let tokens = ui.tokens();
        let stops = grid.map.stops(tokens);
        let range = grid.range();
        let key = version.wrapping_mul(2) + u64::from(ui.visuals().dark_mode);
        if self.texture.as_ref().is_none_or(|(old, _)| *old != key) {
            let pixels: Vec<Color32> = grid.values[..grid.width * grid.height]
                .iter()
                .map(|value| ColorMap::color(&stops, range, *value))
                .collect();
            let image = ColorImage::new([grid.width, grid.height], pixels);
            self.texture = Some((key, ui.ctx().load_texture(grid.name, image, TextureOptions::NEAREST)));
        }
        let (_, texture) = self.texture.as_ref()?;
        let response = ui
            .horizontal_top(|ui| {
                let room = vec2((size.x - 74.0).max(40.0), size.y.max(40.0));
                let cell = (room.x / grid.width as f32).min(room.y / grid.height as f32);
                let drawn = vec2(cell * grid.width as f32, cell * grid.height as f32);
                let (rect, response) = ui.allocate_exact_size(drawn, Sense::hover());
                let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
                ui.painter().image(texture.id(), rect, whole, crate::theme::UNTINTED);
                ui.painter().rect_stroke(rect, 0, (1.0, tokens.border), egui::StrokeKind::Outside);
                let label = format!(
                    "{}, {} rows, {} columns, values from {} to {}",
                    grid.name,
                    grid.height,
                    grid.width,
                    format::number(f64::from(range[0])),
                    format::number(f64::from(range[1]))
                );
                response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
                legend(ui, drawn.y, &stops, range);
                under_cursor(ui, rect, response, grid, tokens, describe)
            })
            .inner;
        Some(response)
    }
}

fn under_cursor(
    ui: &Ui,
    rect: Rect,
    response: Response,
    grid: &Grid<'_>,
    tokens: &crate::theme::Tokens,
    describe: impl Fn(usize, usize, f32) -> String,
) -> Response {
    let Some(pointer) = response.hover_pos() else { return response };
    let cell = rect.width() / grid.width as f32;
    let column = (((pointer.x - rect.left()) / cell) as usize).min(grid.width - 1);
    let row = (((pointer.y - rect.top()) / cell) as usize).min(grid.height - 1);
    let corner = rect.min + vec2(column as f32 * cell, row as f32 * cell);
    let frame = Rect::from_min_size(corner, Vec2::splat(cell)).expand(1.0);
    ui.painter().rect_stroke(frame, 0, (1.5, tokens.text_strong), egui::StrokeKind::Outside);
    let text = describe(row, column, grid.values[row * grid.width + column]);
    response.on_hover_text_at_pointer(text)
}

/// The colours with the values at both ends and in the middle.
pub fn legend(ui: &mut Ui, height: f32, stops: &[Color32], range: [f32; 2]) {
    let tokens = ui.tokens();
    let (rect, response) = ui.allocate_exact_size(vec2(66.0, height.max(48.0)), Sense::hover());
    let bar = Rect::from_min_size(rect.min + vec2(6.0, 6.0), vec2(10.0, rect.height() - 12.0));
    let mut mesh = egui::Mesh::default();
    let last = stops.len().saturating_sub(1).max(1);
    for (i, color) in stops.iter().enumerate() {
        let y = bar.bottom() - bar.height() * i as f32 / last as f32;
        mesh.colored_vertex(pos2(bar.left(), y), *color);
        mesh.colored_vertex(pos2(bar.right(), y), *color);
        if i > 0 {
            let k = 2 * i as u32;
            mesh.add_triangle(k - 2, k - 1, k);
            mesh.add_triangle(k - 1, k, k + 1);
        }
    }
    ui.painter().add(mesh);
    ui.painter().rect_stroke(bar, 0, (1.0, tokens.border), egui::StrokeKind::Outside);
    let font = egui::TextStyle::Small.resolve(ui.style());
    for (share, value) in [(0.0, range[0]), (0.5, f32::midpoint(range[0], range[1])), (1.0, range[1])] {
        let y = bar.bottom() - bar.height() * share;
        let text = format::number(f64::from(value));
        ui.painter().text(pos2(bar.right() + 5.0, y), egui::Align2::LEFT_CENTER, text, font.clone(), tokens.text_weak);
    }
    let ends = [range[0], range[1]].map(|v| format::number(f64::from(v)));
    let name = format!("Colour scale from {} to {}", ends[0], ends[1]);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    response.on_hover_ui(|ui| {
        ui.label(RichText::new(&name));
    });
}
