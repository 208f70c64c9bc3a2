//! How an operation on many nodes is carried out, and arguments of `job`.

use clap::Args;

/// How an operation on many nodes is carried out.
#[derive(Debug, Default, Args)]
pub struct OperationArgs {
    /// Print the id of the job and don't wait for what comes of it.
    #[arg(id = "later", long = "async")]
    pub later: bool,
    /// Work on so many nodes at once: the next begin when all of these have ended.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub batch: Option<usize>,
    /// Leave the rest alone when more than so many nodes, or more than this share of them, have failed.
    #[arg(long, value_name = "N|P%", value_parser = limit)]
    pub max_failures: Option<String>,
}

/// Arguments of `job`.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// Its id, or as much of its beginning as no other has.
    pub id: String,
    /// Show what comes of its nodes, from the beginning to the end.
    #[arg(long, short)]
    pub follow: bool,
    /// Leave alone what has not begun.
    #[arg(long, conflicts_with = "follow")]
    pub cancel: bool,
    /// Print only the range of the nodes on which it failed.
    #[arg(long, conflicts_with_all = ["follow", "cancel"])]
    pub failed: bool,
    /// Print only the range of the nodes that were left alone.
    #[arg(long, conflicts_with_all = ["follow", "cancel", "failed"])]
    pub left_alone: bool,
}

/// A number that is not zero.
pub(super) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("write a number, 1 or more".to_owned()),
    }
}

/// How many nodes may fail: a number, or a share with up to three decimals.
fn limit(text: &str) -> Result<String, String> {
    let wrong = || "write a number of nodes like 20, or a share of them like 2%".to_owned();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some(share) = text.strip_suffix('%') else {
        let number = digits(text).then(|| text.parse::<u64>().ok()).flatten();
        return number.map(|_| text.to_owned()).ok_or_else(wrong);
    };
    let (whole, fraction) = share.split_once('.').unwrap_or((share, "0"));
    if !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return Err(wrong());
    }
    match share.parse::<f64>() {
        Ok(share) if share <= 100.0 && whole.len() <= 3 => Ok(text.to_owned()),
        _ => Err("a share of the nodes is at most 100%".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_failures_are_numbers_or_shares() {
        for text in ["0", "17", "2%", "0.5%", "100%", "100.000%"] {
            assert_eq!(limit(text).as_deref(), Ok(text));
        }
        for text in [
            "", "%", "-1", "x", "200%", "101%", "1.2345%", "1.%", ".5%", "100.1%", "0100%", "1e1%",
        ] {
            assert!(limit(text).is_err(), "{text}");
        }
    }
}
