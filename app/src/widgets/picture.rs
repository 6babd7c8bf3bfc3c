//! Pictures without a window: the same drawing code runs in a context of its own and is painted into memory.
//!
//! Works without a display and without a graphics card, so a saved plot looks the same everywhere.

use std::collections::HashMap;

use egui::epaint::{ClippedPrimitive, ImageData, Primitive, Vertex};
use egui::{
    Color32, Context, Mesh, Pos2, RawInput, Rect, TextureFilter, TextureId, TexturesDelta, Ui, Vec2, ViewportId,
};

/// Pixels per point of a saved picture.
const SCALE: f32 = 2.0;
/// Passes until sizes have settled.
const PASSES: usize = 3;

/// Draw `content` on a page of `size` points with the fonts and the look of `like`; the bytes of a PNG file.
pub fn png(like: &Context, size: Vec2, mut content: impl FnMut(&mut Ui)) -> Vec<u8> {
    let (width, height, pixels) = render(like, size, &mut content);
    let mut bytes = std::io::Cursor::new(Vec::new());
    let raw: Vec<u8> = pixels.iter().flat_map(Color32::to_array).collect();
    let Some(image) = image::RgbaImage::from_raw(width as u32, height as u32, raw) else { return Vec::new() };
    // Writing into memory cannot fail for an image of this kind; an empty file would be noticed by the caller.
    if image.write_to(&mut bytes, image::ImageFormat::Png).is_err() {
        return Vec::new();
    }
    bytes.into_inner()
}

fn render(like: &Context, size: Vec2, content: &mut dyn FnMut(&mut Ui)) -> (usize, usize, Vec<Color32>) {
    let ctx = Context::default();
    ctx.set_fonts(like.fonts(|fonts| fonts.definitions().clone()));
    let theme = like.theme();
    ctx.set_theme(theme);
    ctx.set_style_of(theme, like.style_of(theme));
    ctx.global_style_mut(|style| style.animation_time = 0.0);
    let mut painter = Painter::new((size.x * SCALE) as usize, (size.y * SCALE) as usize);
    let mut primitives = Vec::new();
    for _ in 0..PASSES {
        let mut input = RawInput { screen_rect: Some(Rect::from_min_size(Pos2::ZERO, size)), ..RawInput::default() };
        if let Some(viewport) = input.viewports.get_mut(&ViewportId::ROOT) {
            viewport.native_pixels_per_point = Some(SCALE);
        }
        let mut output = ctx.run_ui(input, |ui| {
            egui::Frame::central_panel(ui.style()).inner_margin(16).show(ui, |ui| {
                ui.set_min_size(size - Vec2::splat(32.0));
                content(ui);
            });
        });
        painter.take_textures(std::mem::take(&mut output.textures_delta));
        primitives = ctx.tessellate(output.shapes, SCALE);
    }
    painter.clear(ctx.global_style().visuals.panel_fill);
    painter.paint(&primitives);
    (painter.width, painter.height, painter.pixels)
}

struct Texture {
    size: [usize; 2],
    smooth: bool,
    pixels: Vec<Color32>,
}

/// Paints triangles as the graphics card would: premultiplied colours, multiplied with the texture.
struct Painter {
    width: usize,
    height: usize,
    pixels: Vec<Color32>,
    textures: HashMap<TextureId, Texture>,
}

impl Painter {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![Color32::TRANSPARENT; width * height], textures: HashMap::new() }
    }

    fn clear(&mut self, color: Color32) {
        self.pixels.fill(color.to_opaque());
    }

    fn take_textures(&mut self, mut delta: TexturesDelta) {
        #[expect(clippy::iter_over_hash_type, reason = "each texture is set on its own")]
        for (id, deltas) in delta.set.drain() {
            for delta in deltas {
                let ImageData::Color(image) = delta.image;
                if let (Some([left, top]), Some(texture)) = (delta.pos, self.textures.get_mut(&id)) {
                    for y in 0..image.size[1] {
                        let from = y * image.size[0];
                        let to = (top + y) * texture.size[0] + left;
                        texture.pixels[to..to + image.size[0]]
                            .copy_from_slice(&image.pixels[from..from + image.size[0]]);
                    }
                } else {
                    let smooth = delta.options.magnification == TextureFilter::Linear;
                    let pixels = image.pixels.clone();
                    self.textures.insert(id, Texture { size: image.size, smooth, pixels });
                }
            }
        }
        delta.free.clear();
    }

    fn paint(&mut self, primitives: &[ClippedPrimitive]) {
        for clipped in primitives {
            if let Primitive::Mesh(mesh) = &clipped.primitive {
                let clip = clipped.clip_rect;
                let limits = [
                    (clip.left() * SCALE).round().max(0.0) as usize,
                    (clip.top() * SCALE).round().max(0.0) as usize,
                    ((clip.right() * SCALE).round().max(0.0) as usize).min(self.width),
                    ((clip.bottom() * SCALE).round().max(0.0) as usize).min(self.height),
                ];
                self.mesh(mesh, limits);
            }
        }
    }

    fn mesh(&mut self, mesh: &Mesh, limits: [usize; 4]) {
        let Some(texture) = self.textures.get(&mesh.texture_id) else { return };
        for triangle in mesh.indices.chunks_exact(3) {
            let corners = [0, 1, 2].map(|i| mesh.vertices[triangle[i] as usize]);
            triangle_into(&mut self.pixels, self.width, texture, corners, limits);
        }
    }
}

