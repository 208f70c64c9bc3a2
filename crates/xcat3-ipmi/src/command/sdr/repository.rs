//! Reading all records of a BMC (IPMI v2.0, 33.9 to 33.12; 35.2 to 35.4 for device SDRs).

use std::collections::HashSet;

use super::record::{HEADER, Record};
use crate::client::Error;
use crate::command::chunk::Chunk;
use crate::command::{Malformed, truncated};
use crate::message::{Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// The most records that are read. BMCs have a few hundred.
const MAX_RECORDS: usize = 4_096;
/// How often one record is started over because the reservation was cancelled.
const MAX_RESERVATIONS: u32 = 8;
/// Read size: the whole record.
const WHOLE: u8 = 0xff;
/// Record number after the last record.
const END: u16 = 0xffff;

/// A store of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repository {
    /// The SDR repository of the machine.
    Machine,
    /// The device SDRs of a BMC without a repository.
    Device,
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
}

/// Reads all records. A malformed record is reported in the second list and does not affect the others.
///
/// # Errors
/// The BMC refuses, there is no response, or the list of records has no end.
pub async fn list(
    bmc: &mut impl Requester,
    repository: Repository,
) -> Result<(Vec<Record>, Vec<Malformed>), Error> {
    let mut transfer = Transfer {
        bmc,
        repository,
        reservation: 0,
        chunk: Chunk::new(&[WHOLE, 32, 16, 8]),
    };
    transfer.reserve().await?;
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    let mut id = 0;
    while id != END {
        if !seen.insert(id) {
            let sentence = format!("the list of SDRs is circular: {id:#06x} is in it twice");
            return Err(Malformed::new(sentence).into());
        }
        if seen.len() > MAX_RECORDS {
            let sentence = format!("there are more than {MAX_RECORDS} SDRs");
            return Err(Malformed::new(sentence).into());
        }
        let (next, bytes) = match transfer.record(id).await {
            // Quirk: an empty repository has a first record that is not present.
            Err(Error::Refused(Completion::NOT_PRESENT)) if id == 0 => break,
            result => result?,
        };
        match Record::parse(&bytes) {
            Ok(record) => records.push(record),
            Err(problem) => problems.push(problem),
        }
        id = next;
    }
    Ok((records, problems))
}

/// The transfer of a repository.
struct Transfer<'a, B> {
    bmc: &'a mut B,
    repository: Repository,
    reservation: u16,
    chunk: Chunk,
}

impl<B: Requester> Transfer<'_, B> {
    /// Reserves the repository. A BMC without reservations (quirk) still returns whole records.
    async fn reserve(&mut self) -> Result<(), Error> {
        match self.bmc.request(self.repository.reserve(), &[]).await {
            Ok(response) => {
                let number = Reader::new(&response).u16();
                self.reservation = number.map_err(truncated("the SDR reservation"))?;
                Ok(())
            }
            Err(Error::Refused(Completion::UNKNOWN_COMMAND)) => {
                self.reservation = 0;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Reads a record. Returns the number of the next record, and the bytes of this one.
    async fn record(&mut self, id: u16) -> Result<(u16, Vec<u8>), Error> {
        let mut cancelled = 0;
        let mut bytes: Vec<u8> = Vec::with_capacity(64);
        loop {
            let length = known_length(&bytes);
            match self.part(id, bytes.len(), length - bytes.len()).await {
                Ok((next, part)) => {
                    bytes.extend_from_slice(&part);
                    let length = known_length(&bytes);
                    if bytes.len() >= length || part.is_empty() {
                        bytes.truncate(length);
                        return Ok((next, bytes));
                    }
                }
                Err(Error::Refused(Completion::RESERVATION_CANCELLED))
                    if cancelled < MAX_RESERVATIONS =>
                {
                    cancelled += 1;
                    bytes.clear();
                    self.reserve().await?;
                }
                Err(Error::Refused(refused)) if self.chunk.shrink(refused) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads `wanted` bytes of a record or as many as the BMC returns at once.
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
        let count = if offset == 0 && size == WHOLE {
            WHOLE
        } else {
            size.min(u8::try_from(wanted).unwrap_or(size))
        };
        let request = [r, s, i, j, offset, count];
        let response = self.bmc.request(self.repository.get(), &request).await?;
        let mut reader = Reader::new(&response);
        let next = reader.u16().map_err(|short| {
            let sdr = format!("SDR {id:#06x}");
            truncated("the response")(short).within(sdr)
        })?;
        let part = reader.rest();
        let part = &part[..part.len().min(count.into())];
        Ok((next, part.to_vec()))
    }
}

/// The length of a record as far as it is known: that of the header until the header has arrived.
fn known_length(bytes: &[u8]) -> usize {
    match bytes.get(HEADER - 1) {
        Some(length) => HEADER + usize::from(*length),
        None => HEADER,
    }
}

#[cfg(test)]
#[path = "repository_tests.rs"]
mod tests;
