//! A small Markdown view for help pages: headings, paragraphs, lists, bold, code, links as text, tables.

use egui::text::LayoutJob;
use egui::{FontFamily, FontId, Grid, Label, RichText, TextFormat, TextStyle, Ui};

use crate::theme::{SEMIBOLD, TITLE, UiExt as _};

/// One block of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading and its level, from 1.
    Heading(usize, String),
    /// Running text.
    Paragraph(String),
    /// A point of a list and its mark: “•” or “1.”.
    Point(String, String),
    /// Text as written.
    Code(String),
    /// Rows of cells; the first row is the header.
    Table(Vec<Vec<String>>),
}

/// Cut a page into blocks.
pub fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().peekable();
    let mut open = false;
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            open = false;
            continue;
        }
        if trimmed.starts_with("```") {
            let code: Vec<&str> = lines.by_ref().take_while(|line| !line.trim().starts_with("```")).collect();
            blocks.push(Block::Code(code.join("\n")));
            open = false;
            continue;
        }
        let level = trimmed.bytes().take_while(|byte| *byte == b'#').count();
        if level > 0 && trimmed[level..].starts_with(' ') {
            blocks.push(Block::Heading(level, trimmed[level..].trim().to_owned()));
            open = false;
            continue;
        }
        if trimmed.starts_with('|') {
            let mut rows = vec![cells(trimmed)];
            while let Some(row) = lines.next_if(|line| line.trim().starts_with('|')) {
                let row = cells(row.trim());
                if !row.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':' | ' '))) {
                    rows.push(row);
                }
            }
            blocks.push(Block::Table(rows));
            open = false;
            continue;
        }
        if let Some((mark, rest)) = point(trimmed) {
            blocks.push(Block::Point(mark, rest.to_owned()));
            open = true;
            continue;
        }
        // A line that goes on belongs to the block before.
        match blocks.last_mut().filter(|_| open) {
            Some(Block::Paragraph(before) | Block::Point(_, before)) => {
                before.push(' ');
                before.push_str(trimmed);
            }
            _ => blocks.push(Block::Paragraph(trimmed.to_owned())),
        }
        open = true;
    }
    blocks
}

fn cells(row: &str) -> Vec<String> {
    row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

fn point(line: &str) -> Option<(String, &str)> {
    if let Some(rest) = line.strip_prefix("* ").or_else(|| line.strip_prefix("- ")) {
        return Some(("•".to_owned(), rest));
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = line[digits..].strip_prefix(". ")?;
    (digits > 0).then(|| (line[..=digits].to_owned(), rest))
}

/// Text with `**bold**`, `*emphasis*`, `` `code` `` and `[links](…)` resolved.
pub fn inline(ui: &Ui, text: &str, style: &TextStyle) -> LayoutJob {
    let tokens = ui.tokens();
    let font = style.resolve(ui.style());
    let size = font.size;
    let plain = TextFormat { font_id: font, color: tokens.text, ..TextFormat::default() };
    let bold = TextFormat {
        font_id: FontId::new(size, FontFamily::Name(SEMIBOLD.into())),
        color: tokens.text_strong,
        ..TextFormat::default()
    };
    let code = TextFormat {
        font_id: FontId::new(size - 1.0, FontFamily::Monospace),
        color: tokens.text_strong,
        background: tokens.surface_sunken,
        ..TextFormat::default()
    };
    let emphasis = TextFormat { color: tokens.text_strong, ..plain.clone() };
    let mut job = LayoutJob::default();
    let mut rest = text;
    while !rest.is_empty() {
        let next = rest.find(['*', '`', '[']).unwrap_or(rest.len());
        job.append(&rest[..next], 0.0, plain.clone());
        rest = &rest[next..];
        let spans = [("**", &bold), ("`", &code), ("*", &emphasis)];
        let span = spans.into_iter().find_map(|(mark, format)| {
            let inner = rest.strip_prefix(mark)?;
            let end = inner.find(mark).filter(|end| *end > 0)?;
            Some((&inner[..end], &inner[end + mark.len()..], format))
        });
        if let Some((inside, after, format)) = span {
            job.append(inside, 0.0, format.clone());
            rest = after;
        } else if let Some((name, after)) = link(rest) {
            job.append(name, 0.0, TextFormat { color: tokens.accent, ..plain.clone() });
            rest = after;
        } else if let Some(first) = rest.chars().next() {
            job.append(&rest[..first.len_utf8()], 0.0, plain.clone());
            rest = &rest[first.len_utf8()..];
        }
    }
    job
}

fn link(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (_, after) = rest.split_once(')')?;
    (!name.contains('[')).then_some((name, after))
}

/// Draw a page.
pub fn show(ui: &mut Ui, text: &str) {
    let tokens = ui.tokens();
    for (index, block) in parse(text).into_iter().enumerate() {
        match block {
            Block::Heading(1, text) => {
                ui.label(RichText::new(text).text_style(TextStyle::Name(TITLE.into())).color(tokens.text_strong));
            }
            Block::Heading(_, text) => {
                ui.add_space(tokens.space_3);
                ui.label(RichText::new(text).heading().color(tokens.text_strong));
            }
            Block::Paragraph(text) => {
                let job = inline(ui, &text, &TextStyle::Body);
                ui.add(Label::new(job).wrap().selectable(true));
            }
            Block::Point(mark, text) => {
                ui.horizontal_top(|ui| {
                    ui.add_space(tokens.space_2);
                    ui.label(RichText::new(mark).color(tokens.text_weak));
                    let job = inline(ui, &text, &TextStyle::Body);
                    ui.add(Label::new(job).wrap().selectable(true));
                });
            }
            Block::Code(text) => {
                egui::Frame::new()
                    .fill(tokens.surface_sunken)
                    .corner_radius(tokens.radius)
                    .inner_margin(tokens.space_3)
                    .show(ui, |ui| ui.add(Label::new(RichText::new(text).monospace()).wrap().selectable(true)));
            }
            Block::Table(rows) => {
                let columns = rows.iter().map(Vec::len).max().unwrap_or(1).max(1);
                let width = (ui.available_width() / columns as f32 - tokens.space_4).max(60.0);
                Grid::new(("help table", index)).num_columns(columns).spacing([tokens.space_4, 6.0]).show(ui, |ui| {
                    for (row, cells) in rows.iter().enumerate() {
                        for cell in cells {
                            ui.scope(|ui| {
                                ui.set_width(width);
                                let text = if row == 0 { format!("**{cell}**") } else { cell.clone() };
                                let job = inline(ui, &text, &TextStyle::Small);
                                ui.add(Label::new(job).wrap().selectable(true));
                            });
                        }
                        ui.end_row();
                    }
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_apart() {
        let page = "# A\n\none\ntwo\n\n* x\n  y\n* z\n1. first\n\n| a | b |\n|---|:-:|\n| 1 | 2 |\n\n```\ncode\n```\n";
        assert_eq!(
            parse(page),
            [
                Block::Heading(1, "A".into()),
                Block::Paragraph("one two".into()),
                Block::Point("•".into(), "x y".into()),
                Block::Point("•".into(), "z".into()),
                Block::Point("1.".into(), "first".into()),
                Block::Table(vec![vec!["a".into(), "b".into()], vec!["1".into(), "2".into()]]),
                Block::Code("code".into()),
            ]
        );
    }
}
