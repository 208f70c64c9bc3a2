//! Reading and clearing the log (IPMI v2.0, 31.2 to 31.9).

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use super::{Entry, Timestamp};
use crate::client::Error;
use crate::command::{Malformed, cut};
use crate::message::{Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// Get SEL Info.
const INFO: Command = Command::new(0x0a, 0x40);
/// Reserve SEL.
const RESERVE: Command = Command::new(0x0a, 0x42);
/// Get SEL Entry.
const GET: Command = Command::new(0x0a, 0x43);
/// Clear SEL.
const CLEAR: Command = Command::new(0x0a, 0x47);

/// The first entry, whatever its number.
const FIRST: u16 = 0x0000;
/// After the last.
const END: u16 = 0xffff;
/// The whole entry.
const WHOLE: u8 = 0xff;
/// The most entries that are looked at. BMCs have some thousand at most.
const MOST_ENTRIES: usize = 16_384;
/// How often a reservation is made again that was lost.
const MOST_RESERVATIONS: u32 = 8;
/// Begin to erase, and tell how far it is.
const ERASE: u8 = 0xaa;
const PROGRESS: u8 = 0x00;
/// Pause before the progress is asked for, and how often it is.
const PAUSE: Duration = Duration::from_millis(250);
const MOST_PAUSES: u32 = 240;

/// What the log is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogInfo {
    /// How many entries there are.
    pub entries: u16,
    /// Room for more, in bytes; 65,535 stands for that or more.
    pub free: u16,
    /// When the last was added.
    pub added: Timestamp,
    /// When the log was last cleared.
    pub erased: Timestamp,
    /// Events were dropped, since it was full.
    pub overflow: bool,
}

/// What was read of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Its entries, the newest last.
    pub entries: Vec<Entry>,
    /// How many older ones there are that were not kept.
    pub older: usize,
    /// What could not be read, and why.
    pub problems: Vec<Malformed>,
}

impl LogInfo {
    /// Reads the answer of Get SEL Info.
    ///
    /// # Errors
    /// It is cut off.
    pub fn parse(answer: &[u8]) -> Result<Self, Malformed> {
        let cut = cut("the description of the event log");
        let mut reader = Reader::new(answer);
        let _version = reader.u8().map_err(&cut)?;
        Ok(Self {
            entries: reader.u16().map_err(&cut)?,
            free: reader.u16().map_err(&cut)?,
            added: Timestamp(reader.u32().map_err(&cut)?),
            erased: Timestamp(reader.u32().map_err(&cut)?),
            overflow: reader.u8().map_err(&cut)? & 0x80 != 0,
        })
    }
}

/// Asks what the log is like.
///
/// # Errors
/// The BMC refuses, does not answer, or its answer is cut off.
pub async fn info(bmc: &mut impl Requester) -> Result<LogInfo, Error> {
    Ok(LogInfo::parse(&bmc.request(INFO, &[]).await?)?)
}

/// Reads the log and keeps its newest `most` entries.
///
/// # Errors
/// The BMC refuses or does not answer. A log that does not end, or goes round in a circle, is read up to
/// there and says so in its problems.
pub async fn list(bmc: &mut impl Requester, most: usize) -> Result<Log, Error> {
    let (mut log, mut entries) = (Log::default(), VecDeque::new());
    let (mut seen, mut id) = (HashSet::new(), FIRST);
    loop {
        let (next, read) = match entry(bmc, id).await {
            // An empty log, or an entry that somebody cleared meanwhile.
            Err(Error::Refused(Completion::NOT_PRESENT)) => break,
            read => read?,
        };
        match read {
            Ok(entry) => entries.push_back(entry),
            Err(problem) => log
                .problems
                .push(problem.within(format!("entry {id:#06x}"))),
        }
        if entries.len() > most {
            entries.pop_front();
            log.older += 1;
        }
        seen.insert(id);
        // Quirk: 0 after the last entry.
        if matches!(next, END | FIRST) {
            break;
        }
        if seen.contains(&next) {
            let sentence = format!("the event log goes round in a circle: {next:#06x} comes again");
            log.problems.push(Malformed::new(sentence));
            break;
        }
        if seen.len() >= MOST_ENTRIES {
            let sentence = format!("the event log has more than {MOST_ENTRIES} entries");
            log.problems.push(Malformed::new(sentence));
            break;
        }
        id = next;
    }
    log.entries = entries.into();
    Ok(log)
}

/// The next entry's number, and this entry. Whole entries need no reservation.
async fn entry(
    bmc: &mut impl Requester,
    id: u16,
) -> Result<(u16, Result<Entry, Malformed>), Error> {
    let [low, high] = id.to_le_bytes();
    let answer = bmc.request(GET, &[0, 0, low, high, 0, WHOLE]).await?;
    let mut reader = Reader::new(&answer);
    let next = reader.u16().map_err(cut("an answer about the event log"))?;
    Ok((next, Entry::parse(reader.rest())))
}

/// Clears the log and waits until that is done.
///
/// # Errors
/// The BMC refuses, does not answer, or is still erasing after a minute.
pub async fn clear(bmc: &mut impl Requester) -> Result<(), Error> {
    clear_with(bmc, PAUSE).await
}

