//! Reading and clearing the log (IPMI v2.0, 31.4 to 31.9).

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use super::Entry;
use crate::client::Error;
use crate::command::{Malformed, truncated};
use crate::message::{Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// Reserve SEL.
const RESERVE: Command = Command::new(0x0a, 0x42);
/// Get SEL Entry.
const GET: Command = Command::new(0x0a, 0x43);
/// Clear SEL.
const CLEAR: Command = Command::new(0x0a, 0x47);

/// Entry number of the first entry.
const FIRST: u16 = 0x0000;
/// Entry number after the last entry.
const END: u16 = 0xffff;
/// Read size: the whole entry.
const WHOLE: u8 = 0xff;
/// The most entries that are read. BMCs have a few thousand.
const MAX_ENTRIES: usize = 16_384;
/// How often clearing is started over because the reservation was cancelled.
const MAX_RESERVATIONS: u32 = 8;
/// Action of Clear SEL: start erasing.
const ERASE: u8 = 0xaa;
/// Action of Clear SEL: report the progress.
const PROGRESS: u8 = 0x00;
/// Interval between requests for the progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// How often the progress is requested: for a minute.
const MAX_PROGRESS_REQUESTS: u32 = 240;

/// The newest entries of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Entries, the newest last.
    pub entries: Vec<Entry>,
    /// Number of older entries that were left out.
    pub older: usize,
    /// What could not be read.
    pub problems: Vec<Malformed>,
}

/// Reads the log and returns its newest `limit` entries.
///
/// # Errors
/// The BMC refuses, or there is no response. A log without end is cut, which [`Log::problems`] reports.
pub async fn list(bmc: &mut impl Requester, limit: usize) -> Result<Log, Error> {
    let (mut log, mut entries) = (Log::default(), VecDeque::new());
    let (mut seen, mut id) = (HashSet::new(), FIRST);
    loop {
        let (next, entry) = match entry(bmc, id).await {
            // The log is empty, or the entry was cleared meanwhile.
            Err(Error::Refused(Completion::NOT_PRESENT)) => break,
            result => result?,
        };
        match entry {
            Ok(entry) => entries.push_back(entry),
            Err(problem) => log
                .problems
                .push(problem.within(format!("SEL entry {id:#06x}"))),
        }
        if entries.len() > limit {
            entries.pop_front();
            log.older += 1;
        }
        seen.insert(id);
        // Quirk: 0 after the last entry.
        if matches!(next, END | FIRST) {
            break;
        }
        if seen.contains(&next) {
            let sentence = format!("the event log is circular: {next:#06x} is in it twice");
            log.problems.push(Malformed::new(sentence));
            break;
        }
        if seen.len() >= MAX_ENTRIES {
            let sentence = format!("the event log has more than {MAX_ENTRIES} entries");
            log.problems.push(Malformed::new(sentence));
            break;
        }
        id = next;
    }
    log.entries = entries.into();
    Ok(log)
}

/// Reads an entry. Returns the number of the next entry, and this entry. Whole entries need no reservation.
async fn entry(
    bmc: &mut impl Requester,
    id: u16,
) -> Result<(u16, Result<Entry, Malformed>), Error> {
    let [low, high] = id.to_le_bytes();
    let response = bmc.request(GET, &[0, 0, low, high, 0, WHOLE]).await?;
    let mut reader = Reader::new(&response);
    let next = reader.u16();
    let next = next.map_err(truncated("the response to Get SEL Entry"))?;
    Ok((next, Entry::parse(reader.rest())))
}