fn triangle_into(pixels: &mut [Color32], stride: usize, texture: &Texture, v: [Vertex; 3], limits: [usize; 4]) {
    let p = v.map(|vertex| (vertex.pos.to_vec2() * SCALE).to_pos2());
    let cross = |a: Pos2, b: Pos2, c: Pos2| (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
    let area = cross(p[0], p[1], p[2]);
    if area == 0.0 || !area.is_finite() {
        return;
    }
    let low = |a: f32, b: f32, c: f32| a.min(b).min(c).floor().max(0.0) as usize;
    let high = |a: f32, b: f32, c: f32| a.max(b).max(c).ceil().max(0.0) as usize;
    let left = low(p[0].x, p[1].x, p[2].x).max(limits[0]);
    let right = high(p[0].x, p[1].x, p[2].x).min(limits[2]);
    let top = low(p[0].y, p[1].y, p[2].y).max(limits[1]);
    let bottom = high(p[0].y, p[1].y, p[2].y).min(limits[3]);
    for y in top..bottom {
        for x in left..right {
            let at = Pos2::new(x as f32 + 0.5, y as f32 + 0.5);
            let weights = [cross(p[1], p[2], at) / area, cross(p[2], p[0], at) / area, cross(p[0], p[1], at) / area];
            // An edge shared by two triangles belongs to one of them only, or it would be painted twice.
            let inside = (0..3).all(|i| {
                let (from, to) = (p[(i + 1) % 3], p[(i + 2) % 3]);
                let (dx, dy) = ((to.x - from.x) * area.signum(), (to.y - from.y) * area.signum());
                weights[i] > 0.0 || (weights[i] == 0.0 && (dy < 0.0 || (dy == 0.0 && dx > 0.0)))
            });
            if inside {
                let mix = |f: fn(&Vertex) -> f32| (0..3).map(|i| f(&v[i]) * weights[i]).sum::<f32>();
                let tint = [0, 1, 2, 3].map(|c| (0..3).map(|i| f32::from(v[i].color[c]) * weights[i]).sum::<f32>());
                let texel = lookup(texture, mix(|v| v.uv.x), mix(|v| v.uv.y));
                let source = [0, 1, 2, 3].map(|c| tint[c] / 255.0 * texel[c]);
                let pixel = &mut pixels[y * stride + x];
                *pixel = over(source, *pixel);
            }
        }
    }
}

/// Between the four nearest texels, or the one under the point, each channel in 0..=255.
fn lookup(texture: &Texture, u: f32, v: f32) -> [f32; 4] {
    let [w, h] = texture.size;
    if !texture.smooth {
        let x = ((u * w as f32).max(0.0) as usize).min(w - 1);
        let y = ((v * h as f32).max(0.0) as usize).min(h - 1);
        return [0, 1, 2, 3].map(|c| f32::from(texture.pixels[y * w + x][c]));
    }
    let x = (u * w as f32 - 0.5).clamp(0.0, (w - 1) as f32);
    let y = (v * h as f32 - 0.5).clamp(0.0, (h - 1) as f32);
    let (x0, y0) = (x.floor() as usize, y.floor() as usize);
    let (x1, y1) = ((x0 + 1).min(w - 1), (y0 + 1).min(h - 1));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let at = |x: usize, y: usize, c: usize| f32::from(texture.pixels[y * w + x][c]);
    [0, 1, 2, 3].map(|c| {
        let above = at(x0, y0, c) * (1.0 - fx) + at(x1, y0, c) * fx;
        let below = at(x0, y1, c) * (1.0 - fx) + at(x1, y1, c) * fx;
        above * (1.0 - fy) + below * fy
    })
}

fn over(source: [f32; 4], under: Color32) -> Color32 {
    let keep = 1.0 - source[3] / 255.0;
    let mixed = [0, 1, 2].map(|c| (source[c] + f32::from(under[c]) * keep).round().clamp(0.0, 255.0) as u8);
    #[expect(clippy::disallowed_methods, reason = "this is a pixel that was painted, not a colour that was chosen")]
    Color32::from_rgba_premultiplied(mixed[0], mixed[1], mixed[2], 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_painted_with_the_look_of_the_window() {
        let like = Context::default();
        let input = RawInput::default();
        like.run_ui(input, |_| {}).drop_without_applying_deltas();
        let bytes = png(&like, Vec2::new(80.0, 40.0), |ui| {
            ui.label("Hello");
        });
        let image = image::load_from_memory(&bytes).expect("a PNG file").to_rgba8();
        assert_eq!(image.dimensions(), (160, 80));
        let background = *image.get_pixel(1, 1);
        assert_eq!(background[3], 255);
        assert!(image.pixels().any(|pixel| *pixel != background), "the text is there");
    }
}
