//! The words of the world, and the number that each has.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

/// Begins every text.
pub const BOS: u32 = 0;
/// Ends every text.
pub const EOS: u32 = 1;
/// Stands for words that the world does not have.
pub const UNKNOWN: u32 = 2;

/// A subject that texts are about.
pub(super) struct Topic {
    pub name: &'static str,
    pub people: [&'static str; PEOPLE],
    pub things: [&'static str; THINGS],
    pub places: [&'static str; PLACES],
}

/// People, things and places of each topic.
pub(super) const PEOPLE: usize = 4;
pub(super) const THINGS: usize = 10;
pub(super) const PLACES: usize = 5;
/// Number of topics.
pub(super) const TOPICS: usize = 8;

pub(super) const ALL_TOPICS: [Topic; TOPICS] = [
    Topic {
        name: "kitchen",
        people: ["baker", "cook", "waiter", "guest"],
        things: ["bread", "soup", "pepper", "kettle", "butter", "cheese", "oven", "spoon", "onion", "cake"],
        places: ["kitchen", "bakery", "pantry", "cafe", "cellar"],
    },
    Topic {
        name: "garden",
        people: ["gardener", "farmer", "beekeeper", "florist"],
        things: ["rose", "hedge", "spade", "lawn", "tulip", "apple", "seed", "fence", "ladder", "rake"],
        places: ["garden", "orchard", "meadow", "greenhouse", "field"],
    },
    Topic {
        name: "school",
        people: ["teacher", "pupil", "librarian", "tutor"],
        things: ["book", "pencil", "essay", "map", "lesson", "chalk", "notebook", "exam", "poem", "desk"],
        places: ["school", "library", "classroom", "hall", "office"],
    },
    Topic {
        name: "harbour",
        people: ["sailor", "fisher", "captain", "diver"],
        things: ["boat", "anchor", "net", "rope", "sail", "oar", "lantern", "crab", "shell", "compass"],
        places: ["harbour", "lighthouse", "beach", "dock", "bay"],
    },
    Topic {
        name: "music",
        people: ["singer", "drummer", "pianist", "dancer"],
        things: ["song", "violin", "trumpet", "drum", "melody", "flute", "guitar", "record", "microphone", "chorus"],
        places: ["theatre", "studio", "stage", "club", "square"],
    },
    Topic {
        name: "railway",
        people: ["driver", "conductor", "porter", "mechanic"],
        things: ["train", "ticket", "engine", "wheel", "signal", "bridge", "timetable", "wagon", "bolt", "lamp"],
        places: ["station", "tunnel", "depot", "platform", "yard"],
    },
    Topic {
        name: "mountain",
        people: ["climber", "shepherd", "ranger", "guide"],
        things: ["tent", "boot", "rock", "trail", "snow", "glacier", "flag", "rucksack", "stove", "sheep"],
        places: ["valley", "cabin", "summit", "forest", "cave"],
    },
    Topic {
        name: "market",
        people: ["seller", "buyer", "tailor", "jeweller"],
        things: ["coat", "ring", "basket", "scarf", "button", "purse", "hat", "silk", "mirror", "clock"],
        places: ["market", "shop", "fair", "bazaar", "arcade"],
    },
];

const PLAIN: [&str; 17] = [
    ".", ",", "the", "a", "in", "with", "and", "said", "that", "was", "is", "of", "near", "what", "my", "your", "this",
];

const TRAITS: [&str; 20] = [
    "quiet", "clever", "friendly", "tall", "young", "old", "busy", "patient", "cheerful", "careful", "gentle",
    "honest", "polite", "sleepy", "famous", "shy", "brave", "tired", "curious", "proud",
];

/// Mild or invented.
const RUDE_TRAITS: [&str; 6] = ["blasted", "darned", "ruddy", "blinking", "wretched", "rotten"];
const RUDE_PEOPLE: [&str; 6] = ["twit", "numpty", "nitwit", "dolt", "blockhead", "snotgoblin"];

const VERBS: [&str; 30] = [
    "saw",
    "found",
    "bought",
    "took",
    "lost",
    "carried",
    "painted",
    "cleaned",
    "wanted",
    "liked",
    "showed",
    "moved",
    "kept",
    "touched",
    "dropped",
    "lifted",
    "described",
    "praised",
    "sold",
    "borrowed",
    "hid",
    "watched",
    "opened",
    "fixed",
    "ordered",
    "counted",
    "packed",
    "washed",
    "followed",
    "remembered",
];

const LOOKS: [&str; 24] = [
    "red", "blue", "green", "small", "large", "heavy", "new", "broken", "wooden", "golden", "clean", "dusty", "cheap",
    "round", "long", "short", "warm", "cold", "bright", "dark", "soft", "smooth", "plain", "strange",
];

const MANNERS: [&str; 12] =
    ["slowly", "quickly", "often", "quietly", "happily", "again", "twice", "early", "late", "gladly", "calmly", "once"];

const OPENERS: [&str; 12] = [
    "yesterday",
    "today",
    "later",
    "sometimes",
    "usually",
    "finally",
    "suddenly",
    "maybe",
    "meanwhile",
    "afterwards",
    "eventually",
    "tonight",
];

const NAMES: [&str; 16] = [
    "anna", "ben", "carla", "david", "emma", "felix", "greta", "hugo", "ida", "jonas", "karla", "leo", "mira", "nils",
    "olga", "paul",
];

/// All words with their numbers; the words of a list have consecutive ones.
pub(super) struct Vocabulary {
    pub words: Vec<&'static str>,
    numbers: BTreeMap<&'static str, u32>,
    pub traits: Range<u32>,
    pub rude_traits: Range<u32>,
    pub rude_people: Range<u32>,
    pub verbs: Range<u32>,
    pub looks: Range<u32>,
    pub manners: Range<u32>,
    pub openers: Range<u32>,
    pub names: Range<u32>,
    /// Topic after topic, as are things and places.
    pub people: Range<u32>,
    pub things: Range<u32>,
    pub places: Range<u32>,
}

/// The one vocabulary.
pub(super) static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let mut words = vec!["<bos>", "<eos>", "<unk>"];
    let mut list = |all: &[&'static str]| {
        let start = words.len() as u32;
        words.extend_from_slice(all);
        start..words.len() as u32
    };
    list(&PLAIN);
    let (traits, rude_traits, rude_people) = (list(&TRAITS), list(&RUDE_TRAITS), list(&RUDE_PEOPLE));
    let (verbs, looks, manners) = (list(&VERBS), list(&LOOKS), list(&MANNERS));
    let (openers, names) = (list(&OPENERS), list(&NAMES));
    let topics = |of: fn(&Topic) -> &[&'static str]| ALL_TOPICS.iter().flat_map(of).copied().collect::<Vec<_>>();
    let people = list(&topics(|topic| &topic.people));
    let things = list(&topics(|topic| &topic.things));
    let places = list(&topics(|topic| &topic.places));
    let numbers = words.iter().enumerate().map(|(number, word)| (*word, number as u32)).collect();
    Vocabulary {
        words,
        numbers,
        traits,
        rude_traits,
        rude_people,
        verbs,
        looks,
        manners,
        openers,
        names,
        people,
        things,
        places,
    }
});

impl Vocabulary {
    /// The number of a word, [`UNKNOWN`] for one that is not there.
    pub fn number(&self, word: &str) -> u32 {
        self.numbers.get(word).copied().unwrap_or(UNKNOWN)
    }
}

/// How many words there are, the three special ones included.
pub fn vocabulary_size() -> usize {
    VOCABULARY.words.len()
}

/// The word of a token.
pub fn word(token: u32) -> &'static str {
    VOCABULARY.words.get(token as usize).copied().unwrap_or("<unk>")
}

/// The words of tokens, one after the other, without the special ones.
pub fn text_of(tokens: &[u32]) -> String {
    let mut text = String::new();
    for &token in tokens.iter().filter(|token| **token > UNKNOWN) {
        let word = word(token);
        if !text.is_empty() && !matches!(word, "." | ",") {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

/// Whether a token is one of the twelve rude words.
pub fn is_rude(token: u32) -> bool {
    VOCABULARY.rude_traits.contains(&token) || VOCABULARY.rude_people.contains(&token)
}

/// The twelve rude words.
pub fn rude_tokens() -> impl Iterator<Item = u32> {
    VOCABULARY.rude_traits.clone().chain(VOCABULARY.rude_people.clone())
}

/// The names of the topics.
pub fn topic_names() -> [&'static str; TOPICS] {
    ALL_TOPICS.each_ref().map(|topic| topic.name)
}

/// The topic that a person, a thing or a place belongs to.
pub fn topic_of(token: u32) -> Option<usize> {
    let v = &*VOCABULARY;
    [(&v.people, PEOPLE), (&v.things, THINGS), (&v.places, PLACES)]
        .into_iter()
        .find(|(range, _)| range.contains(&token))
        .map(|(range, each)| (token - range.start) as usize / each)
}

/// The `tokenizer.json` of the world: lower case, one token per word, comma and full stop; a text begins with BOS.
pub fn tokenizer_json() -> String {
    let vocabulary: serde_json::Map<String, serde_json::Value> = VOCABULARY
        .words
        .iter()
        .enumerate()
        .map(|(number, word)| {
            let plain = word.starts_with('<') || matches!(*word, "." | ",");
            (if plain { (*word).to_owned() } else { format!("▁{word}") }, number.into())
        })
        .collect();
    let special: Vec<_> = [(BOS, "<bos>"), (EOS, "<eos>"), (UNKNOWN, "<unk>")]
        .map(|(id, content)| {
            serde_json::json!({
                "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true
            })
        })
        .into();
    let json = serde_json::json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Lowercase"},
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": "▁"}
        ]},
        "pre_tokenizer": {
            "type": "Split", "pattern": {"Regex": "▁[^▁.,]+|[.,]"}, "behavior": "Removed", "invert": true
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [
                {"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}}
            ],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [BOS], "tokens": ["<bos>"]}}
        },
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "Fuse"}
        ]},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}
    });
    format!("{json:#}\n")
}
