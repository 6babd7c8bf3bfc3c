//! Text with a number behind every token: the background tells how large it is, hovering tells the number.

use egui::text::{LayoutJob, TextFormat};
use egui::{Color32, Label, Response, Role, Sense, Stroke, TextStyle, Ui, WidgetInfo, vec2};

use crate::theme::UiExt as _;

/// One token to draw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Token<'a> {
    /// Its text.
    pub text: &'a str,
    /// How strong its background is, 0 to 1.
    pub share: f32,
    /// What hovering tells.
    pub tip: String,
    /// Marked with a line below: something was done here.
    pub marked: bool,
    /// Only on this side of a comparison.
    pub differs: Differs,
    /// The one the text was chosen for.
    pub strong: bool,
}

/// How a token stands to the other side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Differs {
    /// It is there too.
    #[default]
    Same,
    /// It is only here, on the side that was there first.
    Gone,
    /// It is only here, on the new side.
    New,
}

/// Opacity of the background: weak activations are seen too.
pub fn opacity(share: f32) -> f32 {
    if share > 0.0 { 0.08 + (1.0 + 9.0 * share.min(1.0)).log10() * 0.62 } else { 0.0 }
}

/// Draw tokens as running text. `hidden` paints them without letters. `name` is what a screen reader says.
pub fn strip(ui: &mut Ui, name: &str, tokens: &[Token<'_>], hidden: bool, size: f32) -> Response {
    let theme = ui.tokens();
    let mut job = LayoutJob::default();
    job.wrap.max_width = ui.available_width();
    let font = egui::FontId::new(size, TextStyle::Body.resolve(ui.style()).family);
    let heat = theme.series[1];
    for token in tokens {
        let mut color = if token.strong { theme.text_strong } else { theme.text };
        let mut background = heat.gamma_multiply(opacity(token.share));
        let mut strikethrough = Stroke::NONE;
        match token.differs {
            Differs::Same => {}
            Differs::Gone => {
                color = theme.text_weak;
                strikethrough = Stroke::new(1.0, theme.text_weak);
            }
            Differs::New => {
                color = theme.text_strong;
                if token.share == 0.0 {
                    background = theme.accent_quiet;
                }
            }
        }
        if hidden {
            color = Color32::TRANSPARENT;
            strikethrough = Stroke::NONE;
            background = if token.share > 0.0 { background } else { theme.surface_hover };
        }
        let underline = if token.marked { Stroke::new(1.5, theme.accent) } else { Stroke::NONE };
        let format = TextFormat {
            font_id: font.clone(),
            color,
            background,
            underline,
            strikethrough,
            expand_bg: 1.0,
            line_height: Some(size * 1.55),
            ..TextFormat::default()
        };
        job.append(token.text, 0.0, format);
    }
    let text: String = tokens.iter().map(|token| token.text).collect();
    let galley = ui.fonts_mut(|fonts| fonts.layout_job(job));
    let (rect, mut response) = ui.allocate_exact_size(vec2(ui.available_width(), galley.size().y), Sense::hover());
    if ui.is_rect_visible(rect) {
        ui.painter().galley(rect.min, galley.clone(), theme.text);
    }
    let said = if hidden { format!("{name}: hidden") } else { format!("{name}: {text}") };
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &said));
    if let Some(pointer) = response.hover_pos().filter(|_| !hidden) {
        let offset = pointer - rect.min;
        if galley.rect.contains(offset.to_pos2()) {
            let cursor = galley.cursor_from_pos(offset);
            if let Some(token) = token_at(tokens, cursor.index.into()).filter(|token| !token.tip.is_empty()) {
                response = response.on_hover_ui_at_pointer(|ui| {
                    ui.add(Label::new(&token.tip));
                });
            }
        }
    }
    response
}

/// The token that holds the character before the cursor.
fn token_at<'a, 'b>(tokens: &'b [Token<'a>], character: usize) -> Option<&'b Token<'a>> {
    let mut end = 0;
    tokens.iter().find(|token| {
        end += token.text.chars().count();
        character < end
    })
}

/// One token on a side of a comparison.
pub fn compare(a: &[u32], b: &[u32]) -> [Vec<bool>; 2] {
    // Longest common subsequence, from the end, so that reading the table forward prefers early matches.
    let (n, m) = (a.len(), b.len());
    let mut longest = vec![0u32; (n + 1) * (m + 1)];
    let at = |i: usize, j: usize| i * (m + 1) + j;
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            longest[at(i, j)] = if a[i] == b[j] {
                longest[at(i + 1, j + 1)] + 1
            } else {
                longest[at(i + 1, j)].max(longest[at(i, j + 1)])
            };
        }
    }
    let (mut only_a, mut only_b) = (vec![true; n], vec![true; m]);
    let (mut i, mut j) = (0, 0);
    while i < n && j < m {
        if a[i] == b[j] {
            (only_a[i], only_b[j]) = (false, false);
            (i, j) = (i + 1, j + 1);
        } else if longest[at(i + 1, j)] >= longest[at(i, j + 1)] {
            i += 1;
        } else {
            j += 1;
        }
    }
    [only_a, only_b]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_on_one_side() {
        let [a, b] = compare(&[1, 2, 3, 4], &[1, 3, 4, 5]);
        assert_eq!((a, b), (vec![false, true, false, false], vec![false, false, false, true]));
        let [a, b] = compare(&[], &[1]);
        assert_eq!((a, b), (vec![], vec![true]));
    }

    #[test]
    fn hovering_finds_the_token_under_the_pointer() {
        let tokens = [Token { text: "ab", ..Token::default() }, Token { text: "ä", ..Token::default() }];
        let text = |at| token_at(&tokens, at).map(|token| token.text);
        assert_eq!((text(0), text(1), text(2), text(3)), (Some("ab"), Some("ab"), Some("ä"), None));
        assert_eq!(opacity(0.0), 0.0);
        assert!(opacity(0.01) > 0.08 && opacity(1.0) <= 0.71);
    }
}