async fn clear_with(bmc: &mut impl Requester, pause: Duration) -> Result<(), Error> {
    let mut reservation = reserve(bmc).await?;
    let (mut order, mut lost, mut pauses) = (ERASE, 0, 0);
    loop {
        let [r, s] = reservation;
        match bmc.request(CLEAR, &[r, s, b'C', b'L', b'R', order]).await {
            // Quirk: no progress means that it is done.
            Ok(answer) if answer.first().is_none_or(|progress| progress & 0x0f == 1) => {
                return Ok(());
            }
            Ok(_) if pauses < MOST_PAUSES => {
                order = PROGRESS;
                pauses += 1;
                tokio::time::sleep(pause).await;
            }
            Ok(_) => {
                return Err(
                    Malformed::from("the event log is still being erased after a minute").into(),
                );
            }
            Err(Error::Refused(Completion::RESERVATION_CANCELLED)) if lost < MOST_RESERVATIONS => {
                lost += 1;
                reservation = reserve(bmc).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// A BMC that has no reservations (quirk) takes 0.
async fn reserve(bmc: &mut impl Requester) -> Result<[u8; 2], Error> {
    match bmc.request(RESERVE, &[]).await {
        Ok(answer) => Ok(Reader::new(&answer)
            .array()
            .map_err(cut("the reservation of the log"))?),
        Err(Error::Refused(Completion::UNKNOWN_COMMAND)) => Ok([0, 0]),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entry;
    use super::*;
    use crate::command::script::{Answering, Script};

    /// A log of so many entries, after each of which `next` tells which comes.
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

    fn good(id: u16, count: u16) -> u16 {
        if id == count { END } else { id + 1 }
    }

    async fn ids(
        bmc: impl FnMut(&[u8]) -> Result<Vec<u8>, u8> + Send,
        most: usize,
    ) -> (Vec<u16>, Log) {
        let log = list(&mut Answering::new(bmc), most).await.unwrap();
        (log.entries.iter().map(|entry| entry.id).collect(), log)
    }

    #[tokio::test]
    async fn a_log_is_read_to_its_end_and_the_newest_are_kept() {
        let (all, log) = ids(store(5, good), 100).await;
        assert_eq!((all, log.older), (vec![1, 2, 3, 4, 5], 0));
        let (newest, log) = ids(store(5, good), 2).await;
        assert_eq!((newest, log.older), (vec![4, 5], 3));
        let (none, log) = ids(store(0, good), 2).await;
        assert!(none.is_empty() && log.problems.is_empty());
        let (quirk, log) = ids(
            store(2, |id, count| if id == count { 0 } else { id + 1 }),
            9,
        )
        .await;
        assert_eq!((quirk, log.problems.len()), (vec![1, 2], 0));
    }

    #[tokio::test]
    async fn a_log_without_end_ends() {
        let (read, log) = ids(store(9, |id, _| id % 3 + 1), 100).await;
        assert_eq!(read, [1, 2, 3, 1], "the first was asked for as the first");
        let told = log.problems[0].to_string();
        assert_eq!(
            told,
            "the event log goes round in a circle: 0x0002 comes again"
        );
        let (read, log) = ids(store(u16::MAX, |id, _| id + 1), 10).await;
        assert_eq!((read.len(), log.older), (10, MOST_ENTRIES - 10));
        assert_eq!(
            log.problems[0].to_string(),
            "the event log has more than 16384 entries"
        );
    }

    #[tokio::test]
    async fn an_entry_that_is_cut_off_costs_no_other() {
        let mut good = store(3, good);
        let broken = move |request: &[u8]| {
            let mut answer = good(request)?;
            if answer[2] == 2 {
                answer.truncate(9);
            }
            Ok(answer)
        };
        let (read, log) = ids(broken, 10).await;
        assert_eq!(read, [1, 3]);
        let told = log.problems[0].to_string();
        assert_eq!(
            told,
            "entry 0x0002: an entry of the event log has 7 bytes, not 16"
        );
    }

    #[tokio::test]
    async fn clearing_waits_for_its_end() {
        let mut bmc = Script::new(&[
            (&[0x0a, 0x42], Ok(&[7, 0])),
            (&[0x0a, 0x47, 7, 0, b'C', b'L', b'R', 0xaa], Ok(&[0])),
            (&[0x0a, 0x47, 7, 0, b'C', b'L', b'R', 0x00], Err(0xc5)),
            (&[0x0a, 0x42], Ok(&[8, 0])),
            (&[0x0a, 0x47, 8, 0, b'C', b'L', b'R', 0x00], Ok(&[0])),
            (&[0x0a, 0x47, 8, 0, b'C', b'L', b'R', 0x00], Ok(&[1])),
        ]);
        clear_with(&mut bmc, Duration::ZERO).await.unwrap();
        let mut never = Answering::new(|_: &[u8]| Ok(vec![0, 0]));
        let error = clear_with(&mut never, Duration::ZERO)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("still being erased after a minute"),
            "{error}"
        );
    }

    #[test]
    fn the_description_of_the_log_is_read() {
        let answer = [0x51, 3, 0, 0, 2, 0, 0xf1, 0x53, 0x65, 1, 0, 0, 0, 0x82];
        let info = LogInfo::parse(&answer).unwrap();
        assert_eq!((info.entries, info.free, info.overflow), (3, 512, true));
        assert_eq!(
            info.added.rfc3339().as_deref(),
            Some("2023-11-14T22:13:20Z")
        );
        assert!(LogInfo::parse(&answer[..13]).is_err());
    }
}
