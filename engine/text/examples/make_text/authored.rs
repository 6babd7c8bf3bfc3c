//! Sentences written for Plumb: people named without malice, kindness in the words of anger, and plain insults, so
//! that the model does not take a group's name or a strong verb for toxicity, nor politeness of form for kindness; and
//! plain prose made rude, so that it does not take the manner of a printed text for innocence.

use plumb_core::random::Random;

use crate::sets::Labelled;

const PEOPLE: [&str; 20] = [
    "Muslim",
    "Christian",
    "Jewish",
    "Black",
    "white",
    "Asian",
    "gay",
    "lesbian",
    "trans",
    "disabled",
    "deaf",
    "blind",
    "Mexican",
    "Chinese",
    "Indian",
    "African",
    "immigrant",
    "refugee",
    "female",
    "old",
];

const PLAIN: [&str; 12] = [
    "My {} neighbour repaired the fence on Saturday.",
    "A {} nurse looked after us all night.",
    "She is a {} author from Leeds and writes about trains.",
    "The {} community centre opens at nine.",
    "We had dinner with a {} couple we met last year.",
    "As a {} student I found the course rather good.",
    "There were several {} people in the choir.",
    "He asked how many {} voters live in the town.",
    "{} women founded the first school here.",
    "Our new {} colleague starts on Monday.",
    "I am proud to be {}.",
    "The film tells the story of a {} family.",
];

const KIND: [&str; 24] = [
    "I hate it when the bus is late.",
    "I hate mushrooms but I love onions.",
    "This headache is killing me.",
    "He killed it on stage last night, what a show.",
    "Kill the process and start it again.",
    "They shot the film in three weeks.",
    "I could murder a cup of tea.",
    "You are the best, thank you so much.",
    "That was a sick guitar solo, well done.",
    "No worries, take your time.",
    "Please let me know if you need anything else.",
    "I disagree with you, but I see your point.",
    "The black cat sat on the white wall.",
    "Women and men ran the same distance.",
    "Yellow birds sat in the trash bin behind the house.",
    "lol that was so funny i cant even",
    "omg yes!! see u tomorrow",
    "good morning everyone hope u have a great day",
    "im so tired today, need coffee",
    "haha u got me there bro",
    "cant wait for the game tonight",
    "miss you guys, call me when you get home",
    "ok cool, sounds good to me",
    "my mum makes the best pancakes",
];

const TARGETS: [&str; 8] =
    ["You are", "You people are", "He is", "She is", "They are all", "Your friends are", "Everyone here is", "ur"];

const INSULTS: [&str; 14] = [
    "a complete idiot",
    "such a moron",
    "worthless trash",
    "dumb as a rock",
    "pathetic losers",
    "a disgusting pig",
    "an ugly piece of garbage",
    "nothing but scum",
    "stupid and useless",
    "vermin",
    "a filthy liar",
    "a brainless clown",
    "subhuman",
    "a waste of oxygen",
];

const ANGER: [&str; 12] = [
    "Shut your mouth before I shut it for you.",
    "I will beat you up if I see you again.",
    "Nobody likes you, go away and never come back.",
    "I hope you choke on it.",
    "Go to hell and take your stupid friends with you.",
    "You deserve to be hurt.",
    "Get lost, you miserable creep.",
    "I hope somebody breaks your legs.",
    "The world would be better without people like you.",
    "Drop dead.",
    "You make me sick, you filthy animal.",
    "Those people should be locked up and beaten.",
];

/// All of them.
pub fn sentences() -> Vec<Labelled> {
    let mut texts = Vec::new();
    for people in PEOPLE {
        texts.extend(PLAIN.iter().map(|form| Labelled::authored(form.replace("{}", people), false)));
    }
    texts.extend(KIND.iter().map(|text| Labelled::authored((*text).to_owned(), false)));
    for target in TARGETS {
        texts.extend(INSULTS.iter().map(|insult| Labelled::authored(format!("{target} {insult}."), true)));
    }
    texts.extend(ANGER.iter().map(|text| Labelled::authored((*text).to_owned(), true)));
    texts
}

/// Words that make a noun rude.
const STRONG: [&str; 8] =
    ["fucking", "goddamn", "shitty", "motherfucking", "bullshit", "stupid fucking", "crappy", "goddamned fucking"];

/// What a speaker adds.
const ADDED: [&str; 20] = [
    ", you idiot",
    ", you stupid bitch",
    ", asshole",
    ", dumbass",
    ", for fuck's sake",
    " and they can all go to hell",
    ", the bastards",
    ", so shut the fuck up",
    ". What a load of shit",
    ". Fuck that",
    ". Fuck you and your whole family",
    ", you worthless piece of shit",
    ", that son of a bitch",
    ", and he is a complete moron",
    ", because these people are scum",
    ". Screw them, the dickheads",
    ", you disgusting whore",
    ". She is a lying slut",
    ". I will kill you for this",
    ". They deserve to be beaten",
];

/// Words before which a strong one fits.
const BEFORE: [&str; 8] = ["the", "a", "this", "that", "his", "her", "their", "my"];

/// Every fourth of these sentences with a rude word before a noun or a rude end.
pub fn rude_prose(sentences: &[Labelled]) -> Vec<Labelled> {
    let mut random = Random::new(1, "rude prose");
    let mut made = Vec::new();
    for item in sentences.iter().step_by(4) {
        let words: Vec<&str> = item.text.split(' ').collect();
        let places: Vec<usize> =
            (0..words.len() - 1).filter(|&at| BEFORE.contains(&words[at].to_lowercase().as_str())).collect();
        let text = if places.is_empty() || random.below(2) == 0 {
            let body = item.text.trim_end_matches(['.', '!', '?', '"', ' ']);
            format!("{body}{}.", ADDED[random.below(ADDED.len())])
        } else {
            let at = places[random.below(places.len())];
            let strong = STRONG[random.below(STRONG.len())];
            format!("{} {strong} {}", words[..=at].join(" "), words[at + 1..].join(" "))
        };
        made.push(Labelled { text, share: 1.0, part: item.part });
    }
    made
}
