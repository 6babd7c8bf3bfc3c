//! Inter for text, JetBrains Mono for numbers and code; egui's own fonts stand in for missing characters, then Noto for
//! what people write elsewhere: emoji, Arabic, Hebrew. What is still missing the system's fonts may have.

use std::sync::Arc;

use egui::{Context, FontData, FontDefinitions, FontFamily, RichText};

/// The font family of headings.
pub const SEMIBOLD: &str = "semibold";

/// For characters that no other font has.
const OTHERS: [&str; 3] = ["Noto Emoji", "Noto Sans Arabic", "Noto Sans Hebrew"];

/// Text in the weight of headings.
pub fn semibold(text: impl Into<String>) -> RichText {
    RichText::new(text).family(FontFamily::Name(SEMIBOLD.into()))
}

pub(super) fn install(ctx: &Context) {
    let mut fonts = FontDefinitions::default();
    let files: [(&str, &'static [u8]); 6] = [
        ("Inter", include_bytes!("../../../assets/fonts/Inter-Regular.otf")),
        ("Inter SemiBold", include_bytes!("../../../assets/fonts/Inter-SemiBold.otf")),
        ("JetBrains Mono", include_bytes!("../../../assets/fonts/JetBrainsMono-Regular.ttf")),
        // egui left its emoji out, and those it can be asked for are of 2014: no crying with laughter, no middle finger.
        (OTHERS[0], include_bytes!("../../../assets/fonts/NotoEmoji-Regular.ttf")),
        (OTHERS[1], include_bytes!("../../../assets/fonts/NotoSansArabic-Regular.ttf")),
        (OTHERS[2], include_bytes!("../../../assets/fonts/NotoSansHebrew-Regular.ttf")),
    ];
    for (name, bytes) in files {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    }
    let proportional = fonts.families.entry(FontFamily::Proportional).or_default();
    proportional.insert(0, "Inter".to_owned());
    proportional.insert(1, "JetBrains Mono".to_owned());
    proportional.extend(OTHERS.map(str::to_owned));
    let mut semibold = proportional.clone();
    semibold.insert(0, "Inter SemiBold".to_owned());
    fonts.families.insert(FontFamily::Name(SEMIBOLD.into()), semibold);
    let monospace = fonts.families.entry(FontFamily::Monospace).or_default();
    monospace.insert(0, "JetBrains Mono".to_owned());
    monospace.insert(1, "Inter".to_owned());
    monospace.extend(OTHERS.map(str::to_owned));
    ctx.set_fonts(fonts);
}
