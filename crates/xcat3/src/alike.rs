//! Sentences that differ in nothing but numbers and addresses, as one sentence: of a hundred BMCs that
//! don't answer, each sentence names another address, and says one thing.

use std::collections::HashMap;

/// Stands where sentences differ.
const DIFFERENT: &str = "…";

/// What a word may have around it.
fn is_around(c: char) -> bool {
    "()[]{},;:.!?'\"".contains(c)
}

/// A word that may differ from sentence to sentence (it has a digit), between what is around it.
fn parts(word: &str) -> Option<(&str, &str, &str)> {
    let core = word.trim_matches(is_around);
    if !core.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let before = word.len() - word.trim_start_matches(is_around).len();
    let (around, rest) = word.split_at(before);
    let (core, after) = rest.split_at(core.len());
    Some((around, core, after))
}

/// What sentences have in common that one can stand for.
fn shape(sentence: &str) -> String {
    let words = sentence.split(' ').map(|word| match parts(word) {
        Some((before, _, after)) => format!("{before}{DIFFERENT}{after}"),
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// One sentence for several of one shape: what differs is left out.
fn common(sentences: &[&str]) -> String {
    let Some((first, others)) = sentences.split_first() else {
        return String::new();
    };
    let mut words: Vec<String> = first.split(' ').map(str::to_owned).collect();
    for other in others {
        for (word, same) in words.iter_mut().zip(other.split(' ')) {
            if word != same
                && let Some((before, _, after)) = parts(same)
            {
                *word = format!("{before}{DIFFERENT}{after}");
            }
        }
    }
    words.join(" ")
}

/// Groups of the members that have sentences alike, each with the sentence of them all.
pub fn grouped<'a, T>(members: impl Iterator<Item = (&'a str, T)>) -> Vec<(String, Vec<T>)> {
    let mut shapes: HashMap<String, (Vec<&str>, Vec<T>)> = HashMap::new();
    for (sentence, member) in members {
        let (sentences, group) = shapes.entry(shape(sentence)).or_default();
        sentences.push(sentence);
        group.push(member);
    }
    let groups = shapes.into_values();
    groups.map(|(all, group)| (common(&all), group)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_left_out_and_all_else_stays() {
        let of = |sentences: &[&str]| common(sentences);
        assert_eq!(
            of(&[
                "BMC 10.0.0.1: not done within 50 s",
                "BMC 10.0.0.2: not done within 50 s"
            ]),
            "BMC …: not done within 50 s"
        );
        assert_eq!(of(&["BMC 10.0.0.1: no"]), "BMC 10.0.0.1: no");
        let v6 = [
            "BMC [fe80::1]:623: no",
            "BMC [fe80::2]:624: no",
            "BMC [fe80::1]:623: no",
        ];
        assert_eq!(of(&v6), "BMC […: no");
    }

    #[test]
    fn sentences_of_other_words_are_others() {
        let said = [
            ("BMC 10.0.0.1: it is off", 1),
            ("BMC 10.0.0.2: it is on", 2),
            ("BMC 10.0.0.3: it is off", 3),
            ("on", 4),
        ];
        let mut groups = grouped(said.into_iter());
        groups.sort();
        assert_eq!(
            groups,
            [
                ("BMC 10.0.0.2: it is on".to_owned(), vec![2]),
                ("BMC …: it is off".to_owned(), vec![1, 3]),
                ("on".to_owned(), vec![4]),
            ]
        );
    }
}
