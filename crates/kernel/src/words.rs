//! From text to the words it is found by.
//!
//! Letters and digits make words; case, accents and forms of the same letter are folded away. Scripts that put no space
//! between words are taken in pairs of neighbours. A picture sign is a word by itself; every other sign separates.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// No word is longer; what is cut off is not searched.
const LONGEST_WORD: usize = 48;

/// A part of a text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Term {
    /// A word between spaces or signs.
    Word(String),
    /// Characters of a script without spaces.
    Run(String),
}

impl Term {
    /// Its letters.
    pub fn text(&self) -> &str {
        match self {
            Self::Word(text) | Self::Run(text) => text,
        }
    }

    /// What stands for it in the index. The last character of a run stands alone too, so that every character begins a
    /// token.
    pub fn tokens(&self) -> Vec<String> {
        match self {
            Self::Word(word) => vec![word.clone()],
            Self::Run(run) => {
                let mut tokens = pairs(run);
                tokens.extend(run.chars().next_back().map(String::from));
                tokens
            }
        }
    }

    /// The tokens that must all be there for this to be there as a whole.
    pub fn needed(&self) -> Vec<String> {
        match self {
            Self::Word(word) => vec![word.clone()],
            Self::Run(run) => match pairs(run) {
                pairs if pairs.is_empty() => vec![run.clone()],
                pairs => pairs,
            },
        }
    }

    /// Whether it can stand for a longer one: a word its beginning, a lone character any pair that begins with it.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Word(_) => true,
            Self::Run(run) => run.chars().count() == 1,
        }
    }
}

/// `ABC` has the pairs `AB` and `BC`.
fn pairs(run: &str) -> Vec<String> {
    run.chars().zip(run.chars().skip(1)).map(|(one, other)| String::from_iter([one, other])).collect()
}

/// The parts of a text, in order, `most` of them.
pub fn terms(text: &str, most: usize) -> Vec<Term> {
    let folded = folded(text);
    let mut terms = Vec::new();
    let mut rest = folded.as_str();
    while let Some(first) = rest.chars().next()
        && terms.len() < most
    {
        let kind = Kind::of(first);
        let end = match kind {
            // Each picture sign is one word.
            Kind::Picture => first.len_utf8(),
            _ => rest.find(|c| Kind::of(c) != kind).unwrap_or(rest.len()),
        };
        let (part, after) = rest.split_at(end);
        rest = after;
        match kind {
            Kind::Letters | Kind::Picture => {
                terms.push(Term::Word(part.chars().take(LONGEST_WORD).collect()));
            }
            Kind::Unspaced => terms.push(Term::Run(part.to_owned())),
            Kind::Sign => {}
        }
    }
    terms
}

/// The text in lower case, without accents and without different forms of the same letter.
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let lower = text.chars().flat_map(char::to_lowercase);
    let bare = lower.nfkd().filter(|c| !is_accent(*c)).flat_map(char::to_lowercase);
    let mut folded = String::with_capacity(text.len());
    for character in bare.nfc() {
        match alike(character) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(character),
        }
    }
    folded
}

/// Accents of alphabets whose letters stand for themselves without them; vowel signs of other scripts are kept.
fn is_accent(character: char) -> bool {
    matches!(character, '\u{0300}'..='\u{036F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}')
}

/// Letters that do not come apart into a plain one and an accent, though people type the plain one.
fn alike(character: char) -> Option<&'static str> {
    Some(match character {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ł' => "l",
        'þ' => "th",
        'ı' => "i",
        'ς' => "σ",
        _ => return None,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letters,
    Unspaced,
    Picture,
    Sign,
}

impl Kind {
    fn of(character: char) -> Self {
        match character {
            // Thai, Lao, Myanmar, Khmer; kana; the ideographs; Hangul.
            '\u{0E01}'..='\u{0E4E}'
            | '\u{0E81}'..='\u{0ECD}'
            | '\u{1000}'..='\u{103F}'
            | '\u{1780}'..='\u{17D3}'
            | '\u{3005}'..='\u{3007}'
            | '\u{3041}'..='\u{309F}'
            | '\u{30A1}'..='\u{30FA}'
            | '\u{30FC}'..='\u{30FF}'
            | '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{AC00}'..='\u{D7A3}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{3FFFF}' => Self::Unspaced,
            '\u{2600}'..='\u{27BF}' | '\u{1F300}'..='\u{1FAFF}' => Self::Picture,
            // A mark belongs to the letter before it.
            _ if character.is_alphanumeric() || is_combining_mark(character) => Self::Letters,
            _ => Self::Sign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        terms(text, 99).iter().map(|term| term.text().to_owned()).collect()
    }

    #[test]
    fn signs_separate_and_never_get_through() {
        assert_eq!(
            texts(r#"c++ a"b AND 50%_x\y NEAR(a b)*"#),
            ["c", "a", "b", "and", "50", "x", "y", "near", "a", "b"]
        );
        assert_eq!(texts("  '; -- \u{0}"), Vec::<String>::new());
        assert_eq!(texts("s_active c_home"), ["s", "active", "c", "home"], "marks cannot be asked for");
    }

    #[test]
    fn case_accents_and_forms_are_folded() {
        assert_eq!(texts("CAFÉ Straße Øre Łódź İstanbul"), ["cafe", "strasse", "ore", "lodz", "istanbul"]);
        assert_eq!(texts("ΟΔΟΣ ὁδός"), ["οδοσ", "οδοσ"]);
        assert_eq!(texts("Ёлка й"), ["елка", "и"]);
        assert_eq!(texts("ﬁne ①２"), ["fine", "12"]);
        assert_eq!(texts("cafe\u{0301}"), ["cafe"]);
    }

    #[test]
    fn scripts_without_spaces_come_in_pairs() {
        assert_eq!(terms("東京タワー", 9), [Term::Run("東京タワー".into())]);
        assert_eq!(Term::Run("東京都".into()).tokens(), ["東京", "京都", "都"]);
        assert_eq!(Term::Run("東京都".into()).needed(), ["東京", "京都"]);
        assert_eq!(Term::Run("京".into()).needed(), ["京"]);
        assert_eq!(texts("iPhone充電器"), ["iphone", "充電器"]);
        assert_eq!(texts("が ガ"), ["が", "ガ"], "a voiced kana is a letter of its own");
        assert_eq!(terms("한국어", 9), [Term::Run("한국어".into())]);
    }

    #[test]
    fn other_scripts_keep_their_vowels() {
        assert_eq!(texts("हिन्दी किताब"), ["हिन्दी", "किताब"]);
        assert_eq!(texts("שלום עולם"), ["שלום", "עולם"]);
    }

    #[test]
    fn a_picture_is_a_word() {
        assert_eq!(texts("Café 😀🎁 5"), ["cafe", "😀", "🎁", "5"]);
    }

    #[test]
    fn everything_is_bounded() {
        assert_eq!(terms(&"a ".repeat(50), 8).len(), 8);
        assert_eq!(texts(&"x".repeat(1_000))[0].len(), LONGEST_WORD);
    }
}