/// Clears the log and waits until it is erased.
///
/// # Errors
/// The BMC refuses, there is no response, or the BMC is still erasing after a minute.
pub async fn clear(bmc: &mut impl Requester) -> Result<(), Error> {
    let mut reservation = reserve(bmc).await?;
    let (mut action, mut cancelled, mut progress_requests) = (ERASE, 0, 0);
    loop {
        let [r, s] = reservation;
        let request = [r, s, b'C', b'L', b'R', action];
        match bmc.request(CLEAR, &request).await {
            // Quirk: a response without progress means that the log is erased.
            Ok(response) if response.first().is_none_or(|progress| progress & 0x0f == 1) => {
                return Ok(());
            }
            Ok(_) if progress_requests < MAX_PROGRESS_REQUESTS => {
                action = PROGRESS;
                progress_requests += 1;
                tokio::time::sleep(PROGRESS_INTERVAL).await;
            }
            Ok(_) => {
                let sentence = "the event log is still being erased after a minute";
                return Err(Malformed::from(sentence).into());
            }
            Err(Error::Refused(Completion::RESERVATION_CANCELLED))
                if cancelled < MAX_RESERVATIONS =>
            {
                cancelled += 1;
                reservation = reserve(bmc).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Reserves the log. A BMC without reservations (quirk) accepts 0.
async fn reserve(bmc: &mut impl Requester) -> Result<[u8; 2], Error> {
    match bmc.request(RESERVE, &[]).await {
        Ok(response) => Ok(Reader::new(&response)
            .array()
            .map_err(truncated("the SEL reservation"))?),
        Err(Error::Refused(Completion::UNKNOWN_COMMAND)) => Ok([0, 0]),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entry;
    use super::*;
    use crate::command::script::{Responder, Script};

    /// A log of `count` entries; `next` returns the number after an entry.
    fn store(
        count: u16,
        next: fn(u16, u16) -> u16,
    ) -> impl FnMut(&[u8]) -> Result<Vec<u8>, u8> + Send {
        move |request| match *request {
            [0x0a, 0x43, _, _, low, high, 0, 0xff] => {
                let id = u16::from_le_bytes([low, high]).max(1);
                if id > count {
                    return Err(0xcb);
                }
                let next = next(id, count).to_le_bytes();
                Ok([&next[..], &entry(id, [0x10, 9, 0x6f, 2, 0xff, 0xff])].concat())
            }
            _ => Err(0xc1),
        }
    }

    fn in_order(id: u16, count: u16) -> u16 {
        if id == count { END } else { id + 1 }
    }

    async fn ids(
        bmc: impl FnMut(&[u8]) -> Result<Vec<u8>, u8> + Send,
        limit: usize,
    ) -> (Vec<u16>, Log) {
        let log = list(&mut Responder::new(bmc), limit).await.unwrap();
        (log.entries.iter().map(|entry| entry.id).collect(), log)
    }

    #[tokio::test]
    async fn log_longer_than_limit_keeps_the_newest_entries() {
        let (all, log) = ids(store(5, in_order), 100).await;
        assert_eq!((all, log.older), (vec![1, 2, 3, 4, 5], 0));
        let (newest, log) = ids(store(5, in_order), 2).await;
        assert_eq!((newest, log.older), (vec![4, 5], 3));
    }

    #[tokio::test]
    async fn log_empty_has_no_entries() {
        let (none, log) = ids(store(0, in_order), 2).await;
        assert!(none.is_empty() && log.problems.is_empty());
    }

    #[tokio::test]
    async fn log_with_zero_after_last_entry_ends_there() {
        let zero_at_end = |id, count| if id == count { 0 } else { id + 1 };
        let (ids, log) = ids(store(2, zero_at_end), 9).await;
        assert_eq!((ids, log.problems.len()), (vec![1, 2], 0));
    }

    #[tokio::test]
    async fn log_in_a_circle_is_cut() {
        let (ids, log) = ids(store(9, |id, _| id % 3 + 1), 100).await;
        assert_eq!(ids, [1, 2, 3, 1], "entry 1 is also entry 0, the first");
        assert_eq!(
            log.problems[0].to_string(),
            "the event log is circular: 0x0002 is in it twice"
        );
    }

    #[tokio::test]
    async fn log_without_end_is_cut() {
        let (ids, log) = ids(store(u16::MAX, |id, _| id + 1), 10).await;
        assert_eq!((ids.len(), log.older), (10, MAX_ENTRIES - 10));
        assert_eq!(
            log.problems[0].to_string(),
            "the event log has more than 16384 entries"
        );
    }

    #[tokio::test]
    async fn entry_truncated_does_not_affect_the_others() {
        let mut whole = store(3, in_order);
        let damaged = move |request: &[u8]| {
            let mut response = whole(request)?;
            if response[2] == 2 {
                response.truncate(9);
            }
            Ok(response)
        };
        let (ids, log) = ids(damaged, 10).await;
        assert_eq!(ids, [1, 3]);
        assert_eq!(
            log.problems[0].to_string(),
            "SEL entry 0x0002: the entry has 7 bytes, not 16"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn clearing_waits_until_the_log_is_erased() {
        let mut bmc = Script::new(&[
            (&[0x0a, 0x42], Ok(&[7, 0])),
            (&[0x0a, 0x47, 7, 0, b'C', b'L', b'R', 0xaa], Ok(&[0])),
            (&[0x0a, 0x47, 7, 0, b'C', b'L', b'R', 0x00], Err(0xc5)),
            (&[0x0a, 0x42], Ok(&[8, 0])),
            (&[0x0a, 0x47, 8, 0, b'C', b'L', b'R', 0x00], Ok(&[0])),
            (&[0x0a, 0x47, 8, 0, b'C', b'L', b'R', 0x00], Ok(&[1])),
        ]);
        clear(&mut bmc).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn clearing_without_end_is_an_error_after_a_minute() {
        let mut bmc = Responder::new(|_: &[u8]| Ok(vec![0, 0]));
        let start = tokio::time::Instant::now();
        let error = clear(&mut bmc).await.unwrap_err().to_string();
        let waited = start.elapsed().as_secs();
        assert!((60..=61).contains(&waited), "{waited} s");
        assert!(
            error.ends_with("still being erased after a minute"),
            "{error}"
        );
    }
}
