//! Text from the web as plain text: entities read, addresses and mentions left out.

/// The text with HTML entities read, without links, @mentions and the mark of a repeated post, words parted by one space.
/// What is left out says where a text comes from, not what it says.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in unescape(text).split_whitespace() {
        let core = word.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '@' && c != '#');
        let address = ["http://", "https://", "http:", "www."].iter().any(|start| core.starts_with(start));
        if address || core.starts_with('@') || core == "RT" || core == "RT:" {
            continue;
        }
        // A tag is a word like any other.
        let word = word.replace('#', "");
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out += &word;
    }
    out
}

/// Longest entity that is looked for, in bytes.
const LONGEST: usize = 10;

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out += &rest[..at];
        rest = &rest[at..];
        let end = rest.bytes().take(LONGEST).position(|byte| byte == b';');
        if let Some((character, end)) = end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            out.push(character);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out + rest
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left() {
        assert_eq!(plain("!!! RT @some_one: Cats &amp; dogs  http://t.co/x #fun"), "!!! Cats & dogs fun");
        assert_eq!(plain("&#8220;Yes&#x201D; &nonsense; & &#99999999; AT&T"), "“Yes” &nonsense; & &99999999; AT&T");
        assert_eq!(plain("“@who: no\" www.example.org"), "no\"");
        assert_eq!(plain(" &é; é&"), "&é; é&");
    }
}
