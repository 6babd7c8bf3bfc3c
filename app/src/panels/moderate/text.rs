//! Other people's texts: hidden until revealed, control characters made visible, right-to-left writing in its order.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::bidi;
use crate::theme::UiExt as _;
use egui::text::{LayoutJob, TextFormat};
use egui::{Align, Color32, FontId, Galley, Response, Role, Sense, TextStyle, Ui, WidgetInfo, vec2};

/// Longer texts are shown in part: the layout of a megabyte takes seconds.
pub const LONGEST: usize = 20_000;

/// Pieces without space between them would be joined, and then shaped in the order of another direction.
const APART: f32 = f32::MIN_POSITIVE;

/// Characters of which a line in a list may consist.
const SHORT: usize = 200;

/// The text as it is shown, and how many characters were left out.
pub fn shown(text: &str, most: usize) -> (String, usize) {
    let mut out = String::with_capacity(text.len().min(4 * most));
    let mut count = 0;
    for c in text.chars() {
        count += 1;
        if count > most {
            continue;
        }
        match c {
            '\n' | '\t' => out.push(c),
            '\r' => {}
            // What would turn the reading order round, or is not to be seen at all, is named.
            _ if c.is_control() || is_invisible(c) => {
                // Writing to a string does not fail.
                let _ = write!(out, "[U+{:04X}]", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    (out, count.saturating_sub(most))
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// A text as it was laid out before: putting right-to-left lines in order measures every word.
#[derive(Clone)]
struct Laid {
    job: Arc<LayoutJob>,
    text: Arc<str>,
    left_out: usize,
    /// The frame it was drawn in last.
    drawn: u64,
}

/// Those of the last frames, by what they depend on.
type Kept = HashMap<u64, Laid>;

/// More are not kept when they have left the screen.
const KEPT: usize = 256;

fn laid(ui: &Ui, text: &str, format: &TextFormat, width: f32, one: bool) -> Laid {
    let all = egui::Id::unique("moderate texts");
    let (scale, frame) = (ui.ctx().pixels_per_point(), ui.ctx().cumulative_pass_nr());
    let key = egui::util::hash((text, format, width.to_bits(), scale.to_bits(), one));
    let known = ui.data_mut(|data| {
        let known = data.get_temp_mut_or_default::<Kept>(all).get_mut(&key)?;
        known.drawn = frame;
        Some(known.clone())
    });
    known.unwrap_or_else(|| {
        let (text, left_out) = shown(text, if one { SHORT } else { LONGEST });
        let job = Arc::new(arrange(ui, &text, format, width, one));
        let new = Laid { job, text: text.into(), left_out, drawn: frame };
        ui.data_mut(|data| {
            let kept = data.get_temp_mut_or_default::<Kept>(all);
            if kept.len() >= KEPT {
                kept.retain(|_, laid| laid.drawn + 1 >= frame);
            }
            kept.insert(key, new.clone());
        });
        new
    })
}

/// Draw a text. `name` is what a screen reader says before it; a hidden text is not read out.
pub fn text_ui(ui: &mut Ui, name: &str, text: &str, size: f32, color: Color32, hidden: bool) -> Response {
    let tokens = ui.tokens();
    let font = FontId::new(size, TextStyle::Body.resolve(ui.style()).family);
    let width = ui.available_width();
    let (ink, paper) =
        if hidden { (Color32::TRANSPARENT, tokens.surface_hover) } else { (color, Color32::TRANSPARENT) };
    let format = TextFormat {
        font_id: font,
        color: ink,
        background: paper,
        line_height: Some(size * 1.5),
        ..TextFormat::default()
    };
    let laid = laid(ui, text, &format, width, false);
    let galley = ui.fonts_mut(|fonts| fonts.layout_job(LayoutJob::clone(&laid.job)));
    let (rect, response) = ui.allocate_exact_size(vec2(width, galley.size().y), Sense::hover());
    if ui.is_rect_visible(rect) {
        let start = if galley.job.halign == Align::RIGHT { rect.right_top() } else { rect.min };
        ui.painter().galley(start, galley, color);
    }
    response.widget_info(|| {
        let said = if hidden { format!("{name}: hidden") } else { format!("{name}: {}", laid.text) };
        WidgetInfo::labeled(Role::Label, true, said)
    });
    if laid.left_out > 0 && !hidden {
        let more = format!("{} more characters are not shown", crate::widgets::format::count(laid.left_out));
        ui.label(egui::RichText::new(more).small().color(tokens.text_weak));
    }
    response
}

fn arrange(ui: &Ui, text: &str, format: &TextFormat, width: f32, one: bool) -> LayoutJob {
    let mut job = LayoutJob::default();
    job.wrap.max_width = width;
    if one {
        job.wrap = egui::text::TextWrapping::truncate_at_width(width);
    }
    if !bidi::has_rtl(text) {
        job.append(text, 0.0, format.clone());
        return job;
    }
    let measure = |text: &str| {
        ui.fonts_mut(|fonts| fonts.layout_no_wrap(text.to_owned(), format.font_id.clone(), format.color)).size().x
    };
    let cut = if one { bidi::beginning(text, width, &measure) } else { text.to_owned() };
    let (lines, right) = bidi::lines(&cut, if one { f32::INFINITY } else { width }, &measure);
    if right {
        job.halign = Align::RIGHT;
    }
    job.wrap.max_width = f32::INFINITY;
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            job.append("\n", 0.0, format.clone());
        }
        for piece in line {
            job.append(piece, APART, format.clone());
        }
    }
    job
}

/// The beginning of a text on one line.
pub fn one_line(ui: &Ui, text: &str, font: FontId, color: Color32, width: f32) -> Arc<Galley> {
    let format = TextFormat::simple(font, color);
    let laid = laid(ui, text, &format, width, true);
    ui.fonts_mut(|fonts| fonts.layout_job(LayoutJob::clone(&laid.job)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_named_and_long_texts_are_cut() {
        assert_eq!(shown("a\u{202E}b\u{7}\r\nc\td", 100), ("a[U+202E]b[U+0007]\nc\td".to_owned(), 0));
        assert_eq!(shown("abcdef", 4), ("abcd".to_owned(), 2));
    }
}
