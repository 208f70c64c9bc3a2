//! The order in which people list names: `node2` before `node10`.

use std::cmp::Ordering;

/// Compares two names so that runs of digits count as numbers of any size. Names that are equal as
/// numbers (`node1`, `node01`) are told apart by their text, so that the order is total.
#[must_use]
pub fn compare(left: &str, right: &str) -> Ordering {
    let (mut l, mut r) = (left.as_bytes(), right.as_bytes());
    loop {
        match (l.first(), r.first()) {
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let (left_number, left_rest) = split_number(l);
                let (right_number, right_rest) = split_number(r);
                let order = left_number.len().cmp(&right_number.len());
                match order.then_with(|| left_number.cmp(right_number)) {
                    Ordering::Equal => (l, r) = (left_rest, right_rest),
                    unequal => return unequal,
                }
            }
            (Some(a), Some(b)) if a == b => (l, r) = (&l[1..], &r[1..]),
            (None, None) => return left.cmp(right),
            (a, b) => return a.cmp(&b),
        }
    }
}

/// Splits the leading digits, without their leading zeros, from what follows.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let first = number
        .iter()
        .position(|&b| b != b'0')
        .unwrap_or(number.len());
    (&number[first..], rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_count_as_numbers() {
        let mut names = vec![
            "node10",
            "node2",
            "node1",
            "rack2-n1",
            "rack10-n1",
            "node01",
            "node",
        ];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(
            names,
            [
                "node",
                "node01",
                "node1",
                "node2",
                "node10",
                "rack2-n1",
                "rack10-n1"
            ]
        );
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in "[a-c0-2]{0,6}", b in "[a-c0-2]{0,6}", c in "[a-c0-2]{0,6}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &b) == Ordering::Equal, a == b);
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }
    }
}
