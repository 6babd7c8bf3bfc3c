//! State told by shape and word, never by colour alone.

use egui::{Color32, Pos2, Rect, Response, RichText, Role, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2};

use crate::theme::{Tokens, UiExt as _};

/// The shape in front of the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A filled disc.
    Disc,
    /// A check mark.
    Check,
    /// An upright triangle.
    Triangle,
    /// A diamond.
    Diamond,
    /// Scissors would be too small: a square with its top cut off.
    Cut,
    /// A cross.
    Cross,
}

/// How good the news is; picks the colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As wished.
    Good,
    /// As changed by the user.
    Changed,
    /// Look twice.
    Caution,
    /// Not usable.
    Bad,
    /// Neither.
    Plain,
}

impl Tone {
    /// The theme's colour of this tone.
    pub fn color(self, tokens: &Tokens) -> Color32 {
        match self {
            Self::Good => tokens.success,
            Self::Changed => tokens.accent,
            Self::Caution => tokens.warning,
            Self::Bad => tokens.danger,
            Self::Plain => tokens.text_weak,
        }
    }
}

/// Draw only the shape, centred in `rect`.
pub fn paint_mark(ui: &Ui, rect: Rect, mark: Mark, color: Color32) {
    let painter = ui.painter();
    let center = rect.center();
    let r = 4.0;
    let at = |x: f32, y: f32| -> Pos2 { pos2(center.x + x * r, center.y + y * r) };
    let line = Stroke::new(1.6, color);
    match mark {
        Mark::Disc => {
            painter.circle_filled(center, r * 0.9, color);
        }
        Mark::Check => {
            painter.add(Shape::line(vec![at(-1.0, 0.1), at(-0.3, 0.8), at(1.0, -0.8)], line));
        }
        Mark::Triangle => {
            painter.add(Shape::convex_polygon(vec![at(0.0, -1.0), at(1.1, 0.9), at(-1.1, 0.9)], color, Stroke::NONE));
        }
        Mark::Diamond => {
            let corners = vec![at(0.0, -1.15), at(1.15, 0.0), at(0.0, 1.15), at(-1.15, 0.0)];
            painter.add(Shape::convex_polygon(corners, color, Stroke::NONE));
        }
        Mark::Cut => {
            painter.line_segment([at(-1.2, -0.6), at(1.2, -0.6)], line);
            painter.rect_filled(Rect::from_min_max(at(-0.9, -0.1), at(0.9, 1.0)), 0, color);
        }
        Mark::Cross => {
            painter.line_segment([at(-0.9, -0.9), at(0.9, 0.9)], line);
            painter.line_segment([at(0.9, -0.9), at(-0.9, 0.9)], line);
        }
    }
}

/// Shape and word.
pub fn badge(ui: &mut Ui, mark: Mark, tone: Tone, word: &str) -> Response {
    let color = tone.color(ui.tokens());
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let (rect, _) = ui.allocate_exact_size(vec2(11.0, 14.0), Sense::hover());
        paint_mark(ui, rect, mark, color);
        ui.add(egui::Label::new(RichText::new(word).small().color(ui.tokens().text)).extend())
    })
    .inner
}

/// A coloured stroke or dot that stands for a series in a legend outside a plot.
pub fn swatch(ui: &mut Ui, color: Color32, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(14.0, 12.0), Sense::hover());
    ui.painter().line_segment([rect.left_center(), rect.right_center()], Stroke::new(3.0, color));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name));
    response
}
