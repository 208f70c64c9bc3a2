//! Reading all records of a BMC (IPMI v2.0, 33.9 to 33.12; 35.2 to 35.4 for a BMC's own).

use std::collections::HashSet;

use super::record::{HEADER, Record};
use crate::client::Error;
use crate::command::chunk::Chunk;
use crate::command::{Malformed, cut};
use crate::message::{Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// The most records that are read. BMCs have some hundred at most.
const MOST_RECORDS: usize = 4_096;
/// How often a record is begun again because the reservation was lost.
const MOST_RESERVATIONS: u32 = 8;
/// Stands for the whole record.
const WHOLE: u8 = 0xff;
/// After the last record.
const END: u16 = 0xffff;

/// Where records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repository {
    /// The repository of the whole machine.
    Machine,
    /// The records that a BMC without repository has of its own sensors.
    Device,
}

/// What Get SDR Repository Info tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepositoryInfo {
    /// How many records there are.
    pub records: u16,
    /// When the last was added, in seconds since 1970.
    pub added: u32,
    /// When the last was removed.
    pub erased: u32,
}

impl RepositoryInfo {
    /// Reads the answer of Get SDR Repository Info.
    ///
    /// # Errors
    /// It is cut off.
    pub fn parse(answer: &[u8]) -> Result<Self, Malformed> {
        let cut = cut("the description of the sensor data repository");
        let mut reader = Reader::new(answer);
        let _version = reader.u8().map_err(&cut)?;
        let records = reader.u16().map_err(&cut)?;
        let _free = reader.u16().map_err(&cut)?;
        Ok(Self {
            records,
            added: reader.u32().map_err(&cut)?,
            erased: reader.u32().map_err(&cut)?,
        })
    }
}

impl Repository {
    const fn reserve(self) -> Command {
        match self {
            Self::Machine => Command::new(0x0a, 0x22),
            Self::Device => Command::new(0x04, 0x22),
        }
    }

    const fn get(self) -> Command {
        match self {
            Self::Machine => Command::new(0x0a, 0x23),
            Self::Device => Command::new(0x04, 0x21),
        }
    }

    /// Asks when the machine's repository last changed, so that records need not be read again.
    ///
    /// # Errors
    /// The BMC refuses, does not answer, or its answer is cut off.
    pub async fn info(bmc: &mut impl Requester) -> Result<RepositoryInfo, Error> {
        let answer = bmc.request(Command::new(0x0a, 0x20), &[]).await?;
        Ok(RepositoryInfo::parse(&answer)?)
    }
}

/// Reads all records. One that is malformed is in the second list, as a sentence, and the others are
/// read all the same.
///
/// # Errors
/// The BMC refuses or does not answer; the records don't end, or go round in a circle.
pub async fn list(
    bmc: &mut impl Requester,
    repository: Repository,
) -> Result<(Vec<Record>, Vec<Malformed>), Error> {
    let mut reading = Reading {
        bmc,
        repository,
        reservation: 0,
        chunk: Chunk::new(&[WHOLE, 32, 16, 8]),
    };
    reading.reserve().await?;
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    let mut id = 0;
    while id != END {
        if !seen.insert(id) {
            let sentence = format!(
                "the sensor data records go round in a circle: {id:#06x} comes a second time"
            );
            return Err(Malformed::new(sentence).into());
        }
        if seen.len() > MOST_RECORDS {
            let sentence = format!("there are more than {MOST_RECORDS} sensor data records");
            return Err(Malformed::new(sentence).into());
        }
        let (next, bytes) = match reading.record(id).await {
            // Quirk: an empty repository says that its first record is not there.
            Err(Error::Refused(Completion::NOT_PRESENT)) if id == 0 => break,
            read => read?,
        };
        match Record::parse(&bytes) {
            Ok(record) => records.push(record),
            Err(problem) => problems.push(problem),
        }
        id = next;
    }
    Ok((records, problems))
}

/// A reading under way.
struct Reading<'a, B> {
    bmc: &'a mut B,
    repository: Repository,
    reservation: u16,
    chunk: Chunk,
}

impl<B: Requester> Reading<'_, B> {
    /// Without a reservation whole records can be read still, so a BMC that has none (quirk) is none
    /// the worse.
    async fn reserve(&mut self) -> Result<(), Error> {
        match self.bmc.request(self.repository.reserve(), &[]).await {
            Ok(answer) => {
                let number = Reader::new(&answer).u16();
                self.reservation = number.map_err(cut("the reservation of the records"))?;
                Ok(())
            }
            Err(Error::Refused(Completion::UNKNOWN_COMMAND)) => {
                self.reservation = 0;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The next record's number, and the bytes of this one.
    async fn record(&mut self, id: u16) -> Result<(u16, Vec<u8>), Error> {
        let mut lost = 0;
        let mut bytes: Vec<u8> = Vec::with_capacity(64);
        loop {
            let wanted = wanted(&bytes);
            match self.part(id, bytes.len(), wanted - bytes.len()).await {
                Ok((next, part)) => {
                    bytes.extend_from_slice(&part);
                    // The header tells how much there is; a whole record needs no second part.
                    let whole = self::wanted(&bytes);
                    if bytes.len() >= whole || part.is_empty() {
                        bytes.truncate(whole);
                        return Ok((next, bytes));
                    }
                }
                Err(Error::Refused(Completion::RESERVATION_CANCELLED))
                    if lost < MOST_RESERVATIONS =>
                {
                    lost += 1;
                    bytes.clear();
                    self.reserve().await?;
                }
                Err(Error::Refused(refused)) if self.chunk.shrinks(refused) => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn part(
        &mut self,
        id: u16,
        offset: usize,
        wanted: usize,
    ) -> Result<(u16, Vec<u8>), Error> {
        let [r, s] = self.reservation.to_le_bytes();
        let [i, j] = id.to_le_bytes();
        let offset = u8::try_from(offset).unwrap_or(u8::MAX);
        let size = self.chunk.size();
        let at_once = offset == 0 && size == WHOLE;
        let count = if at_once {
            WHOLE
        } else {
            size.min(u8::try_from(wanted).unwrap_or(size))
        };
        let request = [r, s, i, j, offset, count];
        let answer = self.bmc.request(self.repository.get(), &request).await?;
        let mut reader = Reader::new(&answer);
        let place = || format!("sensor data record {id:#06x}");
        let next = reader.u16();
        let next = next.map_err(|short| cut("the answer")(short).within(place()))?;
        let part = reader.rest();
        let part = &part[..part.len().min(count.into())];
        Ok((next, part.to_vec()))
    }
}

/// How many bytes the record has in all, as far as is known.
fn wanted(bytes: &[u8]) -> usize {
    match bytes.get(HEADER - 1) {
        Some(length) => HEADER + usize::from(*length),
        None => HEADER,
    }
}

#[cfg(test)]
#[path = "repository_tests.rs"]
mod tests;
