//! Right-to-left writing in the order in which it is read. egui shapes letters of one font in their own direction, but
//! puts one word after the other from left to right; so lines are broken here and handed to it word by word, in the
//! order in which they stand (Unicode Standard Annex 9).

use std::ops::Range;

use unicode_bidi::{BidiClass, BidiInfo, ParagraphInfo, bidi_class};

/// Whether the text has letters that are written from right to left.
pub fn has_rtl(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}'))
}

/// The lines of a text as they stand, each in pieces from left to right and up to `width` wide, and whether the text
/// begins at the right.
pub fn lines(text: &str, width: f32, measure: &dyn Fn(&str) -> f32) -> (Vec<Vec<String>>, bool) {
    let bidi = BidiInfo::new(text, None);
    let right = bidi.paragraphs.first().is_some_and(|paragraph| paragraph.level.is_rtl());
    let mut out = Vec::new();
    for paragraph in &bidi.paragraphs {
        let start = paragraph.range.start;
        for line in broken(&text[paragraph.range.clone()], width, measure) {
            out.push(pieces(&bidi, paragraph, start + line.start..start + line.end));
        }
    }
    (out, right)
}

/// As much of the beginning of `text` as fits `width`, with dots where that is not all.
pub fn beginning(text: &str, width: f32, measure: &dyn Fn(&str) -> f32) -> String {
    let dots = measure("…");
    let (mut used, mut end) = (dots, 0);
    for word in text.split_inclusive(' ') {
        used += measure(word);
        if used > width {
            break;
        }
        end += word.len();
    }
    if end == text.len() {
        return text.to_owned();
    }
    if end == 0 {
        // A word that is longer than the line is cut anywhere.
        let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
        end = ends.take_while(|end| measure(&text[..*end]) + dots <= width).last().unwrap_or(0);
    }
    format!("{}…", text[..end].trim_end())
}

/// Where lines break when words are put side by side up to `width`; ranges of bytes.
fn broken(text: &str, width: f32, measure: &dyn Fn(&str) -> f32) -> Vec<Range<usize>> {
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

/// One line from left to right.
fn pieces(bidi: &BidiInfo<'_>, paragraph: &ParagraphInfo, line: Range<usize>) -> Vec<String> {
    let (levels, runs) = bidi.visual_runs(paragraph, line);
    let mut out = Vec::new();
    for run in runs {
        let rtl = levels[run.start].is_rtl();
        let text = bidi.text[run].trim_end_matches('\n');
        if rtl {
            out.extend(tokens(text).into_iter().rev().map(mirrored));
        } else {
            out.push(text.to_owned());
        }
    }
    out.retain(|piece| !piece.is_empty());
    out
}

/// Words of right-to-left letters, and everything else character by character, with what belongs to it.
fn tokens(text: &str) -> Vec<&str> {
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Option<(char, bool)> = None;
    for (at, c) in text.char_indices() {
        let letter = matches!(bidi_class(c), BidiClass::R | BidiClass::AL);
        let part = belongs(c);
        let joined = match before {
            None => true,
            Some((last, was_letter)) => part || last == '\u{200D}' || (letter && was_letter),
        };
        if !joined {
            ends.push(at);
        }
        before = Some((c, letter || (part && before.is_some_and(|(_, was)| was))));
    }
    ends.push(text.len());
    let mut start = 0;
    ends.into_iter().map(|end| &text[std::mem::replace(&mut start, end)..end]).collect()
}

/// Marks, joiners and what changes the look of the character before.
fn belongs(c: char) -> bool {
    bidi_class(c) == BidiClass::NSM
        || matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{20E3}' | '\u{1F3FB}'..='\u{1F3FF}')
}

/// Brackets open towards what they enclose.
fn mirrored(piece: &str) -> String {
    const PAIRS: [(char, char); 7] =
        [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>'), ('«', '»'), ('‹', '›'), ('≤', '≥')];
    let mirror = |c: char| {
        let pair = PAIRS.iter().find(|(open, close)| c == *open || c == *close);
        pair.map_or(c, |(open, close)| if c == *open { *close } else { *open })
    };
    piece.chars().map(mirror).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> f32 {
        text.chars().count() as f32
    }

    fn shown(text: &str) -> String {
        lines(text, 1000.0, &wide).0.into_iter().map(|line| line.join("|")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn words_stand_from_right_to_left_and_everything_else_in_its_place() {
        // Latin letters here stand for themselves; the Arabic and Hebrew words are written in the order they are read.
        assert_eq!(shown("שלום עולם"), "עולם| |שלום");
        assert_eq!(shown("قال sam اليوم 25 مرة"), "مرة| |25| |اليوم| |sam| |قال");
        assert_eq!(shown("abc שלום עולם def"), "abc |עולם| |שלום| def");
        // The mark at the end stands at the left, brackets turn, an emoji stays whole.
        assert_eq!(shown("שלום (עולם)!"), "!|(|עולם|)| |שלום");
        assert_eq!(shown("שלום 👍🏽"), "👍🏽| |שלום");
        // Flags are made of letters that run from left to right.
        assert_eq!(shown("שלום 🇩🇪🇫🇷"), "🇩🇪🇫🇷| |שלום");
        assert_eq!(shown("שָׁלוֹם\nabc"), "שָׁלוֹם\nabc");
        assert!(has_rtl("abc שלום") && has_rtl("مرحبا") && !has_rtl("Ärger 漢字"));
        assert!(lines("שלום", 9.0, &wide).1 && !lines("abc שלום", 9.0, &wide).1);
    }

    #[test]
    fn words_fill_lines() {
        let found = |text: &str, width| -> Vec<String> {
            broken(text, width, &wide).into_iter().map(|range| text[range].to_owned()).collect()
        };
        assert_eq!(found("aa bb cc", 6.0), ["aa bb ", "cc"]);
        assert_eq!(found("aaaaaaaaaa b", 3.0), ["aaaaaaaaaa ", "b"]);
        assert_eq!(found("", 3.0), [""]);
        assert_eq!(beginning("aa bb cc", 7.0, &wide), "aa bb…");
        assert_eq!(beginning("aa bb cc", 9.0, &wide), "aa bb cc");
        assert_eq!(beginning("abcdefgh", 5.0, &wide), "abcd…");
    }
}
