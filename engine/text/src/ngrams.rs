//! Hashed n-grams of a text: words (1 and 2) and characters inside words (3 to 5), each block of length one.
//!
//! The hash is FNV-1a of 64 bits over the n-gram in lower case, its basis changed by the block's number (1 or 2), the
//! result multiplied by 2^64/φ and its 24 highest bits taken modulo the block's places. It is part of every model made
//! with it.

/// Places of one block: `2^18`.
pub const BLOCK: u32 = 1 << 18;

/// Places in all.
pub const PLACES: usize = 2 * BLOCK as usize;

/// Longest text that is read, in characters: what comes later changes nothing and costs time.
const LONGEST: usize = 20_000;

fn hash(text: &str, seed: u64) -> u32 {
    // FNV-1a, finished by a multiplication so that the low bits depend on all.
    let mut h = 0xcbf2_9ce4_8422_2325_u64 ^ seed;
    for byte in text.bytes() {
        h = (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (h.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u32 % BLOCK
}

/// Calls `found` with every n-gram and its place.
pub fn each(text: &str, mut found: impl FnMut(&str, u32)) {
    let text: String = text.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| word.chars().nth(1).is_some()).collect();
    for word in &words {
        found(word, hash(word, 1));
    }
    for pair in words.windows(2) {
        let pair = pair.join(" ");
        found(&pair, hash(&pair, 1));
    }
    let mut ends = Vec::new();
    for word in text.split_whitespace() {
        let padded = format!(" {word} ");
        ends.clear();
        ends.extend(padded.char_indices().map(|(at, _)| at));
        ends.push(padded.len());
        for n in 3..=5 {
            for start in 0..ends.len().saturating_sub(n) {
                let part = &padded[ends[start]..ends[start + n]];
                found(part, BLOCK + hash(part, 2));
            }
        }
    }
}

/// The features of a text: places in ascending order and their values; each block has length one.
pub fn of(text: &str) -> Vec<(u32, f32)> {
    let mut places = Vec::new();
    each(text, |_, place| places.push(place));
    places.sort_unstable();
    let mut features: Vec<(u32, f32)> = Vec::new();
    for place in places {
        match features.last_mut() {
            Some((last, count)) if *last == place => *count += 1.0,
            _ => features.push((place, 1.0)),
        }
    }
    for block in 0..2 {
        let inside = |place: u32| place / BLOCK == block;
        let square: f32 = features.iter().filter(|(place, _)| inside(*place)).map(|(_, x)| x * x).sum();
        let scale = if square > 0.0 { 1.0 / square.sqrt() } else { 0.0 };
        for (place, x) in &mut features {
            if inside(*place) {
                *x *= scale;
            }
        }
    }
    features
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_fixed() {
        // Saved models depend on them.
        let mut found = Vec::new();
        each("So it goes", |part, place| found.push((part.to_owned(), place)));
        let words: Vec<&str> = found.iter().map(|(part, _)| part.as_str()).take(5).collect();
        assert_eq!(words, ["so", "it", "goes", "so it", "it goes"]);
        assert_eq!(hash("so", 1), found[0].1);
        assert!(found.iter().skip(5).all(|(part, place)| *place >= BLOCK && (3..=5).contains(&part.chars().count())));
    }

    #[test]
    fn blocks_have_length_one() {
        for text in ["", "a", "Naïve 日本語 words, words & more!", "\u{301}\u{301} \0"] {
            let features = of(text);
            assert!(features.is_sorted_by(|a, b| a.0 < b.0));
            for block in 0..2 {
                let square: f32 = features.iter().filter(|f| f.0 / BLOCK == block).map(|f| f.1 * f.1).sum();
                assert!(square == 0.0 || (square - 1.0).abs() < 1e-5, "{text}: {square}");
            }
        }
    }
}
