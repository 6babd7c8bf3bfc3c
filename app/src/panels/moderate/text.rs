//! Other people's texts: hidden until revealed, control characters made visible, right-to-left writing in its order.

use std::fmt::Write as _;
use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat};
use egui::{Align, Color32, FontId, Galley, Response, Role, Sense, TextStyle, Ui, WidgetInfo, vec2};
use unicode_bidi::BidiInfo;

use crate::theme::UiExt as _;

/// Longer texts are shown in part: the layout of a megabyte takes seconds.
pub const LONGEST: usize = 20_000;

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

/// Whether the text has letters that are written from right to left.
pub fn has_rtl(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}'))
}

/// Draw a text. `name` is what a screen reader says before it; a hidden text is not read out.
pub fn text_ui(ui: &mut Ui, name: &str, text: &str, size: f32, color: Color32, hidden: bool) -> Response {
    let (text, left_out) = shown(text, LONGEST);
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
    let galley = lay_out(ui, &text, &format, width);
    let (rect, response) = ui.allocate_exact_size(vec2(width, galley.size().y), Sense::hover());
    if ui.is_rect_visible(rect) {
        let start = if galley.job.halign == Align::RIGHT { rect.right_top() } else { rect.min };
        ui.painter().galley(start, galley, color);
    }
    let said = if hidden { format!("{name}: hidden") } else { format!("{name}: {text}") };
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &said));
    if left_out > 0 && !hidden {
        let more = format!("{} more characters are not shown", crate::widgets::format::count(left_out));
        ui.label(egui::RichText::new(more).small().color(tokens.text_weak));
    }
    response
}

fn lay_out(ui: &Ui, text: &str, format: &TextFormat, width: f32) -> Arc<Galley> {
    let mut job = LayoutJob::default();
    job.wrap.max_width = width;
    if !has_rtl(text) {
        job.append(text, 0.0, format.clone());
        return ui.fonts_mut(|fonts| fonts.layout_job(job));
    }
    // egui shapes a run of letters in its own direction but knows no order of runs: break lines and order runs here.
    let measure = |text: &str| {
        ui.fonts_mut(|fonts| fonts.layout_no_wrap(text.to_owned(), format.font_id.clone(), format.color)).size().x
    };
    let bidi = BidiInfo::new(text, None);
    if bidi.paragraphs.first().is_some_and(|paragraph| paragraph.level.is_rtl()) {
        job.halign = Align::RIGHT;
    }
    job.wrap.max_width = f32::INFINITY;
    let mut first = true;
    for paragraph in &bidi.paragraphs {
        for line in lines(&text[paragraph.range.clone()], width, &measure) {
            if !std::mem::take(&mut first) {
                job.append("\n", 0.0, format.clone());
            }
            let line = paragraph.range.start + line.start..paragraph.range.start + line.end;
            for run in bidi.visual_runs(paragraph, line).1 {
                let piece = text[run].trim_end_matches('\n');
                if !piece.is_empty() {
                    job.append(piece, 0.0, format.clone());
                }
            }
        }
    }
    ui.fonts_mut(|fonts| fonts.layout_job(job))
}

/// Where lines break when words are put side by side up to `width`; ranges of bytes.
fn lines(text: &str, width: f32, measure: &impl Fn(&str) -> f32) -> Vec<std::ops::Range<usize>> {
    let mut lines = Vec::new();
    let (mut start, mut at, mut used) = (0, 0, 0.0);
    for word in text.split_inclusive(' ') {
        let wide = measure(word);
        if used > 0.0 && used + wide > width {
            lines.push(start..at);
            (start, used) = (at, 0.0);
        }
        at += word.len();
        used += wide;
    }
    if start < text.len() || lines.is_empty() {
        lines.push(start..text.len());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_named_and_long_texts_are_cut() {
        assert_eq!(shown("a\u{202E}b\u{7}\r\nc\td", 100), ("a[U+202E]b[U+0007]\nc\td".to_owned(), 0));
        assert_eq!(shown("abcdef", 4), ("abcd".to_owned(), 2));
        assert!(has_rtl("abc שלום") && has_rtl("مرحبا") && !has_rtl("Ärger 漢字"));
    }

    #[test]
    fn words_fill_lines() {
        let measure = |text: &str| text.chars().count() as f32;
        let found = |text: &str, width| -> Vec<String> {
            lines(text, width, &measure).into_iter().map(|range| text[range].to_owned()).collect()
        };
        assert_eq!(found("aa bb cc", 6.0), ["aa bb ", "cc"]);
        assert_eq!(found("aaaaaaaaaa b", 3.0), ["aaaaaaaaaa ", "b"]);
        assert_eq!(found("", 3.0), [""]);
    }
}
