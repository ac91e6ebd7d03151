//! Words that somebody may have meant: found by the groups of three letters they share, judged by the letters that differ.

use std::collections::BTreeSet;

/// How many letters of a word may be wrong. Short words have too many neighbours, and a number is meant as it is.
pub(crate) fn tolerance(word: &str) -> usize {
    if !word.chars().all(char::is_alphabetic) {
        return 0;
    }
    match word.chars().count() {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

/// The groups of three letters of a word with a space before and behind it.
pub(crate) fn grams(word: &str) -> BTreeSet<String> {
    let padded: Vec<char> = [' ', ' '].into_iter().chain(word.chars()).chain([' ']).collect();
    padded.windows(3).map(String::from_iter).collect()
}

/// The letters of a word in order, as one more group: words in which letters only changed places share it.
pub(crate) fn sorted_letters(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    ['='].into_iter().chain(letters).collect()
}

/// How many letters are wrong, left out or too many; two neighbours that changed places count as one.
pub(crate) fn likeness(one: &str, other: &str) -> usize {
    strsim::osa_distance(one, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_and_numbers_are_meant_as_they_are() {
        assert_eq!(
            ["cup", "2001", "b2b4", "lamp", "teapots", "casserole"].map(tolerance),
            [0, 0, 0, 1, 1, 2]
        );
    }

    #[test]
    fn groups_know_where_a_word_begins_and_ends() {
        assert_eq!(grams("lamp").into_iter().collect::<Vec<_>>(), ["  l", " la", "amp", "lam", "mp "]);
        assert_eq!(sorted_letters("lmap"), sorted_letters("lamp"));
    }

    #[test]
    fn letters_that_changed_places_are_one_error() {
        assert_eq!(likeness("lmap", "lamp"), 1);
        assert_eq!(likeness("casserol", "casserole"), 1);
        assert_eq!(likeness("teapot", "carpet"), 4);
    }
}
